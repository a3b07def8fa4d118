"""What happens in a session, one small value each: the items of ``session.events()``.

Layer:  engine (plain values)
Out:    one typed event for each change that a person may want to know of; none per packet
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.errors import RtspError
from rtspkit.wire.stream import Stream

__all__ = [
    "AttemptFailed",
    "Event",
    "KeepAliveChanged",
    "PacketsDropped",
    "QuirkSeen",
    "Reconnected",
    "Reconnecting",
    "ServerRequested",
    "SessionEnded",
    "SessionRestored",
    "SourceChanged",
    "StateChanged",
    "StoreProblem",
    "StrategyChanged",
    "StreamChanged",
    "StreamEnded",
    "StreamSkipped",
    "TransportRejected",
]


@dataclass(slots=True)
class Event:
    """The root of all events.

    Attributes:
        at: When it happened, in monotonic seconds.
    """

    at: float


@dataclass(slots=True)
class StateChanged(Event):
    """The session went from one state to another; ``state`` as in ``Session.state``."""

    before: str
    state: str


@dataclass(slots=True)
class TransportRejected(Event):
    """A transport did not work; the next one is tried.

    Attributes:
        transport: ``"udp"`` or ``"tcp"``.
        following: The one tried next.
        reason: Why, in words.
    """

    transport: str
    following: str
    reason: str


@dataclass(slots=True)
class StreamSkipped(Event):
    """The server refused SETUP for a stream that nobody asked for by name; the others go on."""

    stream: Stream
    error: RtspError


@dataclass(slots=True)
class QuirkSeen(Event):
    """The peer departed from the RFC in a way that we put up with; once per session and kind.

    Attributes:
        identifier: Stable name: ``"reason-phrase-missing"``.
        meaning: What that is, in words.
        detail: What was met, redacted and short; may be empty.
    """

    identifier: str
    meaning: str
    detail: str


@dataclass(slots=True)
class KeepAliveChanged(Event):
    """The server refused, or did not answer, a keep-alive; another method is used from now on."""

    before: str
    method: str
    reason: str


@dataclass(slots=True)
class ServerRequested(Event):
    """The server sent us a request; ``status_code`` is what we answered."""

    method: str
    status_code: int


@dataclass(slots=True)
class SourceChanged(Event):
    """A stream's RTP source (SSRC) changed: a discontinuity."""

    stream: Stream
    before: int | None
    ssrc: int


@dataclass(slots=True)
class PacketsDropped(Event):
    """A consumer was too slow: so many packets were dropped since the last such event.

    Told at once, then at most once a second.
    """

    count: int


@dataclass(slots=True)
class StreamEnded(Event):
    """A stream has ended, by RTCP BYE or with the presentation."""

    stream: Stream
    reason: str


@dataclass(slots=True)
class SessionRestored(Event):
    """The server had dropped our session (454) and gave it again, on the same connection."""

    seconds: float


@dataclass(slots=True)
class AttemptFailed(Event):
    """An attempt to connect has failed.

    Attributes:
        attempt: Its number: 1 for the first since ``connect()``, or since the loss.
        error: Why.
        strategy: The retry strategy that it was made by.
    """

    attempt: int
    error: RtspError
    strategy: str


@dataclass(slots=True)
class Reconnecting(Event):
    """Another attempt will be made.

    Attributes:
        attempt: Its number: 1 for the first since ``connect()``, or since the loss.
        cause: What made it necessary: the loss, or why the last attempt failed.
        delay: Seconds until it is made.
        strategy: The retry strategy that says so.
        racing: How connections are raced in it: ``"none"``, ``"first-wins"``, ``"last-wins"``.
    """

    attempt: int
    cause: RtspError
    delay: float
    strategy: str
    racing: str


@dataclass(slots=True)
class Reconnected(Event):
    """The session plays again; its packets go on with ``discontinuity`` set.

    Attributes:
        attempt: Number of the attempt that succeeded.
        seconds: From the loss to this moment.
        strategy: The retry strategy that it was made by.
    """

    attempt: int
    seconds: float
    strategy: str


@dataclass(slots=True)
class StrategyChanged(Event):
    """``"auto"`` or ``"adaptive"`` has decided to try otherwise.

    Attributes:
        before: The strategy up to now.
        strategy: The one from now on.
        racing: How connections are raced with it.
        evidence: What the decision rests on, in words, with the numbers.
    """

    before: str
    strategy: str
    racing: str
    evidence: str


@dataclass(slots=True)
class StoreProblem(Event):
    """What is remembered of servers cannot be read or written; told once, and never fatal.

    Attributes:
        problem: What is wrong, in words.
    """

    problem: str


@dataclass(slots=True)
class StreamChanged(Event):
    """A stream has come back with another description; packets of ``stream`` follow.

    Attributes:
        before: The stream up to now; None when it was not there.
        stream: What has taken its place.
    """

    before: Stream | None
    stream: Stream


@dataclass(slots=True)
class SessionEnded(Event):
    """Nothing more will come; ``error`` is None when the end was in order."""

    error: RtspError | None

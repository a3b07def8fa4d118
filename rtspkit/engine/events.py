"""What happens in a session, one small value each: the items of ``session.events()``.

Layer:  engine (plain values)
Out:    one typed event for each change that a person may want to know of; none per packet
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.errors import RtspError
from rtspkit.wire.stream import Stream

__all__ = [
    "Event",
    "KeepAliveChanged",
    "PacketsDropped",
    "QuirkSeen",
    "ServerRequested",
    "SessionEnded",
    "SessionRestored",
    "SourceChanged",
    "StateChanged",
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
class SessionEnded(Event):
    """Nothing more will come; ``error`` is None when the end was in order."""

    error: RtspError | None

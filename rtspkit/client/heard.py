"""What was heard of one session, as values that fill up while it plays.

Layer:  client
In:     packets and access units, in their order
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtspkit.engine.drift import Drift
from rtspkit.engine.statistics import SessionStats
from rtspkit.errors import RtspError
from rtspkit.payload.base import AccessUnit
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Heard", "KeptAlive", "StreamHeard"]

SETTLING = 0.5  # seconds of a stream that say nothing of its clock: servers send ahead at first


@dataclass(slots=True)
class StreamHeard:
    """One stream.

    Attributes:
        stream: The stream.
        pictures: Whether it has keyframes.
        drift: Its clock beside ours.
        first: Monotonic seconds of its first packet; None before it.
        wall_offset: Seconds that the sender's wall clock is ahead of ours, the way included; None
            without a sender report.
        keyframes: How many came.
        longest_gap: Seconds of media between two of them, at most; None before the second.
        units: Access units.
    """

    stream: Stream
    pictures: bool = False
    drift: Drift = field(default_factory=Drift)
    first: float | None = None
    wall_offset: float | None = None
    keyframes: int = 0
    longest_gap: float | None = None
    units: int = 0
    _last: RtpPacket | None = None
    _last_keyframe: float = 0.0

    def take_packet(self, packet: RtpPacket) -> None:
        """A packet, in its order."""
        arrival = packet.arrival
        if self.first is None:
            self.first = arrival
        if arrival - self.first >= SETTLING and (
            self._last is None or packet.timestamp != self._last.timestamp
        ):
            self.drift.add(arrival, packet.media_time)
        self._last = packet

    def take_unit(self, unit: AccessUnit) -> None:
        """An access unit, in its order."""
        self.units += 1
        if not unit.keyframe:
            return
        if self.keyframes:
            gap = unit.media_time - self._last_keyframe
            self.longest_gap = max(gap, self.longest_gap or 0.0)
        self.keyframes += 1
        self._last_keyframe = unit.media_time

    def finish(self, now: float, wall: float) -> None:
        """Compare the wall clocks; ``wall`` is ours at ``now``."""
        packet, self._last = self._last, None
        if packet is not None and packet.wall_clock is not None and packet.wall_time is not None:
            self.wall_offset = packet.wall_time - (wall - (now - packet.arrival))


@dataclass(slots=True)
class KeptAlive:
    """How the session is kept alive.

    Attributes:
        method: The first method that the server took; None when it took none.
        seconds: How long its answer took.
        refused: Methods that did not work before it, each with the reason.
    """

    method: str | None = None
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Heard:
    """What was heard over one transport. Times in seconds; None where it did not come to that.

    Attributes:
        kind: ``"udp"`` or ``"tcp"``.
        error: What ended it too early.
        set_up: From the beginning to the response to the last SETUP.
        first_packet: From sending PLAY to the first packet.
        played: Whether PLAY was accepted.
        punched: Whether the first packet came only after we had sent one.
        seconds: Listened to, from the first packet on.
        session_timeout: As SETUP told, or the default.
        streams: One each.
        stats: What was counted.
        kept_alive: None when it was not tried.
        quirks: What the server did wrong, with how often.
    """

    kind: str
    error: RtspError | None = None
    set_up: float | None = None
    first_packet: float | None = None
    played: bool = False
    punched: bool = False
    seconds: float = 0.0
    session_timeout: float = 0.0
    streams: tuple[StreamHeard, ...] = ()
    stats: SessionStats = field(default_factory=SessionStats)
    kept_alive: KeptAlive | None = None
    quirks: dict[str, int] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        """Whether media came."""
        return self.first_packet is not None

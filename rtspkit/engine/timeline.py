"""One stream's continuous time: ``media_time`` and its mapping to the wall clock.

Layer:  engine (state, but no clock and no I/O: the caller brings arrival times)
In:     stamp(packet), in the order of delivery; sender reports; what the PLAY response said
Out:    ``media_time``, ``wall_clock`` and ``discontinuity`` of each packet
Source: RFC 3550 §5.1, §6.4.1; RFC 2326 §12.33 (RTP-Info)

Facts the code leans on
- Packets of one picture share a timestamp, so most packets cost one comparison.
- Time is the distance from an anchor in whole ticks, divided once: nothing adds up to an error.

Rules
- The first packet after PLAY has the time that RTP-Info gives it, when that names a timestamp
  within 10 s of it; else the seconds since PLAY, so that streams line up by their arrival.
- A timestamp that jumps by more than 10 s, and not because that much time has passed, begins
  anew: time goes on by the seconds that passed between the arrivals.
- A new source keeps its own timestamps where they carry on the old ones within 1 s.
- After another connection, time goes on by the seconds that passed between the arrivals.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.wire.ntp import ntp_to_unix
from rtspkit.wire.rtp import RtpPacket, WallClock
from rtspkit.wire.serial import difference_16, difference_32

__all__ = ["Start", "Timeline"]

MAX_JUMP = 10.0  # seconds that a timestamp may be off and still be believed
SAME_CLOCK = 1.0  # seconds within which a new source carries on the old timestamps
IN_FLIGHT = 1000  # packets that may still come from before a PLAY


@dataclass(slots=True)
class Start:
    """What is known of the first packet after one PLAY; everything may be missing.

    Attributes:
        now: Monotonic seconds at which PLAY was sent.
        rtptime: RTP timestamp that belongs to ``npt_start``, from RTP-Info.
        sequence_number: Of the first packet, from RTP-Info.
        npt_start: Where in the presentation it begins, in seconds.
    """

    now: float | None = None
    rtptime: int | None = None
    sequence_number: int | None = None
    npt_start: float | None = None


class Timeline:
    """The time of one stream.

    Args:
        clock_rate: RTP ticks per second, greater than 0.

    Attributes:
        last: ``media_time`` of the last packet.
        wall_clock: The mapping that packets get; None before the first sender report.
        jumps: Times that the timestamps began anew by themselves, or by another PLAY.
        unchanged: The timestamp whose time is ``last``; -1 when the next packet needs a look.
        arrival: Of the last packet.
    """

    __slots__ = (
        "_anchor",
        "_carried",
        "_max_jump_ticks",
        "_report",
        "_start",
        "_ticks",
        "_timestamp",
        "arrival",
        "clock_rate",
        "jumps",
        "last",
        "unchanged",
        "wall_clock",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.last = 0.0
        self.wall_clock: WallClock | None = None
        self.jumps = 0
        self._max_jump_ticks = int(MAX_JUMP * clock_rate)
        self._anchor: float | None = None  # media_time where _ticks is 0
        self._ticks = 0  # of the last packet, from the anchor
        self._timestamp = 0  # of the last packet
        self.unchanged = -1
        self.arrival = 0.0
        self._start: Start | None = Start()
        self._carried = False  # it goes on from an earlier connection
        self._report: tuple[int, int, float] | None = None  # waits for the first packet

    def carry_on(self, media_time: float, arrival: float) -> None:
        """Go on where another connection stopped; called before the first packet.

        Args:
            media_time: Of the last packet there.
            arrival: When that was.
        """
        self._carried = True
        self.last = media_time
        self.arrival = arrival

    def start(self, start: Start) -> None:
        """PLAY: the next packet is placed by ``start``."""
        self._start = start
        self.unchanged = -1

    def inform(
        self, *, rtptime: int | None, sequence_number: int | None, npt_start: float | None
    ) -> bool:
        """The PLAY response has come; False when the first packet was there before it."""
        if self._start is None:
            return False
        self._start.rtptime = rtptime
        self._start.sequence_number = sequence_number
        self._start.npt_start = npt_start
        return True

    def stamp(self, packet: RtpPacket) -> None:
        """Give one packet its time; its ``arrival`` must be set."""
        if packet.timestamp != self.unchanged:
            self._advance(packet)
        packet.media_time = self.last
        packet.wall_clock = self.wall_clock
        self.arrival = packet.arrival

    def anchor(self, timestamp: int, media_time: float) -> None:
        """Say which time belongs to ``timestamp``; what follows is counted from here."""
        self._anchor = self.last = media_time
        self._ticks = 0
        self._timestamp = self.unchanged = timestamp

    def media_time(self, timestamp: int) -> float:
        """The time of a timestamp within 2**31 ticks of the last packet's; changes nothing."""
        ticks = self._ticks + difference_32(timestamp, self._timestamp)
        return (self._anchor or 0.0) + ticks / self.clock_rate

    def restart(self, timestamp: int, now: float) -> None:
        """Another source, or a jump in sequence: go on from the last time."""
        if self._anchor is None or self._start is not None:
            return
        expected = self.last + max(now - self.arrival, 0.0)
        if abs(self.media_time(timestamp) - expected) > SAME_CLOCK:
            self.anchor(timestamp, expected)

    def sender_report(self, ntp: int, rtp_timestamp: int, now: float) -> bool:
        """Map time to the wall clock; False when the report cannot be meant for that.

        A report without a wall clock (NTP zero) says nothing, and neither does one whose
        timestamp is more than 10 s from where the stream is.
        """
        if not ntp:
            return False
        if self._anchor is None:
            self._report = ntp, rtp_timestamp, now
            return True
        media_time = self.media_time(rtp_timestamp)
        if abs(media_time - self.last - max(now - self.arrival, 0.0)) > MAX_JUMP:
            return False
        self.wall_clock = WallClock(media_time, ntp_to_unix(ntp), "sr")
        return True

    def _advance(self, packet: RtpPacket) -> None:
        """Move on to the timestamp of ``packet``."""
        if self._start is not None and self._begin(packet, self._start):
            return
        timestamp, step = packet.timestamp, difference_32(packet.timestamp, self._timestamp)
        if abs(step) > self._max_jump_ticks:
            elapsed = max(packet.arrival - self.arrival, 0.0)
            if abs(step / self.clock_rate - elapsed) > MAX_JUMP:
                self._mark(packet)
                self.anchor(timestamp, self.last + elapsed)
                return
        assert self._anchor is not None
        self._ticks += step
        self._timestamp = timestamp
        self.unchanged = timestamp if self._start is None else -1
        self.last = self._anchor + self._ticks / self.clock_rate

    def _begin(self, packet: RtpPacket, start: Start) -> bool:
        """Place the first packet after PLAY; False when it is one from before that PLAY."""
        again = self._anchor is not None
        if again and start.sequence_number is not None:
            ahead = difference_16(packet.sequence_number, start.sequence_number)
            if -IN_FLIGHT <= ahead < 0:
                return False
        self._start = None
        self.anchor(packet.timestamp, self._first_media_time(packet, start))
        if again or self._carried:
            self._mark(packet)
        self._carried = False
        if self._report is not None:
            self.arrival = packet.arrival
            ntp, rtp_timestamp, reported = self._report
            age = int((packet.arrival - reported) * self.clock_rate)
            off = difference_32(packet.timestamp, (rtp_timestamp + age) & 0xFFFFFFFF)
            self._report = None
            if abs(off) <= self._max_jump_ticks:
                self.wall_clock = WallClock(self.media_time(rtp_timestamp), ntp_to_unix(ntp), "sr")
        return True

    def _mark(self, packet: RtpPacket) -> None:
        """A discontinuity, counted here unless whoever handed in the packet knew already."""
        if not packet.discontinuity:
            packet.discontinuity = True
            self.jumps += 1

    def _first_media_time(self, packet: RtpPacket, start: Start) -> float:
        goes_on = self._carried or self._anchor is not None
        if start.rtptime is not None and (start.npt_start is not None or not goes_on):
            ahead = difference_32(packet.timestamp, start.rtptime)
            if abs(ahead) <= self._max_jump_ticks:
                return (start.npt_start or 0.0) + ahead / self.clock_rate
        if self._carried and start.npt_start is None:
            return self.last + max(packet.arrival - self.arrival, 0.0)
        waited = 0.0 if start.now is None else packet.arrival - start.now
        if start.npt_start is not None:
            return start.npt_start + waited
        return waited if self._anchor is None else self.last + waited

"""What we know of one RTP source: sequence, loss, interarrival jitter.

Layer:  engine (state, but no clock and no I/O: the caller brings ``now``)
In:     receive(sequence_number, timestamp, now), for each packet as it arrives
Out:    extended sequence numbers; the numbers of one RTCP report block
Source: RFC 3550 §6.4.1 (fields), A.1 (sequence), A.3 (loss), A.8 (jitter)

Facts the code leans on
- Lost may be negative: duplicates count as received (RFC 3550 §6.4.1).
- Extended numbers only grow by a restart, so no two packets of a source ever share one.

Where we leave the RFC
- No probation for the first packet: the SETUP or PLAY response has named the source.
- A packet may be up to 1,000 behind before it is a jump (A.1: 100): at 5,000 packets a second
  that is 0.2 s. The two packets that confirm a jump must follow each other directly.
- A restart does not forget what was lost before it.
- A timestamp that jumps by more than 10 s says nothing about jitter.
"""

from __future__ import annotations

from rtspkit.wire.ntp import middle_32
from rtspkit.wire.rtcp import ReportBlock
from rtspkit.wire.serial import unwrap_16

__all__ = ["MAX_DROPOUT", "MAX_MISORDER", "Reception"]

MAX_DROPOUT = 3000  # packets that may be missing before it is a jump, A.1
MAX_MISORDER = 1000  # packets that one may come too late before it is a jump
MAX_STEP = 10.0  # seconds of transit time that are still jitter
MAX_LOST = (1 << 23) - 1  # signed 24 bits


class Reception:
    """The state of one source.

    Args:
        clock_rate: RTP ticks per second, greater than 0.
        ssrc: Of the source, for its report blocks.

    Attributes:
        received: Packets received, duplicates included.
        highest: The highest extended sequence number; -1 before the first packet.
        jitter_ticks: Interarrival jitter in RTP ticks.
        restarts: Times that a jump was confirmed.
        due: The sequence number that follows the highest, as the wire has it; -1 before the first.
        timestamp: Of the packet that came last.
        arrival: When it came.
    """

    __slots__ = (
        "_base",
        "_candidate",
        "_candidate_at",
        "_expected_before",
        "_expected_reported",
        "_last_report",
        "_received_reported",
        "arrival",
        "clock_rate",
        "due",
        "highest",
        "jitter_ticks",
        "received",
        "restarts",
        "ssrc",
        "timestamp",
    )

    def __init__(self, clock_rate: int, ssrc: int = 0) -> None:
        self.clock_rate = clock_rate
        self.ssrc = ssrc
        self.received = 0
        self.highest = -1
        self.jitter_ticks = 0.0
        self.restarts = 0
        self.due = -1
        self._base: int | None = None
        self._expected_before = 0  # packets expected before the last restart
        self._candidate = -1
        self._candidate_at = -1
        self.timestamp = 0
        self.arrival = 0.0
        self._expected_reported = 0
        self._received_reported = 0
        self._last_report: tuple[int, float] | None = None

    def receive(self, sequence_number: int, timestamp: int, now: float) -> int | None:
        """Take one packet's numbers, in the order of arrival.

        Returns:
            Its extended sequence number; None while it is far from the others and none has
            confirmed it yet. When the next one does, ``restarts`` has grown, and the packet
            before has the extended number before.
        """
        if sequence_number == self.due:
            extended = self.highest = self.highest + 1
            self.due = (sequence_number + 1) & 0xFFFF
        else:
            placed = self._place(sequence_number, timestamp, now)
            if placed is None:
                return None
            extended = placed
        self.received += 1
        transit = (now - self.arrival) * self.clock_rate
        if timestamp != self.timestamp:
            transit = self.advance(timestamp, transit)
        self.arrival = now
        self.jitter_ticks += (abs(transit) - self.jitter_ticks) / 16
        return extended

    def advance(self, timestamp: int, transit: float) -> float:
        """A packet with another timestamp: how much longer it was on its way, in ticks.

        Args:
            timestamp: Its timestamp.
            transit: Ticks since the packet before it.
        """
        # ``difference_32``, at half of the cost of calling it
        transit -= ((timestamp - self.timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self.timestamp = timestamp
        return transit if -MAX_STEP < transit / self.clock_rate < MAX_STEP else 0.0

    def _place(self, sequence_number: int, timestamp: int, now: float) -> int | None:
        """The extended number of a packet that is not the next one; A.1."""
        if self._base is None:
            self._base = self.highest = sequence_number
            self.due = (sequence_number + 1) & 0xFFFF
            self.timestamp, self.arrival = timestamp, now
            return sequence_number
        extended = unwrap_16(sequence_number, self.highest)
        step = extended - self.highest
        if 0 < step < MAX_DROPOUT:
            self.highest = extended
            self.due = (sequence_number + 1) & 0xFFFF
            return extended
        if -MAX_MISORDER <= step <= 0:
            self._base = min(self._base, extended)
            return extended
        if sequence_number != self._candidate or self.received != self._candidate_at:
            self._candidate = (sequence_number + 1) & 0xFFFF
            self._candidate_at = self.received
            return None
        self.restart((sequence_number - 1) & 0xFFFF)
        self.received += 1  # the one before, which this one confirms
        self.highest += 1
        self.due = (sequence_number + 1) & 0xFFFF
        self.timestamp, self.arrival = timestamp, now
        return self.highest

    def restart(self, sequence_number: int) -> int:
        """The source begins anew with this packet; gives its extended number, a fresh one."""
        assert self._base is not None, "no restart before a start"
        self._expected_before = self.expected
        self._base = self.highest = ((self.highest >> 16) + 1 << 16) + sequence_number
        self.due = (sequence_number + 1) & 0xFFFF
        self._candidate = -1
        self.restarts += 1
        return self.highest

    @property
    def expected(self) -> int:
        """Packets that the source has sent, as far as its sequence numbers tell."""
        if self._base is None:
            return 0
        return self._expected_before + self.highest - self._base + 1

    @property
    def lost(self) -> int:
        """Expected less received; negative when there were more duplicates than losses."""
        return self.expected - self.received

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds."""
        return self.jitter_ticks / self.clock_rate

    def sender_report(self, ntp: int, now: float) -> None:
        """A sender report of this source has come; the next report block will say so."""
        self._last_report = middle_32(ntp), now

    def report_block(self, now: float) -> ReportBlock:
        """The report block for this source; begins the next interval of ``fraction_lost``.

        Source: RFC 3550 A.3.
        """
        expected = self.expected - self._expected_reported
        received = self.received - self._received_reported
        self._expected_reported += expected
        self._received_reported += received
        lost = expected - received
        fraction = min((lost << 8) // expected, 255) if expected > 0 and lost > 0 else 0
        last, arrival = self._last_report or (0, now)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=max(-MAX_LOST - 1, min(self.lost, MAX_LOST)),
            highest_sequence_number=max(self.highest, 0) & 0xFFFFFFFF,
            interarrival_jitter=min(int(self.jitter_ticks), 0xFFFFFFFF),
            last_sender_report=last,
            delay_since_last_sender_report=min(round(max(now - arrival, 0) * 65_536), 0xFFFFFFFF),
        )

"""One RTP source of a bulk of packets: its columns, and what they add up to.

Layer:  engine (plain values)
Out:    SourceColumns, a row per packet; SourceStatistics, a number per question
Source: RFC 3550 §6.4.1, A.1, A.3, A.8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rtspkit.wire.columns import Column

__all__ = ["Gap", "RateWindow", "SourceColumns", "SourceStatistics"]


class Gap(NamedTuple):
    """Packets in a row that never came.

    Attributes:
        sequence_number: Of the first one, extended; the wire's is that modulo 2**16.
        packets: How many.
    """

    sequence_number: int
    packets: int


class RateWindow(NamedTuple):
    """What came within one stretch of time.

    Attributes:
        start: Seconds, on the clock of the arrival times.
        packets: Packets that came, of every kind.
        bytes: Their bytes, headers included.
    """

    start: float
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SourceColumns:
    """The packets of one source in the order of arrival, strays left out.

    All columns but ``strays`` have the same length; types are those that ``PacketColumns`` says.
    They may share memory with the ``PacketColumns`` that they were made from.

    Attributes:
        ssrc: The source.
        clock_rate: RTP ticks per second.
        payload_types: Those that its packets have, strays included, in ascending order.
        row: Where each packet is in the ``PacketColumns``; int64, ``q``.
        sequence_number: Extended beyond 16 bits; the first is as sent, and it may be negative
            for packets from before that; int64, ``q``.
        timestamp: Unwrapped beyond 32 bits: each the nearest to the one before; int64, ``q``.
        arrival: Seconds; float64, ``d``.
        size: Bytes of the whole packet; int32, ``i``.
        behind: How far the packet is behind the highest sequence number so far; 0 when it is
            not; int16, ``h``.
        duplicate: Whether a packet of the same extended number came before; bool, ``B``.
        jitter_ticks: The running estimate of RFC 3550 A.8 after this packet, in ticks;
            float64, ``d``.
        restarts: Rows of these columns where the source began anew.
        strays: Packets far from the others in sequence, with no second one to confirm them:
            their rows in the ``PacketColumns``; int64, ``q``.
    """

    ssrc: int
    clock_rate: int
    payload_types: tuple[int, ...]
    row: Column[int]
    sequence_number: Column[int]
    timestamp: Column[int]
    arrival: Column[float]
    size: Column[int]
    behind: Column[int]
    duplicate: Column[int]
    jitter_ticks: Column[float]
    restarts: tuple[int, ...]
    strays: Column[int]

    def __len__(self) -> int:
        """How many packets it has, strays left out."""
        return len(self.row)

    def __repr__(self) -> str:
        return f"SourceColumns(ssrc={self.ssrc:#010x}, {len(self)} packets)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatistics:
    """What the packets of one source add up to.

    ``packets`` = ``received`` + ``strays``; ``expected`` = ``received`` - ``duplicates`` +
    ``missing``.

    Attributes:
        ssrc: The source.
        clock_rate: RTP ticks per second.
        payload_types: Those that its packets have, in ascending order.
        packets: Packets of every kind.
        bytes: Their bytes, headers included.
        first_arrival: Seconds.
        last_arrival: Of the last packet in order of arrival, in seconds.
        highest: The highest extended sequence number.
        received: Packets received, duplicates included, strays left out.
        expected: Packets that the source has sent, as far as its sequence numbers tell.
        missing: Packets of these that never came.
        gaps: Where they are missing, in ascending order; they sum up to ``missing``.
        duplicates: Packets that came again.
        reordered: Packets that came behind a later one, duplicates left out.
        reorder_depth: How far the furthest of these came behind, in sequence numbers.
        strays: Packets far from the others in sequence, with no second one to confirm them.
        restarts: Times that the source began anew: a jump that two packets confirm.
        timestamp_span: From the lowest unwrapped timestamp to the highest, in ticks.
        jitter_ticks: Interarrival jitter after the last packet, in ticks.
        highest_jitter_ticks: The highest that it has been.
        windows: Stretches of equal time since the first arrival, in ascending order; those
            without a packet are left out.
        window: Seconds of each of them.
    """

    ssrc: int
    clock_rate: int
    payload_types: tuple[int, ...]
    packets: int
    bytes: int
    first_arrival: float
    last_arrival: float
    highest: int
    received: int
    expected: int
    missing: int
    gaps: tuple[Gap, ...]
    duplicates: int
    reordered: int
    reorder_depth: int
    strays: int
    restarts: int
    timestamp_span: int
    jitter_ticks: float
    highest_jitter_ticks: float
    windows: tuple[RateWindow, ...]
    window: float

    @property
    def lost(self) -> int:
        """Expected less received; negative when there were more duplicates than losses (A.3)."""
        return self.expected - self.received

    @property
    def jitter(self) -> float:
        """Interarrival jitter after the last packet, in seconds."""
        return self.jitter_ticks / self.clock_rate

    @property
    def duration(self) -> float:
        """Seconds from the first arrival to the last."""
        return self.last_arrival - self.first_arrival

    @property
    def bitrate(self) -> float:
        """Bits per second, headers included, from the first packet to the last; 0 for no time."""
        return 8 * self.bytes / self.duration if self.duration > 0 else 0.0

    @property
    def packet_rate(self) -> float:
        """Packets per second, from the first to the last; 0 for no time."""
        return self.packets / self.duration if self.duration > 0 else 0.0

    @property
    def highest_bitrate(self) -> float:
        """Bits per second of the busiest window, each taken as whole."""
        return 8 * max(window.bytes for window in self.windows) / self.window

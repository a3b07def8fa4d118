"""What a source sends: pictures that decode, filled up to any rate, cut and paced.

In:     the clip of ``rtspkit.testing``; a Traffic
Out:    a Cycle: bursts of ready RTP packets, each with its time; ``read_stamp`` for the other end
Source: RFC 6184 §5.6 to §5.8 (packets), ITU-T H.264 §7.3.4 (mb_skip_run), §7.4.1 (type 12, filler)

Facts the code leans on
- A cycle is one group of pictures: a keyframe, the clip's 23 pictures behind it, and six that
  repeat the last, so that there are 30. Filler data behind a slice belongs to its access unit and
  decodes to nothing.
- Packets of a burst are equally long, but for the last: what UDP_SEGMENT takes in one call.
- Bursts of equal content share one template, so a rate of 500,000 packets/s takes little memory;
  the sender writes sequence number, timestamp, SSRC and stamps into it right before it sends.
- Stamps have the top bit set in every byte: no start code can come of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bench.pictures import pictures

__all__ = [
    "STAMP_SIZE",
    "Burst",
    "Cycle",
    "Stamp",
    "Template",
    "Traffic",
    "build_cycle",
    "make_stamp",
    "read_stamp",
    "shares",
]

CLOCK_RATE = 90_000
PAYLOAD_TYPE = 96
RTP_HEADER = 12
CHANNEL_HEADER = 4  # "$", channel, length: RFC 2326 §10.12
FU_A, STAP_A, FILLER = 28, 24, 12
START, END = 0x80, 0x40
MAX_SEGMENTS = 50  # of one call; the kernel's limit is 64, and 65,507 bytes
MAX_DATAGRAM = 65_507
MAX_PICTURE = 3_000_000  # bytes; rtspkit's own limit is 4 MiB
TICK = 0.001  # s: flat traffic goes out in steps of it
STAMP_SIZE = 16
STAMP_MASK = (1 << 56) - 1
STAMP_SHIFTS = range(49, -1, -7)

Pacing = Literal["frames", "flat", "flood"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What each stream carries.

    Attributes:
        rate: Packets per second.
        pacing: ``"frames"`` sends each picture at once, at ``line_rate``, as cameras do; ``"flat"``
            spreads the packets evenly, in steps of 1 ms; ``"flood"`` sends without a pause.
        packet_size: Bytes of a full RTP packet, header included.
        frame_rate: Pictures per second. Lowered where ``rate`` does not carry them; raised where a
            picture would be larger than 3 MB, as no camera's is.
        key_ratio: How much larger a keyframe is than another picture; 1 for flat traffic.
        line_rate: Packets per second inside a burst: 100,000 of 1,200 bytes are 1 Gbit/s.
        segmentation: Whether UDP bursts go out in one call (UDP_SEGMENT). On the loopback interface
            such a burst reaches a socket with UDP_GRO in one piece, as it does from a network
            card only when the packets come close together; without, nothing is ever joined.
    """

    rate: float = 1000.0
    pacing: Pacing = "frames"
    packet_size: int = 1200
    frame_rate: float = 30.0
    key_ratio: float = 8.0
    line_rate: float = 100_000.0
    segmentation: bool = True

    def __post_init__(self) -> None:
        if self.pacing not in ("frames", "flat", "flood"):
            raise ValueError(f"pacing is frames, flat or flood, not {self.pacing!r}")
        if not 64 <= self.packet_size <= MAX_DATAGRAM:
            raise ValueError(f"packet_size is 64 to {MAX_DATAGRAM} bytes, not {self.packet_size}")
        if min(self.rate, self.frame_rate, self.key_ratio, self.line_rate) <= 0:
            raise ValueError("rates and ratios are positive")


class Stamp(NamedTuple):
    """When a packet was handed to the kernel.

    Attributes:
        monotonic: Nanoseconds of CLOCK_MONOTONIC.
        realtime: Nanoseconds of CLOCK_REALTIME, since 1970.
    """

    monotonic: int
    realtime: int


@dataclass(slots=True, eq=False)
class Template:
    """Some packets, one behind the other, whose numbers are still to be written.

    Attributes:
        data: The packets; over TCP each with its channel header in front.
        size: Bytes from one packet to the next.
        headers: Where each RTP header has its sequence number.
        stamps: Where each stamp begins; empty for packets of slices.
        units: Access units that end here: 0 or 1.
        unit_bytes: Bytes that these packets add to an Annex B byte stream.
        bytes: RTP bytes, headers included.
    """

    data: memoryview
    size: int
    headers: tuple[int, ...]
    stamps: tuple[int, ...]
    units: int
    unit_bytes: int
    bytes: int


class Burst(NamedTuple):
    """What goes out in one call.

    Attributes:
        due: Seconds from the beginning of the cycle.
        ticks: Of the RTP timestamp, from the beginning of the cycle.
        template: The packets.
    """

    due: float
    ticks: int
    template: Template


@dataclass(slots=True)
class Cycle:
    """A group of pictures, sent over and over.

    Attributes:
        duration: Seconds of media.
        interval: Seconds from the beginning of one turn to the next; 0 for a flood.
        ticks: The same on the RTP clock.
        packets: Packets of one turn.
        frame_rate: Pictures per second that came out.
        bursts: In the order they go out; ``due`` never falls.
    """

    duration: float
    interval: float
    ticks: int
    packets: int
    frame_rate: float
    bursts: list[Burst] = field(default_factory=list)


class _Packet(NamedTuple):
    payload: bytes
    stamped: bool
    unit_bytes: int


def build_cycle(traffic: Traffic, *, interleaved: bool = False) -> Cycle:
    """The bursts of one group of pictures.

    Args:
        traffic: What is wanted.
        interleaved: Whether packets have a channel header in front.
    """
    payload_size = traffic.packet_size - RTP_HEADER
    coded = [[list(_cut(nal, payload_size)) for nal in picture] for picture in pictures()]
    least = [sum(map(len, runs)) for runs in coded]
    key_ratio = 1.0 if traffic.pacing == "flat" else traffic.key_ratio
    weights = [key_ratio] + [1.0] * (len(least) - 1)
    wanted = traffic.rate * len(least) / traffic.frame_rate
    most = MAX_PICTURE // traffic.packet_size * sum(weights) / key_ratio
    wanted = round(wanted / math.ceil(wanted / most))  # whole turns in the time of one
    counts = shares(max(wanted, sum(least)), weights, least)
    packets = sum(counts)
    duration = packets / traffic.rate
    frame_rate = len(counts) / duration
    interval = 0.0 if traffic.pacing == "flood" else duration
    cycle = Cycle(duration, interval, round(duration * CLOCK_RATE), packets, frame_rate)
    templates: dict[tuple[object, ...], Template] = {}
    pacer = _Pacer(traffic)
    for index, (runs, count) in enumerate(zip(coded, counts, strict=True)):
        full = [*runs, _filler(count - sum(map(len, runs)), payload_size)]
        ticks = round(index / frame_rate * CLOCK_RATE)
        for due, chunk, last in pacer.chunks(index / frame_rate, full):
            key = (*chunk, last)
            if key not in templates:
                templates[key] = _template(chunk, last, interleaved)
            cycle.bursts.append(Burst(due, ticks, templates[key]))
    return cycle


def shares(total: int, weights: Sequence[float], least: Sequence[int]) -> list[int]:
    """Share ``total`` packets out by weight, each picture having at least what it needs.

    Args:
        total: At least the sum of ``least``.
        weights: One a picture.
        least: Packets that each picture cannot do without.
    """
    low, high = 0.0, float(total)
    for _ in range(60):
        level = (low + high) / 2
        used = sum(max(n, w * level) for n, w in zip(least, weights, strict=True))
        low, high = (level, high) if used < total else (low, level)
    exact = [max(float(n), w * low) for n, w in zip(least, weights, strict=True)]
    counts, carried = [], 0.0
    for wish, n in zip(exact, least, strict=True):
        count = max(n, int(wish + carried + 1e-6))
        carried += wish - count
        counts.append(count)
    counts[-1] += total - sum(counts)
    return counts


# -- stamps


def make_stamp() -> bytes:
    """The time now, as packets carry it: two numbers of 56 bits, seven to a byte."""
    monotonic, realtime = time.monotonic_ns(), time.time_ns()
    return bytes(
        [monotonic >> shift & 0x7F | 0x80 for shift in STAMP_SHIFTS]
        + [realtime >> shift & 0x7F | 0x80 for shift in STAMP_SHIFTS]
    )


def read_stamp(payload: memoryview | bytes) -> Stamp | None:
    """When this RTP payload was sent; None when it carries no stamp (slices do not).

    Both times are told within 416 days of now: the upper bits are our own clocks'.
    """
    if len(payload) < STAMP_SIZE + 2:
        return None
    kind = payload[0] & 0x1F
    if kind != FILLER and (kind != FU_A or payload[1] & 0x1F != FILLER):
        return None
    stamp = bytes(payload[-STAMP_SIZE:])
    numbers = []
    for part, now in ((stamp[:8], time.monotonic_ns()), (stamp[8:], time.time_ns())):
        value = 0
        for byte in part:
            value = value << 7 | byte & 0x7F
        ahead = (value - now) & STAMP_MASK
        numbers.append(now + (ahead if ahead <= STAMP_MASK >> 1 else ahead - STAMP_MASK - 1))
    return Stamp(*numbers)


# -- packets


def _cut(nal: bytes | tuple[bytes, ...], size: int) -> Iterator[_Packet]:
    """The packets of one slice, or of the parameter sets that share a packet."""
    if isinstance(nal, tuple):
        parts = [len(one).to_bytes(2, "big") + one for one in nal]
        unit_bytes = sum(4 + len(one) for one in nal)
        yield _Packet(b"".join([bytes((0x60 | STAP_A,)), *parts]), False, unit_bytes)
    elif len(nal) <= size:
        yield _Packet(nal, False, 4 + len(nal))
    else:
        indicator, kind, step = nal[0] & 0xE0 | FU_A, nal[0] & 0x1F, size - 2
        for begin in range(1, len(nal), step):
            flags = (START if begin == 1 else 0) | (END if begin + step >= len(nal) else 0)
            part = nal[begin : begin + step]
            unit_bytes = len(part) + (5 if begin == 1 else 0)
            yield _Packet(bytes((indicator, flags | kind)) + part, False, unit_bytes)


def _filler(count: int, size: int) -> list[_Packet]:
    """One NAL unit of filler data in so many full packets."""
    if count < 2:
        return [_Packet(bytes((FILLER,)) + b"\xff" * (size - 1), True, 4 + size)] * count
    body = b"\xff" * (size - 2)
    first, middle, last = (
        _Packet(
            bytes((FU_A, flags | FILLER)) + body, True, len(body) + (5 if flags == START else 0)
        )
        for flags in (START, 0, END)
    )
    return [first, *[middle] * (count - 2), last]


class _Pacer:
    """Cuts pictures into bursts and gives each its time."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._most = max(1, min(MAX_SEGMENTS, MAX_DATAGRAM // traffic.packet_size))
        self._sent = 0
        self._free = 0.0  # when the line is free again

    def chunks(
        self, begin: float, runs: Sequence[Sequence[_Packet]]
    ) -> Iterator[tuple[float, tuple[_Packet, ...], bool]]:
        """Bursts of one picture: when, what, and whether the picture ends."""
        left = sum(map(len, runs))
        for run in runs:
            position = 0
            while position < len(run):
                due, most = self._next(begin)
                chunk = tuple(run[position : position + min(most, self._most)])
                position += len(chunk)
                left -= len(chunk)
                self._sent += len(chunk)
                self._free = max(self._free, begin) + len(chunk) / self._traffic.line_rate
                yield due, chunk, left == 0

    def _next(self, begin: float) -> tuple[float, int]:
        """When the next burst goes out, and how many packets it may have."""
        if self._traffic.pacing == "flood":
            return 0.0, self._most
        if self._traffic.pacing == "frames":
            return max(begin, self._free), self._most
        tick = int(self._sent / self._traffic.rate / TICK + 1e-9)
        end = math.ceil((tick + 1) * TICK * self._traffic.rate - 1e-6)
        return tick * TICK, max(1, end - self._sent)


def _template(packets: Sequence[_Packet], last: bool, interleaved: bool) -> Template:
    """Packets as they go out, with zeros where numbers will be."""
    data = bytearray()
    headers, stamps = [], []
    for index, packet in enumerate(packets):
        length = RTP_HEADER + len(packet.payload)
        if interleaved:
            data += b"$\x00" + length.to_bytes(2, "big")
        marker = 0x80 if last and index == len(packets) - 1 else 0
        headers.append(len(data) + 2)
        data += bytes((0x80, marker | PAYLOAD_TYPE)) + bytes(RTP_HEADER - 2) + packet.payload
        if packet.stamped:
            stamps.append(len(data) - STAMP_SIZE)
    prefix = CHANNEL_HEADER if interleaved else 0
    return Template(
        memoryview(data),
        prefix + RTP_HEADER + len(packets[0].payload),
        tuple(headers),
        tuple(stamps),
        int(last),
        sum(packet.unit_bytes for packet in packets),
        len(data) - prefix * len(packets),
    )

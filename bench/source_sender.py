"""The sending half of the source: templates, numbers, stamps, and the calls that send.

In:     cycles of ``bench.traffic``; ``now``, monotonic seconds
Out:    datagrams through UDP_SEGMENT where the kernel has it, else one call each; or one piece
        for a TCP connection
Source: RFC 3550 §5.1 (RTP header), §6.4.1 (sender report), §6.5 (SDES)
"""

from __future__ import annotations

import heapq
import socket
import struct
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench.traffic import CLOCK_RATE, Cycle, Template, Traffic, build_cycle, make_stamp

__all__ = ["Outlet", "Schedule", "UdpPair", "sender_report"]

UDP_SEGMENT = 103  # linux/udp.h; option and control message
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
LATE = 1.0  # s behind its times; then a stream begins to count anew
RETRY = 0.0005  # s until a TCP connection that took nothing is asked again
GOLDEN = 0.6180339887  # of a cycle: streams are this far apart, and never beat together
SLICE = 0.001  # s of sending between two looks at the control connections

HEADER = struct.Struct(">HII")  # sequence number, timestamp, SSRC
SEGMENT_SIZE = struct.Struct("=H")


class UdpPair:
    """The sockets for RTP and RTCP that all sessions over UDP share."""

    def __init__(self, host: str) -> None:
        self.rtp, self.rtcp = _even_pair(host)
        for one in (self.rtp, self.rtcp):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.ports = (self.rtp.getsockname()[1], self.rtcp.getsockname()[1])
        self.segmentation = self._has_segmentation()

    def send(self, template: Template, address: tuple[str, int], *, joined: bool = True) -> None:
        """Send all packets of a template, in one call when they may be ``joined``."""
        data, size = template.data, template.size
        if len(template.headers) == 1:
            self.rtp.sendto(data, address)
        elif joined and self.segmentation:
            control = [(socket.IPPROTO_UDP, UDP_SEGMENT, SEGMENT_SIZE.pack(size))]
            self.rtp.sendmsg([data], control, 0, address)
        else:
            for begin in range(0, len(data), size):
                self.rtp.sendto(data[begin : begin + size], address)

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()

    def _has_segmentation(self) -> bool:
        try:
            self.rtp.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
        except OSError:
            return False
        return True


@dataclass(slots=True, eq=False)
class Outlet:
    """One stream of one session on its way out.

    Attributes:
        ssrc: Of its packets.
        interleaved: Whether it goes over the control connection.
        write: Sends a template; False when it must be tried again later.
        report: Sends an RTCP packet.
        channel: Of its packets, when interleaved.
        sequence_number: Of the next packet, not wrapped.
        sent: Packets.
        bytes: Of RTP, headers included.
        units: Whole access units.
        unit_bytes: Bytes of them as an Annex B byte stream.
        late: Times that it fell more than a second behind.
        blocked: Times that TCP took nothing.
    """

    ssrc: int
    interleaved: bool
    write: Callable[[Template], bool]
    report: Callable[[bytes], None]
    channel: int = 0
    first_sequence_number: int = 0
    sequence_number: int = 0
    sent: int = 0
    bytes: int = 0
    units: int = 0
    unit_bytes: int = 0
    late: int = 0
    blocked: int = 0
    timestamp: int = 0
    alive: bool = True
    _cycle: Cycle | None = None
    _position: int = 0
    _begin: float = 0.0
    _base_ticks: int = 0

    def start(self, cycle: Cycle, now: float, phase: float = 0.0) -> float:
        """Begin to send; gives when to call ``step``.

        Args:
            cycle: What to send over and over.
            now: Monotonic seconds.
            phase: Share of the cycle that is already over; 0 begins with the keyframe.
        """
        if self._cycle is not None:
            self._base_ticks = self.timestamp + round(CLOCK_RATE / self._cycle.frame_rate)
        self._cycle = cycle
        offset = phase * cycle.interval
        self._position = bisect_left(cycle.bursts, offset, key=lambda burst: burst.due)
        if self._position == len(cycle.bursts):
            self._position, offset = 0, 0.0
        self._begin = now - offset
        return self._begin + cycle.bursts[self._position].due

    def step(self, now: float) -> float:
        """Send the next burst; gives when to call again."""
        assert self._cycle is not None
        burst = self._cycle.bursts[self._position]
        self.timestamp = (self._base_ticks + burst.ticks) & 0xFFFFFFFF
        self._stamp(burst.template)
        if not self.write(burst.template):
            self.blocked += 1
            self._begin += RETRY  # a live source does not catch up with what TCP held up
            return now + RETRY
        self._count(burst.template)
        self._position += 1
        if self._position == len(self._cycle.bursts):
            self._position = 0
            self._begin += self._cycle.interval
            self._base_ticks += self._cycle.ticks
        if not self._cycle.interval:
            return now
        due = self._begin + self._cycle.bursts[self._position].due
        if now - due > LATE:
            self.late += 1
            self._begin += now - due
            return now
        return due

    def _stamp(self, template: Template) -> None:
        pack, data = HEADER.pack_into, template.data
        number, timestamp, ssrc = self.sequence_number, self.timestamp, self.ssrc
        for offset in template.headers:
            pack(data, offset, number & 0xFFFF, timestamp, ssrc)
            number += 1
        if self.interleaved:
            for offset in template.headers:
                data[offset - 5] = self.channel
        if template.stamps:
            stamp = make_stamp()
            size = len(stamp)
            for offset in template.stamps:
                data[offset : offset + size] = stamp

    def _count(self, template: Template) -> None:
        self.sequence_number += len(template.headers)
        self.sent += len(template.headers)
        self.bytes += template.bytes
        self.units += template.units
        self.unit_bytes += template.unit_bytes


@dataclass(slots=True)
class Schedule:
    """Which outlet is due next.

    Attributes:
        traffic: What each carries.
        clock: Monotonic seconds.
        running: Whether anything is sent at all.
        behind: The longest that anything went out after its time, in seconds.
    """

    traffic: Traffic
    clock: Callable[[], float]
    running: bool = True
    behind: float = 0.0
    outlets: list[Outlet] = field(default_factory=list)
    _heap: list[tuple[float, int, Outlet]] = field(default_factory=list)
    _cycles: dict[bool, Cycle] = field(default_factory=dict)
    _next: int = 0

    def add(self, outlets: Iterable[Outlet]) -> None:
        """These play from now on."""
        starting = list(outlets)
        if self.running:
            for interleaved in {outlet.interleaved for outlet in starting}:
                self._cycle(interleaved)  # takes a while: before the clock is read
        now = self.clock()
        for outlet in starting:
            phase = len(self.outlets) * GOLDEN % 1
            self.outlets.append(outlet)
            if self.running:
                self._push(outlet.start(self._cycle(outlet.interleaved), now, phase), outlet)

    def remove(self, outlets: Iterable[Outlet]) -> None:
        """These play no longer."""
        gone = set(map(id, outlets))
        self.outlets = [outlet for outlet in self.outlets if id(outlet) not in gone]
        self._heap = [entry for entry in self._heap if id(entry[2]) not in gone]
        heapq.heapify(self._heap)

    def start(self, traffic: Traffic) -> None:
        """Everything that plays begins anew with this traffic."""
        self.traffic, self.running, self.behind = traffic, True, 0.0
        self._cycles.clear()
        self._heap.clear()
        playing, self.outlets = self.outlets, []
        self.add(playing)

    def stop(self) -> None:
        """Nothing is sent until the next ``start``."""
        self.running = False
        self._heap.clear()

    def run(self) -> float | None:
        """Send what is due, for a millisecond at most; gives when the next is, None for never."""
        heap, clock = self._heap, self.clock
        now = clock()
        end = now + SLICE
        while heap and heap[0][0] <= now < end:
            due, _, outlet = heap[0]
            self.behind = max(self.behind, now - due)
            following = outlet.step(now)
            self._next += 1
            heapq.heapreplace(heap, (following, self._next, outlet))
            now = clock()
        return heap[0][0] if heap else None

    def _push(self, due: float, outlet: Outlet) -> None:
        self._next += 1
        heapq.heappush(self._heap, (due, self._next, outlet))

    def _cycle(self, interleaved: bool) -> Cycle:
        if interleaved not in self._cycles:
            self._cycles[interleaved] = build_cycle(self.traffic, interleaved=interleaved)
        return self._cycles[interleaved]


def sender_report(outlet: Outlet) -> bytes:
    """SR and SDES of a stream, as of now."""
    wall = time.time()
    seconds = int(wall)
    fraction = int((wall - seconds) * (1 << 32))
    report = struct.pack(
        ">BBHIIIIII",
        *(0x80, 200, 6, outlet.ssrc, (seconds + NTP_EPOCH) & 0xFFFFFFFF, fraction),
        *(outlet.timestamp, outlet.sent & 0xFFFFFFFF, outlet.bytes & 0xFFFFFFFF),
    )
    items = b"\x01\x06source" + bytes(4)  # CNAME, the end, padding to 32 bits
    return report + struct.pack(">BBHI", 0x81, 202, 1 + len(items) // 4, outlet.ssrc) + items


def _even_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on neighbouring ports, the first even."""
    for _ in range(100):
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind((host, 0))
        port = first.getsockname()[1]
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        except OSError:
            pass  # taken; another pair is as good
        first.close()
        second.close()
    raise OSError("no free pair of UDP ports")

"""Many datagrams for one system call: ``recvmmsg`` into the slots of a slab.

Layer:  net (Linux; ``recvmmsg_works`` says whether it can be used)
In:     a connected UDP socket from which only the peer is heard
Out:    ``read()``: Datagrams, with the kernel's own times of arrival

Facts the code leans on
- The kernel joins datagrams of one size that came together (``UDP_GRO``) and says what that size
  was. It is asked to from the start. Once a joined one is seen, one message a call is read, behind
  the last one without a gap: slots for the largest would lie empty most of the time, and hold
  memory. When little is joined any more, slots are filled again.
- A datagram that is larger than its slot goes on in the overflow: it is put together by a copy.
- Whether there is more behind a joined message, only another call would say. It costs a tenth of
  what another wake-up does, so it is made when it has mostly found something of late; else the
  loop says so, when the socket is readable still.
- Fewer datagrams than there were slots for: the queue is empty, and no other call has to say so.
- The kernel tells its drops with every datagram from the first drop on, as a running total.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat

from rtspkit.net.arrival import ArrivalClock
from rtspkit.net.message_headers import (
    ANSWER,
    LoneHeader,
    MessageHeaders,
    Overflow,
    control_messages,
)
from rtspkit.net.mmsghdr import HEADER_SIZE, c_function
from rtspkit.net.single import ICMP_ERRORS
from rtspkit.net.slab import BYTES, DATAGRAMS, Slab, SlabPool
from rtspkit.wire.datagrams import Datagrams, lone_datagrams, spaced_headers
from rtspkit.wire.rtp import HEADER_SIZE as RTP_HEADER_SIZE

__all__ = ["BatchReader", "join_datagrams", "recvmmsg_works"]

SO_TIMESTAMPNS = 35
SO_RXQ_OVFL = 40
SOL_UDP = 17
UDP_GRO = 104
TIMESTAMP_SIZE = 32  # of the control messages when only the time is told
TIMESTAMP_AND_DROPS_SIZE = TIMESTAMP_SIZE + 24
# Two control messages that follow each other: the time, and the size of what was joined.
TIMESTAMP_AND_SEGMENT = struct.Struct("QQqqQQi4x")
TIMESTAMP_FIRST = SO_TIMESTAMPNS << 32 | socket.SOL_SOCKET  # level and type as one number
told_of_one = TIMESTAMP_AND_SEGMENT.unpack_from
SEGMENT_SECOND = UDP_GRO << 32 | SOL_UDP
WINDOW = 256  # messages after which it is decided whether joining pays
JOINED_LEAST = 1.5  # datagrams to a message that make it pay
MESSAGE_LARGEST = 64 * 1024  # bytes
LARGE = DATAGRAMS.slot_size
AT_ONCE = 0.0002  # seconds; messages that are not further apart were there together
LUCK = 4  # other calls in vain, after which no more are made


_recvmmsg = c_function("recvmmsg", None)  # (int, struct mmsghdr *, int, int, NULL)
DO_NOT_WAIT = int(getattr(socket, "MSG_DONTWAIT", 0))  # an IntFlag is slow to convert


@cache
def recvmmsg_works() -> bool:
    """Whether the system has it and it writes where we look; tried once, on a pair of sockets."""
    if _recvmmsg is None:
        return False
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return False
    with ours, theirs:
        for data in (b"one", b"three"):
            theirs.send(data)
        found = BatchReader(ours, SlabPool(), time.monotonic).read()
        return found is not None and [bytes(view) for view in found] == [b"one", b"three"]


def join_datagrams(sock: socket.socket, wanted: bool) -> None:
    """Have the kernel join datagrams, or not: only a ``BatchReader`` takes them apart again."""
    with contextlib.suppress(OSError):  # an older kernel joins none
        sock.setsockopt(SOL_UDP, UDP_GRO, int(wanted))


class BatchReader:
    """Reads one socket.

    Args:
        sock: Not blocking.
        pool: Of the loop.
        clock: Gives monotonic seconds; datagrams without a time of their own get it.
        to_the_end: Whether nobody says so when something is left: it is always asked again.

    Attributes:
        name: ``"recvmmsg"``.
        drained: Whether the last read has left nothing behind.
        calls: System calls made.
        errors: Errors that the kernel told instead of datagrams.
        kernel_drops: Datagrams that found the kernel's queue full.
        copies: Datagrams put together from two places.
        joined: Datagrams that the kernel had joined to others.
    """

    name = "recvmmsg"

    def __init__(
        self,
        sock: socket.socket,
        pool: SlabPool,
        clock: Callable[[], float],
        *,
        to_the_end: bool = False,
    ) -> None:
        assert _recvmmsg is not None, "who asks recvmmsg_works() first does not get here"
        self._recvmmsg = _recvmmsg
        self._descriptor = sock.fileno()
        self._pool = pool
        self._arrival = ArrivalClock(clock)
        self._lone: LoneHeader | None = None  # while messages are read one by one
        self._to_the_end = to_the_end
        self._luck = 0  # as long as there is some, another call may well find another message
        self._last_read = -math.inf
        self._messages = self._segments = 0  # of the window
        self.drained = True
        self.calls = self.errors = self.kernel_drops = self.copies = self.joined = 0
        if sock.family != socket.AF_UNIX:
            join_datagrams(sock, True)
            for option in (SO_TIMESTAMPNS, SO_RXQ_OVFL):
                with contextlib.suppress(OSError):  # an older kernel tells less, and that must do
                    sock.setsockopt(socket.SOL_SOCKET, option, 1)

    def read(self) -> Datagrams | None:
        """What has arrived, at most one slab full; None when there is nothing."""
        if self._lone is not None:
            return self._read_one(self._lone)
        slab = self._pool.current(DATAGRAMS, DATAGRAMS.slot_size)
        if slab is None:
            return self._read_copies()
        first, count = self._receive(slab)
        if not count:
            return None
        now, wall = self._arrival.read()
        size = slab.size_class.slot_size
        slab.used += count * size
        headers: MessageHeaders = slab.headers
        lengths = headers.lengths[first : first + count].tolist()
        controls = headers.control_lengths[first : first + count].tolist()
        if (
            (
                controls.count(TIMESTAMP_SIZE) != count
                and not self._only_drops(slab, first, controls)
            )
            or max(lengths) > size
            or (least := min(lengths)) == 0
        ):
            return self._read_unusual(slab, first, lengths, now, wall)
        seconds = headers.seconds[first : first + count].tolist()
        nanoseconds = headers.nanoseconds[first : first + count].tolist()
        arrivals = self._arrival.many(seconds, nanoseconds, now, wall)
        starts = range(first * size, (first + count) * size, size)
        view = slab.view
        assert view is not None
        begins = spaced_headers(view, starts) if least >= RTP_HEADER_SIZE else None
        return Datagrams(repeat(view), starts, lengths, arrivals, now, sum(lengths), begins)

    def _receive(self, slab: Slab) -> tuple[int, int]:
        """Fill the free slots; gives the first one and how many were."""
        if slab.headers is None:
            if self._pool.overflow is None:
                self._pool.overflow = Overflow(DATAGRAMS.slots)
            slab.headers = MessageHeaders(slab, self._pool.overflow)
        first = slab.used // slab.size_class.slot_size
        room = slab.size_class.slots - first
        address = ctypes.c_void_p(slab.headers.address + first * HEADER_SIZE)
        count = self._call(address, room)
        self.drained = count < room
        return first, count

    def _call(self, address: ctypes.c_void_p, room: int) -> int:
        """Receive up to ``room`` messages to where the headers at ``address`` say."""
        while True:
            self.calls += 1
            count = self._recvmmsg(self._descriptor, address, room, DO_NOT_WAIT, None)
            if count >= 0:
                return count
            number = ctypes.get_errno()
            if number in (errno.EAGAIN, errno.EWOULDBLOCK):
                return 0
            if number == errno.EINTR:
                continue
            self.errors += 1
            if number not in ICMP_ERRORS:
                return 0

    def _read_one(self, header: LoneHeader) -> Datagrams | None:
        """One message, mostly of many datagrams that were joined."""
        slab = self._pool.current(BYTES, MESSAGE_LARGEST)
        if slab is None:
            return self._read_copies()
        begin = slab.used
        header.point_at(slab.address + begin)
        if not self._call(header.address, 1):
            self._luck -= self._luck > 0
            self._last_read = -math.inf
            self.drained = True
            return None
        size, length = ANSWER(header.answer)
        now, wall = self._arrival.read()
        slab.used = end = begin + length
        if not self.drained or now - self._last_read < AT_ONCE:
            self._luck = min(self._luck + 2, LUCK)
        self._last_read = now
        self.drained = not (self._luck or self._to_the_end)
        if size == TIMESTAMP_AND_SEGMENT.size:
            _, first, seconds, nanoseconds, _, second, segment = told_of_one(header.control)
        else:
            first = second = segment = 0
        if first == TIMESTAMP_FIRST and second == SEGMENT_SECOND:
            arrival = self._arrival.one(seconds, nanoseconds, now, wall)
        else:
            arrival, segment = self._told(memoryview(header.control)[:size], now, wall)
        segment = segment or length
        starts = range(begin, end, segment or 1)
        count = len(starts)
        self._weigh(1, count, large=length > LARGE)
        if not count:
            return None
        lengths = [segment] * count
        lengths[-1] = last = end - starts[-1]
        view = slab.view
        assert view is not None
        headers = spaced_headers(view, starts) if last >= RTP_HEADER_SIZE else None
        return Datagrams(repeat(view), starts, lengths, repeat(arrival), now, length, headers)

    def _only_drops(self, slab: Slab, first: int, controls: Sequence[int]) -> bool:
        """Whether every message tells its time and the kernel's drops, and nothing else."""
        count = len(controls)
        if controls.count(TIMESTAMP_AND_DROPS_SIZE) != count:
            return False
        kinds = slab.headers.second_kinds[first : first + count].tolist()
        if kinds.count(SO_RXQ_OVFL) != count:
            return False
        self.kernel_drops = slab.headers.second_values[first + count - 1]
        return True

    # -- what is unusual ----------------------------------------------------------------------

    def _read_unusual(
        self, slab: Slab, first: int, lengths: Sequence[int], now: float, wall: int
    ) -> Datagrams | None:
        """Messages that were joined, that overflow their slots, or that tell of drops."""
        size = slab.size_class.slot_size
        views: list[memoryview] = []
        starts: list[int] = []
        sizes: list[int] = []
        arrivals: list[float] = []
        assert slab.view is not None
        for slot, length in enumerate(lengths, first):
            arrival, segment = self._told(slab.headers.control(slot), now, wall)
            if not length:
                continue
            view, start = slab.view, slot * size
            if length > size:
                view, start = self._put_together(slab, slot, length), 0
            segment = segment or length
            parts = range(start, start + length, segment)
            count = len(parts)
            starts += parts
            sizes += [segment] * count
            sizes[-1] = start + length - parts[-1]
            views += [view] * count
            arrivals += [arrival] * count
        self._weigh(len(lengths), len(starts))
        return Datagrams(views, starts, sizes, arrivals, now) if starts else None

    def _told(self, control: memoryview, now: float, wall: int) -> tuple[float, int]:
        """When a message arrived, and the size of what was joined in it, or 0."""
        arrival, segment = now, 0
        for level, kind, data in control_messages(control):
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", data[:16])
                arrival = self._arrival.one(seconds, nanoseconds, now, wall)
            elif (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                (self.kernel_drops,) = struct.unpack("I", data[:4])
            elif (level, kind) == (SOL_UDP, UDP_GRO):
                (segment,) = struct.unpack("i", data[:4])
        return arrival, max(segment, 0)

    def _put_together(self, slab: Slab, slot: int, length: int) -> memoryview:
        """A datagram that is larger than its slot, as bytes of its own."""
        size = slab.size_class.slot_size
        start, rest = slot * size, slot * MESSAGE_LARGEST
        memory = slab.headers.overflow.memory
        self.copies += 1
        self._lone = self._lone or LoneHeader()
        return memoryview(
            bytes(slab.writable[start : start + size]) + memory[rest : rest + length - size]
        )

    def _weigh(self, messages: int, segments: int, *, large: bool = False) -> None:
        """Count what was joined, and decide how to go on; a giant is worth as much."""
        if segments > messages:
            self.joined += segments
            self._lone = self._lone or LoneHeader()
        self._messages += messages
        self._segments += max(segments, 2) if large else segments
        if self._messages >= WINDOW:
            if self._segments < JOINED_LEAST * self._messages:
                self._lone = None
            self._messages = self._segments = 0

    def _read_copies(self) -> Datagrams | None:
        """The pool is at its bound: what arrives is copied out of scratch memory, or dropped."""
        slab = self._pool.scratch(DATAGRAMS)
        _, count = self._receive(slab)
        if not count:
            return None
        lengths = slab.headers.lengths[:count].tolist()
        found = self._read_unusual(slab, 0, lengths, *self._arrival.read())
        if found is None:
            return None
        copies = (
            (self._pool.copy_out(view), at) for view, at in zip(found, found.arrivals, strict=False)
        )
        kept = [(copy, at) for copy, at in copies if copy is not None]
        self.copies += len(kept)
        datagrams = lone_datagrams([copy for copy, _ in kept], found.latest)
        datagrams.arrivals = [at for _, at in kept]
        return datagrams

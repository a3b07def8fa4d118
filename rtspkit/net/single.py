"""One system call for each datagram: ``recv_into`` a slab that is filled without gaps.

Layer:  net (any system whose loop can watch a socket)
In:     a UDP socket
Out:    ``read()``: Datagrams; ``read_from()``: with a look at each sender
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from itertools import repeat
from typing import Any

from rtspkit.net.slab import BYTES, Slab, SlabPool
from rtspkit.wire.datagrams import Datagrams, lone_datagrams

__all__ = ["SingleReader"]

LARGEST_DATAGRAM = 65_535  # bytes
AT_ONCE = 64  # datagrams of one read, wanted or not
ICMP_ERRORS = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)  # each told once


class SingleReader:
    """Reads one socket; arguments and attributes as of ``BatchReader``."""

    name = "recv_into"

    def __init__(self, sock: socket.socket, pool: SlabPool, clock: Callable[[], float]) -> None:
        self._sock = sock
        self._pool = pool
        self._clock = clock
        self.drained = True
        self.calls = self.errors = self.kernel_drops = self.copies = self.joined = 0

    def read(self) -> Datagrams | None:
        """What has arrived, a few dozen datagrams at most; None when there is nothing."""
        return self._read(lambda address: True, addressed=False)

    def read_from(self, accept: Callable[[Any], bool]) -> Datagrams | None:
        """As ``read``, of those senders only whose address is accepted."""
        return self._read(accept, addressed=True)

    def _read(self, accept: Callable[[Any], bool], *, addressed: bool) -> Datagrams | None:
        slab = self._pool.current(BYTES, LARGEST_DATAGRAM)
        if slab is None:
            return self._read_copies(accept, addressed=addressed)
        room = slab.writable
        position = slab.used
        starts: list[int] = []
        lengths: list[int] = []
        last = slab.size_class.size - LARGEST_DATAGRAM
        for _ in range(AT_ONCE):
            size = self._receive(room[position:], accept, addressed=addressed)
            if size is None:
                break
            if size:
                starts.append(position)
                lengths.append(size)
                position += size
                if position > last:
                    break
        slab.used = position
        if not starts:
            return None
        now = self._clock()
        assert slab.view is not None
        return Datagrams(repeat(slab.view), starts, lengths, repeat(now), now)

    def _receive(
        self, room: memoryview, accept: Callable[[Any], bool], *, addressed: bool
    ) -> int | None:
        """The size of the next datagram; 0 for one to be passed over, None when there is none."""
        self.calls += 1
        self.drained = False
        address = None
        try:
            if addressed:
                size, address = self._sock.recvfrom_into(room)
            else:
                size = self._sock.recv_into(room)
        except (BlockingIOError, InterruptedError):
            self.drained = True
            return None
        except OSError as error:
            self.errors += 1
            if error.errno in ICMP_ERRORS:  # what has arrived comes next
                return 0
            self.drained = True
            return None
        return size if not addressed or accept(address) else 0

    def _read_copies(self, accept: Callable[[Any], bool], *, addressed: bool) -> Datagrams | None:
        """The pool is at its bound: what arrives is copied out of scratch memory, or dropped."""
        scratch: Slab = self._pool.scratch(BYTES)
        views, came = [], 0
        for _ in range(AT_ONCE):
            size = self._receive(scratch.writable, accept, addressed=addressed)
            if size is None:
                break
            came += size > 0
            copy = self._pool.copy_out(scratch.writable[:size]) if size else None
            if copy is not None:
                views.append(copy)
        self.copies += len(views)
        return lone_datagrams(views, self._clock()) if came else None

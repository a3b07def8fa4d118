"""Many datagrams of one UDP socket to one address in few system calls.

Layer:  net
In:     datagrams, whole or as header and payload apart; never a wait
Out:    the same bytes on the wire, whichever of the four engines sends them; counters
Source: udp(7) and sendmmsg(2) of Linux: UDP_SEGMENT since 4.18

Engines, the first that the system has; one that the kernel or the route refuses is left for good
- ``gso``: a run of equal datagrams, the last one shorter or not, is one message to the kernel.
- ``sendmmsg``: one system call for up to 64 messages.
- ``sendmsg``: one for each; header and payload are gathered by the kernel.
- ``sendto``: one for each; for systems without ``sendmsg``.

Facts the code leans on
- Before Linux 4.18 an unknown control message was passed over, and a run would have gone out as
  one giant datagram: whether the kernel knows ``UDP_SEGMENT`` is asked of ``getsockopt``.
- A connected socket tells the ICMP error of an earlier datagram in place of sending the next.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from itertools import chain
from struct import Struct
from typing import Any, Literal, cast

from rtspkit.net.sendmmsg import MESSAGES, MessageVector, is_supported, pack_address

__all__ = ["ENGINES", "Datagram", "DatagramSender", "Engine"]

Part = bytes | bytearray | memoryview
Datagram = Part | tuple[Part, Part]
Engine = Literal["gso", "sendmmsg", "sendmsg", "sendto"]

ENGINES: tuple[Engine, ...] = ("gso", "sendmmsg", "sendmsg", "sendto")
UDP_SEGMENT = 103  # linux/udp.h
SEGMENTS = 64  # datagrams in a run: UDP_MAX_SEGMENTS of the kernels that have the fewest
RUN_BYTES = 65_535 - 40 - 8  # payload of the giant datagram that a run is at first, over IPv6
VECTOR_WORTH = 5  # datagrams from which sendmmsg costs less than a call for each
NO_ROOM = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}
NO_RUNS = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
PARTS = frozenset((bytes, bytearray, memoryview))
_SIZE = Struct("=H")


class _Batch:
    """The datagrams of one call, their sizes, and how many are done with."""

    __slots__ = ("_gathered", "_whole", "done", "sizes")

    def __init__(self, datagrams: Sequence[Datagram]) -> None:
        self._whole: Sequence[Part] = ()
        self._gathered: Sequence[tuple[Part, ...]] = ()
        self.done = 0
        if PARTS.issuperset(map(type, datagrams)):
            self._whole = cast("Sequence[Part]", datagrams)
            self.sizes = list(map(len, self._whole))
        else:
            self._gathered = [one if isinstance(one, tuple) else (one,) for one in datagrams]
            self.sizes = [sum(map(len, parts)) for parts in self._gathered]

    def parts(self, end: int) -> Sequence[Part]:
        """The buffers of the next datagrams, in order."""
        if self._gathered:
            return list(chain.from_iterable(self._gathered[self.done : end]))
        return self._whole[self.done : end]

    def each(self, end: int) -> Sequence[Part | tuple[Part, ...]]:
        """The next datagrams."""
        return (self._gathered or self._whole)[self.done : end]

    def run_end(self) -> int:
        """Where the run ends that one message can hold: equal sizes, the last one may be less."""
        sizes, first = self.sizes, self.done
        size = sizes[first]
        if not size:
            return first + 1
        last = min(len(sizes), first + SEGMENTS, first + max(RUN_BYTES // size, 1))
        end = first + 1
        while end < last and sizes[end] == size:
            end += 1
        if end < last and 0 < sizes[end] < size:
            end += 1
        return end


class DatagramSender:
    """Sends to one address over a socket that stays the caller's.

    Args:
        sock: A datagram socket that does not block.
        address: Where to, with a numeric host; None when the socket is connected.
        engine: Those before it are left out; the next is taken for one that is not available.

    Attributes:
        datagrams: That the system took.
        bytes: In them, headers of UDP and IP left out.
        system_calls: Attempts, those that failed too.
        full: Calls that ended for want of room.
        refused: ECONNREFUSED: nobody listened there when something was sent before.
        errors: Other errors of the system; each is a datagram that is lost.
    """

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[Any, ...] | None = None,
        *,
        engine: Engine = "gso",
    ) -> None:
        self._socket = sock
        self._address = address
        self._name = b"" if address is None else pack_address(sock.family, address)
        self._vector: MessageVector | None = None
        candidates = ENGINES[ENGINES.index(engine) :]
        self._engines = [one for one in candidates if self._has(one)]
        self.datagrams = 0
        self.bytes = 0
        self.system_calls = 0
        self.full = 0
        self.refused = 0
        self.errors = 0

    @property
    def engine(self) -> Engine:
        """The engine in use."""
        return self._engines[0]

    def send_many(self, datagrams: Sequence[Datagram]) -> int:
        """Send datagrams in their order, without waiting.

        Args:
            datagrams: Bytes, or a header and a payload that make one datagram together. Views
                are of single bytes. All are read before the call returns.

        Returns:
            How many are done with, from the front: taken by the system, or lost and counted in
            ``refused`` or ``errors``. For the others there was no room: they may be offered
            again later. An error of the system is never raised.
        """
        batch = _Batch(datagrams)
        count, forgiven = len(batch.sizes), False
        while batch.done < count:
            first = batch.done
            try:
                self._send(batch)
            except OSError as error:
                self._sent(batch, first)
                if error.errno in NO_ROOM:
                    self.full += 1
                    break
                if error.errno != errno.ECONNREFUSED:
                    self.errors += 1
                else:
                    self.refused += 1
                    if not forgiven:  # the error of an earlier datagram: this one was not sent
                        forgiven = True
                        continue
                batch.done += 1
            else:
                self._sent(batch, first)
        return batch.done

    def _sent(self, batch: _Batch, first: int) -> None:
        """Count what the system took."""
        self.datagrams += batch.done - first
        self.bytes += sum(batch.sizes[first : batch.done])

    def _has(self, engine: Engine) -> bool:
        """Whether the system has what an engine needs."""
        if engine == "gso":
            return self._has_segmentation()
        if engine == "sendmmsg":
            return self._name is not None and is_supported()
        return engine == "sendto" or hasattr(self._socket, "sendmsg")

    def _has_segmentation(self) -> bool:
        sock = self._socket
        if not sys.platform.startswith("linux"):
            return False
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        try:
            sock.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
        except OSError:
            return False
        return True

    def _send(self, batch: _Batch) -> None:
        """Send the next datagrams; none, when an engine had to be left."""
        first, end, engine = batch.done, len(batch.sizes), self._engines[0]
        if engine == "gso":
            end = batch.run_end()
            if end - first > 1:
                self._send_run(batch, end)
                return
        elif engine == "sendmmsg" and end - first >= VECTOR_WORTH:
            self._send_vector(batch, min(end, first + MESSAGES))
            return
        try:
            self._send_each(batch, end, gathers=engine != "sendto")
        finally:
            self.system_calls += min(batch.done + 1, end) - first

    def _send_each(self, batch: _Batch, end: int, *, gathers: bool) -> None:
        sock, address = self._socket, self._address
        for one in batch.each(end):
            if isinstance(one, tuple):
                if gathers:
                    sock.sendmsg(one, (), 0, address)
                    batch.done += 1
                    continue
                one = b"".join(one)
            if address is None:
                sock.send(one)
            else:
                sock.sendto(one, address)
            batch.done += 1

    def _send_run(self, batch: _Batch, end: int) -> None:
        self.system_calls += 1
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, _SIZE.pack(batch.sizes[batch.done]))]
        try:
            self._socket.sendmsg(batch.parts(end), control, 0, self._address)
        except OSError as error:
            if error.errno not in NO_RUNS:
                raise
            del self._engines[0]
        else:
            batch.done = end

    def _send_vector(self, batch: _Batch, end: int) -> None:
        self.system_calls += 1
        if self._vector is None:
            self._vector = MessageVector(self._name or b"")
        data = b"".join(batch.parts(end))
        sizes = batch.sizes[batch.done : end]
        try:
            batch.done += self._vector.send(self._socket.fileno(), data, sizes)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            del self._engines[0]

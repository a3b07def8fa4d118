"""One TCP circuit: bytes in as views of slabs, bytes out with a bound.

Layer:  net
In:     the loop writes straight into our memory (``asyncio.BufferedProtocol``)
Out:    ``on_data(view, now)``: a read-only view that is never written to again
        ``on_lost(cause)``: once, when the connection has ended without ``close``

Facts the code leans on
- All circuits of a loop fill the same slab, one read behind the other: the loop asks for room and
  tells what it wrote without anybody between. What a circuit was left with of its last read stands
  right before the room when nobody else has read since; else it is copied there, one frame at most.
- libuv reads on, up to 32 times, before it looks at any other socket or timer: a peer that floods
  us would stop the whole loop for seconds. With a slab full, it is other sockets' turn.
- The socket is ours from its creation: on uvloop a cancelled connect may never deliver
  ``connection_lost``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import cast

from rtspkit.errors import ConnectError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.resolver import resolve
from rtspkit.net.slab import BYTES, Slab, SlabPool, pool_of

__all__ = ["TcpCircuit", "numeric_host", "open_circuit"]

LEAST_ROOM = 16 * 1024  # bytes; with less, the next slab is taken
OnData = Callable[[memoryview, float], int]

LINGER = 0.1  # seconds that a full send buffer of the kernel may take to have room again


class TcpCircuit(asyncio.BufferedProtocol):
    """A connected TCP socket under the event loop.

    Args:
        on_data: Takes what arrived, and the loop's time; says how much of its end it wants to be
            given again, with more behind it: less than 65,540 bytes.
        on_lost: Told once that the peer has closed, with the error or None.

    Attributes:
        peer_host: The peer's numeric address.
        local_host: Ours, on this connection.
        bytes_received: Since it was opened.
        bytes_sent: Since it was opened.
        pool: The memory that it reads into.
        copies: Times that the beginning of a frame was copied to where its rest comes.
        reads: Times that something has arrived.
        scratch: Whether what ``on_data`` is given now is written over afterwards: the pool is at
            its bound, and nothing of it may be kept.
    """

    def __init__(
        self,
        on_data: OnData,
        on_lost: Callable[[BaseException | None], None],
        pool: SlabPool | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._on_data = on_data
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._closed = self._loop.create_future()
        self.pool = pool or pool_of(self._loop)
        self._slab: Slab | None = None
        self._begin = self._end = 0  # in the slab: what was read last, and is to be given again
        self._rest: memoryview | bytes = b""  # the same; held, so that nobody writes over it
        self._held = False  # nothing is to be read
        self.copies = self.reads = 0
        self.scratch = False
        self._told = False
        self._paused_since: float | None = None
        self._linger: asyncio.TimerHandle | None = None
        self.peer_host = ""
        self.local_host = ""
        self.bytes_received = 0
        self.bytes_sent = 0

    # -- called by the loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket."""
        # uvloop's transports are no subclass of asyncio's, so it is a matter of words only
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)  # paused: the peer takes nothing

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room in the slab of the loop, behind what is to be given again."""
        slab = self.pool.current(BYTES, LEAST_ROOM)
        if slab is None or len(self._rest):
            if slab is None or slab is not self._slab or slab.used != self._end:
                slab = self._move()
        else:
            self._begin = self._end = slab.used
            self.scratch = False
        self._slab = slab
        return slab.writable[self._end :]

    def _move(self) -> Slab:
        """Put what is to be given again in front of the room for the next read."""
        size = len(self._rest)
        slab = self.pool.current(BYTES, size + LEAST_ROOM)
        self.scratch = slab is None
        if slab is None:
            slab = self.pool.scratch(BYTES)
        self._begin, self._end = slab.used, slab.used + size
        slab.writable[self._begin : self._end] = self._rest
        slab.used = self._end  # it is ours, also if nothing is read now
        self.copies += size > 0
        return slab

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` were written to where ``get_buffer`` pointed."""
        slab = self._slab
        assert slab is not None
        assert slab.view is not None
        self.reads += 1
        self.bytes_received += nbytes
        slab.used = self._end = self._end + nbytes
        view = slab.view[self._begin : self._end]
        if self._end == slab.size_class.size:
            self._breathe()
        unread = self._on_data(view, self._now())
        self._begin = self._end - unread
        self._rest = view[len(view) - unread :] if unread else b""
        if self.scratch:
            self._rest = bytes(self._rest)

    def _breathe(self) -> None:
        """More may wait than fitted: the loop does something else before it reads again."""
        if self.is_open:
            assert self._transport is not None
            self._transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self.is_open and not self._held:
            assert self._transport is not None
            self._transport.resume_reading()

    def hold(self, held: bool) -> None:
        """Read nothing more, or read on: what the peer sends waits on its side meanwhile."""
        if held == self._held:
            return
        self._held = held
        if self.is_open:
            assert self._transport is not None
            if held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The peer sends no more: that is the end of an RTSP connection."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The loop has closed the socket."""
        self._transport = None
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if not self._closed.done():
            self._closed.set_result(None)
        if not self._told:
            self._told = True
            self._on_lost(exc)

    def pause_writing(self) -> None:
        """The peer takes nothing at the moment."""
        self._paused_since = self._now()

    def resume_writing(self) -> None:
        """The peer takes again."""
        self._paused_since = None

    # -- called by the session ----------------------------------------------------------------

    @property
    def blocked_since(self) -> float | None:
        """Since when the peer has taken nothing; None while it takes."""
        return self._paused_since

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send; on a closed circuit nothing happens, its end was told already."""
        if data and self._transport is not None and not self._transport.is_closing():
            self.bytes_sent += len(data)
            self._transport.write(data)

    @property
    def waiting(self) -> int:
        """Bytes that were written and that the kernel has not taken."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Close after what was written is sent, or soon when the peer does not take it.

        ``on_lost`` will not be called.
        """
        self._told = True
        if self._transport is None:
            return
        self._transport.close()
        if self.waiting and self._linger is None:
            self._linger = self._loop.call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Close now. ``on_lost`` will not be called."""
        self._told = True
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the loop has let go of the socket."""
        if self._transport is not None:
            await asyncio.shield(self._closed)


async def open_circuit(
    host: str,
    port: int,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    pool: SlabPool | None = None,
) -> TcpCircuit:
    """Connect to the first address that takes it, in order.

    Raises:
        ConnectError: None of them did; ``causes`` has one error for each.
    """
    causes: list[BaseException] = []
    for family, address in await resolve(host, port):
        try:
            sock = await _connect(family, address)
        except OSError as error:
            causes.append(error)
            continue
        try:
            return await _wrap(sock, on_data, on_lost, pool)
        except OSError as error:  # the peer was gone before the loop had it
            causes.append(error)
    reasons = "; ".join(dict.fromkeys(_reason(cause) for cause in causes))
    shown = f"[{host}]" if ":" in host else host
    raise ConnectError(f"no connection to {shown}:{port} ({reasons})", causes=tuple(causes))


def numeric_host(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """The host of a socket's address, with the scope of a link-local one: ``fe80::1%2``."""
    if len(address) == 4 and address[3]:
        return f"{address[0].partition('%')[0]}%{address[3]}"
    return address[0]


def _reason(error: BaseException) -> str:
    """In a few words; asyncio's own messages repeat the address."""
    code = getattr(error, "errno", None)
    text = os.strerror(code) if isinstance(code, int) and code > 0 else str(error)
    return (text or type(error).__name__).lower()


async def _connect(
    family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int]
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _wrap(
    sock: socket.socket,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    pool: SlabPool | None,
) -> TcpCircuit:
    """Give the connected socket to the loop; it is closed whatever happens on the way."""
    circuit = TcpCircuit(on_data, on_lost, pool)
    try:
        circuit.peer_host = numeric_host(sock.getpeername())
        circuit.local_host = numeric_host(sock.getsockname())
        await asyncio.get_running_loop().create_connection(lambda: circuit, sock=sock)
    except BaseException:
        circuit.abort()
        with contextlib.suppress(OSError):
            sock.close()
        raise
    return circuit

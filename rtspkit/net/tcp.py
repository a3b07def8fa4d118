"""One TCP circuit: bytes in as views of slabs, bytes out with a bound.

Layer:  net
In:     the loop writes straight into our memory (``asyncio.BufferedProtocol``)
Out:    ``on_data(view, now)``: a read-only view that is never written to again
        ``on_lost(cause)``: once, when the connection has ended without ``close``

Facts the code leans on
- A slab is filled from front to back and then left to whoever holds a view of it: nothing that
  was handed out is ever overwritten.
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

__all__ = ["TcpCircuit", "numeric_host", "open_circuit"]

SLAB_SIZE = 256 * 1024  # bytes; holds some 200 packets
SLAB_LEAST_ROOM = 16 * 1024  # bytes; with less, the next slab is taken
LINGER = 0.1  # seconds that a full send buffer of the kernel may take to have room again


class TcpCircuit(asyncio.BufferedProtocol):
    """A connected TCP socket under the event loop.

    Args:
        on_data: Takes what arrived, and the loop's time.
        on_lost: Told once that the peer has closed, with the error or None.

    Attributes:
        peer_host: The peer's numeric address.
        local_host: Ours, on this connection.
        bytes_received: Since it was opened.
        bytes_sent: Since it was opened.
    """

    def __init__(
        self,
        on_data: Callable[[memoryview, float], None],
        on_lost: Callable[[BaseException | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._on_data = on_data
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._closed = self._loop.create_future()
        self._slab = memoryview(bytearray(0))
        self._used = 0
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
        """The rest of the slab, or a fresh slab when little is left."""
        if len(self._slab) - self._used < SLAB_LEAST_ROOM:
            self._slab = memoryview(bytearray(SLAB_SIZE))
            self._used = 0
        return self._slab[self._used :]

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` were written to where ``get_buffer`` pointed."""
        begin, self._used = self._used, self._used + nbytes
        self.bytes_received += nbytes
        view = self._slab[begin : self._used].toreadonly()
        if self._used == len(self._slab):
            self._breathe()
        self._on_data(view, self._now())

    def _breathe(self) -> None:
        """More may wait than fitted: the loop does something else before it reads again."""
        if self.is_open:
            assert self._transport is not None
            self._transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self.is_open:
            assert self._transport is not None
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
    on_data: Callable[[memoryview, float], None],
    on_lost: Callable[[BaseException | None], None],
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
            return await _wrap(sock, on_data, on_lost)
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
    on_data: Callable[[memoryview, float], None],
    on_lost: Callable[[BaseException | None], None],
) -> TcpCircuit:
    """Give the connected socket to the loop; it is closed whatever happens on the way."""
    circuit = TcpCircuit(on_data, on_lost)
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

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
from collections.abc import Callable
from functools import partial
from typing import cast

from rtspkit.errors import ConnectError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.contender import Contender, connect, numeric_host
from rtspkit.net.racing import race
from rtspkit.net.resolver import resolve
from rtspkit.net.slab import BYTES, Slab, SlabPool, pool_of
from rtspkit.net.tls import TlsContext
from rtspkit.net.tls_transport import TlsTransport
from rtspkit.options import Racing

__all__ = ["OnData", "TcpCircuit", "numeric_host", "open_circuit"]

LEAST_ROOM = 16 * 1024  # bytes; with less, the next slab is taken
OnData = Callable[[memoryview, float], int]

OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 0\r\n\r\n"  # the session's own requests begin at 1
LINGER = 0.1  # seconds that a full send buffer of the kernel may take to have room again


class TcpCircuit(asyncio.BufferedProtocol):
    """A connected TCP socket under the event loop.

    Args:
        on_data: Takes what arrived, and the loop's time; says how much of its end it wants to be
            given again, with more behind it: less than 65,540 bytes.
        on_lost: Told once that the peer has closed, with the error or None.
        pool: The memory that it reads into.
        early: What was read of the connection before the loop had it: less than 16 KiB.

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
        *,
        early: bytes = b"",
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
        self._early = early
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
        if self._early:
            self.get_buffer(-1)[: len(self._early)] = self._early
            self.buffer_updated(len(self._early))

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
            if exc is not None:
                exc.__traceback__ = None  # frames of the loop, with a view of the slab in them
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

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done when the loop has let go of the socket, whoever has the connection then."""
        return self._closed

    def pass_on(
        self, on_data: OnData, on_lost: Callable[[BaseException | None], None]
    ) -> TcpCircuit | None:
        """The same connection for somebody else; for who had it until now, it is closed.

        Returns:
            Its circuit, whose counters begin at 0; None, and nothing has changed, when the
            connection is closing, or something on it is neither read nor sent.
        """
        transport = self._transport
        if transport is None or not self.is_open or len(self._rest) or self.waiting:
            return None
        heir = TcpCircuit(on_data, on_lost, self.pool)
        heir.peer_host, heir.local_host = self.peer_host, self.local_host
        heir._transport, heir._closed = transport, self._closed
        self._transport, self._told = None, True
        transport.set_protocol(heir)
        if not transport.is_reading():
            transport.resume_reading()
        return heir

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
    *,
    racing: Racing | None = None,
    mode: str | None = None,
    tls: TlsContext | None = None,
    write: float = 10.0,
    question: bytes = OPTIONS,
    stood: Callable[[], None] = lambda: None,
) -> TcpCircuit:
    """Find the host's addresses, race connections to them, and give the winner to the loop.

    Args:
        host: Name or numeric address, one of IPv6 without brackets.
        port: 1 to 65,535.
        on_data: See ``TcpCircuit``.
        on_lost: See ``TcpCircuit``.
        pool: The memory that it reads into.
        racing: How many, how far apart, how long; ``Racing()`` by default.
        mode: Instead of the one in ``racing``, which when it is ``"auto"`` means first-wins.
        tls: How the server is verified; None connects in the clear.
        write: Seconds that the server may leave unacknowledged what was sent.
        question: Request that a connection is proven with, where the mode wants proof.
        stood: Told of each connection that the server has taken, whatever becomes of it.

    Raises:
        ConnectError: The name is not known, no address took the connection, or the server is not
            the right one; ``causes`` has every error on the way.
        DeadlineExceeded: Of ``resolve``, or of ``connect``, each within ``racing.timeout``.
        RemoteProtocolError: What came for a proof is not RTSP.
    """
    racing = racing or Racing()
    chosen = mode or racing.mode
    shown = f"[{host}]" if ":" in host else host
    addresses = await resolve(host, port, timeout=racing.timeout)
    winner = await race(
        [
            partial(connect, address, write=write, tls=tls, host=host, stood=stood)
            for address in addresses
        ],
        mode="first-wins" if chosen == "auto" else chosen,
        delay=racing.delay,
        timeout=racing.timeout,
        max_connections=racing.max_connections,
        discard=Contender.close,
        prove=lambda contender: contender.prove(question),
        goal=f"{shown}:{port}",
    )
    return await _wrap(winner, on_data, on_lost, pool)


async def _wrap(
    contender: Contender,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    pool: SlabPool | None,
) -> TcpCircuit:
    """Give the connected socket to the loop; it is closed whatever happens on the way."""
    circuit = TcpCircuit(on_data, on_lost, pool, early=contender.early)
    circuit.peer_host, circuit.local_host = contender.peer_host, contender.local_host
    protocol: asyncio.BufferedProtocol = circuit
    if contender.channel is not None:
        protocol = TlsTransport(circuit, contender.channel)
    try:
        await asyncio.get_running_loop().create_connection(lambda: protocol, sock=contender.sock)
    except BaseException as error:
        circuit.abort()
        with contextlib.suppress(OSError):
            contender.close()
        if isinstance(error, OSError):  # the peer was gone before the loop had it
            raise ConnectError(f"no connection: {error}", causes=(error,)) from error
        raise
    return circuit

"""One control connection through a link: two TCP connections, and the bytes between them.

Layer:  testing
In:     bytes of either side
Out:    the same to the other side, late, slowly or not at all; ports in SETUP changed
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from rtspkit.testing.camera_connection import reset_on_close
from rtspkit.testing.impairment import StreamLane
from rtspkit.testing.link_relay import Direction, LinkRelay
from rtspkit.testing.link_rewriting import RequestRewriter, ResponseRewriter
from rtspkit.testing.ports import Address

if TYPE_CHECKING:
    from rtspkit.testing.link import Link

__all__ = ["LinkCircuit"]

HOST = ("127.0.0.1", 0)


class _End(asyncio.Protocol):
    """One of the two TCP connections, and the lane that what it receives takes."""

    def __init__(self, circuit: LinkCircuit, direction: Direction, lane: StreamLane) -> None:
        self.circuit = circuit
        self.direction = direction
        self.lane = lane
        self.transport: asyncio.Transport | None = None
        self.peer: Address = HOST
        self.local: Address = HOST
        self.writable = True
        self.ended = False  # nothing more comes from here
        self.passed = False  # and the other end was told so
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.peer = transport.get_extra_info("peername") or HOST
        self.local = transport.get_extra_info("sockname") or HOST
        self.circuit.made(self)

    def data_received(self, data: bytes) -> None:
        self.circuit.received(self, data)

    def eof_received(self) -> bool:
        self.ended = True
        self.circuit.pump(self)
        return True  # what is under way still goes the other way

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.circuit.pump(self.circuit.other(self))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self.closed.done():
            self.closed.set_result(None)
        self.circuit.lost(self)

    def abort(self, *, reset: bool) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.transport is not None and not self.closed.done():
            if reset:
                reset_on_close(self.transport)
            self.transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)  # never connected


class LinkCircuit:
    """One client's connection, and ours to the server."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.relays: list[LinkRelay] = []
        number = link.next_circuit()
        up = StreamLane(link.tcp_up, link.seed, f"up tcp {number}")
        down = StreamLane(link.tcp_down, link.seed, f"down tcp {number}")
        self.client = _End(self, "up", up)
        self.server = _End(self, "down", down)
        self._requests = RequestRewriter(self._new_relay)
        self._responses = ResponseRewriter(self._requests.pending)
        self._down = False

    def other(self, end: _End) -> _End:
        """The end that bytes of this one go to."""
        return self.server if end is self.client else self.client

    def made(self, end: _End) -> None:
        """One of the ends is connected."""
        if end is self.client:
            if self.link.refusing:
                end.abort(reset=True)
                return
            self.link.opened(self)
            if not self.link.stalled:
                self.link.spawn(self._connect())
        elif self._down:
            end.abort(reset=True)
        else:
            self.pump(self.client)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.server, *self.link.target)
        except OSError:
            self.reset()

    def resume(self) -> None:
        """The link is no longer stalled."""
        if self.server.transport is None and not self._down:
            self.link.spawn(self._connect())
        self.pump(self.client)
        self.pump(self.server)

    def _new_relay(self, client: tuple[int, int]) -> LinkRelay:
        relay = self.link.new_relay(
            self.client.peer, self.client.local[0], client, self.server.peer[0]
        )
        self.relays.append(relay)
        self.link.spawn(relay.open())
        return relay

    def received(self, end: _End, data: bytes) -> None:
        """Bytes have come in at one end."""
        rewriter = self._requests if end is self.client else self._responses
        changed = rewriter.feed(data)
        if changed:
            end.lane.push(changed, asyncio.get_running_loop().time())
        self.pump(end)

    def pump(self, end: _End) -> None:
        """Write to the other end what came from this one and is due; come back for the rest."""
        if end.timer is not None:
            end.timer.cancel()
            end.timer = None
        if self._down:
            return
        loop, out, lane = asyncio.get_running_loop(), self.other(end), end.lane
        lane.stalled = self.link.stalled
        ready = out.transport is not None and not out.transport.is_closing() and out.writable
        if ready and out.transport is not None and (data := lane.due(loop.time())):
            out.transport.write(data)
        if end.transport is not None and not end.ended:
            if lane.full:
                end.transport.pause_reading()
            else:
                end.transport.resume_reading()
        if end.ended and not lane.queued and not self.link.stalled:
            self._pass_end(end)
        elif ready and (deadline := lane.deadline) is not None:
            end.timer = loop.call_at(deadline, self.pump, end)

    def _pass_end(self, end: _End) -> None:
        """Nothing more comes from this end, and all of it was written: tell the other."""
        out = self.other(end)
        if end.closed.done() or (out.ended and not out.lane.queued):
            for one in (self.client, self.server):
                if one.transport is not None:
                    one.transport.close()
        elif out.transport is not None and not end.passed:
            end.passed = True
            out.transport.write_eof()

    def lost(self, end: _End) -> None:
        """One of the ends is gone: the other one goes when it has what is under way."""
        self.pump(end)
        if self.client.closed.done() and (
            self.server.closed.done() or self.server.transport is None
        ):
            self.close()

    def reset(self) -> None:
        """End both connections with a RST."""
        self._end(reset=True)

    def close(self) -> None:
        """End both connections, and relay nothing more. Idempotent."""
        self._end(reset=False)

    def _end(self, *, reset: bool) -> None:
        if self._down:
            return
        self._down = True
        for end in (self.client, self.server):
            end.abort(reset=reset)
        for relay in self.relays:
            relay.close()
        self.link.ended(self)

"""One control connection of the camera: requests in, answers and frames out.

Layer:  testing
In:     bytes of a client; the actions of the script
Out:    answers in the order of the requests; interleaved frames between them
Source: RFC 2326 §6, §7, §10.12
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from rtspkit.errors import ConnectionLost, RemoteProtocolError
from rtspkit.testing.actions import Action, Exchange
from rtspkit.testing.ports import Address
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import (
    InterleavedFrame,
    MessageReader,
    Request,
    Response,
    serialize_request,
    serialize_response,
)

if TYPE_CHECKING:
    from rtspkit.testing.authenticator import Authenticator
    from rtspkit.testing.camera_core import CameraCore
    from rtspkit.testing.camera_session import CameraSession

__all__ = ["CameraConnection", "reset_on_close"]

MAX_WAITING = 64  # requests that wait for an answer before reading pauses
_LINGER = struct.pack("ii", 1, 0)


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Make the close of a TCP connection send a RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)


class CameraConnection(asyncio.Protocol):
    """One connection.

    Attributes:
        local: Our end.
        peer: The client's end.
        reader: What reads it; ``reader.channels`` are those set up on it.
        routes: Channel to session, track and whether it is RTCP's.
        authenticator: Of this connection.
        closed: Done when the loop has let go of the socket.
        requests: Requests read.
    """

    def __init__(self, camera: CameraCore) -> None:
        self.camera = camera
        self.local: Address = ("", 0)
        self.peer: Address = ("", 0)
        self.reader = MessageReader()
        self.routes: dict[int, tuple[CameraSession, int, bool]] = {}
        self.authenticator: Authenticator | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.requests = 0
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._ended = False  # the client sends nothing more
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._whole = asyncio.Event()  # no answer is half written
        self._whole.set()
        self._answers: dict[int, asyncio.Future[Response]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no base
        self.local = transport.get_extra_info("sockname") or self.local
        self.peer = transport.get_extra_info("peername") or self.peer
        self.camera.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionLost("the client closed the connection"))
        self._writable.set()
        if not self.closed.done():
            self.closed.set_result(None)
        self.camera.disconnected(self)

    def eof_received(self) -> bool:
        self._ended = True
        return self._task is not None  # what was asked is still answered

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self.reader.receive_data(data)
            while (event := self.reader.next_event()) is not None:
                if isinstance(event, Request):
                    self._take(event)
                elif isinstance(event, Response):
                    self._answered(event)
                elif isinstance(event, InterleavedFrame):
                    self._frame(event)
        except RemoteProtocolError as error:
            self.camera.broken(error)
            self.write(serialize_response(Response(400, "Bad Request")))
            self.close()

    def _take(self, request: Request) -> None:
        self.requests += 1
        muted = self.camera.mute_control
        self.camera.record(request)
        if muted:
            return
        self._waiting.append(request)
        if len(self._waiting) >= MAX_WAITING and self._transport is not None:
            self._transport.pause_reading()
        if self._task is None:
            self._task = self.camera.spawn(self._serve())

    def _answered(self, response: Response) -> None:
        future = self._answers.pop(-1 if response.cseq is None else response.cseq, None)
        if future is not None and not future.done():
            future.set_result(response)

    def _frame(self, frame: InterleavedFrame) -> None:
        route = self.routes.get(frame.channel)
        if route is not None:
            session, index, rtcp = route
            self.camera.received(session, index, bytes(frame.payload), rtcp=rtcp)

    async def _serve(self) -> None:
        """Answer what is waiting, one request after the other."""
        while self._waiting:
            request = self._waiting.popleft()
            if not self._waiting and self._transport is not None and not self.closing:
                self._transport.resume_reading()
            await self._exchange(request)
        self._task = None
        if self._ended:
            self.close()

    async def _exchange(self, request: Request) -> None:
        camera = self.camera
        exchange = Exchange(request, self)
        actions = camera.rules.actions_for(request)
        for action in actions:
            await action.before(exchange)
        if not exchange.decided and (answer := await camera.ask_user(request)) is not None:
            exchange.answer(answer)
        if not exchange.decided:
            exchange.response = await camera.responder.respond(exchange, self)
        await self._send(exchange, actions)
        exchange.run_after()
        if exchange.close != "no":
            self.close(reset=exchange.close == "reset")
        camera.answered += 1
        camera.changed()

    async def _send(self, exchange: Exchange, actions: list[Action]) -> None:
        """Let the actions have their way with the answer, then write it."""
        response, cseq = exchange.response, exchange.request.headers.get("CSeq")
        if response is not None and cseq is not None and "CSeq" not in response.headers:
            response.headers = Headers([("CSeq", cseq), *response.headers])
        for action in actions:
            action.edit(exchange)
        if exchange.response is not None:
            exchange.pieces = [serialize_response(exchange.response)]
        for action in actions:
            action.shape(exchange)
        for action in actions:
            await action.hold(exchange)
        self._whole.clear()
        try:
            for place, piece in enumerate(exchange.pieces):
                if place and exchange.pause:
                    await asyncio.sleep(exchange.pause)
                self.write(piece)
        finally:
            self._whole.set()

    async def wait_media(self, packets: int) -> None:
        """Wait until the camera has sent so many RTP packets more."""
        wanted = self.camera.packets_sent.total() + packets
        await self.camera.wait_until(
            lambda: self.closing or self.camera.packets_sent.total() >= wanted, timeout=None
        )

    @property
    def closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> bool:
        """Write bytes as they are; False when the connection is closing."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    def write_frames(self, data: bytes) -> bool:
        """Write whole frames; False when the connection is closing."""
        return self.write(data)

    async def drain(self) -> None:
        """Wait until frames may be written: there is room, and no answer is half written."""
        while not (self._writable.is_set() and self._whole.is_set()):
            await self._writable.wait()
            await self._whole.wait()

    async def request(self, request: Request, cseq: int) -> Response:
        """Send a request to the client, and wait for its answer.

        Raises:
            ConnectionLost: The connection ended first.
        """
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[cseq] = future
        try:
            if not self.write(serialize_request(request)):
                raise ConnectionLost("the client closed the connection")
            return await future
        finally:
            self._answers.pop(cseq, None)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection; with a RST when ``reset``. Idempotent."""
        if self._transport is None or self.closed.done():
            return
        if reset:
            reset_on_close(self._transport)
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection, and throw away what was not sent. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

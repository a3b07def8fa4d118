"""An RTSP server in a few lines, for what a scripted camera would never send."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping

from rtspkit.wire.message import MessageReader, Request, serialize_frame

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=raw\r\nt=0 0\r\n"
    b"m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track0\r\n"
)
SESSION = "12345678"
SSRC = 0x11223344
PATIENCE = 5.0  # seconds before a test fails

Answer = bytes | Callable[[Request, "Peer"], bytes | None]


def reply(request: Request, status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """A response; ``Content_Type="x"`` is the header ``Content-Type: x``."""
    lines = [f"RTSP/1.0 {status}", f"CSeq: {request.cseq}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def rtp(sequence_number: int, *, payload: bytes = bytes(160), ssrc: int = SSRC) -> bytes:
    """A packet of PCMU."""
    head = [0x80, 0, *sequence_number.to_bytes(2, "big")]
    timestamp = (sequence_number * 160 & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(head) + timestamp + ssrc.to_bytes(4, "big") + payload


def bye(ssrc: int = SSRC) -> bytes:
    """RTCP: an empty receiver report and a farewell."""
    report = bytes([0x80, 201, 0, 1]) + ssrc.to_bytes(4, "big")
    return report + bytes([0x81, 203, 0, 1]) + ssrc.to_bytes(4, "big")


class Peer(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: RawServer) -> None:
        self.server = server
        self.reader = MessageReader()
        self.sequence_number = 0
        self.received = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.server.peers.append(self)
        self.server.changed.set()
        self.write(self.server.greeting)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.reader.receive_data(data)
        while (event := self.reader.next_event()) is not None:
            if isinstance(event, Request):
                self.server.requests.append(event)
                self.write(self.server.answer(event, self))
        self.server.changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set_result(error)
        self.server.changed.set()

    def write(self, data: bytes | None) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def media(self, number: int, *, channel: int = 0) -> bytes:
        """So many interleaved RTP packets, for ``write``."""
        frames = []
        for _ in range(number):
            frames.append(serialize_frame(channel, rtp(self.sequence_number)))
            self.sequence_number += 1
        return b"".join(frames)

    def reset(self) -> None:
        """End the connection with a RST."""
        one = self.transport.get_extra_info("socket")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.transport.abort()


class RawServer:
    """Answers as told, and plainly otherwise: one audio stream, over whatever SETUP asks for.

    Args:
        answers: For a method, what is written to each request of it; None writes nothing.
        sdp: What DESCRIBE answers.
        greeting: Written to each new connection.
        host: Where to listen.
        port: 0 for a free one.
        tls: For a server over TLS.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        sdp: bytes = SDP,
        greeting: bytes = b"",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = dict(answers or {})
        self.sdp = sdp
        self.greeting = greeting
        self.host = host
        self.port = port
        self.tls = tls
        self.peers: list[Peer] = []
        self.requests: list[Request] = []
        self.changed = asyncio.Event()
        self.server_port = ""

    async def __aenter__(self) -> RawServer:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Peer(self), self.host, self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for peer in self.peers:
            peer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            for peer in self.peers:
                await peer.closed

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rtsp" if self.tls is None else "rtsps"
        return f"{scheme}://{host}:{self.port}/raw"

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def answer(self, request: Request, peer: Peer) -> bytes | None:
        special = self.answers.get(request.method, self.plain)
        return special if isinstance(special, bytes) else special(request, peer)

    def plain(self, request: Request, peer: Peer) -> bytes | None:
        """What a server answers that has nothing special about it."""
        if request.method == "DESCRIBE":
            return reply(
                request, body=self.sdp, Content_Type="application/sdp", Content_Base=self.url + "/"
            )
        session = f"{SESSION};timeout=60"
        if request.method == "SETUP":
            transport = request.headers.get("Transport") + self.server_port
            return reply(request, Session=session, Transport=transport)
        if request.method == "PLAY":
            media = b"" if self.server_port else peer.media(3)
            return reply(request, Session=session, Range="npt=0-") + media
        if request.method == "OPTIONS":
            public = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER"
            return reply(request, Public=public)
        return reply(request, Session=session)

"""A client for the tests of the test kit: plain streams, our own parsers, no cleverness."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType

from rtspkit.testing.ports import Address, DatagramPort, open_pair
from rtspkit.wire.header import parse_session, parse_transport
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import (
    Event,
    InterleavedFrame,
    MessageReader,
    Request,
    Response,
    serialize_request,
)
from rtspkit.wire.rtcp import RtcpPacket, is_rtcp, parse_rtcp
from rtspkit.wire.rtp import RtpPacket, parse_rtp
from rtspkit.wire.url import parse_url

PATIENCE = 5.0  # seconds before a test fails


async def until(predicate: Callable[[], bool]) -> None:
    """Let the loop turn until something is so that nobody tells about."""
    async with asyncio.timeout(PATIENCE):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0)


class RawClient:
    """One control connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.reader = MessageReader()
        self.cseq = 0
        self.session: str | None = None
        self.events: list[Event] = []  # all that came, but for answers
        self.udp: list[tuple[DatagramPort, DatagramPort]] = []
        self.datagrams: list[tuple[int, int, bytes]] = []  # stream, port (0, 1), data
        self.arrived = asyncio.Event()

    async def __aenter__(self) -> RawClient:
        url = parse_url(self.url)
        self.input, self.output = await asyncio.open_connection(url.host, url.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.output.close()
        with contextlib.suppress(OSError):  # a camera that resets: some tests are about that
            await self.output.wait_closed()
        for pair in self.udp:
            for port in pair:
                port.close()
                await port.closed

    def send(self, method: str, uri: str | None = None, body: bytes = b"", **headers: str) -> None:
        """Send a request without waiting; ``User_Agent="x"`` is the header ``User-Agent: x``."""
        self.cseq += 1
        fields = Headers([("CSeq", str(self.cseq))])
        if self.session is not None and method not in ("DESCRIBE", "OPTIONS"):
            fields.add("Session", self.session)
        for name, value in headers.items():
            fields.set(name.replace("_", "-"), value)
        self.output.write(serialize_request(Request(method, uri or self.url, fields, body)))

    async def event(self) -> Event | None:
        """The next thing on the connection; None at its end."""
        async with asyncio.timeout(PATIENCE):
            while (event := self.reader.next_event()) is None:
                data = await self.input.read(65536)
                if not data:
                    self.reader.receive_eof()
                    return None
                self.reader.receive_data(data)
        return event

    async def until_end(self) -> None:
        """Read until the connection ends, one way or the other."""
        while await self.event() is not None:
            pass

    async def answer(self) -> Response:
        """The next response; what comes before it is kept in ``events``."""
        while (event := await self.event()) is not None:
            if isinstance(event, Response):
                return event
            self.events.append(event)
        raise EOFError("the connection ended without an answer")

    async def request(
        self, method: str, uri: str | None = None, body: bytes = b"", **headers: str
    ) -> Response:
        """Send a request, and wait for its answer."""
        self.send(method, uri, body, **headers)
        return await self.answer()

    async def set_up(self, track: int = 0, *, transport: str = "tcp") -> Response:
        """SETUP of one track, over ``"tcp"`` or ``"udp"``."""
        if transport == "tcp":
            value = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
        else:
            stream = len(self.udp)

            def receive(port: int, data: bytes, _: Address) -> None:
                self.datagrams.append((stream, port, data))
                self.arrived.set()

            ports = await open_pair("127.0.0.1", receive)
            self.udp.append(ports)
            value = f"RTP/AVP;unicast;client_port={ports[0].port}-{ports[1].port}"
        answer = await self.request("SETUP", f"{self.url}/track{track}", Transport=value)
        if answer.status_code == 200:
            header = answer.headers.get("Session")
            self.session = None if header is None else parse_session(header).id
            agreed = answer.headers.get("Transport")
            if agreed is not None and (channels := parse_transport(agreed).interleaved):
                self.reader.channels.update(channels)
        return answer

    async def play(self, *tracks: int, transport: str = "tcp", **headers: str) -> Response:
        """SETUP of some tracks, and PLAY."""
        for track in tracks or (0,):
            answer = await self.set_up(track, transport=transport)
            assert answer.status_code == 200, answer
        answer = await self.request("PLAY", **headers)
        assert answer.status_code == 200, answer
        return answer

    async def frames(self, number: int) -> list[InterleavedFrame]:
        """So many interleaved frames, with those that came before answers."""
        found = [event for event in self.events if isinstance(event, InterleavedFrame)]
        self.events = [event for event in self.events if not isinstance(event, InterleavedFrame)]
        while len(found) < number:
            event = await self.event()
            assert event is not None, "the connection ended"
            if isinstance(event, InterleavedFrame):
                found.append(event)
            else:
                self.events.append(event)
        return found

    async def packets(self, number: int, *, channel: int = 0) -> list[RtpPacket]:
        """So many RTP packets of one interleaved channel."""
        found: list[RtpPacket] = []
        while len(found) < number:
            frames = await self.frames(1)
            found += [parse_rtp(frame.payload) for frame in frames if frame.channel == channel]
        return found

    async def reports(self, number: int = 1) -> list[RtcpPacket]:
        """The RTCP packets of so many compound packets, interleaved."""
        found: list[RtcpPacket] = []
        while number > 0:
            for frame in await self.frames(1):
                if is_rtcp(frame.payload):
                    found += parse_rtcp(frame.payload)
                    number -= 1
        return found

    async def received(self, number: int, *, stream: int = 0, port: int = 0) -> list[bytes]:
        """So many datagrams at one of the UDP ports."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.arrived.clear()
                found = [d for s, p, d in self.datagrams if (s, p) == (stream, port)]
                if len(found) >= number:
                    return found
                await self.arrived.wait()

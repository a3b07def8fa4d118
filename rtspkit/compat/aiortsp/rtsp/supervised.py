"""A session that survives losses, seen through the interfaces of aiortsp.

Layer:  compat (on ``rtspkit.connect``)
Out:    what a reader's ``connection``, ``transport`` and ``session`` are
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from rtspkit.client.session import Session
from rtspkit.compat.aiortsp.rtcp.parser import RTCP, SR
from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import RTSPError
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.compat.aiortsp.rtsp.sdp import SDP
from rtspkit.compat.aiortsp.rtsp.session import KEEPALIVE_SHARE, RTSPMediaSession
from rtspkit.compat.aiortsp.translation import translated
from rtspkit.compat.aiortsp.transport.scheme import transport_for_scheme
from rtspkit.engine.statistics import StreamStats
from rtspkit.wire.rtp import RtpPacket

__all__ = ["SupervisedConnection", "SupervisedSession"]

OVER = ("ended", "lost", "closed")
SCHEMES = {"udp": "rtspu", "tcp": "rtspt"}


class SupervisedConnection(RTSPConnection):
    """The connection of a reader.

    Args:
        session: What it belongs to.
        stop: Ends the reader.
        logger: Where to log.
        timeout: Seconds for a response.
    """

    def __init__(
        self, session: Session, stop: Callable[[], None], logger: logging.Logger, timeout: float
    ) -> None:
        url = session.url
        super().__init__(
            url.host, url.port, url.username, url.password, logger=logger, timeout=timeout
        )
        self._session = session
        self._stop = stop

    async def prepare(self) -> None:
        """It is open."""

    async def aclose(self) -> None:
        """End the reader."""
        self.close()

    def close(self) -> None:
        """End the reader: TEARDOWN is sent."""
        self._stop()

    @property
    def running(self) -> bool:
        """Whether it was not lost; after a loss, ``on_ready`` gets another one."""
        return self._session.state not in OVER and not self.result.done()

    async def send_request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, object] | None = None,
        timeout: float | None = None,
        body: bytes | None = None,
    ) -> RTSPResponse:
        """GET_PARAMETER or SET_PARAMETER; for more, use ``RTSPConnection`` without a reader."""
        types = [str(value) for name, value in (headers or {}).items() if name.lower() == TYPE]
        kind = types[0] if types else "text/parameters"
        with translated():
            if method == "GET_PARAMETER":
                answer = await self._session.get_parameter(body or b"", content_type=kind)
            elif method == "SET_PARAMETER":
                answer = await self._session.set_parameter(body or b"", content_type=kind)
            else:
                raise RTSPError(f"a reader sends no {method}: use RTSPConnection")
        response = RTSPResponse.made(200, "OK")
        response.data = answer
        return response


TYPE = "content-type"


class SupervisedSession(RTSPMediaSession):
    """The media session of a reader, which is set up and plays.

    Args:
        connection: Its connection.
        session: What it shows.
        media_type: As of any media session.
        logger: Where to log.
    """

    def __init__(
        self,
        connection: SupervisedConnection,
        session: Session,
        media_type: str,
        logger: logging.Logger,
    ) -> None:
        transport = transport_for_scheme(SCHEMES[session.transport])(
            connection, logger=logger, timeout=0
        )
        connection.carry(transport)
        super().__init__(connection, session.url.request_uri, transport, media_type, logger)
        self._session = session
        self.sdp = SDP(session.description)
        self.session_keepalive = int(session.session_timeout * KEEPALIVE_SHARE)
        self.is_setup = True
        self._wall_clock: object = None
        stream = session.streams[0]
        self._clock_rate = stream.clock_rate
        transport.stats.follow(self._snapshot, stream.clock_rate)

    def _snapshot(self) -> StreamStats:
        return next(iter(self._session.stats().streams), StreamStats())

    def receive(self, packet: RtpPacket) -> None:
        """Give a packet to the transport, and a sender report that came before it."""
        clock = packet.wall_clock
        if clock is not None and clock is not self._wall_clock:
            self._wall_clock = clock
            ticks = round((packet.media_time - clock.media_time) * self._clock_rate)
            report = SR(packet.ssrc, clock.wall, packet.timestamp - ticks & 0xFFFFFFFF)
            self.transport.tell_rtcp(RTCP([report]))
        self.transport.receive_rtp(packet)

    async def setup(self) -> None:
        """It is set up."""

    async def play(self, seek: float | None = None, speed: float = 1) -> RTSPResponse:
        """As of any media session."""
        where = None if seek is None else f"clock={self.ts_to_clock(seek)}-"
        with translated():
            await self._session.play(where, scale=None if speed == 1 else speed)
        return RTSPResponse.made(200, "OK")

    async def pause(self) -> RTSPResponse:
        """As of any media session."""
        with translated():
            await self._session.pause()
        return RTSPResponse.made(200, "OK")

    async def keep_alive(self) -> RTSPResponse | None:
        """Ask the server whether the session is there."""
        with translated():
            await self._session.get_parameter()
        return RTSPResponse.made(200, "OK")

    async def teardown(self) -> RTSPResponse | None:
        """End the reader."""
        self.connection.close()
        return None

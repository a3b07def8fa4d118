"""Where media goes: a transport, and who subscribes to it.

Layer:  compat

Where it differs from aiortsp
- Packets come in order, each once; one that is late waits a tenth of a second for those before it.
- ``handle_closed`` is called once, and silence is no reason to close while the session is paused.
- Reports to the server, NAT traversal and sockets are the affair of the session.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtcp.parser import RTCP
from rtspkit.compat.aiortsp.rtcp.stats import RTCPStats
from rtspkit.compat.aiortsp.rtsp.errors import RTSPTimeoutError
from rtspkit.wire.rtp import RtpPacket

if TYPE_CHECKING:
    from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection

__all__ = ["RTPTransport", "RTPTransportClient"]

_logger = logging.getLogger(__name__)


class RTPTransportClient:
    """Who subscribes; what is not overridden does nothing."""

    def handle_rtp(self, rtp: RTP) -> None:
        """An RTP packet has come."""

    def handle_rtcp(self, rtcp: RTCP) -> None:
        """RTCP has come."""

    def handle_closed(self, error: Exception | None) -> None:
        """Nothing more will come; ``error`` is None when that is in order."""


class RTPTransport:
    """The media of one session.

    Args:
        connection: What it belongs to.
        logger: Where to log.
        timeout: Seconds of silence after which it closes; 0 for never.

    Attributes:
        clients: Who has subscribed.
        stats: What has come.
        paused: Whether silence is right at the moment.
        result: Done when it has closed; with an error when that was out of order.
    """

    kind: ClassVar[str] = ""

    def __init__(
        self,
        connection: RTSPConnection,
        *,
        logger: logging.Logger | None = None,
        timeout: float = 10,
    ) -> None:
        self.connection = connection
        self.logger = logger or _logger
        self.timeout = timeout
        self.clients: set[RTPTransportClient] = set()
        self.stats = RTCPStats()
        self.paused = False
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[bool] = self._loop.create_future()
        self.result.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._last = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self.prepare()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cleanup()
        self.close(error if isinstance(error, Exception) else None)

    async def prepare(self) -> None:
        """Called before the session is set up; for subclasses."""

    async def cleanup(self) -> None:
        """Called at the end; for subclasses."""

    async def warmup(self) -> None:
        """Called when the session is set up: from here on, silence counts."""
        self.begin()

    def begin(self) -> None:
        """Media is to come from now on."""
        self.paused = False
        self._last = self._loop.time()
        if self.timeout and self._watch is None and self.running:
            self._watch = self._loop.call_at(self._last + self.timeout, self._look)

    def _look(self) -> None:
        """Close when nothing has come for too long."""
        self._watch = None
        now = self._loop.time()
        if self.paused:
            self._last = now
        until = self._last + self.timeout
        if now < until:
            self._watch = self._loop.call_at(until, self._look)
        else:
            self.close(RTSPTimeoutError(f"no media for {self.timeout:g} s"))

    @property
    def running(self) -> bool:
        """Whether media can come."""
        return not self.result.done() and self.connection.running

    def subscribe(self, client: RTPTransportClient) -> None:
        """Give packets to this client, too."""
        self.clients.add(client)

    def unsubscribe(self, client: RTPTransportClient) -> None:
        """Give it no more; who has not subscribed may be named, too."""
        self.clients.discard(client)

    def close(self, error: Exception | None = None) -> None:
        """Nothing more will come: tell the clients, once."""
        if self.result.done():
            return
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if error is None:
            self.result.set_result(False)
        else:
            self.result.set_exception(error)
        for client in tuple(self.clients):
            try:
                client.handle_closed(error)
            except Exception:
                self.logger.exception("handle_closed of a client has failed")

    # -- what the connection gives --------------------------------------------------------------

    def receive_rtp(self, packet: RtpPacket) -> None:
        """Give a packet to every client."""
        self._last = self._loop.time()
        self.stats.received_rtp()
        rtp = RTP(packet)
        for client in tuple(self.clients):
            try:
                client.handle_rtp(rtp)
            except Exception:
                self.logger.exception("handle_rtp of a client has failed")

    def receive_rtcp(self, datagram: memoryview) -> None:
        """Give what can be read of an RTCP datagram to every client."""
        rtcp = RTCP.salvage(datagram)
        if rtcp.packets:
            self.tell_rtcp(rtcp)

    def tell_rtcp(self, rtcp: RTCP) -> None:
        """Give it to every client."""
        self.stats.handle_rtcp(rtcp)
        for client in tuple(self.clients):
            try:
                client.handle_rtcp(rtcp)
            except Exception:
                self.logger.exception("handle_rtcp of a client has failed")

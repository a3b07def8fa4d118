"""The simplest way to packets, in aiortsp's manner.

Layer:  compat (on ``rtspkit.connect``)

Where it differs from aiortsp
- An end that is not in order raises, from ``iter_packets``; it is never silent, and never hangs.
- ``rtsp://`` is UDP, then TCP when UDP is refused or silent; ``rtspt://`` is TCP.
- ``run_loop=True`` comes back within a second after a short outage, and waits longer and longer for
  a server that stays away. A wrong password or path is not tried again: it raises.
- What waits to be taken is bounded; the oldest packets go first, and ``dropped`` counts them.
- Leaving ``async with`` waits until TEARDOWN is sent.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as tls
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

from rtspkit.client.connector import Connector, connect
from rtspkit.client.session import Session
from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import RTSPError
from rtspkit.compat.aiortsp.rtsp.session import RTSPMediaSession
from rtspkit.compat.aiortsp.rtsp.supervised import SupervisedConnection, SupervisedSession
from rtspkit.compat.aiortsp.tls import tls_of
from rtspkit.compat.aiortsp.translation import translate, translated
from rtspkit.compat.aiortsp.transport.base import RTPTransport, RTPTransportClient
from rtspkit.engine.events import Reconnecting
from rtspkit.engine.retry import delays
from rtspkit.engine.selection import Selection
from rtspkit.errors import RtspError, StreamNotFound
from rtspkit.options import TLS, Retry, Timeouts
from rtspkit.wire.stream import Stream

__all__ = ["RTSPReader"]

QUEUE = 8_192  # packets
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 15.0  # seconds: some ten connections in the first minute
RESET_AFTER = 10.0  # seconds after which pauses begin anew


class RTSPReader(RTPTransportClient):
    """Packets of one stream: ``async with`` opens it, ``iter_packets()`` gives them.

    Args:
        media_url: What to play.
        timeout: Seconds for connecting, for each response, and of silence.
        log_level: Of this module's logger.
        ssl: As of ``RTSPConnection``; ``rtsps://`` needs none.
        run_loop: Whether to come back after a loss, without end.
        media_type: Which stream: the first of this media.
        ignored: Other keywords are named in the log, and have no effect.

    Attributes:
        connection: While it is connected; else None. So are ``transport`` and ``session``.
        payload_type: Packets of others are left out; None takes all.
        queue: What waits to be taken.
        dropped: Packets that found it full.
    """

    def __init__(
        self,
        media_url: str,
        timeout: float = 10,
        log_level: int = logging.INFO,
        ssl: tls.SSLContext | TLS | bool | None = None,
        run_loop: bool = False,
        media_type: str = "video",
        **ignored: object,
    ) -> None:
        self.media_url = media_url
        self.timeout = timeout
        self.ssl = ssl
        self.run_loop = run_loop
        self.media_type = media_type
        self.logger = logging.getLogger(__name__)
        self.logger.setLevel(log_level)
        if ignored:
            self.logger.warning("without effect here: %s", ", ".join(ignored))
        self.connection: RTSPConnection | None = None
        self.transport: RTPTransport | None = None
        self.session: RTSPMediaSession | None = None
        self.payload_type: int | None = None
        self.queue: asyncio.Queue[RTP | None] = asyncio.Queue(QUEUE)
        self.dropped = 0
        self._runner: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._view: SupervisedSession | None = None
        self._lost = False

    # -- for subclasses --------------------------------------------------------------------------

    def on_ready(
        self, connection: RTSPConnection, transport: RTPTransport, session: RTSPMediaSession
    ) -> None:
        """It plays, for the first time or again. Subclasses call this, or subscribe themselves."""
        if session.sdp is not None:
            self.payload_type = session.sdp.media_payload_type(self.media_type)
        transport.subscribe(self)
        self.connection, self.transport, self.session = connection, transport, session

    def handle_rtp(self, rtp: RTP) -> None:
        """Keep a packet for ``iter_packets``."""
        if self.payload_type is None or rtp.pt == self.payload_type:
            self._put(rtp)

    def handle_closed(self, error: Exception | None) -> None:
        """It plays no more; ``on_ready`` is called when it does again."""
        self.logger.info("closed: %s", error or "in order")
        self.connection = self.transport = self.session = None

    # -- for users -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._runner = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        runner = self._runner
        if runner is None:
            return
        runner.cancel()
        try:
            await asyncio.wait([runner])
        except asyncio.CancelledError:
            runner.cancel()  # now it hangs up without waiting for the server
            await asyncio.wait([runner])
            raise

    def __aiter__(self) -> AsyncIterator[RTP]:
        return self.iter_packets()

    async def iter_packets(self) -> AsyncIterator[RTP]:
        """The packets, as they come; it ends when the stream has ended in order.

        Raises:
            RTSPError: The connection could not be made, or was lost.
        """
        if self._runner is None:
            raise RTSPError("a reader is opened with `async with`")
        while (packet := await self.queue.get()) is not None:
            yield packet
        self._put(None)  # for whoever asks again
        if self._error is not None:
            raise self._error

    # -- inside ----------------------------------------------------------------------------------

    def _put(self, packet: RTP | None) -> None:
        if self.queue.full():
            self.queue.get_nowait()
            self.dropped += 1
        self.queue.put_nowait(packet)

    async def _run(self) -> None:
        try:
            await (self.run_stream_loop() if self.run_loop else self.run_stream())
        except Exception as error:  # noqa: BLE001 - a subclass's own, too
            self._error = error  # iter_packets raises it
        finally:
            self._put(None)

    async def run_stream_loop(self) -> None:
        """Play, again and again.

        Raises:
            RTSPError: It is of no use to try again.
        """
        loop = asyncio.get_running_loop()
        pauses = _pauses()
        while True:
            began = loop.time()
            try:
                await self.run_stream()
            except RTSPError as error:
                cause = error.__cause__
                if not isinstance(cause, RtspError) or not cause.retryable:
                    raise
                self.logger.warning("%s", error)
            if loop.time() - began > self.timeout + RESET_AFTER:
                pauses = _pauses()
            await asyncio.sleep(next(pauses))

    async def run_stream(self) -> None:
        """Play until the end.

        Raises:
            RTSPError: It could not begin, or the end was out of order.
        """
        with translated():
            session = await self._connect()
        failure: RTSPError | None = None
        follower = asyncio.get_running_loop().create_task(self._follow(session))
        try:
            async with session:
                self._ready(session)
                async for packet in session.packets():
                    if self._lost and packet.discontinuity:
                        self._ready(session)
                    assert self._view is not None
                    self._view.receive(packet)
        except RtspError as error:
            failure = translate(error)
            raise failure from error
        finally:
            self._close(failure)
            follower.cancel()
            await asyncio.wait([follower])

    async def _connect(self) -> Session:
        """The first stream of the media that is wanted, or the only one there is."""
        wanted = _FirstOf(self.media_type)
        try:
            return await self._connector(wanted)
        except StreamNotFound:
            if wanted.asked != 1:
                raise
            return await self._connector(0)

    def _connector(self, streams: Selection) -> Connector:
        """What connects; without ``run_loop``, a loss is the end."""
        # Until it has played, pauses are the loop's: it goes on for longer than connect() does.
        options: dict[str, Any] = {"retry": Retry(max_attempts=1) if self.run_loop else None}
        verified = tls_of(self.ssl)
        if verified is not None:
            options["tls"] = verified
        return connect(
            self.media_url,
            streams=streams,
            timeouts=Timeouts(
                connect=self.timeout,
                response=self.timeout,
                media_silence=self.timeout,
                first_packet_tcp=self.timeout,
            ),
            **options,
        )

    def _ready(self, session: Session) -> None:
        """It plays: make what aiortsp's users see of it."""
        connection = SupervisedConnection(session, self._stop, self.logger, self.timeout)
        self._view = SupervisedSession(connection, session, self.media_type, self.logger)
        self._lost = False
        self.on_ready(connection, self._view.transport, self._view)

    def _stop(self) -> None:
        if self._runner is not None:
            self._runner.cancel()

    async def _follow(self, session: Session) -> None:
        """Tell of each loss that the session survives."""
        async for event in session.events():
            if isinstance(event, Reconnecting) and not self._lost:
                self._lost = True
                self._close(translate(event.cause))

    def _close(self, error: RTSPError | None) -> None:
        if self._view is not None:
            self._view.connection.finish(error)


class _FirstOf:
    """Takes the first stream of a media; it is asked of each stream, in their order.

    Attributes:
        asked: Streams that there are.
    """

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._taken = False
        self.asked = 0

    def __call__(self, stream: Stream) -> bool:
        if stream.index == 0:  # a description, maybe another one than before
            self._taken, self.asked = False, 0
        self.asked += 1
        found = not self._taken and stream.media.lower() == self._media_type
        self._taken |= found
        return found


def _pauses() -> Iterator[float]:
    """Seconds between two calls of ``connect()``: growing, and never the same for two readers."""
    retry = Retry(initial_delay=FIRST_PAUSE, maximum_delay=LONGEST_PAUSE)
    return delays("exponential-jitter", retry, random.random)

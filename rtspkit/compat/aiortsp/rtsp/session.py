"""A session with one stream, in aiortsp's manner.

Layer:  compat (on the dialogues of ``engine.handshake``)

Where it differs from aiortsp
- A connection carries one session; for another stream, open another connection.
- A presentation without the media that is asked for is an error, unless it has but one stream.
- PLAY carries Scale only when it is not 1, and for live media ``npt=0-`` instead of ``npt=now-``.
- ``keep_alive()`` is not needed: the session is kept alive. Calling it does no harm.
"""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Self

from rtspkit.compat.aiortsp.rtcp.stats import RTCPStats
from rtspkit.compat.aiortsp.rtsp.connection import NEVER, TEARDOWN, RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import RTSPError, RTSPResponseError
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.compat.aiortsp.rtsp.sdp import SDP
from rtspkit.compat.aiortsp.translation import translated
from rtspkit.compat.aiortsp.transport.base import RTPTransport
from rtspkit.engine.handshake import Presentation, describe, set_up_streams
from rtspkit.net.clock import monotonic_clock
from rtspkit.options import Limits
from rtspkit.wire.header import parse_public
from rtspkit.wire.stream import Stream
from rtspkit.wire.url import parse_url

__all__ = ["RTSPMediaSession", "sanitize_rtsp_url"]

DEFAULT_TIMEOUT = 60.0  # seconds, RFC 2326 §12.37
KEEPALIVE_SHARE = 0.9  # of the timeout
FROM_THE_START = "npt=0.000-"
_CLOCK = re.compile(r" *clock *= *(\d{8}T\d{6})(\.\d{1,9})?Z *-", re.ASCII)
_logger = logging.getLogger(__name__)


def sanitize_rtsp_url(url: str) -> str:
    """The URL as it goes over the wire: no credentials, and no scheme but rtsp or rtsps.

    Raises:
        RTSPError: It is no RTSP URL.
    """
    with translated():
        return parse_url(url).request_uri


class RTSPMediaSession:
    """A session; ``async with`` sets it up and tears it down.

    Args:
        connection: An open connection, without a session yet.
        media_url: The presentation.
        transport: Where the media goes.
        media_type: Which stream: the first of this media.
        logger: Where to log.

    Attributes:
        media_url: Without credentials; after setup, what PLAY is sent to.
        is_setup: Whether it was set up.
        sdp: The description; None before setup.
        session_id: The server's name for it; None before setup.
        session_keepalive: Whole seconds in which the server wants to hear of us.
        session_options: The methods that the server says it has.
    """

    def __init__(
        self,
        connection: RTSPConnection,
        media_url: str,
        transport: RTPTransport,
        media_type: str = "video",
        logger: logging.Logger | None = None,
    ) -> None:
        self.connection = connection
        self.media_url = sanitize_rtsp_url(media_url)
        self.transport = transport
        self.media_type = media_type
        self.logger = logger or _logger
        self.is_setup = False
        self.sdp: SDP | None = None
        self.session_id: str | None = None
        self.session_keepalive = int(DEFAULT_TIMEOUT * KEEPALIVE_SHARE)
        self.session_options: set[str] = set()
        self._presentation: Presentation | None = None
        self._played = False

    async def __aenter__(self) -> Self:
        await self.setup()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        with contextlib.suppress(RTSPError, TimeoutError):
            async with asyncio.timeout(TEARDOWN):
                await self.teardown()

    @property
    def stats(self) -> RTCPStats:
        """What has come."""
        return self.transport.stats

    async def setup(self) -> None:
        """OPTIONS, DESCRIBE and SETUP.

        Raises:
            RTSPError: The server refused, or has no such media.
        """
        driver = self.connection.driver
        if driver.playback.receivers:
            raise RTSPError("a connection carries one session: open another one")
        await self._ask_options()
        with translated():
            presentation: Presentation = await driver.run(
                describe(self.media_url, driver.note, Limits())
            )
            driver.machine.session_uri = presentation.uri  # what TEARDOWN is sent to
            self.sdp = SDP(presentation.description)
            stream = self._choose(presentation.streams)
            kind = self.transport.kind
            steps = set_up_streams((stream,), kind, driver.note, required=True)
            presentation.kind, presentation.chosen = kind, await driver.run(steps)
        self._presentation = presentation
        self.media_url = presentation.uri
        self.session_id = driver.machine.session_id
        self.session_keepalive = int(driver.machine.keepalive.timeout * KEEPALIVE_SHARE)
        agreed = stream.transport
        if kind == "tcp" and agreed is not None and agreed.interleaved is not None:
            driver.rtcp_channel = agreed.interleaved[1]
        receiver = driver.playback.receivers[stream.index]
        self.transport.stats.follow(receiver.snapshot, stream.clock_rate)
        self.connection.carry(self.transport)
        self.is_setup = True
        await self.transport.warmup()

    async def _ask_options(self) -> None:
        """What the server has; one that refuses to tell may play all the same."""
        try:
            response = await self.connection.send_request("OPTIONS", self.media_url)
        except RTSPResponseError as error:
            if error.response is not None and error.response.status == 401:
                raise
            self.logger.info("OPTIONS was refused: %s", error)
            return
        public = response.headers.get("public", "")
        self.session_options = set(parse_public(public))

    def _choose(self, streams: tuple[Stream, ...]) -> Stream:
        """The first stream of the media that was asked for, or the only one there is."""
        for stream in streams:
            if stream.media.lower() == self.media_type:
                return stream
        if len(streams) == 1:
            return streams[0]
        offer = ", ".join(stream.media for stream in streams)
        raise RTSPError(f"the presentation has no {self.media_type}, but {offer or 'nothing'}")

    # -- RTSP's own methods ----------------------------------------------------------------------

    async def play(self, seek: float | None = None, speed: float = 1) -> RTSPResponse:
        """Begin to play, or go on.

        Args:
            seek: Where to begin, in Unix seconds; None for the beginning, or where it stopped.
            speed: Scale: 2 plays twice as fast.
        """
        driver, presentation = self.connection.driver, self._known()
        first = FROM_THE_START if not self._played else None
        where = first if seek is None else f"clock={self.ts_to_clock(seek)}-"
        with translated():
            await driver.play(
                presentation,
                NEVER,
                range_header=where,
                headers=() if speed == 1 else (("Scale", f"{speed:g}"),),
                resumed=where is None,
            )
        self._played = True
        self.transport.begin()
        return self._answer()

    async def pause(self) -> RTSPResponse:
        """Stop the media and keep the session."""
        driver, presentation = self.connection.driver, self._known()
        with translated():
            await driver.ask("PAUSE", presentation.uri)
        driver.playback.pause()
        self.transport.paused = True
        return self._answer()

    async def keep_alive(self) -> RTSPResponse | None:
        """Tell the server that we are here; None when it has no method for that."""
        for method in ("GET_PARAMETER", "OPTIONS"):
            if method in self.session_options:
                return await self.connection.send_request(method, self.media_url)
        return None

    async def teardown(self) -> RTSPResponse | None:
        """End the session; None when there is none any more."""
        driver = self.connection.driver
        if not driver.has_session:
            return None
        driver.playback.leave(monotonic_clock(asyncio.get_running_loop())())
        with translated():
            await driver.ask("TEARDOWN", driver.machine.session_uri)
        self.transport.close()
        return self._answer()

    def _known(self) -> Presentation:
        if self._presentation is None:
            raise RTSPError("the session was not set up")
        return self._presentation

    def _answer(self) -> RTSPResponse:
        answer = self.connection.driver.answer
        assert answer is not None
        return RTSPResponse(answer)

    # -- times -----------------------------------------------------------------------------------

    @staticmethod
    def ts_to_clock(seek: float) -> str:
        """Unix seconds as in a Range of absolute time: ``20190322T043720.003Z``."""
        whole, thousandths = divmod(round(seek * 1000), 1000)
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=whole)
        fraction = f".{thousandths:03d}".rstrip("0") if thousandths else ""
        return f"{moment:%Y%m%dT%H%M%S}{fraction}Z"

    @staticmethod
    def response_to_ts(resp: RTSPResponse, default_ts: float) -> float:
        """Where playing begins, as the response to PLAY tells; else the default."""
        value = resp.headers.get("range")
        match = _CLOCK.match(value) if isinstance(value, str) else None
        if match is None:
            return default_ts
        try:
            moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S")
        except ValueError:
            return default_ts
        return calendar.timegm(moment.timetuple()) + float(match[2] or 0)

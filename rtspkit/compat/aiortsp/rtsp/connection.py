"""One connection to a server, in aiortsp's manner.

Layer:  compat (on ``client.driver``)

Where it differs from aiortsp
- Digest goes before Basic, always, and Basic is not sent where Digest was offered.
- Nothing waits for ever: every request has a deadline, a lost connection ends all that waits.
- The session is kept alive without being asked.
- ``register_binary_handler``, ``send_binary`` and ``on_request`` are not there.
"""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Self

from rtspkit.client.options import ConnectOptions, build_options
from rtspkit.compat.aiortsp.eavesdropper import Eavesdropper
from rtspkit.compat.aiortsp.rtsp.errors import RTSPConnectionError, RTSPError, RTSPTimeoutError
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.compat.aiortsp.tls import tls_of
from rtspkit.compat.aiortsp.translation import translate, translated
from rtspkit.engine.authentication import Authenticator
from rtspkit.engine.events import Event
from rtspkit.errors import ConnectionLost, RtspError
from rtspkit.options import TLS, Limits, Timeouts
from rtspkit.wire.credentials import Credentials
from rtspkit.wire.rtp import RtpPacket

if TYPE_CHECKING:
    from rtspkit.compat.aiortsp.transport.base import RTPTransport

__all__ = ["RTSPConnection"]

OWN_HEADERS = frozenset({"cseq", "session", "authorization", "content-length"})
NEVER = 86_400.0  # seconds: the transport watches over silence, with its own deadline
TEARDOWN = 2.0  # seconds for all of the leave-taking
_logger = logging.getLogger(__name__)


class RTSPConnection:
    """A connection; ``async with`` opens and closes it.

    Args:
        host: Name or address of the server.
        port: Its port.
        username: User name, or None.
        password: Password, or None.
        accept_auth: Schemes that may be used: ``["digest"]`` never sends a password in the clear.
        logger: Where to log.
        ssl: For TLS: True, an ``SSLContext``, or a ``TLS`` of rtspkit. None is in the clear.
        timeout: Seconds for connecting, and for each response.

    Attributes:
        result: Done when the connection has ended; with an ``RTSPConnectionError`` or the like
            when that was out of order.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None = None,
        password: str | None = None,
        accept_auth: Iterable[str] | None = None,
        logger: logging.Logger | None = None,
        ssl: tls.SSLContext | TLS | bool | None = None,
        timeout: float = 10,
    ) -> None:
        self.host = host
        self.port = port
        self.username = username
        self.password = password
        self.accept_auth = [name.lower() for name in accept_auth or ("basic", "digest")]
        self.logger = logger or _logger
        self.ssl = ssl
        self.default_timeout = timeout
        self.result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.result.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._driver: Eavesdropper | None = None
        self._media: RTPTransport | None = None

    async def __aenter__(self) -> Self:
        await self.prepare()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def prepare(self) -> None:
        """Connect.

        Raises:
            RTSPConnectionError: No connection within ``timeout`` seconds.
            RTSPError: The host cannot be one.
        """
        with translated():
            driver = Eavesdropper(self._options(), self._inlet(), self._on_rtcp)
        if "basic" not in self.accept_auth:
            driver.machine.authenticator = self._digest_only()
        try:
            with translated():
                async with asyncio.timeout(self.default_timeout):
                    await driver.open()
        except TimeoutError as error:
            driver.close()
            if isinstance(error, RTSPTimeoutError):
                raise
            raise RTSPConnectionError(
                f"no connection to {self.host}:{self.port} within {self.default_timeout:g} s"
            ) from error
        except BaseException:
            driver.close()
            raise
        self._driver = driver

    def _options(self) -> ConnectOptions:
        verified = tls_of(self.ssl)
        host = f"[{self.host}]" if ":" in self.host else self.host
        seconds = self.default_timeout
        return build_options(
            f"{'rtsps' if verified else 'rtsp'}://{host}:{self.port}",
            self.username,
            self.password,
            ("udp", "tcp"),
            None,
            timeouts=Timeouts(
                connect=seconds, response=seconds, media_silence=NEVER, teardown=TEARDOWN
            ),
            limits=Limits(),
            tls=verified,
        )

    def _digest_only(self) -> Authenticator:
        """One that never sends a password in the clear."""
        given = self.username is not None or self.password is not None
        credentials = Credentials(self.username or "", self.password or "") if given else None
        return Authenticator(
            credentials, token=lambda: token_hex(8), limits=Limits(), allow_basic="never"
        )

    async def aclose(self) -> None:
        """Take leave of the server, within two seconds, and close. Never raises."""
        if self._driver is None:
            return
        try:
            async with asyncio.timeout(TEARDOWN):
                await self._driver.leave()
        except TimeoutError:
            pass  # the server does not answer TEARDOWN; it was sent, and that must do
        finally:
            self.close()

    def close(self) -> None:
        """Close now; TEARDOWN is sent where there is a session, and its answer not waited for."""
        if self._driver is not None:
            self._driver.hang_up()
        self.finish(None)

    @property
    def running(self) -> bool:
        """Whether it is open."""
        return self._driver is not None and not self._driver.ended and not self.result.done()

    @property
    def driver(self) -> Eavesdropper:
        """What it runs on.

        Raises:
            RTSPConnectionError: It was not opened.
        """
        if self._driver is None:
            raise RTSPConnectionError("the connection was not opened")
        return self._driver

    async def send_request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, object] | None = None,
        timeout: float | None = None,
        body: bytes | None = None,
    ) -> RTSPResponse:
        """Send a request and wait for its response of 2xx.

        Args:
            method: Any method of RTSP.
            url: What it is about.
            headers: More headers. CSeq, Session, Authorization and Content-Length are ours.
            timeout: Seconds for the response; None for the connection's.
            body: Its body; say in ``headers`` what it is.

        Raises:
            RTSPResponseError: The server answered something else.
            RTSPTimeoutError: It did not answer.
            RTSPConnectionError: The connection is gone.
        """
        fields = tuple(
            (name, str(value))
            for name, value in (headers or {}).items()
            if name.lower() not in OWN_HEADERS
        )
        if method == "DESCRIBE":
            self.driver.machine.session_uri = url  # what keep-alives and TEARDOWN are about
        try:
            with translated():
                async with asyncio.timeout(timeout or self.default_timeout):
                    return RTSPResponse(await self.driver.ask(method, url, fields, body or b""))
        except TimeoutError as error:
            if isinstance(error, RTSPTimeoutError):
                raise
            raise RTSPTimeoutError(f"{method.lower()}: no answer in time") from error

    # -- what the driver tells -----------------------------------------------------------------

    def carry(self, transport: RTPTransport) -> None:
        """Media goes to this transport from now on."""
        self._media = transport

    def _inlet(self) -> _Inlet:
        return _Inlet(self)

    def _on_rtcp(self, datagram: memoryview) -> None:
        if self._media is not None:
            self._media.receive_rtcp(datagram)

    def _on_packets(self, packets: list[RtpPacket]) -> None:
        if self._media is not None:
            for packet in packets:
                self._media.receive_rtp(packet)

    def finish(self, failure: RTSPError | None) -> None:
        """The connection, or all media on it, has ended: tell whoever waits."""
        if self.result.done():
            return
        if failure is None:
            self.result.set_result("ok")
        else:
            self.logger.info("connection to %s:%s ended: %s", self.host, self.port, failure)
            self.result.set_exception(failure)
        if self._media is not None:
            self._media.close(failure)


class _Inlet:
    """Where a driver's results go."""

    def __init__(self, connection: RTSPConnection) -> None:
        self._connection = connection

    def on_packets(self, packets: list[RtpPacket]) -> None:
        """Packets, in the order of their stream."""
        self._connection._on_packets(packets)

    def on_event(self, event: Event) -> None:
        """Something that a person may want to know."""
        self._connection.logger.debug("%s", event)

    def on_gone(self) -> None:
        """The server does not know our session any more."""
        self.on_end(ConnectionLost("the server has dropped the session", phase="streaming"))

    def on_end(self, error: RtspError | None) -> None:
        """Nothing more will come."""
        self._connection.finish(None if error is None else translate(error))

"""A scriptable RTSP server for tests, made of the library's own wire and payload formats.

Layer:  testing
In:     RTSP requests and RTCP of clients; the test's script and hooks
Out:    the clip (or tracks of your own) over UDP or interleaved; what it saw, as numbers

    async with Camera(transports=("tcp",)) as camera:
        camera.script("SETUP", Reply(461), nth=1)
        async with rtspkit.connect(camera.url) as session:
            ...

Every time is the loop's: a loop with a virtual clock works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Self

from rtspkit.errors import ConnectionLost, DeadlineExceeded
from rtspkit.testing.actions import Action
from rtspkit.testing.camera_connection import CameraConnection
from rtspkit.testing.camera_core import CameraCore, ReceivedRtcp
from rtspkit.testing.listener import LOOPBACK, Listener
from rtspkit.testing.quirks import apply_quirks
from rtspkit.testing.script import Rule
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request, Response

__all__ = ["Camera", "ReceivedRtcp"]

CLOSING = 2.0  # seconds that closing may take; the loop needs a turn or two


class Camera(CameraCore):
    """An RTSP server for tests; its options are those of ``CameraOptions``.

    Attributes:
        requests: What clients asked, in order; at most 100,000.
        rtcp_received: What clients reported, in order; at most 100,000.
        protocol_errors: What clients sent that is no RTSP or RTCP.
        connections: Those that are open, the oldest first.
        sessions: Those that live, by id.
        packets_sent: RTP packets handed to the system, by the track's place.
        packets_failed: RTP packets that the system did not take.
        datagrams_received: Packets that clients sent to the media ports or channels.
        connections_made: Since the beginning.
        sessions_made: Since the beginning.
        sessions_expired: Sessions that were dropped for want of a sign of life.
        answered: Requests that are done with, in silence or not.
        challenged: Requests that were answered 401.
        refused: Of these, those with credentials that were wrong.
        parameters: For GET_PARAMETER and SET_PARAMETER.
        media_stopped: Whether no media is sent; time goes on.
        mute_control: Whether requests are read and left unanswered.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._listener: Listener | None = None
        self._cseq = 0
        apply_quirks(self)

    async def start(self) -> None:
        """Listen. A camera that was closed listens on the same port again.

        Raises:
            OSError: The port is taken.
        """
        if self._listener is not None:
            return
        self.load()
        hosts = LOOPBACK if self.host is None else (self.host,)
        self._listener = await Listener.open(
            lambda: CameraConnection(self), hosts=hosts, port=self.port, tls=self.tls
        )
        self.port = self._listener.port

    async def aclose(self) -> None:
        """Close everything and forget all sessions. Idempotent; never raises."""
        listener, self._listener = self._listener, None
        for session in list(self.sessions.values()):
            session.close()
        for connection in list(self.connections):
            connection.abort()
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if waiting := tasks | self._owned:
            await asyncio.wait(waiting, timeout=CLOSING)
        if listener is not None:
            await listener.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def script(
        self,
        method: str | None,
        *actions: Action,
        nth: int | Collection[int] | None = None,
        url: str | None = None,
        when: Callable[[Request], bool] | None = None,
    ) -> Rule:
        """Do something else with some requests.

        Args:
            method: The method; None for any.
            actions: What to do; they compose, in this order.
            nth: Which of the matching requests, from 1, counted from now: a number, several, or
                None for each.
            url: Text that the request URI contains.
            when: A further condition.

        Returns:
            The rule: ``rule.hits`` counts, ``rule.cancel()`` ends it.
        """
        return self.rules.add(method, actions, nth=nth, url=url, when=when)

    async def send_request(
        self,
        method: str,
        uri: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        connection: CameraConnection | None = None,
        timeout: float = 5.0,
    ) -> Response:
        """Send a request to a client, as servers do, and wait for its answer.

        Args:
            method: ``"OPTIONS"``, ``"ANNOUNCE"`` …
            uri: None for ``url``.
            headers: Besides CSeq.
            body: Message body.
            connection: Which client; None for the newest.
            timeout: Seconds.

        Raises:
            ConnectionLost: There is no connection, or it ended first.
            DeadlineExceeded: No answer in time.
        """
        if connection is None:
            if not self.connections:
                raise ConnectionLost("no client is connected")
            connection = self.connections[-1]
        self._cseq += 1
        fields = Headers([("CSeq", str(self._cseq)), *(headers or {}).items()])
        request = Request(method, uri or self.url, fields, body)
        try:
            async with asyncio.timeout(timeout):
                return await connection.request(request, self._cseq)
        except TimeoutError:
            raise DeadlineExceeded(method.lower(), timeout) from None

    def inject(self, data: bytes, *, connection: CameraConnection | None = None) -> None:
        """Write bytes as they are into one connection, or into all of them."""
        for one in self.connections if connection is None else [connection]:
            one.write(data)

    def kill(self, *, sessions: bool = True) -> None:
        """End all connections with a RST, and forget all sessions unless told otherwise."""
        for connection in list(self.connections):
            connection.close(reset=True)
        if sessions:
            self.end_sessions()

    def end_sessions(self) -> None:
        """Forget all sessions, and say nothing to anybody: 454 from now on."""
        for session in list(self.sessions.values()):
            session.close()

    def stop_media(self) -> None:
        """Send no RTP and no sender reports any more; no sequence number is used meanwhile."""
        self.media_stopped = True

    def resume_media(self) -> None:
        """Send media again, from where the presentation is by now."""
        self.media_stopped = False

    def renew_nonces(self) -> None:
        """Make every nonce in use stale."""
        authenticators = [self.authenticator, *(c.authenticator for c in self.connections)]
        for authenticator in authenticators:
            if authenticator is not None:
                authenticator.renew()

"""``connect()``: one budget, every fallback inside it, and a session or an error at its end.

Layer:  client
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from rtspkit.client.driver import Driver
from rtspkit.client.options import (
    DEFAULT_USER_AGENT,
    Backpressure,
    ConnectOptions,
    ReceiverName,
    TransportName,
    build_options,
)
from rtspkit.client.ports import NO_PORTS
from rtspkit.client.session import Session
from rtspkit.client.transport_memory import remembered_transports
from rtspkit.engine.events import TransportRejected
from rtspkit.engine.handshake import Presentation, set_up
from rtspkit.engine.selection import Selection
from rtspkit.errors import DeadlineExceeded, RtspError, UnsupportedTransport
from rtspkit.options import Limits, Timeouts

__all__ = ["Connector", "connect"]


class Connector:
    """What ``connect()`` gives: await it, or enter it with ``async with``."""

    def __init__(self, options: ConnectOptions, *, remember: bool) -> None:
        self._options = options
        self._remember = remember
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.aclose()

    async def _open(self) -> Session:
        options = self._options
        if self._remember:
            now = asyncio.get_running_loop().time()
            server = (options.url.host, options.url.port)
            kinds = remembered_transports.order(server, options.kinds, now)
            options = replace(options, kinds=kinds)
        session = Session(options)
        seconds = options.timeouts.connect
        budget = asyncio.timeout(seconds)
        attempt = _Attempt(options, session, budget)
        try:
            async with budget:
                await attempt.run()
        except TimeoutError as error:
            if isinstance(error, RtspError):
                raise
            if attempt.failure is not None:
                raise attempt.failure from None
            raise DeadlineExceeded(
                attempt.phase,
                seconds,
                message=f"{attempt.phase}: connect() was not done within {seconds:g} s",
            ) from None
        if self._remember and options.play:
            now = asyncio.get_running_loop().time()
            remembered_transports.remember(server, session.transport, now)
        return session


class _Attempt:
    """One ``connect()`` on its way: a driver for each connection that it takes."""

    def __init__(self, options: ConnectOptions, session: Session, budget: asyncio.Timeout) -> None:
        self._options = options
        self._session = session
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self.phase = "connect"
        self.failure: RtspError | None = None  # the last one; leaving may outlast the budget

    async def run(self) -> None:
        """Try the transports in order, each refusal on a fresh connection."""
        kinds = self._options.kinds
        while True:
            driver = Driver(self._options, self._session)
            try:
                await self._try(driver, kinds)
                return
            except RtspError as error:
                self.phase = driver.phase
                following = self._following(error, kinds)
                self.failure = None if following else error
                await self._leave(driver)
                if not following:
                    raise
                self._rejected(kinds[0], following[0], str(error))
                kinds = following
            except BaseException:
                self.phase = driver.phase
                await self._break_off(driver)
                raise

    async def _break_off(self, driver: Driver) -> None:
        """Cancelled: hang up; but when SETUP is on its way, know first whether it succeeds."""
        until = self._budget.when()
        in_time = until is None or self._loop.time() < until
        if in_time and driver.requests.unsettled:
            await self._leave(driver)
        driver.hang_up()

    async def _try(self, driver: Driver, kinds: tuple[str, ...]) -> None:
        options = self._options
        await driver.open()
        dialogue = set_up(
            options.url.request_uri,
            kinds,
            options.streams,
            driver.note,
            options.limits,
            required=options.require_all,
        )
        presentation: Presentation = await driver.run(dialogue)
        for (kind, reason), following in zip(presentation.refusals, kinds[1:], strict=False):
            self._rejected(kind, following, reason)
        self._session._begin(driver, presentation)
        if options.play:
            await self._play(driver, presentation, kinds)
        self._session._establish(played=options.play)

    async def _play(
        self, driver: Driver, presentation: Presentation, kinds: tuple[str, ...]
    ) -> None:
        timeouts = self._options.timeouts
        more = presentation.kind == "udp" and kinds[-1] != "udp"
        await driver.play(
            presentation, timeouts.first_packet if more else timeouts.first_packet_tcp
        )
        if more:
            driver.phase = "first packet"
            await driver.first_media()
        if driver.machine.methods is None and not driver.ended:
            driver.requests.send("OPTIONS", presentation.uri)

    def _following(self, error: RtspError, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """The transports that are left to try after this error; none when it is final."""
        silent = isinstance(error, DeadlineExceeded) and error.phase == "first packet"
        if isinstance(error, UnsupportedTransport) or silent or error.phase == NO_PORTS:
            return kinds[1:]
        return ()

    def _rejected(self, kind: str, following: str, reason: str) -> None:
        event = TransportRejected(self._loop.time(), kind, following, reason)
        self._session.on_event(event)

    async def _leave(self, driver: Driver) -> None:
        try:
            async with asyncio.timeout(self._options.timeouts.teardown):
                await driver.leave()
        except TimeoutError:
            pass  # the server does not answer TEARDOWN; it was sent, and that must do
        finally:
            driver.hang_up()


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    transport: TransportName | Iterable[TransportName] = "auto",
    streams: Selection = None,
    require_all: bool | None = None,
    timeouts: Timeouts | None = None,
    retry: None = None,
    limits: Limits | None = None,
    reorder: float = 0.1,
    backpressure: Backpressure = "drop_oldest",
    receiver: ReceiverName = "auto",
    coalesce: float = 0.0,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    user_agent: str = DEFAULT_USER_AGENT,
    client_ports: tuple[int, int] | None = None,
    play: bool = True,
) -> Connector:
    """Connect to a camera or server, set its streams up and begin to play.

    Use it with ``async with``, which closes the session, or ``await`` it and call ``aclose()``
    yourself: a session that is forgotten keeps its sockets.

    Args:
        url: ``rtsp://user:password@host:554/path``. ``rtspt://`` means TCP, ``rtspu://`` UDP.
        username: Instead of the one in the URL.
        password: Instead of the one in the URL.
        transport: ``"auto"`` is UDP, then TCP when UDP is refused or silent; remembered for this
            server while the process runs. Or ``"udp"``, ``"tcp"``, or a sequence in order, which
            goes before what the scheme of the URL means.
        streams: Which streams to set up: a media (``"video"``), an encoding name (``"H264"``), an
            index, several of them, or a predicate on ``Stream``. None takes all.
        require_all: Whether a stream that the server refuses to set up is an error. By default,
            only when ``streams`` names what is wanted; else the others go on, with an event.
        timeouts: Deadlines; ``Timeouts()`` by default.
        retry: Only None: a lost connection raises ``ConnectionLost``.
        limits: Bounds on what the peer can make us hold; ``Limits()`` by default.
        reorder: Seconds that a packet waits for an earlier one; 0 lets none wait.
        backpressure: What a full queue does: ``"drop_oldest"``, ``"drop_newest"``, ``"latest"``,
            which keeps one packet, or ``"block"``, which stops reading until the consumer has
            caught up: the kernel, and over TCP the server, has to wait. Over TCP, all is read while
            an answer is waited for, and what does not fit then is dropped. ``access_units()`` makes
            whole units of what is left: ``"latest"`` drops all that waits when its queue is full.
        receiver: How UDP comes in: ``"recvmmsg"`` takes many datagrams with one system call
            (Linux), ``"recv_into"`` one, ``"datagram"`` leaves it to the loop, which cannot be held
            up and keeps its datagrams outside of ``slab_memory``; ``"auto"`` takes the first that
            works.
        coalesce: Seconds, at most 0.005, between two reads of all UDP sockets of the loop
            together; 0 reads each when it has something. With many streams it saves wake-ups.
        headers: Sent with every request.
        user_agent: Some devices refuse requests without one.
        client_ports: First and last UDP port that may be used.
        play: Whether to send PLAY; else call ``session.play()``.

    Raises:
        LocalProtocolError: The URL or an option cannot be used. Raised at once.
        RtspError: When awaited: no session could be had, within ``timeouts.connect``.
    """
    if retry is not None:
        raise TypeError("retry can only be None in this version")
    options = build_options(
        url,
        username,
        password,
        transport,
        headers,
        wish=streams,
        require_all=require_all,
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        reorder=reorder,
        backpressure=backpressure,
        receiver=receiver,
        coalesce=coalesce,
        user_agent=user_agent,
        client_ports=client_ports,
        play=play,
    )
    return Connector(options, remember=transport == "auto" and len(options.kinds) > 1)

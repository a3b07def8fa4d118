"""One attempt to have the session: the transports in order, each on a fresh connection.

Layer:  client
Rule
- Whatever becomes of it, no driver is left behind: the one that plays is handed over, every other
  one has taken leave of the server and is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rtspkit.client.driver import FROM_THE_START, Driver
from rtspkit.client.opening import accepted, no_room, refused, reserve
from rtspkit.client.options import ConnectOptions
from rtspkit.client.ports import NO_PORTS
from rtspkit.client.sink import Sink
from rtspkit.engine.continuity import Moment
from rtspkit.engine.events import TransportRejected
from rtspkit.engine.handshake import Presentation, set_up
from rtspkit.errors import DeadlineExceeded, RtspError, TooManySessions, UnsupportedTransport
from rtspkit.wire.stream import Stream

__all__ = ["Attempt", "Past", "StaleSession", "Way", "take_leave"]

STALE = 1.0  # seconds that a server may take to let go of a session that is left over


@dataclass(frozen=True, slots=True)
class StaleSession:
    """A session that the server may still hold, and whose connection is gone."""

    identifier: str
    uri: str


@dataclass(slots=True)
class Past:
    """What an earlier connection leaves to the next one.

    Attributes:
        streams: The streams that were set up; empty before the first connection.
        moments: Where each of them was.
        position: Seconds into a presentation that has an end; None for a live one.
        over: Whether that is the end, or nearly so.
        play: Whether to play.
        headers: Sent with PLAY: Scale, Speed.
        stale: What is to be torn down first.
    """

    streams: tuple[Stream, ...] = ()
    moments: Mapping[Stream, Moment] = field(default_factory=dict)
    position: float | None = None
    over: bool = False
    play: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    stale: StaleSession | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How the connections of an attempt are made.

    Attributes:
        racing: How they are raced, as ``Racing.mode`` has it.
        timeout: Seconds after which connecting gives way to the next attempt; None for
            ``racing.timeout``.
        connections: At most so many are raced; None for ``racing.max_connections``.
    """

    racing: str
    timeout: float | None = None
    connections: int | None = None


class Attempt:
    """One attempt; ``run`` it once.

    Args:
        options: What the user asked for.
        sink: Where the drivers' results go.
        past: What goes on from an earlier connection.
        way: How connections are made.
        begin: Called with the driver and what was set up, before PLAY is sent.

    Attributes:
        phase: What it is, or was, doing.
        failure: The error that ends it; taking leave of the server may outlast the budget.
        stood: Connections that the server has taken.
        opened: Seconds that the last one needed until it stood; None before.
        no_ports: Whether UDP was given up for a want of our own, that says nothing of the server.
    """

    def __init__(
        self,
        options: ConnectOptions,
        sink: Sink,
        past: Past,
        way: Way,
        begin: Callable[[Driver, Presentation], None],
    ) -> None:
        self._options = options
        self._sink = sink
        self._past = past
        self._way = way
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self.phase = "connect"
        self.failure: RtspError | None = None
        self.stood = 0
        self.opened: float | None = None
        self.no_ports = False

    async def run(self, until: float) -> None:
        """Try the transports in order.

        Args:
            until: When the caller's budget ends, in the loop's time.

        Raises:
            RtspError: The last one was refused too, or something else is in the way.
        """
        kinds = self._options.kinds
        while True:
            driver = Driver(self._options, self._sink)
            refusals: list[tuple[str, str]] = []
            try:
                await self._try(driver, kinds, refusals)
                return
            except RtspError as error:
                self.phase = driver.phase
                if isinstance(error, TooManySessions):
                    refused(self._options, driver.machine)
                kinds = kinds[len(refusals) :]
                following = self._following(error, kinds)
                self.failure = None if following else error
                await take_leave(driver, self._options.timeouts.teardown)
                if not following:
                    raise
                self._rejected(kinds[0], following[0], str(error))
                kinds = following
            except BaseException:
                self.phase = driver.phase
                await self._break_off(driver, until)
                raise

    async def _break_off(self, driver: Driver, until: float) -> None:
        """Cancelled: hang up; but when SETUP is on its way, know first whether it succeeds."""
        if self._loop.time() < until and driver.requests.unsettled:
            await take_leave(driver, self._options.timeouts.teardown)
        driver.hang_up()

    async def _try(
        self, driver: Driver, kinds: tuple[str, ...], refusals: list[tuple[str, str]]
    ) -> None:
        options, past = self._options, self._past
        await self._open(driver)
        if past.stale is not None:
            await _dismiss(driver, past.stale)
            past.stale = None
        dialogue = set_up(
            options.url.request_uri,
            kinds,
            options.streams,
            driver.note,
            options.limits,
            required=options.require_all,
            known=past.streams,
            refusals=refusals,
        )
        try:
            presentation: Presentation = await driver.run(dialogue)
        finally:
            for (kind, reason), following in zip(refusals, kinds[1:], strict=False):
                self._rejected(kind, following, reason)
        accepted(options)
        moments = past.moments
        if past.position is not None:  # PLAY asks for it; the answer may come with the first media
            moments = dict.fromkeys(moments, Moment(past.position, self._loop.time()))
        driver.playback.carry_on(moments, presentation.changes)
        self._begin(driver, presentation)
        if past.play:
            await self._play(driver, presentation, kinds)

    async def _open(self, driver: Driver) -> None:
        seconds = self._way.timeout
        self.failure = no_room(self._options)
        lease = await reserve(self._options, fresh=bool(self._past.streams))
        self.failure = None
        if self._way.connections is not None:
            lease.places.shrink(min(self._way.connections, lease.places.number))
        began = self._loop.time()
        try:
            async with asyncio.timeout(seconds):
                await driver.open(self._way.racing, lease)
            self.opened = self._loop.time() - began
        except TimeoutError as error:
            if isinstance(error, RtspError) or seconds is None:
                raise
            raise DeadlineExceeded("connect", seconds) from None
        finally:
            self.stood += lease.stood

    async def _play(
        self, driver: Driver, presentation: Presentation, kinds: tuple[str, ...]
    ) -> None:
        timeouts, past = self._options.timeouts, self._past
        more = presentation.kind == "udp" and kinds[-1] != "udp"
        position = past.position
        await driver.play(
            presentation,
            timeouts.first_packet if more else timeouts.first_packet_tcp,
            range_header=FROM_THE_START if position is None else f"npt={position:.3f}-",
            headers=past.headers,
            resumed=bool(past.streams) and position is None,
        )
        if more:
            driver.phase = "first packet"
            await driver.first_media()
        if driver.machine.methods is None and not driver.ended:
            driver.requests.send("OPTIONS", presentation.uri)

    def _following(self, error: RtspError, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """The transports that are left to try after this error; none when it is final."""
        silent = isinstance(error, DeadlineExceeded) and error.phase == "first packet"
        self.no_ports |= error.phase == NO_PORTS
        if isinstance(error, UnsupportedTransport) or silent or error.phase == NO_PORTS:
            return kinds[1:]
        return ()

    def _rejected(self, kind: str, following: str, reason: str) -> None:
        self._sink.on_event(TransportRejected(self._loop.time(), kind, following, reason))


async def take_leave(driver: Driver, seconds: float) -> None:
    """TEARDOWN and close, within so many seconds; nothing more is told of this driver."""
    driver.ended = True
    try:
        async with asyncio.timeout(seconds):
            await driver.leave()
    except TimeoutError:
        pass  # the server does not answer TEARDOWN; it was sent, and that must do
    finally:
        driver.hang_up()


async def _dismiss(driver: Driver, stale: StaleSession) -> None:
    """Tear down what is left of an earlier connection: some servers have room for one viewer."""
    headers = (("Session", stale.identifier),)
    try:
        await driver.requests.ask("TEARDOWN", stale.uri, headers, timeout=STALE)
    except DeadlineExceeded:
        driver.note("teardown-unanswered", "")
    except RtspError:
        if driver.ended or driver.machine.lost is not None:
            raise

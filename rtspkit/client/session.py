"""An RTSP session as the user holds it.

Layer:  client
Rules
- ``connect()`` makes it and has sent PLAY; ``async with`` or ``aclose()`` sends TEARDOWN.
- Closing never raises and is idempotent; cancelled, it still lets go of everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from rtspkit.client.access_units import AccessUnitIterator, UnitCounters, make_depacketizers
from rtspkit.client.driver import FROM_THE_START, Driver
from rtspkit.client.fanout import Fanout
from rtspkit.client.iterators import BatchIterator, EventIterator, PacketIterator
from rtspkit.client.options import Backpressure, ConnectOptions, check_backpressure
from rtspkit.client.packet_source import PacketSource
from rtspkit.client.restoration import Restoration
from rtspkit.client.snapshot import session_stats
from rtspkit.engine.events import (
    Event,
    StateChanged,
)
from rtspkit.engine.handshake import Presentation
from rtspkit.engine.selection import Select, select_streams
from rtspkit.engine.statistics import SessionStats
from rtspkit.errors import ConnectionLost, LocalProtocolError, RtspError, StreamNotFound
from rtspkit.net.clock import monotonic_clock
from rtspkit.wire.header import Range, serialize_range
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.sdp import SessionDescription
from rtspkit.wire.stream import Stream
from rtspkit.wire.url import RtspUrl

__all__ = ["Session"]

Door = TypeVar("Door", PacketIterator, BatchIterator)


class Session:
    """A session with one server: several streams on one connection.

    Attributes:
        url: What it is connected to; prints without its password.
    """

    def __init__(self, options: ConnectOptions) -> None:
        self.url: RtspUrl = options.url
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._driver: Driver | None = None
        self._presentation: Presentation | None = None
        self._state = "connecting"
        self._fanout = Fanout(options.limits, options.backpressure, self._on_hold)
        self._unit_counters: list[dict[int, UnitCounters]] = []
        self._played_at: float | None = None
        self._established = False
        self._closing = False
        self._closed = asyncio.Event()
        self._restoration = Restoration(options.timeouts, self._now, self.on_event)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``"connecting"``, ``"ready"``, ``"playing"``, ``"paused"``, ``"ended"``, ``"lost"`` or
        ``"closed"``."""
        return self._state

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that were set up, in the order of the description."""
        return self._presentation.chosen if self._presentation is not None else ()

    @property
    def description(self) -> SessionDescription:
        """The SDP of the presentation: every stream, also those that were not set up."""
        return self._known_presentation().description

    @property
    def transport(self) -> str:
        """``"udp"`` or ``"tcp"``."""
        return self._known_presentation().kind

    @property
    def server(self) -> str | None:
        """The server's name for itself, or None."""
        return self._known_driver().machine.server

    @property
    def authentication(self) -> str | None:
        """``"basic"``, ``"digest"``, or None when the server asked for nothing."""
        return self._known_driver().machine.authenticator.scheme

    @property
    def session_timeout(self) -> float:
        """Seconds after which the server drops a session that it hears nothing of."""
        return self._known_driver().machine.keepalive.timeout

    def stats(self) -> SessionStats:
        """What was counted up to now, as a value that does not change; also after the end."""
        since = 0.0 if self._played_at is None else self._now() - self._played_at
        return session_stats(
            self._known_driver(),
            self.streams,
            self._unit_counters,
            transport=self._presentation.kind if self._presentation else None,
            duration=since,
            played_at=self._played_at,
            consumer_dropped=self._fanout.dropped,
        )

    # -- the doors out ---------------------------------------------------------------------------

    def packets(self, *select: Select, backpressure: Backpressure | None = None) -> PacketIterator:
        """RTP packets, in the order of each stream, one at a time.

        Args:
            select: Media, encoding names, indices or streams; nothing takes all streams.
            backpressure: What its queue does when it is full; None as ``connect`` was told.

        Returns:
            An asynchronous iterator with a queue of its own (``limits.queue_packets``). It goes
            on after a ``break``, ends when its streams have ended, and may outlive the session.

        Raises:
            StreamNotFound: No stream that was set up is like ``select``.
            RtspError: From the iteration: the session ended out of order.
        """
        return self._attach(PacketIterator, select, backpressure)

    def batches(self, *select: Select, backpressure: Backpressure | None = None) -> BatchIterator:
        """As ``packets()``, in lists: all that has arrived since the last time. The faster door."""
        return self._attach(BatchIterator, select, backpressure)

    def access_units(
        self, *select: Select, backpressure: Backpressure | None = None
    ) -> AccessUnitIterator:
        """What a decoder takes: pictures, or the audio of one timestamp, one at a time.

        Each stream of pictures begins with a complete keyframe; what comes before the first one
        is left out and counted (``before_keyframe``), for at most 10 s.

        Args:
            select: As for ``packets``. Without it, streams of unknown encodings are left out.
            backpressure: As for ``packets``. When packets are dropped, each stream of pictures
                goes on at its next keyframe.

        Raises:
            UnsupportedPayload: A selected stream, or every stream, is of an encoding that no
                depacketizer is there for.
        """
        streams = self._select(select) if select else self.streams
        makers = make_depacketizers(streams, self._options.limits, required=bool(select))
        check_backpressure(backpressure or self._options.backpressure)
        source = self._fanout.new_source(
            tuple(s for s in streams if s.index in makers), policy=backpressure, whole_units=True
        )
        iterator = AccessUnitIterator(source, makers, self._known_driver().note)
        self._unit_counters.append(iterator.counters)
        self._fanout.attach(iterator, source)
        return iterator

    def events(self) -> EventIterator:
        """What happened in the session so far, and then what happens, one event at a time.

        It ends after ``SessionEnded``, and never raises.
        """
        return self._fanout.events()

    # -- RTSP's own methods ----------------------------------------------------------------------

    async def play(
        self,
        range: str | Range | None = None,  # noqa: A002  # the header's name
        *,
        scale: float | None = None,
        speed: float | None = None,
    ) -> None:
        """Begin to play, or go on after ``pause``.

        Args:
            range: Where to begin: ``"npt=10-"``, a ``Range``, or None to go on.
            scale: 2 plays twice as fast, −1 backwards; the server may refuse.
            speed: Delivery speed, as a factor.

        Raises:
            RtspError: The server refused, or is gone.

        Source: RFC 2326 §10.5, §12.34, §12.35.
        """
        driver, presentation = await self._live()
        headers: list[tuple[str, str]] = []
        if scale is not None:
            headers.append(("Scale", f"{scale:g}"))
        if speed is not None:
            headers.append(("Speed", f"{speed:g}"))
        played_before = self._played_at is not None
        text = serialize_range(range) if isinstance(range, Range) else range
        if text is None and not played_before:
            text = FROM_THE_START
        self._fanout.restart()
        await driver.play(
            presentation,
            self._options.timeouts.first_packet_tcp,
            range_header=text,
            headers=tuple(headers),
            resumed=text is None,
        )
        self._began_to_play()

    async def pause(self) -> None:
        """Stop the media and keep the session, which is kept alive.

        Source: RFC 2326 §10.6.
        """
        driver, presentation = await self._live()
        await driver.ask("PAUSE", presentation.uri)
        driver.playback.pause()
        self._set_state("paused")

    async def seek(self, npt: float) -> None:
        """Go on playing at ``npt`` seconds of the presentation; errors as for ``play``."""
        await self.play(Range("npt", npt, None))

    async def get_parameter(
        self, body: bytes = b"", *, content_type: str = "text/parameters"
    ) -> bytes:
        """Ask for parameters, one name a line; without a body, only whether the session is there.

        Gives the body of the answer; raises as ``play`` does.

        Source: RFC 2326 §10.8.
        """
        return await self._parameters("GET_PARAMETER", body, content_type)

    async def set_parameter(self, body: bytes, *, content_type: str = "text/parameters") -> bytes:
        """Set parameters, ``name: value`` a line; gives the body of the answer.

        Raises as ``play`` does.

        Source: RFC 2326 §10.9.
        """
        return await self._parameters("SET_PARAMETER", body, content_type)

    async def _parameters(self, method: str, body: bytes, content_type: str) -> bytes:
        driver, presentation = await self._live()
        headers = (("Content-Type", content_type),) if body else ()
        return (await driver.ask(method, presentation.uri, headers, body)).body

    # -- the end ---------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Send TEARDOWN and let go of everything, within ``timeouts.teardown``.

        Iterators that still wait end. Never raises; may be called again, and by several tasks.
        """
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            self._restoration.cancel()
            await self._restoration.settle()
            if self._driver is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._options.timeouts.teardown):
                        await self._driver.leave()
        finally:
            if self._driver is not None:
                self._driver.hang_up()
            self._set_state("closed")
            self._fanout.end(None, self._now())
            self._closed.set()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Session {self.url} {self._state}>"

    # -- called by the driver --------------------------------------------------------------------

    def on_packets(self, packets: list[RtpPacket]) -> None:
        """Packets for every iterator."""
        self._fanout.put_packets(packets)

    def on_event(self, event: Event) -> None:
        """Something happened."""
        self._fanout.put_event(event)

    def on_gone(self) -> None:
        """The server has dropped our session: ask for it again, on the same connection."""
        if self._state in ("playing", "paused") and not self._closing and not self._fanout.ended:
            self._restoration.begin(
                self._known_driver(),
                self._known_presentation(),
                playing=self._state == "playing",
            )

    def on_end(self, error: RtspError | None) -> None:
        """Nothing more will come; what happens before ``connect()`` is done is its affair."""
        self._restoration.cancel()
        if self._established and not self._closing:
            if isinstance(error, ConnectionLost):
                error.phase = "streaming"  # whatever request was on its way
            self._set_state("ended" if error is None else "lost")
            self._fanout.end(error, self._now())

    # -- inside ----------------------------------------------------------------------------------

    def _begin(self, driver: Driver, presentation: Presentation) -> None:
        """A driver has set the presentation up."""
        self._driver = driver
        self._fanout.pool = driver.ports.pool
        self._presentation = presentation
        self._set_state("ready")

    def _establish(self, *, played: bool) -> None:
        """``connect()`` is done; media, and the end, may have come already."""
        self._established = True
        if played:
            self._began_to_play()
        driver = self._known_driver()
        if driver.ended:
            self.on_end(driver.error)

    def _began_to_play(self) -> None:
        if self._played_at is None:
            self._played_at = self._known_driver().playback.started_at
        self._set_state("playing")

    def _set_state(self, state: str) -> None:
        if state != self._state and (state == "closed" or not self._fanout.ended):
            before, self._state = self._state, state
            self.on_event(StateChanged(self._now(), before, state))

    def _attach(
        self,
        kind: Callable[[PacketSource], Door],
        select: tuple[Select, ...],
        backpressure: Backpressure | None,
    ) -> Door:
        check_backpressure(backpressure or self._options.backpressure)
        streams = self._select(select) if select else None
        source = self._fanout.new_source(streams, policy=backpressure)
        iterator = kind(source)
        self._fanout.attach(iterator, source)
        return iterator

    def _on_hold(self, held: bool) -> None:
        """A consumer has more than enough, or wants to go on."""
        if self._driver is not None:
            self._driver.hold(held)

    def _select(self, select: tuple[Select, ...]) -> tuple[Stream, ...]:
        if not self.streams:
            raise StreamNotFound("nothing is set up")
        return select_streams(self.streams, select)

    def _known_driver(self) -> Driver:
        if self._driver is None:
            raise LocalProtocolError("the session is not connected yet")
        return self._driver

    def _known_presentation(self) -> Presentation:
        if self._presentation is None:
            raise LocalProtocolError("the session is not connected yet")
        return self._presentation

    async def _live(self) -> tuple[Driver, Presentation]:
        """What a request needs; a session that is being restored is waited for."""
        await self._restoration.settle()
        if self._closing:
            raise LocalProtocolError("the session is closed")
        if self._fanout.error is not None:
            raise self._fanout.error
        if self._fanout.ended:
            raise LocalProtocolError("the presentation is over; connect again")
        return self._known_driver(), self._known_presentation()

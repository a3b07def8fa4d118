"""An RTSP session as the user holds it.

Layer:  client
Rules
- ``connect()`` makes it and has sent PLAY; ``async with`` or ``aclose()`` sends TEARDOWN.
- Closing never raises and is idempotent; cancelled, it still lets go of everything.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from rtspkit.client.access_units import AccessUnitIterator, UnitCounters, make_depacketizers
from rtspkit.client.driver import FROM_THE_START
from rtspkit.client.fanout import Fanout
from rtspkit.client.iterators import BatchIterator, EventIterator, PacketIterator
from rtspkit.client.options import Backpressure, ConnectOptions, check_backpressure
from rtspkit.client.packet_source import PacketSource
from rtspkit.client.snapshot import connection_stats, with_units
from rtspkit.client.supervisor import Supervisor
from rtspkit.engine.selection import Select, select_streams
from rtspkit.engine.statistics import SessionStats
from rtspkit.errors import StreamNotFound, UnsupportedPayload
from rtspkit.net.clock import monotonic_clock
from rtspkit.payload.base import Depacketizer
from rtspkit.wire.header import Range, serialize_range
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

    def __init__(
        self,
        options: ConnectOptions,
        *,
        fanout: Fanout | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self.url: RtspUrl = options.url
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._fanout = fanout or Fanout(options.limits, options.backpressure)
        self._supervisor = supervisor or Supervisor(options, self._fanout)
        if supervisor is None:
            weakref.finalize(self, _abandon, weakref.ref(self._supervisor)).atexit = False
        self._unit_counters: list[dict[int, UnitCounters]] = []
        self._closing = False
        self._closed = asyncio.Event()

    # -- what it is ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``"connecting"``, ``"ready"``, ``"playing"``, ``"paused"``, ``"reconnecting"``,
        ``"ended"``, ``"lost"`` or ``"closed"``."""
        return self._supervisor.state

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that were set up, in the order of the description."""
        return self._supervisor.streams

    @property
    def description(self) -> SessionDescription:
        """The SDP of the presentation: every stream, also those that were not set up."""
        return self._supervisor.known_presentation().description

    @property
    def transport(self) -> str:
        """``"udp"`` or ``"tcp"``."""
        return self._supervisor.known_presentation().kind

    @property
    def server(self) -> str | None:
        """The server's name for itself, or None."""
        return self._supervisor.known_driver().machine.server

    @property
    def authentication(self) -> str | None:
        """``"basic"``, ``"digest"``, or None when the server asked for nothing."""
        return self._supervisor.known_driver().machine.authenticator.scheme

    @property
    def session_timeout(self) -> float:
        """Seconds after which the server drops a session that it hears nothing of."""
        return self._supervisor.known_driver().machine.keepalive.timeout

    def stats(self) -> SessionStats:
        """What was counted up to now, as a value that does not change; also after the end."""
        supervisor = self._supervisor
        attempts, played_at = supervisor.attempts, supervisor.played_at
        driver = supervisor.driver
        stats = SessionStats() if driver is None else connection_stats(driver, self.streams)
        stats = with_units(supervisor.ledger.total(stats), self._unit_counters, played_at)
        return replace(
            stats,
            transport=supervisor.known_presentation().kind if self.streams else None,
            duration=0.0 if played_at is None else self._now() - played_at,
            consumer_dropped=self._fanout.dropped,
            reconnects=supervisor.reconnects,
            attempts=dict(attempts.counts),
            strategy=attempts.strategy,
            outage=supervisor.outage,
            last_error=attempts.last_error,
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
        iterator = AccessUnitIterator(source, makers, self._note, self._remake(bool(select)))
        self._unit_counters.append(iterator.counters)
        self._fanout.attach(iterator, source)
        return iterator

    def events(self) -> EventIterator:
        """What happened in the session so far, and then what happens, one event at a time.

        It ends after ``SessionEnded``, and never raises.
        """
        iterator = self._fanout.events()
        iterator.owner = self
        return iterator

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
        driver, presentation = await self._supervisor.live()
        headers: list[tuple[str, str]] = []
        if scale is not None:
            headers.append(("Scale", f"{scale:g}"))
        if speed is not None:
            headers.append(("Speed", f"{speed:g}"))
        played_before = self._supervisor.played_at is not None
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
        past = self._supervisor.attempts.past
        past.play, past.headers = True, tuple(headers)
        self._supervisor.began_to_play()

    async def pause(self) -> None:
        """Stop the media and keep the session, which is kept alive.

        Source: RFC 2326 §10.6.
        """
        driver, presentation = await self._supervisor.live()
        await driver.ask("PAUSE", presentation.uri)
        driver.playback.pause()
        self._supervisor.attempts.past.play = False
        self._supervisor.set_state("paused")

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
        driver, presentation = await self._supervisor.live()
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
            await self._supervisor.close()
        finally:
            self._closed.set()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Session {self.url} {self.state}>"

    # -- inside ----------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await self._supervisor.connect()

    def _note(self, identifier: str, detail: str) -> None:
        """What a sender does against its RFC."""
        self._supervisor.known_driver().note(identifier, detail)

    def _remake(self, required: bool) -> Callable[[Stream], Depacketizer | None]:
        """Makes a depacketizer for a stream that has come back in another format."""

        def make(stream: Stream) -> Depacketizer | None:
            limits = self._options.limits
            try:
                return make_depacketizers((stream,), limits, required=True)[stream.index]
            except UnsupportedPayload:
                if required:
                    raise
                return None

        return make

    def _attach(
        self,
        kind: Callable[[PacketSource], Door],
        select: tuple[Select, ...],
        backpressure: Backpressure | None,
    ) -> Door:
        check_backpressure(backpressure or self._options.backpressure)
        streams = self._select(select) if select else None
        source = self._fanout.new_source(streams, policy=backpressure)
        source.owner = self
        iterator = kind(source)
        self._fanout.attach(iterator, source)
        return iterator

    def _select(self, select: tuple[Select, ...]) -> tuple[Stream, ...]:
        if not self.streams:
            raise StreamNotFound("nothing is set up")
        return select_streams(self.streams, select)


def _abandon(supervisor: weakref.ref[Supervisor]) -> None:
    """A session is gone; what has sockets or attempts under way is alive without it."""
    alive = supervisor()
    if alive is not None:
        alive.abandon()

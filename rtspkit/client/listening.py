"""One session over one transport, listened to for some seconds: for a diagnosis.

Layer:  client
Out:    Heard: times, counts, clocks; what failed is in it, nothing is raised for it

Nothing is tried again, and the session is torn down.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from rtspkit.client.access_units import make_depacketizers
from rtspkit.client.attempt import take_leave
from rtspkit.client.driver import Driver
from rtspkit.client.heard import Heard, KeptAlive, StreamHeard
from rtspkit.client.options import ConnectOptions
from rtspkit.client.snapshot import connection_stats
from rtspkit.engine.events import Event
from rtspkit.engine.handshake import Presentation, set_up
from rtspkit.engine.punches import Punches
from rtspkit.errors import ConnectionLost, DeadlineExceeded, RtspError, UnsupportedPayload
from rtspkit.net.clock import monotonic_clock
from rtspkit.payload.base import Depacketizer
from rtspkit.payload.nal_units import NalUnitDepacketizer
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["listen"]

PUNCHES = 3
CNAME = b"doctor@rtspkit.invalid"
KEEPALIVE_SECONDS = 3.0  # that one keep-alive may take
KEEPALIVES = ("GET_PARAMETER", "OPTIONS", "SET_PARAMETER")


class _Ear:
    """Takes what a driver gives."""

    def __init__(self) -> None:
        self.streams: dict[int, StreamHeard] = {}
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.error: RtspError | None = None
        self._makers: dict[int, Depacketizer] = {}

    def prepare(self, presentation: Presentation, options: ConnectOptions) -> None:
        """What will be heard."""
        with contextlib.suppress(UnsupportedPayload):
            self._makers = make_depacketizers(presentation.chosen, options.limits, required=False)
        for stream in presentation.chosen:
            maker = self._makers.get(stream.index)
            pictures = isinstance(maker, NalUnitDepacketizer)
            self.streams[stream.index] = StreamHeard(stream, pictures)

    def on_packets(self, packets: list[RtpPacket]) -> None:
        for packet in packets:
            heard = self.streams.get(packet.stream.index) if packet.stream is not None else None
            if heard is None:
                continue
            self.begun.set()
            heard.take_packet(packet)
            maker = self._makers.get(heard.stream.index)
            for unit in maker.push(packet) if maker is not None else ():
                heard.take_unit(unit)

    def on_event(self, event: Event) -> None:
        """Of the events, the quirks are read from where they are counted."""

    def on_gone(self) -> None:
        self.on_end(ConnectionLost("the server has dropped the session (454)", phase="streaming"))

    def on_end(self, error: RtspError | None) -> None:
        self.error = self.error or error
        self.over.set()


async def listen(
    options: ConnectOptions,
    kind: str,
    seconds: float,
    *,
    keep_alive: bool = True,
    wall: Callable[[], float] = time.time,
) -> Heard:
    """Set everything up over one transport, play, and listen.

    Args:
        options: URL, credentials, deadlines.
        kind: ``"udp"`` or ``"tcp"``.
        seconds: To listen, from the first packet on.
        keep_alive: Whether to try the methods that keep a session alive.
        wall: Gives wall-clock seconds.
    """
    listening = _Listening(replace(options, kinds=(kind,), nat="off"), Heard(kind))
    try:
        await listening.run(seconds, keep_alive=keep_alive)
    except RtspError as error:
        listening.heard.error = error
    finally:
        await listening.leave()
    listening.finish(wall())
    return listening.heard


class _Listening:
    """One session that is listened to."""

    def __init__(self, options: ConnectOptions, heard: Heard) -> None:
        self.heard = heard
        self._options = options
        self._now = monotonic_clock(asyncio.get_running_loop())
        self._ear = _Ear()
        self._driver = Driver(options, self._ear)
        self._chosen: tuple[Stream, ...] = ()

    async def run(self, seconds: float, *, keep_alive: bool) -> None:
        heard, driver, timeouts = self.heard, self._driver, self._options.timeouts
        began = self._now()
        try:
            async with asyncio.timeout(timeouts.connect):
                presentation = await self._set_up()
                heard.set_up = self._now() - began
                playing = self._now()
                await driver.play(presentation, self._patience + timeouts.first_packet_tcp)
        except TimeoutError as error:
            if isinstance(error, RtspError):
                raise
            raise DeadlineExceeded(driver.phase, timeouts.connect) from None
        heard.played = True
        await self._hear_the_first(playing)
        await self._wait(self._ear.over, seconds)
        heard.seconds = self._now() - playing - (heard.first_packet or 0.0)
        if self._ear.error is not None:
            raise self._ear.error
        if keep_alive and not self._ear.over.is_set():
            heard.kept_alive = await self._keep_alive(presentation.uri)

    @property
    def _patience(self) -> float:
        """Seconds for the first packet without a punch, and again with it."""
        timeouts = self._options.timeouts
        return timeouts.first_packet if self.heard.kind == "udp" else timeouts.first_packet_tcp

    async def _set_up(self) -> Presentation:
        options, driver = self._options, self._driver
        await driver.open("none")
        dialogue = set_up(options.url.request_uri, options.kinds, None, driver.note, options.limits)
        presentation: Presentation = await driver.run(dialogue)
        self._chosen = presentation.chosen
        self._ear.prepare(presentation, options)
        return presentation

    async def _hear_the_first(self, playing: float) -> None:
        """Wait for the first packet; over UDP, send one against a NAT when none comes."""
        ear, heard = self._ear, self.heard
        await self._wait_for_media(self._patience)
        for _ in range(PUNCHES if heard.kind == "udp" else 0):
            if ear.begun.is_set() or ear.over.is_set() or not self._punch():
                break
            heard.punched = True
            await self._wait_for_media(self._patience / PUNCHES)
        firsts = [s.first for s in ear.streams.values() if s.first is not None]
        if firsts:
            heard.first_packet = max(min(firsts) - playing, 0.0)
            return
        heard.punched = False
        raise ear.error or DeadlineExceeded("first packet", self._now() - playing)

    def _punch(self) -> bool:
        """Send a packet of each kind to where the media should come from: it opens a NAT."""
        punches = Punches(lambda index: 0)
        for stream in self._chosen:
            punches.add(stream, ssrc=secrets.randbits(32), cname=CNAME)
        punches.start(self._now())
        ports = self._driver.ports
        sent = [ports.punch(stream, rtp, rtcp) for stream, rtp, rtcp in punches.data_to_send()]
        return any(sent)

    async def _wait_for_media(self, seconds: float) -> None:
        begun = asyncio.ensure_future(self._ear.begun.wait())
        over = asyncio.ensure_future(self._ear.over.wait())
        try:
            await asyncio.wait((begun, over), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            over.cancel()

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _keep_alive(self, uri: str) -> KeptAlive:
        """Try the methods in the order that a session would."""
        kept, driver = KeptAlive(), self._driver
        advertised = driver.machine.methods
        for method in KEEPALIVES:
            if advertised is not None and method not in advertised and method != "OPTIONS":
                continue
            began = self._now()
            try:
                await driver.requests.ask(method, uri, timeout=KEEPALIVE_SECONDS)
            except RtspError as error:
                kept.refused[method] = str(error)
                if self._ear.over.is_set():
                    break
                continue
            kept.method, kept.seconds = method, self._now() - began
            break
        return kept

    async def leave(self) -> None:
        """TEARDOWN and close, bounded."""
        driver = self._driver
        if self._chosen:
            self.heard.stats = connection_stats(driver, self._chosen)
        await take_leave(driver, self._options.timeouts.teardown)

    def finish(self, wall: float) -> None:
        """The numbers that are there in the end."""
        heard, machine = self.heard, self._driver.machine
        heard.session_timeout = machine.keepalive.timeout
        heard.quirks = dict(machine.quirks.counts)
        heard.streams = tuple(self._ear.streams[stream.index] for stream in self._chosen)
        now = self._now()
        for stream in heard.streams:
            stream.finish(now, wall)

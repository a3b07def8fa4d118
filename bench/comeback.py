"""Cameras that fail on demand, and sessions that come back: one run of ``bench faults``.

In:     a fault, a transport
Out:    a ``Run``: when the loss was noticed, when the server could serve again, when the first
        complete access unit came, in seconds

Facts the code leans on
- The pictures are ten a second with a keyframe every 0.4 s; a sound comes with them.
- Camera and session share a process: what one takes, the other waits for.
- Ports are below those that the system gives to clients, so that nobody takes the port of a camera
  that is down.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from random import Random

import rtspkit
from rtspkit.client.session import Session
from rtspkit.engine.events import Event, Reconnecting, StateChanged
from rtspkit.payload.base import AccessUnit
from rtspkit.payload.nal import join_annex_b
from rtspkit.testing import Camera, Link, Track, Unit, load_clip

__all__ = [
    "FAULTS",
    "SILENCE",
    "Fault",
    "Run",
    "Stage",
    "open_camera",
    "run",
    "run_together",
    "silent_after",
]

PICTURES, STEP = 4, 9000  # pictures of a group, and ticks between two
FIRST_PORT, LAST_PORT = 20_000, 30_000
SILENCE = 2.0  # seconds after which a session that is silent counts as lost
HOLE = 3.0  # seconds that a black hole lasts after it was noticed
ALIVE = 2.0  # seconds of the session's timeout where a keep-alive has to tell
PATIENCE = 30.0  # seconds after which a run has failed
_ports = itertools.cycle(range(FIRST_PORT, LAST_PORT))


def video() -> Track:
    """H.264, the first pictures of the clip round and round."""
    track = load_clip().tracks()[0]
    units = [replace(unit, ticks=i * STEP) for i, unit in enumerate(track.units[:PICTURES])]
    return replace(track, units=units, duration_ticks=PICTURES * STEP, framerate=10)


def other_video() -> Track:
    """What goes for H.265: its NAL unit types are right."""

    def picture(*types: int) -> bytes:
        return join_annex_b([bytes([kind << 1, 1]) + b"\x42" * 60 for kind in types])

    units = [Unit(picture(32, 33, 34, 19), 0)]
    units += [Unit(picture(1), i * STEP, keyframe=False) for i in range(1, PICTURES)]
    return Track("video", "H265", 98, 90_000, units, PICTURES * STEP)


def audio() -> Track:
    """PCMU in packets of 0.1 s."""
    return Track("audio", "PCMU", 0, 8000, [Unit(bytes(800), 0)], 800, channels=1)


async def open_camera(*, host: str = "127.0.0.1", session_timeout: float = 60.0) -> Camera:
    """A camera that has started, with two tracks.

    Raises:
        OSError: No port is free.
    """
    error = OSError("no port is free")
    for port in itertools.islice(_ports, LAST_PORT - FIRST_PORT):
        camera = Camera(
            tracks=[video(), audio()],
            host=host,
            port=port,
            report_interval=None,
            session_timeout=session_timeout,
        )
        try:
            await camera.start()
        except OSError as taken:
            error = taken
        else:
            return camera
    raise error


@dataclass(slots=True)
class Stage:
    """What a fault has to do with.

    Attributes:
        camera: The server.
        link: What lies between, where a fault needs it.
        struck: When the fault began; a fault may correct it.
    """

    camera: Camera
    link: Link | None
    struck: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One row.

    Attributes:
        name: For people.
        strike: Does it; gives when the server could serve again.
        linked: Whether it needs a link.
        media_silence: As in ``Timeouts``.
        session_timeout: Of the camera.
    """

    name: str
    strike: Callable[[Stage], Awaitable[float]]
    linked: bool = False
    media_silence: float = 10.0
    session_timeout: float = 60.0


def now() -> float:
    """Seconds by the running loop."""
    return asyncio.get_running_loop().time()


def killed_for(least: float, most: float) -> Callable[[Stage], Awaitable[float]]:
    """The server dies, and is started again after so long."""
    chance = Random(f"{least} {most}")

    async def strike(stage: Stage) -> float:
        await stage.camera.aclose()
        await asyncio.sleep(chance.uniform(least, most))
        await stage.camera.start()
        return now()

    return strike


async def reset(stage: Stage) -> float:
    """The connection is reset; the server holds on to its session where it can."""
    stage.camera.kill(sessions=False)
    return now()


async def black_hole(stage: Stage) -> float:
    """Nothing passes until after it was noticed."""
    assert stage.link is not None
    stage.link.stall()
    await asyncio.sleep(SILENCE + HOLE)
    stage.link.resume()
    return now()


async def another_description(stage: Stage) -> float:
    """As killed for half a second, and then the pictures are H.265."""
    await stage.camera.aclose()
    stage.camera.tracks = [other_video(), audio()]
    await asyncio.sleep(0.5)
    await stage.camera.start()
    return now()


async def forgotten(stage: Stage) -> float:
    """The server forgets the session, and says 454 when it is asked: from then on it counts."""
    asked: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def note(request: object) -> None:
        if not asked.done():
            asked.set_result(now())

    stage.camera.end_sessions()
    stage.camera.on_request = note
    stage.struck = await asked
    return stage.struck


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("8: killed, back after 0.5 s", killed_for(0.5, 0.5)),
        Fault("8: killed, back after 0 to 5 s", killed_for(0.0, 5.0)),
        Fault("8: killed, back after 5 s", killed_for(5.0, 5.0)),
        Fault("9: reset", reset),
        Fault("10: black hole", black_hole, linked=True, media_silence=SILENCE),
        Fault("19: back with H.265", another_description),
        Fault("21: 454", forgotten, session_timeout=ALIVE),
    )
}


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one fault; seconds.

    Attributes:
        noticed: From the fault to the session's state ``"reconnecting"``; None when it did not
            come to that.
        waited: From when the server could serve to when the attempt that succeeded began.
        recovery: From there, too, to the first complete access unit; None when there was none
            in 30 s.
        attempts: Attempts that were made.
    """

    noticed: float | None
    waited: float | None
    recovery: float | None
    attempts: int


class _Watch:
    """The consumer of one session: its pictures, and its events."""

    def __init__(self, session: Session) -> None:
        self.units = session.access_units("video")
        self._told = session.events()
        self.events: list[Event] = []
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self._told:
            self.events.append(event)

    async def until(self, done: Callable[[AccessUnit], bool]) -> float:
        """When the first such access unit came."""
        async for unit in self.units:
            if done(unit):
                return now()
        raise rtspkit.ConnectionLost("the session ended")

    async def close(self) -> None:
        self.listening.cancel()
        await asyncio.wait([self.listening])


def silent_after(fault: Fault) -> rtspkit.Timeouts:
    """The deadlines of a session that meets this fault."""
    return rtspkit.Timeouts(media_silence=fault.media_silence)


async def run(fault: Fault, transport: str, play: float) -> Run:
    """Play, be struck, come back.

    Args:
        fault: What happens.
        transport: ``"udp"`` or ``"tcp"``.
        play: Seconds before it.

    Raises:
        RtspError: The session could not be had in the first place.
    """
    camera = await open_camera(session_timeout=fault.session_timeout)
    link = Link(camera.url) if fault.linked else None
    try:
        if link is not None:
            await link.start()
        url = camera.url if link is None else link.url
        options = {"transport": transport, "timeouts": silent_after(fault)}
        async with rtspkit.connect(url, **options) as session:  # type: ignore[arg-type]
            watch = _Watch(session)
            try:
                begun = now()
                await watch.until(lambda unit: now() >= begun + play)
                return await _strike(fault, Stage(camera, link, now()), watch)
            finally:
                await watch.close()
    finally:
        if link is not None:
            await link.aclose()
        await camera.aclose()


async def _strike(fault: Fault, stage: Stage, watch: _Watch) -> Run:
    struck = stage.struck
    back = asyncio.create_task(_back(watch, struck))
    serving = await fault.strike(stage)
    return await _outcome(watch, back, struck, serving)


async def run_together(
    url: str, transport: str, count: int, strike: Callable[[], Awaitable[float]]
) -> list[Run]:
    """So many sessions with one server, all of them struck at once.

    Args:
        url: Of the presentation.
        transport: ``"udp"`` or ``"tcp"``.
        count: Sessions.
        strike: Does it; gives when the server could serve again.

    Raises:
        RtspError: A session could not be had in the first place.
    """
    timeouts = rtspkit.Timeouts(media_silence=SILENCE)
    async with AsyncExitStack() as stack:
        watches = []
        for _ in range(count):
            connecting = rtspkit.connect(url, transport=transport, timeouts=timeouts)
            watches.append(_Watch(await stack.enter_async_context(connecting)))
            stack.push_async_callback(watches[-1].close)
        await asyncio.gather(*(watch.until(lambda unit: True) for watch in watches))
        struck = now()
        backs = [asyncio.create_task(_back(watch, struck)) for watch in watches]
        serving = await strike()
        pairs = zip(watches, backs, strict=True)
        return [await _outcome(watch, back, struck, serving) for watch, back in pairs]


async def _outcome(watch: _Watch, back: asyncio.Task[float], struck: float, serving: float) -> Run:
    """What has come of a fault, once the session is back or too late."""
    try:
        recovered: float | None = await asyncio.wait_for(back, PATIENCE)
    except (TimeoutError, rtspkit.RtspError):
        recovered = None
    tried = [e for e in watch.events if isinstance(e, Reconnecting) and e.at >= struck]
    lost = [
        e.at - struck
        for e in watch.events
        if isinstance(e, StateChanged) and e.state == "reconnecting" and e.at >= struck
    ]
    return Run(
        min(lost, default=None),
        max(tried[-1].at + tried[-1].delay - serving, 0.0) if tried else None,
        None if recovered is None else max(recovered - serving, 0.0),
        len(tried),
    )


async def _back(watch: _Watch, struck: float) -> float:
    """When the first complete access unit behind the gap has come."""
    after = False

    def done(unit: AccessUnit) -> bool:
        nonlocal after
        after = after or (unit.discontinuity and unit.arrival >= struck)
        return after and unit.complete

    return await watch.until(done)

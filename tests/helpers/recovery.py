"""Sessions that lose their server and come back: what their consumer sees, and when.

Recovery runs from "the server can serve again" to the first complete access unit; the pictures
here have a keyframe every 0.4 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import rtspkit
from rtspkit.client.session import Session
from rtspkit.engine.events import Event, Reconnected, Reconnecting, StateChanged
from rtspkit.payload.base import AccessUnit
from rtspkit.payload.nal import join_annex_b
from rtspkit.testing.camera import Camera
from rtspkit.testing.clip import load_clip
from rtspkit.testing.presentation import Track, Unit

RECOVERY = 1.0  # seconds
PICTURES = 4  # in a group
STEP = 9000  # ticks from one to the next: a keyframe every 0.4 s


def brief_video(payload_type: int = 96) -> Track:
    """H.264 of ten pictures a second, a keyframe every 0.4 s."""
    track = load_clip().tracks()[0]
    units = [replace(unit, ticks=i * STEP) for i, unit in enumerate(track.units[:PICTURES])]
    return replace(
        track, payload_type=payload_type, units=units, duration_ticks=PICTURES * STEP, framerate=10
    )


def _h265_picture(*types: int) -> bytes:
    """NAL units whose types are right, and no more."""
    return join_annex_b([bytes([kind << 1, 1]) + b"\x42" * 60 for kind in types])


H265_KEYFRAME = 32, 33, 34, 19  # VPS, SPS, PPS, IDR


def rare_video() -> Track:
    """What goes for H.265 of two pictures a second, each of them a keyframe."""
    return Track("video", "H265", 98, 90_000, [Unit(_h265_picture(*H265_KEYFRAME), 0)], 45_000)


def h265_video(payload_type: int = 98) -> Track:
    """What goes for H.265 of ten pictures a second."""
    units = [Unit(_h265_picture(*H265_KEYFRAME), 0)]
    units += [Unit(_h265_picture(1), i * STEP, keyframe=False) for i in range(1, PICTURES)]
    return Track("video", "H265", payload_type, 90_000, units, PICTURES * STEP)


def brief_audio() -> Track:
    """PCMU in packets of 0.1 s."""
    return Track("audio", "PCMU", 0, 8000, [Unit(bytes(800), 0)], 800, channels=1)


def brief_camera(**options: Any) -> Camera:
    """A camera of pictures and sound that costs little."""
    tracks = options.pop("tracks", None) or [brief_video(), brief_audio()]
    return Camera(**({"tracks": tracks, "report_interval": None} | options))


@dataclass(frozen=True, slots=True)
class Seen:
    """An access unit, and when the consumer had it, by the loop's clock."""

    at: float
    unit: AccessUnit


class Watch:
    """The consumer of one session.

    Args:
        session: Its pictures are read, and its events.
        keep: How many access units are remembered, at the least.

    Attributes:
        seen: What came.
        events: What was told.
        ended: The error that ended it; None while it goes on, or when it ended in order.
    """

    def __init__(self, session: Session, keep: int = 1_000_000) -> None:
        self.session = session
        self.seen: list[Seen] = []
        self.events: list[Event] = []
        self.ended: BaseException | None = None
        self._keep = keep
        self._units = session.access_units("video")
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def _read_units(self) -> None:
        try:
            async for unit in self._units:
                self.seen.append(Seen(self._loop.time(), unit))
                if len(self.seen) > 2 * self._keep:
                    del self.seen[: self._keep]
                self._look()
        except rtspkit.RtspError as error:
            self.ended = error
            self._look()

    async def _read_events(self) -> None:
        async for event in self.session.events():
            self.events.append(event)
            self._look()

    def _look(self) -> None:
        for done, future in self._waiting:
            if not future.done() and (done() or self.ended is not None):
                future.set_result(None)

    async def __aenter__(self) -> Watch:
        self.tasks = [
            asyncio.create_task(self._read_units()),
            asyncio.create_task(self._read_events()),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    async def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is so; looked at whenever something came."""
        if done():
            return
        future: asyncio.Future[None] = self._loop.create_future()
        entry = done, future
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await future
        finally:
            self._waiting.remove(entry)
        if self.ended is not None:
            raise self.ended

    async def played(self, seconds: float) -> None:
        """So many seconds from now, and the access unit after them."""
        until = self._loop.time() + seconds
        await self.until(lambda: bool(self.seen) and self.seen[-1].at >= until, seconds + 30)

    def lost(self, since: float) -> float:
        """When the loss was noticed that came after ``since``; infinite while it was not."""
        for event in self.events:
            lost = isinstance(event, StateChanged) and event.state == "reconnecting"
            if lost and event.at >= since:
                return event.at
        return float("inf")

    def back(self, since: float) -> Seen | None:
        """The first complete access unit after the first gap after ``since``."""
        found = [one for one in self.seen if one.at >= since]
        gap = next((i for i, one in enumerate(found) if one.unit.discontinuity), None)
        if gap is None:
            return None
        return next((one for one in found[gap:] if one.unit.complete), None)

    async def recovered(self, since: float, seconds: float = 60.0) -> Seen:
        """Wait for what ``back`` gives."""
        await self.until(lambda: self.back(since) is not None, seconds)
        found = self.back(since)
        assert found is not None
        return found

    def attempts(self, since: float) -> list[Reconnecting]:
        """The attempts that were announced after ``since``."""
        return [e for e in self.events if isinstance(e, Reconnecting) and e.at >= since]

    @property
    def returns(self) -> list[Reconnected]:
        """Each time that the session came back."""
        return [event for event in self.events if isinstance(event, Reconnected)]

    def assert_time_went_on(self) -> None:
        """``media_time`` never goes back, and does not run away from the clock."""
        assert all(
            0 <= after.unit.media_time - before.unit.media_time < after.at - before.at + 1.0
            for before, after in pairwise(self.seen)
        )


@asynccontextmanager
async def watched(url: str, **options: Any) -> AsyncIterator[Watch]:
    """A session that comes back, with its consumer."""
    async with rtspkit.connect(url, **options) as session, Watch(session) as watch:
        yield watch


async def left_clean(camera: Camera, patience: float = 5.0) -> None:
    """Wait until the camera holds nothing any more."""
    await camera.wait_until(
        lambda: not camera.sessions and not camera.connections, timeout=patience
    )
    assert camera.protocol_errors == []

"""Sessions under faults: one way to open them, what was really sent, and what must be so after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import rtspkit
from rtspkit.client.connector import Connector
from rtspkit.payload.base import AccessUnit
from rtspkit.payload.registry import depacketizer
from rtspkit.testing.camera import Camera
from rtspkit.testing.presentation import Track, Unit
from rtspkit.wire.rtp import parse_rtp


def open_plainly(url: str, **options: Any) -> Connector:
    """A session that has one life: what the faults do to it is not mended behind our back."""
    options.setdefault("retry", None)
    return rtspkit.connect(url, **options)


@asynccontextmanager
async def clean_camera(*, patience: float = 5.0, **options: Any) -> AsyncIterator[Camera]:
    """A camera that must be left without a session or a connection.

    Args:
        patience: Seconds in which that has to be so.
        options: Those of the camera.
    """
    async with Camera(**options) as camera:
        yield camera
        await camera.wait_until(
            lambda: not camera.sessions and not camera.connections, timeout=patience
        )
        assert camera.protocol_errors == []


async def wait(seconds: float) -> None:
    """Let the loop's time pass; on a virtual clock, that costs nothing."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    timer = loop.call_later(seconds, passed.set_result, None)
    try:
        await passed
    finally:
        timer.cancel()


async def units_until(
    units: AsyncIterator[AccessUnit], done: Callable[[AccessUnit], bool]
) -> list[AccessUnit]:
    """The access units up to the one for which something is so."""
    taken = []
    async for unit in units:
        taken.append(unit)
        if done(unit):
            break
    return taken


def steps(numbers: Sequence[float]) -> list[float]:
    """How much each one is more than the one before it."""
    return [after - before for before, after in pairwise(numbers)]


class Consumer:
    """A task that reads a door of a session to its end; a context manager that stops it.

    Attributes:
        items: What it has read.
        task: Done when the door has ended; has its error.
    """

    def __init__(self, door: AsyncIterator[Any]) -> None:
        self.items: list[Any] = []
        self.door = door

    async def _read(self) -> None:
        async for item in self.door:
            self.items.append(item)

    async def __aenter__(self) -> Consumer:
        self.task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()  # looked at, or not our affair


class Originals:
    """The access units that a camera sends, as they were before anything happened to them.

    Args:
        camera: Has started; its ``on_packet`` is taken.
        edit: What the camera does to its packets then.

    Attributes:
        units: Bytes by the track's place and the timestamp.
        numbers: Sequence numbers by the track's place, in order.
    """

    def __init__(
        self, camera: Camera, edit: Callable[[int, bytes], Iterable[bytes]] | None = None
    ) -> None:
        self.units: dict[tuple[int, int], bytes] = {}
        self.numbers: dict[int, list[int]] = {}
        self._edit = edit
        self._makers = [
            depacketizer(track.encoding_name, track.clock_rate, track.fmtp, track.channels)
            for track in camera.presentation
        ]
        camera.on_packet = self._take

    def _take(self, index: int, data: bytes) -> Iterable[bytes]:
        packet = parse_rtp(memoryview(data))
        self.numbers.setdefault(index, []).append(packet.sequence_number)
        for unit in self._makers[index].push(packet):
            self.units[index, unit.timestamp] = unit.data
        return [data] if self._edit is None else self._edit(index, data)

    def corrupt(self, units: Iterable[AccessUnit]) -> list[AccessUnit]:
        """Those that claim to be complete and are not what was sent."""
        return [
            unit
            for unit in units
            if unit.complete and unit.data != self.units.get((unit.stream.index, unit.timestamp))
        ]


def slow_track(seconds: float) -> Track:
    """Audio with one packet in so many seconds: an hour of it costs next to nothing."""
    rate = 8000
    return Track(
        "audio", "PCMU", 0, rate, [Unit(bytes(80), 0)], duration_ticks=round(seconds * rate)
    )

"""FAULTS.md, 18: the server's timestamps jump, go back, or stick."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable

import pytest
from faulty import clean_camera, open_plainly, steps

from rtspkit.payload.base import AccessUnit

pytestmark = pytest.mark.virtual_clock

STALL = 0.5  # seconds
CLOCK = 90_000
FROM, UNTIL = 2.0, 5.0  # seconds after the start: when it happens, and how long it is played
STAMP = struct.Struct("!I")

Wrong = Callable[[int, float], int]


def jumps(seconds: float) -> Wrong:
    return lambda stamp, since: stamp + round(seconds * CLOCK)


def sticks(stamp: int, since: float) -> int:
    return stamp - round(since * CLOCK)


def sticks_for_a_while(stamp: int, since: float) -> int:
    return stamp - round(since * CLOCK) if since < 1 else stamp


def wanders(stamp: int, since: float) -> int:
    """Half a second forth and back, with each picture."""
    return stamp + (CLOCK // 2 if round(since / 0.04) % 2 else -CLOCK // 2)


def twice_as_fast(stamp: int, since: float) -> int:
    """Of another clock than declared."""
    return stamp + round(since * CLOCK)


WRONGS = {
    "an-hour-ahead": jumps(3600),
    "a-day-ahead": jumps(86_400),
    "half-the-range": jumps(2**31 / CLOCK),
    "a-second-ahead": jumps(1),
    "a-second-back": jumps(-1),
    "an-hour-back": jumps(-3600),
    "sticks": sticks,
    "sticks-for-a-while": sticks_for_a_while,
    "wanders": wanders,
    "twice-as-fast": twice_as_fast,
}


class WrongStamps:
    """A camera's video packets, with timestamps that are wrong from some time on."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._first: int | None = None

    def __call__(self, index: int, data: bytes) -> Iterable[bytes]:
        if index != 0:
            return [data]
        (stamp,) = STAMP.unpack_from(data, 4)
        if self._first is None:
            self._first = stamp
        since = ((stamp - self._first) & 0xFFFFFFFF) / CLOCK - FROM
        if since >= 0:
            stamp = self._wrong(stamp, since) & 0xFFFFFFFF
        return [data[:4] + STAMP.pack(stamp) + data[8:]]


async def play(url: str, transport: str, door: str) -> tuple[list, object]:
    """What comes through a door in ``UNTIL`` seconds, with the loop's time of each."""
    loop = asyncio.get_running_loop()
    items = []
    async with open_plainly(url, transport=transport, streams="video") as session:
        begun = loop.time()
        async for item in getattr(session, door)():
            items.append((loop.time(), item))
            if loop.time() - begun > UNTIL:
                break
        assert session.state == "playing"
        return items, session.stats()


def longest_pause(times: list[float]) -> float:
    return max(steps(times))


@pytest.mark.parametrize("wrong", WRONGS.values(), ids=WRONGS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_packets_go_on_without_a_stall(transport, wrong):
    async with clean_camera(on_packet=WrongStamps(wrong)) as camera:
        items, stats = await play(camera.url, transport, "packets")
    packets = [packet for _, packet in items]
    assert stats.lost == 0
    assert longest_pause([now for now, _ in items]) < STALL
    times = [packet.media_time for packet in packets]
    assert max(times) - min(times) < 2 * UNTIL  # no jump of the server's is handed on
    assert longest_step_back(times) < 1.1
    numbers = [packet.sequence_number for packet in packets]
    assert {step & 0xFFFF for step in steps(numbers)} == {1}


def longest_step_back(times: list[float]) -> float:
    return max(0.0, -min(steps(times)))


@pytest.mark.parametrize("wrong", WRONGS.values(), ids=WRONGS)
async def test_access_units_go_on_without_a_stall(wrong):
    async with clean_camera(on_packet=WrongStamps(wrong)) as camera:
        items, stats = await play(camera.url, "udp", "access_units")
    units: list[AccessUnit] = [unit for _, unit in items]
    assert longest_pause([now for now, _ in items]) < STALL
    assert len(units) >= 0.95 * UNTIL * 25  # the marker tells pictures apart, whatever the stamps
    assert all(unit.complete for unit in units)
    assert stats.streams[0].malformed_payloads == 0


@pytest.mark.parametrize("seconds", [3600, 86_400, -3600, -60])
async def test_a_jump_is_one_discontinuity_and_time_goes_on_from_the_arrival(seconds):
    async with clean_camera(on_packet=WrongStamps(jumps(seconds))) as camera:
        items, stats = await play(camera.url, "udp", "packets")
    packets = [packet for _, packet in items]
    assert sum(packet.discontinuity for packet in packets) == 1
    assert stats.streams[0].discontinuities == 1
    advances = steps([unit.media_time for unit in packets])
    assert min(advances) >= 0
    assert max(advances) < 0.1

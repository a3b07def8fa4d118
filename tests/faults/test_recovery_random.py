"""FAULTS.md, 33: faults by chance, one after the other and two at a time, for minutes or an hour.

Pictures are at most a second old for 99.9 % of the time that lies outside of what was injected:
an outage, the time in which it cannot be noticed yet, and the second in which it is recovered from.
The seed is in the test's name, and in its output.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from faulty import wait
from recovery import RECOVERY, Watch, brief_camera, left_clean, watched

from rtspkit import Timeouts
from rtspkit.testing.actions import Delay
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link

OLDEST = 1.0  # seconds
FRESH = 0.999  # share of the time
SILENCE = 2.0
GAP = (32.0, 60.0)  # seconds of peace: who loses a session sooner is not asked again so quickly
MINUTES, HOUR = 300.0, 3600.0


@dataclass
class Trouble:
    """A camera behind a link, and what is done to them.

    Attributes:
        excused: From when to when nobody can expect pictures.
        log: What was done, and when.
    """

    camera: Any
    link: Link
    chance: Random
    excused: list[tuple[float, float]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def strike(self) -> None:
        """One or two faults at a time."""
        begun = asyncio.get_running_loop().time()
        names = self.chance.sample(sorted(FAULTS), self.chance.choice([1, 1, 2]))
        self.log.append(f"{begun:.2f} {' and '.join(names)}")
        found_after = max(await asyncio.gather(*(FAULTS[name](self) for name in names)))
        ended = asyncio.get_running_loop().time()
        self.excused.append((begun, max(ended, begun + found_after) + RECOVERY))

    # each gives the seconds in which it cannot be noticed

    async def restart(self) -> float:
        await self.camera.aclose()
        await wait(self.chance.uniform(0, 5))
        await self.camera.start()
        return 0.0

    async def kill(self) -> float:
        self.camera.kill(sessions=self.chance.random() < 0.5)
        return 0.0

    async def cut(self) -> float:
        self.link.cut()
        return 0.0

    async def black_hole(self) -> float:
        self.link.stall()
        await wait(self.chance.uniform(0.5, 6))
        self.link.resume()
        return SILENCE

    async def forget(self) -> float:
        """454 from now on: over UDP and TCP alike, silence tells, or the next keep-alive."""
        self.camera.end_sessions()
        return SILENCE

    async def lose(self) -> float:
        """A fifth of the datagrams: pictures are broken, the session is not."""
        self.link.down.loss = self.link.up.loss = 0.2
        await wait(self.chance.uniform(1, 5))
        self.link.down.loss = self.link.up.loss = 0.0
        return 0.0

    async def slow_down(self) -> float:
        """Each answer takes a while."""
        rule = self.camera.script(None, Delay(0.1))
        await wait(self.chance.uniform(1, 5))
        rule.cancel()
        return 0.0

    async def stop_media(self) -> float:
        self.camera.stop_media()
        await wait(self.chance.uniform(0.2, 4))
        self.camera.resume_media()
        return SILENCE

    async def shift_the_wall_clock(self) -> float:
        self.camera.wall_shift = self.chance.uniform(-86_400, 86_400)
        return 0.0


FAULTS = {
    name: getattr(Trouble, name)
    for name in (
        *("restart", "kill", "cut", "black_hole", "forget", "lose", "slow_down", "stop_media"),
        "shift_the_wall_clock",
    )
}


def length(intervals: Iterable[tuple[float, float]], without: list[tuple[float, float]]) -> float:
    """Seconds of some intervals that lie in none of ``without``, which are in order."""
    total = 0.0
    for begin, end in intervals:
        at = begin
        for other_begin, other_end in without:
            total += max(min(other_begin, end) - at, 0.0)
            at = max(at, min(other_end, end))
        total += max(end - at, 0.0)
    return total


async def play(watch: Watch, trouble: Trouble, seconds: float) -> float:
    """Play under trouble; gives the share of the time in which pictures were fresh."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() < begun + seconds:
        await wait(trouble.chance.uniform(*GAP))
        await trouble.strike()
    await wait(GAP[0])
    stale = [(one.at + OLDEST, other.at) for one, other in pairwise(watch.seen)]
    stale.append((watch.seen[-1].at + OLDEST, loop.time()))
    counted = length([(begun, loop.time())], trouble.excused)
    assert counted > 0.7 * seconds
    return 1 - length(stale, trouble.excused) / counted


async def live_through(transport: str, seed: int, seconds: float) -> None:
    asyncio.get_running_loop().hurry(2 * seconds + 1000)
    print(f"seed {seed}")
    timeouts = Timeouts(media_silence=SILENCE)
    async with brief_camera(seed=seed, report_interval=5.0) as camera:
        down, up = Impairment(), Impairment()
        async with Link(camera.url, down=down, up=up, seed=seed) as link:
            trouble = Trouble(camera, link, Random(f"{transport} {seed}"))
            async with watched(link.url, transport=transport, timeouts=timeouts) as watch:
                await watch.until(lambda: bool(watch.seen))
                fresh = await play(watch, trouble, seconds)
                print("\n".join(trouble.log))
                assert watch.ended is None
                assert watch.session.state == "playing"
                watch.assert_time_went_on()
            await left_clean(camera, patience=70.0)
    assert fresh >= FRESH


@pytest.mark.virtual_clock
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_five_minutes_of_faults_by_chance(transport, seed):
    await live_through(transport, seed, MINUTES)


@pytest.mark.soak
@pytest.mark.virtual_clock
@pytest.mark.parametrize("seed", [2])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_hour_of_faults_by_chance(transport, seed):
    await live_through(transport, seed, HOUR)

from __future__ import annotations

import asyncio
import math

import pytest

from rtspkit.client.alarm import LATE, READ_FIRST, Alarm

pytestmark = pytest.mark.virtual_clock


class Clock:
    """An alarm and what it follows."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.deadline: float | None = None
        self.rung: list[float] = []
        self.alarm = Alarm(self.loop, self.loop.time, lambda: self.deadline, self.ring)

    def ring(self, now: float) -> None:
        self.rung.append(now)
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
        self.alarm.arm()

    async def after(self, seconds: float) -> list[float]:
        """Seconds of the rings so far, when so many have passed."""
        begun = self.loop.time()
        done = self.loop.create_future()
        self.loop.call_at(begun + seconds, done.set_result, None)
        await done
        return self.rung


async def test_rings_at_its_deadline_once():
    clock = Clock()
    clock.deadline = at = clock.loop.time() + 3
    clock.alarm.arm()
    clock.alarm.arm()
    assert await clock.after(10) == [at]


@pytest.mark.parametrize("never", [None, math.inf])
async def test_without_a_deadline_it_never_rings(never):
    clock = Clock()
    clock.deadline = never
    clock.alarm.arm()
    assert await clock.after(10) == []


async def test_an_earlier_deadline_moves_it():
    clock = Clock()
    clock.deadline = clock.loop.time() + 9
    clock.alarm.arm()
    clock.deadline = at = clock.loop.time() + 1
    clock.alarm.arm()
    assert await clock.after(10) == [at]


async def test_a_later_deadline_rings_early_and_again_in_time():
    clock = Clock()
    early = clock.deadline = clock.loop.time() + 1
    clock.alarm.arm()
    clock.deadline = at = clock.loop.time() + 5
    clock.alarm.arm()
    assert await clock.after(10) == [early, at]


async def test_cancelled_it_rings_no_more_until_armed():
    clock = Clock()
    clock.deadline = clock.loop.time() + 1
    clock.alarm.arm()
    clock.alarm.cancel()
    clock.alarm.cancel()
    assert await clock.after(5) == []
    clock.alarm.arm()
    assert len(await clock.after(5)) == 1


async def test_a_deadline_met_late_is_looked_at_again_when_the_sockets_were_read():
    clock = Clock()
    clock.deadline = clock.loop.time() + 1
    clock.alarm.arm()
    clock.loop.pass_time(1 + 2 * LATE)  # the loop was stalled
    clock.loop.call_soon(setattr, clock, "deadline", clock.loop.time() + 7)  # data was there
    rung = await clock.after(5)
    assert len(rung) == 1
    assert rung[0] < clock.deadline
    clock.deadline = at = clock.loop.time()
    clock.alarm.arm()
    clock.loop.pass_time(2 * LATE)
    rung = await clock.after(5)
    assert rung[-1] == pytest.approx(at + 2 * LATE + READ_FIRST, abs=0.001)

from __future__ import annotations

import asyncio
import time

from virtual_loop import VirtualLoop

from rtspkit.net.clock import monotonic_clock, wall_clock


async def test_has_the_base_of_the_loops_timers():
    loop = asyncio.get_running_loop()
    assert abs(monotonic_clock(loop)() - loop.time()) < 0.1


async def test_goes_on_while_a_callback_runs():
    now = monotonic_clock(asyncio.get_running_loop())
    begun, until = now(), time.perf_counter() + 0.002
    while time.perf_counter() < until:
        pass
    assert now() - begun >= 0.001


def test_follows_a_loop_with_a_clock_of_its_own():
    loop = VirtualLoop()
    assert monotonic_clock(loop)() == loop.time()
    loop.close()


def test_the_wall_clock_is_that_of_the_system():
    before = time.time()
    told = wall_clock()
    assert before <= told <= time.time()


async def test_the_wall_clock_is_no_affair_of_the_loop(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
    assert wall_clock() == 1_700_000_000.5
    assert monotonic_clock(asyncio.get_running_loop())() != wall_clock()

"""FAULTS.md, 30 and 31: a hundred sessions whose server dies, and a thousand deaths of one."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import pytest
from faulty import wait
from recovery import Watch, brief_camera, left_clean, rare_video, watched

import rtspkit
from rtspkit import Timeouts
from rtspkit.testing.link import Link

CONNECTED = {100: 5.0, 1000: 30.0}  # seconds until all of so many have media
RECOVERED = 5.0  # seconds until all are back
OUTAGE = 1.0
CYCLES = 50
MANY_CYCLES = 1000
MEMORY = 1024 * 1024  # bytes

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])
one_loop = pytest.mark.asyncio(loop_factories=["uvloop"])


# -- 30: many sessions -------------------------------------------------------------------------


@asynccontextmanager
async def crowd(url: str, count: int, transport: str) -> AsyncIterator[list[Watch]]:
    """So many sessions, begun together."""
    timeouts = Timeouts(connect=CONNECTED[count])
    sessions = await asyncio.gather(
        *(rtspkit.connect(url, transport=transport, timeouts=timeouts) for _ in range(count))
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Watch(session)) for session in sessions]
        await asyncio.gather(*(session.aclose() for session in sessions))


async def survive(count: int, transport: str, **options: Any) -> tuple[float, float]:
    """Seconds until all had a first access unit, and seconds until all were back."""
    loop = asyncio.get_running_loop()
    async with brief_camera(**options) as camera:
        begun = loop.time()
        async with crowd(camera.url, count, transport) as watches:
            for watch in watches:
                await watch.until(lambda watch=watch: bool(watch.seen))
            connected = loop.time() - begun
            killed = loop.time()
            await camera.aclose()
            await wait(OUTAGE)
            await camera.start()
            serving = loop.time()
            backs = [await watch.recovered(killed) for watch in watches]
            recovered = max(back.at for back in backs) - serving
            for watch in watches:
                await watch.until(lambda watch=watch: len(watch.returns) == 1)
                assert len(watch.attempts(killed)) <= 1 + recovered / 0.6 + OUTAGE / 0.6
            assert len(camera.sessions) == count
        await left_clean(camera, patience=CONNECTED[count])
    return connected, recovered


@transports
@one_loop
async def test_a_hundred_sessions_outlive_their_server(transport):
    connected, recovered = await survive(100, transport)
    assert connected < CONNECTED[100]
    assert recovered < RECOVERED


@pytest.mark.soak
@transports
@one_loop
async def test_a_thousand_sessions_connect_and_outlive_their_server(transport):
    connected, recovered = await survive(1000, transport, tracks=[rare_video()])
    assert connected < CONNECTED[1000]
    assert recovered < 2 * RECOVERED  # 5 s on a machine that has nothing else to do


# -- 31: many deaths ---------------------------------------------------------------------------


async def die(camera, link, chance: Random, transport: str) -> None:
    """One of the ways to lose a connection; over UDP, most of them leave the server's session."""
    way = chance.choice(["kill", "reset", "cut", "close"])
    if way == "kill":
        camera.kill()
    elif way == "reset":
        camera.kill(sessions=False)
    elif way == "cut":
        link.cut()
    else:
        for connection in list(camera.connections):
            connection.close()


async def die_often(transport: str, cycles: int) -> None:
    loop = asyncio.get_running_loop()
    loop.hurry(100.0 * cycles)
    chance = Random(f"deaths over {transport}")
    most = 0

    def count() -> bool:
        nonlocal most
        most = max(most, len(camera.sessions))
        return False

    async with brief_camera(session_timeout=3600.0) as camera, Link(camera.url) as link:
        counting = asyncio.create_task(camera.wait_until(count, timeout=None))
        async with watched(link.url, transport=transport) as watch:
            for number in range(cycles):
                await watch.played(chance.choice([0.3, 1.0, 11.0]))
                at = loop.time()
                await die(camera, link, chance, transport)
                await watch.recovered(at, seconds=200)
                await watch.until(lambda number=number: len(watch.returns) == number + 1)
                assert len(camera.sessions) == 1
                watch.seen.clear()
            assert watch.session.stats().reconnects == cycles
        counting.cancel()
        await asyncio.wait([counting])
        await left_clean(camera)
    assert most == 1
    assert camera.sessions_expired == 0
    assert camera.sessions_made == cycles + 1


async def memory_of_deaths(transport: str, *checkpoints: int) -> list[int]:
    """Bytes that Python has in use after so many deaths each time."""
    loop = asyncio.get_running_loop()
    loop.hurry(100.0 * checkpoints[-1])
    found = []
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            for number in range(1, checkpoints[-1] + 1):
                await watch.played(1.0)
                at = loop.time()
                camera.kill()
                await watch.recovered(at, seconds=200)
                await watch.until(lambda: watch.session.state == "playing")
                for records in (watch.seen, watch.events, camera.requests):
                    records.clear()
                if number in checkpoints:
                    gc.collect()
                    found.append(tracemalloc.get_traced_memory()[0])
        await left_clean(camera)
    return found


@pytest.mark.virtual_clock
@pytest.mark.soak
@transports
async def test_deaths_leave_no_memory_behind(transport):
    tracemalloc.start()
    try:
        early, late = await memory_of_deaths(transport, 100, 500)
    finally:
        tracemalloc.stop()
    assert late - early < MEMORY


@pytest.mark.virtual_clock
async def test_hours_without_a_server_leave_no_memory_behind():
    """Hundreds of errors are kept in events, and hold no connection by the frames they came by."""
    asyncio.get_running_loop().hurry(20_000.0)
    found = []
    async with brief_camera() as camera, watched(camera.url) as watch:
        await watch.played(1.0)
        await camera.aclose()
        tracemalloc.start()
        try:
            for _ in range(2):
                await wait(7200.0)
                watch.events.clear()
                gc.collect()
                found.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert sum(watch.session.stats().attempts.values()) > 300
    assert found[1] < MEMORY


@pytest.mark.virtual_clock
@transports
async def test_fifty_deaths_leave_one_session_at_a_time_on_the_server(transport):
    await die_often(transport, CYCLES)


@pytest.mark.soak
@pytest.mark.virtual_clock
@transports
async def test_a_thousand_deaths_leave_one_session_at_a_time_on_the_server(transport):
    await die_often(transport, MANY_CYCLES)

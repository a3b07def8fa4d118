"""FAULTS.md, 30 and 31: a hundred sessions whose server dies, and a thousand deaths of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest
from faulty import wait
from recovery import Watch, brief_camera, left_clean, watched

import rtspkit
from rtspkit import Timeouts
from rtspkit.testing.link import Link

CONNECTED = {100: 5.0, 1000: 30.0}  # seconds until all of so many have media
RECOVERED = 5.0  # seconds until all are back
OUTAGE = 1.0
CYCLES = 50
MANY_CYCLES = 1000

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


async def survive(count: int, transport: str) -> tuple[float, float]:
    """Seconds until all had a first access unit, and seconds until all were back."""
    loop = asyncio.get_running_loop()
    async with brief_camera() as camera:
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
    connected, recovered = await survive(1000, transport)
    assert connected < CONNECTED[1000]
    assert recovered < CONNECTED[1000]


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


@pytest.mark.virtual_clock
@transports
async def test_fifty_deaths_leave_one_session_at_a_time_on_the_server(transport):
    await die_often(transport, CYCLES)


@pytest.mark.soak
@pytest.mark.virtual_clock
@transports
async def test_a_thousand_deaths_leave_one_session_at_a_time_on_the_server(transport):
    await die_often(transport, MANY_CYCLES)

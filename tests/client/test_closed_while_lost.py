"""A session that is closed while it is away: nothing is left, wherever the attempt was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from addresses import silent_port
from faulty import Consumer, wait
from leaks import Inventory
from lost_sessions import asked, open_steadily, packets_until, told, told_all
from stepping import Stepped

import rtspkit
from rtspkit import Timeouts
from rtspkit.engine.events import AttemptFailed, Reconnected, Reconnecting, SessionEnded
from rtspkit.testing.actions import Delay, Drop, Reply
from rtspkit.testing.camera import Camera

pytestmark = pytest.mark.virtual_clock

TIMEOUTS = Timeouts(connect=8.0, teardown=1.0)
AWAY = ["back-off", "connect", "describe", "setup", "setup-late", "play", "play-late", "streams"]


async def be_away(camera: Camera, session: rtspkit.Session, where: str) -> None:
    """Lose the session, and have the attempt wait at one place."""
    if where == "back-off":
        await camera.aclose()
        await told(session, AttemptFailed, 2)
        return
    method = where.partition("-")[0].upper()
    if where == "streams":
        camera.on_packet = lambda index, packet: [packet] if index else []
        method = "PLAY"
    elif where.endswith("-late"):  # it is performed, and answered when nobody waits any more
        camera.script(method, Delay(0.5, performed=True))
    else:
        camera.script(method, Drop())
    before = asked(camera, method)
    camera.kill()
    await camera.wait_until(lambda: asked(camera, method) > before)
    if where == "streams":
        await camera.wait_until(lambda: camera.packets_sent[1] and asked(camera, "OPTIONS") > 1)


@asynccontextmanager
async def away(transport: str, where: str) -> AsyncIterator[tuple[Camera, rtspkit.Session]]:
    """A session that is lost, and a camera that is left without one."""
    async with Camera(session_timeout=4.0) as camera:
        session = await open_steadily(camera, transport, timeouts=TIMEOUTS)
        await packets_until(session.packets("audio"), 0.5)
        if where == "connect":
            await camera.aclose()
            with silent_port("127.0.0.1", camera.port):
                await told(session, Reconnecting)
                await wait(0.5)
                yield camera, session
        else:
            await be_away(camera, session, where)
            yield camera, session
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("where", AWAY)
async def test_closing_ends_the_attempt_and_every_iterator(where, transport):
    loop = asyncio.get_running_loop()
    async with away(transport, where) as (camera, session):
        assert session.state == "reconnecting"
        doors = [session.packets(), session.batches("audio"), session.access_units()]
        consumers = [Consumer(door) for door in (*doors, session.events())]
        for consumer in consumers:
            await consumer.__aenter__()
        began = loop.time()
        await session.aclose()
        assert loop.time() - began <= TIMEOUTS.teardown + 0.1
        assert session.state == "closed"
        for consumer in consumers:
            await consumer.task  # ends, and does not raise
        await session.aclose()
    assert camera.sessions_expired == 0  # they were torn down
    (end,) = await told_all(session, SessionEnded)
    assert end.error is None
    assert await told_all(session, Reconnected) == []
    with pytest.raises(rtspkit.LocalProtocolError, match="closed"):
        await session.play()


async def cancelled_at(session: rtspkit.Session, at: tuple[int, ...]) -> Stepped:
    """Close the session, cancelled at some suspensions of that."""
    stepped = Stepped(session.aclose(), at)

    async def close() -> None:
        await stepped

    task = asyncio.create_task(close())
    await asyncio.wait([task])
    assert task.cancelled() == any(place <= stepped.suspensions for place in at)
    return stepped


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("where", AWAY)
async def test_closing_cancelled_at_any_suspension_leaves_nothing(where, transport):
    """But a session over UDP whose identifier is still on its way: the server drops it."""
    inventory, cuts = Inventory(), [()]
    for at in cuts:
        async with away(transport, where) as (camera, session):
            stepped = await cancelled_at(session, at)
            assert session.state == "closed"
        unknown = bool(at) and (where, transport) == ("setup-late", "udp")
        assert camera.sessions_expired <= unknown
        if not at:
            assert stepped.suspensions > 0
            for k in range(1, stepped.suspensions + 1):
                cuts += [(k,), (k, k + 1)]
        await inventory.assert_nothing_left()
        assert inventory.failures == []


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_block_that_holds_it_may_raise_meanwhile(transport):
    async def leave_it(camera: Camera) -> None:
        async with open_steadily(camera, transport) as session:
            sessions.append(session)
            await packets_until(session.packets(), 0.5)
            await camera.aclose()
            await told(session, AttemptFailed)
            raise ValueError("mine")

    sessions: list[rtspkit.Session] = []
    async with Camera() as camera:
        with pytest.raises(ValueError, match="mine"):
            await leave_it(camera)
        assert sessions[0].state == "closed"


@pytest.mark.parametrize("after", [0.0, 0.25, 1.0, 1.5])
async def test_closing_at_any_moment_of_a_restart_leaves_no_session(after):
    async with Camera() as camera:
        session = await open_steadily(camera, "udp")
        await packets_until(session.packets(), 0.5)
        camera.kill()
        camera.script("DESCRIBE", Reply(503), nth=range(1, 3))
        await wait(after)
        await session.aclose()
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)
        requests = len(camera.requests)
        await wait(60.0)
        assert len(camera.requests) == requests


async def test_closing_by_several_tasks_while_it_is_away_is_one():
    async with away("tcp", "streams") as (camera, session):
        before = asked(camera, "TEARDOWN")
        await asyncio.gather(*(session.aclose() for _ in range(5)))
        assert asked(camera, "TEARDOWN") == before + 1

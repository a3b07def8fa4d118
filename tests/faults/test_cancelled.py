"""FAULTS.md, 28: cancelled at every suspension of everything that a session does, and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest
from faulty import open_plainly
from leaks import Inventory
from raw_server import RawServer
from stepping import Stepped

import rtspkit
from rtspkit import Timeouts
from rtspkit.client.transport_memory import remembered_transports
from rtspkit.testing.actions import Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

END = 2.0  # seconds that a cancelled task may take
TIMEOUTS = Timeouts(connect=5, teardown=1)
Life = Callable[[rtspkit.Session], Awaitable[None]]


async def play_again(session: rtspkit.Session) -> None:
    await session.pause()
    await session.play()


async def play_first(session: rtspkit.Session) -> None:
    """Of a session that was opened with ``play=False``."""
    await session.play()
    await anext(session.packets())


async def seek(session: rtspkit.Session) -> None:
    await session.seek(1.0)


async def ask(session: rtspkit.Session) -> None:
    await session.set_parameter(b"a: 1\r\n")
    await session.get_parameter()


async def iterate_units(session: rtspkit.Session) -> None:
    units = session.access_units()
    for _ in range(4):
        await anext(units)


async def iterate_batches(session: rtspkit.Session) -> None:
    batches = session.batches("video")
    for _ in range(3):
        await anext(batches)


async def iterate_events(session: rtspkit.Session) -> None:
    events = session.events()
    await anext(events)
    await session.pause()
    while True:
        event = await anext(events)
        if getattr(event, "state", None) == "paused":
            return


async def restored(session: rtspkit.Session) -> None:
    """The server drops the session, and gives it again."""
    with pytest.raises(rtspkit.SessionNotFound):
        await session.get_parameter()
    await session.get_parameter()


async def close(session: rtspkit.Session) -> None:
    await session.aclose()


LIVES: list[Life] = [
    play_first,
    play_again,
    seek,
    ask,
    iterate_units,
    iterate_batches,
    iterate_events,
    restored,
    close,
]


async def run_cancelled(
    camera: Camera, life: Life, transport: str, at: Collection[int], *, late: bool
) -> tuple[int, bool]:
    """A session with a part of its life cancelled: its suspensions, and whether it came through.

    The session itself is opened and closed as usual: it must be fit for that afterwards.
    """
    options = {"transport": transport, "timeouts": TIMEOUTS, "play": life is not play_first}
    async with open_plainly(camera.url, **options) as session:
        if life is restored:
            camera.end_sessions()
        stepped = Stepped(life(session), at, late=late)

        async def run() -> None:
            await stepped

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=END)
        assert task.done()
        if not task.cancelled():
            task.result()
        if session.state not in ("closed", "lost"):
            await session.get_parameter()  # it still answers
    return stepped.suspensions, not task.cancelled()


async def check_each_suspension(life: Life, transport: str, gap: int | None, *, late: bool) -> None:
    async with Camera(speed=20, duration=3600) as camera:
        inventory = Inventory()
        suspensions, through = await run_cancelled(camera, life, transport, (), late=late)
        assert through
        for k in range(1, suspensions + 1):
            at = (k,) if gap is None else (k, k + gap)
            reached, through = await run_cancelled(camera, life, transport, at, late=late)
            assert not through or reached < k, f"the cancellation at suspension {k} was swallowed"
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert inventory.failures == []


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("life", LIVES)
async def test_once_at_any_suspension(life, transport, late):
    await check_each_suspension(life, transport, None, late=late)


@pytest.mark.parametrize("gap", [1, 2, 3])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("life", [play_again, restored, close])
async def test_twice_at_any_suspension(life, transport, gap):
    await check_each_suspension(life, transport, gap, late=False)


# -- connect, with all that it may have to go through -------------------------------------------


async def connect_cancelled(
    camera: Camera, at: Collection[int], *, late: bool, refuse_second: bool
) -> tuple[int, bool]:
    rules = []
    if refuse_second:
        rules.append(camera.script("SETUP", Reply(461), nth=2))

    async def life() -> None:
        options = {"username": "user", "password": "secret", "timeouts": TIMEOUTS}
        async with open_plainly(camera.url, **options) as session:
            await anext(session.access_units())

    stepped = Stepped(life(), at, late=late)

    async def run() -> None:
        await stepped

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=END)
    assert task.done()
    for rule in rules:
        rule.cancel()
    if not task.cancelled():
        task.result()
    return stepped.suspensions, not task.cancelled()


@pytest.mark.parametrize("gap", [None, 1, 2], ids=["once", "twice", "twice-later"])
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
async def test_connect_with_authentication_and_a_fallback(late, gap):
    await check_connect(Authentication(), late=late, gap=gap)


@pytest.mark.xfail(
    strict=True,
    reason="a TEARDOWN whose answer would have been a challenge (401, a stale nonce) is not sent "
    "again when leaving is cancelled while it waits: over UDP the session lives until its timeout",
)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_connect_with_nonces_that_get_stale_and_a_fallback():
    await check_connect(Authentication(nonce_requests=2), late=False, gap=None, patience=0.5)


async def check_connect(
    authentication: Authentication, *, late: bool, gap: int | None, patience: float = 5.0
) -> None:
    async with Camera(speed=20, authentication=authentication) as camera:
        inventory = Inventory()
        options = {"late": late, "refuse_second": True}
        suspensions, through = await connect_cancelled(camera, (), **options)
        assert through
        assert camera.connections_made == 2
        for k in range(1, suspensions + 1):
            remembered_transports.clear()
            at = (k,) if gap is None else (k, k + gap)
            _, through = await connect_cancelled(camera, at, **options)
            assert not through, f"the cancellation at suspension {k} was swallowed"
            if gap is not None:
                camera.end_sessions()  # one whose SETUP was not settled lives until its timeout
            await camera.wait_until(
                lambda: not camera.sessions and not camera.connections, timeout=patience
            )
            await inventory.assert_nothing_left()
        assert inventory.failures == []


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
async def test_connect_to_what_does_not_answer(late):
    """Nothing is there, or nobody speaks: the task ends all the same."""
    async with RawServer({"DESCRIBE": b""}) as server:
        inventory = Inventory()
        for k in range(1, 4):
            stepped = Stepped(_connect(server.url), (k,), late=late and k < 2)

            async def run(stepped: Stepped = stepped) -> None:
                await stepped

            task = asyncio.create_task(run())
            await asyncio.wait([task], timeout=END)
            assert task.cancelled()
            await server.until(lambda: all(peer.closed.done() for peer in server.peers))
            await inventory.assert_nothing_left()
        assert inventory.failures == []


async def _connect(url: str) -> rtspkit.Session:
    return await open_plainly(url, transport="tcp")

"""Cancellation is normal: wherever it strikes, nothing is left, here or on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from leaks import Inventory
from raw_server import RawServer, reply
from stepping import Stepped

import rtspkit
from rtspkit import Timeouts
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

TIMEOUTS = Timeouts(connect=5, teardown=1)


async def play_five(url: str, transport: str) -> int:
    """The whole life of a session."""
    number = 0
    async with rtspkit.connect(url, transport=transport, timeouts=TIMEOUTS) as session:
        async for _ in session.packets():
            number += 1
            if number == 5:
                break
    return number


async def run_cancelled(
    camera: Camera, transport: str, at: Collection[int], *, late: bool
) -> tuple[Stepped, bool]:
    """Play, cancelled at some suspensions; whether it came to its end all the same."""
    url = camera.url.replace("rtsp://", "rtsp://user:secret@")
    stepped = Stepped(play_five(url, transport), at, late=late)

    async def run() -> int:
        return await stepped

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=5)
    assert task.done()
    return stepped, not task.cancelled() and task.result() == 5


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_cancelled_at_any_suspension_nothing_is_left(transport, late):
    async with Camera(speed=20, authentication=Authentication()) as camera:
        inventory = Inventory()
        uncancelled, finished = await run_cancelled(camera, transport, (), late=late)
        assert finished
        made = camera.sessions_made
        for k in range(1, uncancelled.suspensions + 1):
            stepped, finished = await run_cancelled(camera, transport, (k,), late=late)
            assert stepped.suspensions >= k
            assert not finished, f"the cancellation at suspension {k} was swallowed"
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert camera.sessions_made > made  # some were cut off late enough
        assert inventory.failures == []
        torn_down = [r for r in camera.requests if r.method == "TEARDOWN"]
        assert len(torn_down) >= camera.sessions_made


@pytest.mark.parametrize("gap", [1, 2])
async def test_cancelled_twice_nothing_is_left(gap):
    async with Camera(speed=20) as camera:
        inventory = Inventory()
        uncancelled, _ = await run_cancelled(camera, "tcp", (), late=False)
        for k in range(1, uncancelled.suspensions + 1):
            _, finished = await run_cancelled(camera, "tcp", (k, k + gap), late=False)
            assert not finished
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert inventory.failures == []


async def test_cancelled_while_setup_is_on_its_way_the_session_is_torn_down():
    async with Camera(transports=("udp",), session_timeout=None) as camera:
        reached = asyncio.Event()
        camera.on_request = lambda request: reached.set() if request.method == "SETUP" else None
        task = asyncio.ensure_future(rtspkit.connect(camera.url))
        await reached.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert camera.sessions_made == 1
        assert camera.sessions == {}
        assert camera.requests[-1].method == "TEARDOWN"


async def test_cancelled_while_setup_is_never_answered_it_ends_in_time():
    loop = asyncio.get_running_loop()
    async with RawServer({"SETUP": b""}) as server:
        options = {"transport": "tcp", "timeouts": Timeouts(teardown=0.1)}
        task = asyncio.ensure_future(rtspkit.connect(server.url, **options))
        await server.until(lambda: "SETUP" in server.methods)
        begun = loop.time()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert loop.time() - begun < 0.5


async def test_cancelled_while_play_is_never_answered_teardown_is_sent_at_once():
    loop = asyncio.get_running_loop()
    async with RawServer({"PLAY": b"", "TEARDOWN": b""}) as server:
        task = asyncio.ensure_future(rtspkit.connect(server.url, transport="tcp"))
        await server.until(lambda: "PLAY" in server.methods)
        begun = loop.time()
        task.cancel()
        await asyncio.wait([task])
        assert loop.time() - begun < 0.1
        await server.until(lambda: server.methods[-1] == "TEARDOWN")
        assert server.requests[-1].headers.get("Session") == "12345678"


async def test_cancelling_the_iteration_leaves_the_session_usable():
    async with Camera() as camera, rtspkit.connect(camera.url, transport="tcp") as session:
        camera.stop_media()
        iterator = session.packets()

        async def consume() -> None:
            async for _ in iterator:
                pass

        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        camera.resume_media()
        assert (await anext(iterator)).stream in session.streams


async def test_aclose_cancelled_still_lets_go_of_everything():
    async with RawServer({"TEARDOWN": b""}) as server:
        session = await rtspkit.connect(server.url, transport="tcp")
        task = asyncio.create_task(session.aclose())
        await server.until(lambda: server.methods[-1] == "TEARDOWN")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert session.state == "closed"
        await session.aclose()
        await server.until(lambda: server.peers[0].closed.done())
        assert server.methods.count("TEARDOWN") == 1


async def test_aclose_by_several_tasks_is_one_teardown():
    async with RawServer() as server:
        session = await rtspkit.connect(server.url, transport="tcp")
        await asyncio.gather(*(session.aclose() for _ in range(5)))
        await session.aclose()
        assert server.methods.count("TEARDOWN") == 1
        assert session.state == "closed"


async def test_a_teardown_that_is_never_answered_has_its_deadline():
    loop = asyncio.get_running_loop()
    async with RawServer({"TEARDOWN": b""}) as server:
        options = {"transport": "tcp", "timeouts": Timeouts(teardown=0.1)}
        async with rtspkit.connect(server.url, **options) as session:
            begun = loop.time()
        assert 0.05 < loop.time() - begun < 0.4
        assert session.state == "closed"


async def test_a_refused_teardown_is_nobodys_problem():
    def refuse(request, peer):
        return reply(request, "500 No")

    async with RawServer({"TEARDOWN": refuse}) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            pass
    assert session.state == "closed"


async def test_closing_ends_iterators_that_wait():
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url)

        async def consume() -> int:
            return sum([1 async for _ in session.batches("audio")])

        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        await session.aclose()
        assert await task >= 0
        with pytest.raises(rtspkit.LocalProtocolError, match="the session is closed"):
            await session.play()

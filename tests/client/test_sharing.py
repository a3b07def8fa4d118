"""One session with the server, and for each who shares it one of its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Collection
from itertools import count

import pytest
from faulty import Consumer
from leaks import Inventory
from raw_server import RawServer
from stepping import Stepped

import rtspkit
from rtspkit import (
    ConnectionPool,
    LocalProtocolError,
    NotFound,
    Retry,
    Session,
    Timeouts,
)
from rtspkit.client.sharing import SharedSession
from rtspkit.engine.events import Reconnected, SessionEnded, StateChanged
from rtspkit.testing.actions import Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera


def shared(camera: Camera, **options: object):
    options.setdefault("transport", "tcp")
    return rtspkit.connect(camera.url, share=True, **options)


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        for _ in count():
            if condition():
                return
            await asyncio.sleep(0)


async def forget(sessions: list[Session]) -> None:
    """Nobody holds them any more; what they hold is let go of, too."""
    sessions.clear()
    for _ in range(2):
        gc.collect()
        await turns()


# -- one session ------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_two_have_one_session_and_the_last_one_out_tears_it_down(transport):
    async with Camera(speed=20) as camera:
        first = await shared(camera, transport=transport)
        second = await shared(camera, transport=transport)
        assert isinstance(first, Session)
        assert first is not second
        assert (camera.sessions_made, camera.connections_made) == (1, 1)
        await anext(first.packets())
        await anext(second.packets())
        await first.aclose()
        assert (first.state, second.state) == ("closed", "playing")
        assert "TEARDOWN" not in methods(camera)
        await anext(second.packets())
        await second.aclose()
        assert second.state == "closed"
        assert methods(camera).count("TEARDOWN") == 1
        assert camera.sessions == {}


async def test_whoever_connects_at_the_same_time_waits_for_the_first():
    async with Camera(speed=20) as camera:
        sessions = await asyncio.gather(*(shared(camera) for _ in range(5)))
        assert (camera.sessions_made, camera.connections_made) == (1, 1)
        firsts = [await anext(session.packets()) for session in sessions]
        assert all(packet is firsts[0] for packet in firsts)  # by reference, none missed
        await asyncio.gather(*(session.aclose() for session in sessions))
        assert methods(camera).count("TEARDOWN") == 1


async def test_each_iterates_over_what_it_wants():
    async with Camera(speed=20) as camera, shared(camera) as first, shared(camera) as second:
        assert {(await anext(first.packets("video"))).stream.media for _ in range(3)} == {"video"}
        unit = await anext(second.access_units("video"))
        assert unit.keyframe
        assert first.stats().streams[0].access_units == 0
        assert second.stats().streams[0].access_units >= 1


async def test_whoever_comes_later_begins_at_a_keyframe():
    async with Camera(speed=20) as camera, shared(camera) as first:
        units = first.access_units("video")
        for _ in range(7):
            await anext(units)
        async with shared(camera) as second:
            assert (await anext(second.access_units("video"))).keyframe


async def test_closing_one_ends_its_own_iterators_and_no_others():
    async with Camera(speed=20) as camera, shared(camera) as stays:
        leaves = await shared(camera)
        async with (
            Consumer(leaves.packets()) as gone,
            Consumer(leaves.events()) as events,
            Consumer(stays.packets()) as there,
        ):
            await turns()
            await leaves.aclose()
            await asyncio.wait([gone.task, events.task], timeout=5)
            assert gone.task.exception() is None
            assert isinstance(events.items[-1], SessionEnded)
            assert events.items[-2].state == "closed"
            number = len(there.items)
            await until(lambda: len(there.items) > number)
            assert not there.task.done()
        async with asyncio.timeout(5):
            unread = [packet async for packet in leaves.packets()]
        assert len(unread) <= len(gone.items)  # it ends, whether or not something was left
        for call in (leaves.play, leaves.pause, leaves.get_parameter):
            with pytest.raises(LocalProtocolError, match="the session is closed"):
                await call()


async def test_closing_again_is_nothing():
    async with Camera(speed=20) as camera:
        async with shared(camera) as first, shared(camera) as second:
            await asyncio.gather(*(first.aclose() for _ in range(3)))
            assert second.state == "playing"
        await second.aclose()
        assert methods(camera).count("TEARDOWN") == 1


async def test_what_one_has_counted_stays_as_it_was():
    async with Camera(speed=20) as camera, shared(camera) as stays:
        async with shared(camera) as leaves:
            await anext(leaves.packets())
        told = leaves.stats()
        async for _ in stays.packets():
            if stays.stats().streams[0].packets > told.streams[0].packets:
                break
        assert leaves.stats() == told


async def test_a_slow_one_loses_packets_of_its_own_alone():
    options = {"limits": rtspkit.Limits(queue_packets=8)}
    async with (
        Camera(speed=50) as camera,
        shared(camera, **options) as slow,
        shared(camera, **options) as quick,
    ):
        waiting = slow.packets()
        async for _ in quick.packets():
            if slow.stats().consumer_dropped:
                break
        assert quick.stats().consumer_dropped == 0
        await anext(waiting)


async def test_one_that_blocks_holds_up_all_until_it_leaves():
    limits = rtspkit.Limits(queue_packets=8)
    async with Camera(speed=50) as camera, shared(camera, limits=limits) as quick:
        blocking = await shared(camera, limits=limits, backpressure="block")
        waiting = blocking.packets()
        async with Consumer(quick.packets()) as consumer:
            await until(lambda: blocking._fanout.holding)
            await blocking.aclose()
            number = len(consumer.items)
            await until(lambda: len(consumer.items) > number + 50)
        del waiting


async def test_one_that_begins_later_hears_what_has_happened():
    async with Camera(speed=20) as camera, shared(camera) as first, shared(camera) as second:
        histories = []
        for session in (first, second):
            async with Consumer(session.events()) as consumer:
                await turns()
                histories.append([e for e in consumer.items if isinstance(e, StateChanged)])
        assert histories[0] == histories[1]
        assert histories[0][-1].state == "playing"


async def test_sessions_of_one_after_the_other_are_two():
    async with Camera(speed=20) as camera:
        for number in (1, 2):
            async with shared(camera) as session:
                await anext(session.packets())
            assert camera.sessions_made == number


async def test_without_share_a_session_is_ones_own():
    async with (
        Camera(speed=20) as camera,
        shared(camera),
        rtspkit.connect(camera.url, transport="tcp"),
    ):
        assert camera.sessions_made == 2


async def test_the_scheme_and_the_path_decide():
    async with Camera(speed=20) as camera, shared(camera):
        url = camera.url.replace("rtsp://", "rtspt://")
        async with rtspkit.connect(url, share=True, transport="tcp"):  # names the same
            assert camera.sessions_made == 1
        url = camera.url + "?other"
        camera.script("DESCRIBE", Reply(404), url="other")
        with pytest.raises(NotFound):
            await rtspkit.connect(url, share=True, transport="tcp")


async def test_a_pool_can_be_shared_through():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        for _ in range(2):
            async with shared(camera, pool=pool) as one, shared(camera, pool=pool) as other:
                await anext(one.packets())
                await anext(other.packets())
        assert (camera.connections_made, pool.reused) == (1, 1)


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"transport": "udp"}, "transport"),
        ({"username": "other"}, "username or password"),
        ({"streams": "video"}, "streams"),
        ({"timeouts": Timeouts(connect=3)}, "timeouts"),
        ({"retry": None}, "retry"),
        ({"reorder": 0.2, "user_agent": "mine"}, "reorder, user_agent"),
    ],
)
async def test_other_options_are_refused_by_name(options, name):
    async with Camera(speed=20) as camera, shared(camera):
        with pytest.raises(LocalProtocolError, match=f"with another {name}; connect without"):
            await shared(camera, **options)
        assert camera.connections_made == 1


async def test_a_refusal_shows_no_password():
    async with Camera(speed=20) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        async with rtspkit.connect(url, share=True):
            with pytest.raises(LocalProtocolError) as caught:
                await rtspkit.connect(url, share=True, password="others")
            assert "secret" not in str(caught.value)
            assert "others" not in str(caught.value)


async def test_what_would_be_for_others_too_is_refused_while_there_are_any():
    async with Camera(speed=20, duration=60) as camera, shared(camera) as first:
        async with shared(camera) as second:
            before = len(camera.requests)
            for call in (first.pause(), second.play(), second.seek(10)):
                with pytest.raises(LocalProtocolError, match="for 1 more that share this session"):
                    await call
            await first.get_parameter()
            assert methods(camera)[before:] in (["GET_PARAMETER"], ["OPTIONS", "GET_PARAMETER"])
        await first.pause()
        assert first.state == "paused"
        async with shared(camera) as third:
            assert third.state == "paused"
        await first.seek(10)
        assert first.state == "playing"
        async for packet in first.packets("video"):
            if packet.media_time >= 10:
                break


# -- failures ---------------------------------------------------------------------------------


async def test_when_the_first_connect_fails_all_have_its_error():
    async with Camera(speed=20) as camera:
        camera.script("DESCRIBE", Reply(404))
        found = await asyncio.gather(*(shared(camera) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in found] == [NotFound] * 3
        assert methods(camera).count("DESCRIBE") == 1


async def test_after_a_failure_it_is_tried_afresh():
    async with Camera(speed=20) as camera:
        camera.script("DESCRIBE", Reply(404), nth=1)
        with pytest.raises(NotFound):
            await shared(camera)
        async with shared(camera) as session:
            await anext(session.packets())


async def test_a_session_that_comes_back_does_so_for_all():
    async with Camera(speed=20) as camera:
        async with shared(camera) as first, shared(camera) as second:
            doors = first.packets("video"), second.packets("video")
            for door in doors:
                await anext(door)
            camera.kill()
            for door in doors:
                async for packet in door:
                    if packet.discontinuity:
                        break
            for session, door in zip((first, second), doors, strict=True):
                while session.stats().reconnects == 0:
                    await anext(door)
                async with Consumer(session.events()) as events:
                    await turns()
                    assert sum(isinstance(e, Reconnected) for e in events.items) == 1
        await camera.wait_until(lambda: not camera.sessions)


async def test_a_session_that_ends_does_so_for_all_and_is_not_joined_any_more():
    async with Camera(speed=20) as camera:
        options = {"retry": Retry(strategy="none")}
        first, second = await shared(camera, **options), await shared(camera, **options)
        camera.kill()
        for session in (first, second):
            with pytest.raises(rtspkit.ConnectionLost):
                async for _ in session.packets():
                    pass
            assert session.state == "lost"
        async with shared(camera, **options) as third:
            await anext(third.packets())
            assert camera.sessions_made == 2
            await first.aclose()
            await second.aclose()
            await anext(third.packets())
            async with shared(camera, **options):
                assert camera.sessions_made == 2


async def test_one_that_is_forgotten_is_told_of_and_leaves_the_others():
    async with Camera(speed=20) as camera, shared(camera) as stays:
        sessions = [await shared(camera)]
        assert isinstance(sessions[0], SharedSession)
        with pytest.warns(ResourceWarning, match="that is shared was never closed"):
            await forget(sessions)
        await anext(stays.packets())
        await stays.pause()  # it is alone


async def test_all_forgotten_it_ends():
    async with Camera(speed=20) as camera:
        sessions = [await shared(camera)]
        with pytest.warns(ResourceWarning, match="never closed"):
            await forget(sessions)
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)


# -- cancellation -----------------------------------------------------------------------------


async def test_cancelling_one_that_waits_leaves_the_other_waiting():
    async with Camera(speed=20) as camera:
        reached = asyncio.Event()
        camera.on_request = lambda request: reached.set() if request.method == "SETUP" else None
        for who in (0, 1):
            tasks = [asyncio.ensure_future(shared(camera)) for _ in range(2)]
            await reached.wait()
            tasks[who].cancel()
            await asyncio.wait([tasks[who]])
            assert tasks[who].cancelled()
            session = await tasks[1 - who]
            await anext(session.packets())
            await session.aclose()
        assert camera.sessions_made == 2


async def test_when_all_have_gone_the_connect_is_broken_off():
    async with RawServer({"DESCRIBE": b""}) as server:
        tasks = [
            asyncio.ensure_future(rtspkit.connect(server.url, share=True, transport="tcp"))
            for _ in range(2)
        ]
        await server.until(lambda: "DESCRIBE" in server.methods)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await server.until(lambda: server.peers[0].closed.done())


async def use(url: str) -> None:
    """The whole life of one that shares."""
    async with rtspkit.connect(url, share=True, transport="tcp") as session:
        await anext(session.packets())


async def run_cancelled(url: str, at: Collection[int], *, late: bool) -> int:
    stepped = Stepped(use(url), at, late=late)

    async def run() -> None:
        await stepped

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=5)
    assert task.done()
    assert task.cancelled() == any(k <= stepped.suspensions for k in at)
    return stepped.suspensions


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with-another"])
@pytest.mark.parametrize("gap", [None, 1])
async def test_cancelled_anywhere_nothing_is_left_and_the_other_plays_on(alone, gap, late):
    async with Camera(speed=20, authentication=Authentication()) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        inventory = Inventory()
        number = await run_cancelled(url, (), late=late)
        for k in range(1, number + 1):
            other = (
                None
                if alone
                else asyncio.ensure_future(rtspkit.connect(url, share=True, transport="tcp"))
            )
            await run_cancelled(url, (k,) if gap is None else (k, k + gap), late=late)
            if other is not None:
                session = await other
                await anext(session.packets())
                await session.aclose()
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert inventory.failures == []

"""FAULTS.md, 29: consumers that fail, break off, or leave an iterator open; others go on."""

from __future__ import annotations

import asyncio

import pytest
from faulty import Consumer, clean_camera, open_plainly, wait

import rtspkit
from rtspkit.engine.events import SessionEnded
from rtspkit.testing.camera import Camera

DOORS = ["packets", "batches", "access_units", "events"]

virtual_clock = pytest.mark.virtual_clock


class Oops(Exception):
    """What a consumer raises."""


async def fail_at_once(door) -> None:
    async for _ in door:
        raise Oops


async def break_at_once(door) -> None:
    async for _ in door:
        break


async def leave_open(door) -> None:
    await anext(door)


async def never_begin(door) -> None:
    """Open, and read by nobody."""


ENDS = [fail_at_once, break_at_once, leave_open, never_begin]


async def numbers_of(camera: Camera, session: rtspkit.Session) -> tuple[list[int], list[int]]:
    """What a consumer that does nothing wrong receives, and what there was."""
    sent: list[int] = []

    def note(index: int, packet: bytes) -> list[bytes]:
        if index == 1:
            sent.append(int.from_bytes(packet[2:4], "big"))
        return [packet]

    async with Consumer(session.packets("audio")) as consumer:
        camera.on_packet = note
        await wait(2.0)
        received = [packet.sequence_number for packet in consumer.items]
    return received[-len(sent) + 1 :], sent


@virtual_clock
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_another_consumer_of_the_same_session_misses_nothing(transport, door, end):
    async with (
        clean_camera() as camera,
        open_plainly(camera.url, transport=transport) as session,
    ):
        opened = getattr(session, door)()
        results = await asyncio.gather(
            end(opened), numbers_of(camera, session), return_exceptions=True
        )
        received, sent = results[1]
        assert session.state == "playing"
        await session.get_parameter()
    assert isinstance(results[0], Oops) is (end is fail_at_once)
    assert len(sent) > 80
    assert received == sent[-len(received) :]
    assert len(received) >= len(sent) - 2  # the last ones may still be on their way


@virtual_clock
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_another_session_of_the_same_loop_misses_nothing(transport, end):
    async with (
        clean_camera() as camera,
        clean_camera() as bad_camera,
        open_plainly(camera.url, transport=transport) as session,
    ):

        async def bad() -> None:
            async with open_plainly(bad_camera.url, transport=transport) as other:
                await end(other.packets())

        results = await asyncio.gather(bad(), numbers_of(camera, session), return_exceptions=True)
        received, sent = results[1]
        assert received == sent[-len(received) :]
        assert len(received) >= len(sent) - 2
        await bad_camera.wait_until(lambda: not bad_camera.sessions)


@virtual_clock
@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest"])
async def test_an_iterator_left_open_is_bounded_and_costs_the_others_nothing(policy):
    limits = rtspkit.Limits(queue_packets=50)
    options = {"transport": "tcp", "limits": limits}
    async with clean_camera() as camera, open_plainly(camera.url, **options) as session:
        forgotten = session.packets(backpressure=policy)
        received, sent = await numbers_of(camera, session)
        assert received == sent[-len(received) :]
        assert forgotten.dropped >= 2 * 46 - 50
        waiting = 1 if policy == "latest" else 50
        assert len([await anext(forgotten) for _ in range(waiting)]) == waiting


@virtual_clock
async def test_a_thousand_iterators_that_are_dropped_leave_nothing():
    async with clean_camera() as camera, open_plainly(camera.url, transport="tcp") as session:
        for turn in range(1000):
            await break_at_once(getattr(session, ("packets", "batches")[turn % 2])())
        received, sent = await numbers_of(camera, session)
        assert received == sent[-len(received) :]


@pytest.mark.parametrize("door", DOORS)
async def test_an_exception_out_of_the_block_takes_leave_of_the_server(door):
    async with clean_camera(speed=5) as camera:
        with pytest.raises(Oops):
            async with open_plainly(camera.url, transport="udp") as session:
                await fail_at_once(getattr(session, door)())
        assert camera.requests[-1].method == "TEARDOWN"
        assert session.state == "closed"


async def test_a_predicate_that_raises_is_the_users_own_exception():
    def choose(stream: rtspkit.Stream) -> bool:
        raise Oops

    async with clean_camera() as camera:
        with pytest.raises(Oops):
            await open_plainly(camera.url, streams=choose)


async def test_iterators_that_outlive_the_session_end():
    async with clean_camera(speed=5) as camera:
        async with open_plainly(camera.url, transport="tcp") as session:
            doors = [getattr(session, door)() for door in DOORS]
            for door in doors:
                await anext(door)
        async with asyncio.timeout(5):
            for door in doors:
                async for item in door:
                    last = item
    assert isinstance(last, SessionEnded)


@virtual_clock
async def test_a_consumer_that_takes_its_time_slows_nobody():
    """It sleeps a second at each packet; the session is kept alive and others are served."""
    async with clean_camera(session_timeout=5.0) as camera:
        async with open_plainly(camera.url, transport="tcp") as session:

            async def slow() -> None:
                async for _ in session.packets("video"):
                    await wait(1.0)

            task = asyncio.create_task(slow())
            received, sent = await numbers_of(camera, session)
            assert received == sent[-len(received) :]
            await wait(10.0)
            task.cancel()
            await asyncio.wait([task])
            assert session.state == "playing"
        assert camera.sessions_expired == 0

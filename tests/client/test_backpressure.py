"""A consumer that is too slow, or stands still: what it costs, and whom (R10)."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from raw_server import Peer, RawServer, reply

import rtspkit
from rtspkit import Limits, LocalProtocolError, Timeouts
from rtspkit.engine.events import PacketsDropped
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request

virtual_clock = pytest.mark.virtual_clock
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


async def stand_still(seconds: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, passed.set_result, None)
    await passed


async def take(iterator: rtspkit.client.iterators.PacketIterator, count: int) -> list[int]:
    async with asyncio.timeout(30):
        return [(await anext(iterator)).sequence_number for _ in range(count)]


def gaps(numbers: list[int]) -> int:
    """How many numbers are missing between the first and the last."""
    ahead = (numbers[-1] - numbers[0]) & 0xFFFF
    return ahead + 1 - len(numbers)


def tone(**options: object) -> Camera:
    """Ten packets a second; a session that says nothing for two seconds is dropped."""
    plain = {"tracks": ("PCMU",), "speed": 0.2, "session_timeout": 2.0, "sequence_number": 0}
    return Camera(**(plain | options))


# -- block --------------------------------------------------------------------------------------


@virtual_clock
@TRANSPORTS
async def test_a_consumer_that_stands_still_keeps_its_session(transport):
    """For five times its timeout, with a queue of one second."""
    options = {"backpressure": "block", "limits": Limits(queue_packets=10)}
    timeouts = Timeouts(response=1, media_silence=2)
    async with tone() as camera:
        url = camera.url
        async with rtspkit.connect(
            url, transport=transport, timeouts=timeouts, **options
        ) as session:
            iterator = session.packets()
            numbers = await take(iterator, 10)
            for _ in range(2):
                await stand_still(10)
                assert session.state == "playing"
                numbers += await take(iterator, 40)
            assert camera.sessions_expired == 0
            assert camera.sessions_made == 1
            assert session.stats().keepalives >= 20 / 2
            assert numbers == sorted(numbers)
        assert camera.sessions == {}


@virtual_clock
@pytest.mark.parametrize("policy", ["block", "drop_oldest", "drop_newest"])
@TRANSPORTS
async def test_while_there_is_room_nothing_is_lost(policy, transport):
    async with tone() as camera:
        options = {"backpressure": policy, "limits": Limits(queue_packets=120)}
        async with rtspkit.connect(camera.url, transport=transport, **options) as session:
            iterator = session.packets()
            first = await take(iterator, 10)
            await stand_still(10)
            rest = await take(iterator, 105)
            assert gaps(first + rest) == 0
            assert (iterator.dropped, session.stats().lost) == (0, 0)


@virtual_clock
async def test_over_tcp_what_the_server_holds_back_comes_later_and_all_of_it():
    """No keep-alive is due: no answer brings media with it that nobody has asked for."""
    limits = Limits(queue_packets=25)
    async with tone(packets=150, session_timeout=600.0) as camera:
        options = {"backpressure": "block", "limits": limits, "transport": "tcp"}
        async with rtspkit.connect(camera.url, **options, retry=None) as session:
            iterator = session.packets()
            numbers = await take(iterator, 10)
            await stand_still(8)
            assert session._supervisor.driver._held
            numbers += [packet.sequence_number async for packet in iterator]
            assert numbers == list(range(150))
            assert iterator.dropped == session.stats().consumer_dropped == 0
            assert session.stats().lost == 0


@virtual_clock
@TRANSPORTS
async def test_while_it_is_held_nothing_of_the_media_is_read(transport):
    async with tone(session_timeout=600.0, report_interval=None) as camera:
        options = {"backpressure": "block", "limits": Limits(queue_packets=5)}
        async with rtspkit.connect(
            camera.url, transport=transport, **options, retry=None
        ) as session:
            iterator = session.packets()
            await take(iterator, 5)
            await stand_still(2)
            before = session.stats()
            await stand_still(2)
            after = session.stats()
            assert session._supervisor.driver._held
            assert camera.packets_sent.total() > 35
            assert after.packets == before.packets < 15
            assert after.consumer_dropped == before.consumer_dropped == 0
            await take(iterator, 30)
            assert session.stats().packets > 30


@virtual_clock
@TRANSPORTS
async def test_requests_are_answered_while_the_media_is_held(transport):
    async with tone() as camera:
        options = {"backpressure": "block", "limits": Limits(queue_packets=5)}
        async with rtspkit.connect(
            camera.url, transport=transport, **options, retry=None
        ) as session:
            iterator = session.packets()
            await take(iterator, 5)
            await stand_still(4)
            assert session._supervisor.driver._held
            await session.set_parameter(b"brightness: 5\r\n")
            assert camera.parameters == {"brightness": "5"}
            await session.pause()
            await session.play()
            await take(iterator, 30)


@virtual_clock
@TRANSPORTS
async def test_leaving_while_the_media_is_held_tells_the_server(transport):
    loop = asyncio.get_running_loop()
    async with tone() as camera:
        options = {"backpressure": "block", "limits": Limits(queue_packets=5)}
        async with rtspkit.connect(camera.url, transport=transport, **options) as session:
            iterator = session.packets()
            await take(iterator, 5)
            await stand_still(4)
            begun = loop.time()
        assert loop.time() - begun < 1
        assert camera.requests[-1].method == "TEARDOWN"
        assert camera.sessions == {}
        waited = [packet async for packet in iterator]
        assert 5 < len(waited) < 5 + 10  # the one that filled the queue came with few others


@virtual_clock
@TRANSPORTS
async def test_an_iterator_that_is_gone_holds_nobody_up(transport):
    async with tone() as camera:
        options = {"backpressure": "block", "limits": Limits(queue_packets=5)}
        async with rtspkit.connect(
            camera.url, transport=transport, **options, retry=None
        ) as session:
            slow, other = session.packets(), session.packets(backpressure="drop_oldest")
            await take(slow, 5)
            await stand_still(2)
            assert session._supervisor.driver._held
            del slow
            assert not session._supervisor.driver._held
            await take(other, 30)


@virtual_clock
@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest"])
async def test_no_other_policy_holds_anybody_up(policy):
    limits = Limits(queue_packets=5)
    async with tone() as camera:
        options = {"backpressure": "block", "limits": limits, "transport": "tcp"}
        async with rtspkit.connect(camera.url, **options, retry=None) as session:
            slow, quick = session.packets(backpressure=policy), session.packets()
            numbers = await take(quick, 50)
            assert gaps(numbers) == 0
            assert slow.dropped >= 45
            assert not session._supervisor.driver._held


@virtual_clock
@TRANSPORTS
async def test_media_that_came_before_the_first_iterator_holds_nobody_up_for_ever(transport):
    async with tone(session_timeout=600.0) as camera:
        options = {"backpressure": "block", "limits": Limits(queue_packets=10)}
        async with rtspkit.connect(
            camera.url, transport=transport, **options, retry=None
        ) as session:
            await stand_still(2)
            assert session._supervisor.driver._held
            async with asyncio.timeout(5):
                await take(session.packets(), 40)


@virtual_clock
async def test_a_server_that_is_gone_is_noticed_by_a_consumer_that_stood_still():
    options = {"backpressure": "block", "limits": Limits(queue_packets=5), "transport": "tcp"}
    async with tone() as camera, rtspkit.connect(camera.url, **options, retry=None) as session:
        iterator = session.packets()
        await take(iterator, 5)
        await stand_still(1)
        camera.kill()
        await stand_still(3)
        with pytest.raises(rtspkit.ConnectionLost):
            async for _ in iterator:
                pass
        assert session.state == "lost"


# -- dropped ------------------------------------------------------------------------------------


@virtual_clock
async def test_drops_are_told_at_once_and_then_once_a_second():
    async with tone() as camera:
        options = {"limits": Limits(queue_packets=10), "transport": "tcp"}
        async with rtspkit.connect(camera.url, **options) as session:
            events = session.events()
            slow = session.packets()
            await stand_still(5.5)
            told = [event async for event in until_now(events)]
            drops = [event for event in told if isinstance(event, PacketsDropped)]
            assert drops[0].count == 1  # the first one
            assert len(drops) == 5
            times = [event.at for event in drops]
            assert all(b - a >= 1 for a, b in pairwise(times))
            total = sum(event.count for event in drops)
            assert slow.dropped - 10 <= total <= slow.dropped
            assert session.stats().consumer_dropped == slow.dropped


async def until_now(events: rtspkit.client.iterators.EventIterator):
    """The events that have happened already."""
    while events._queue.items:
        yield await anext(events)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("drop_oldest", list(range(90, 100))),
        ("drop_newest", list(range(10))),
        ("latest", [99]),
        ("block", list(range(100))),  # they came with one read: the next one is put off
    ],
)
@pytest.mark.parametrize("session_wide", [True, False])
async def test_each_policy_keeps_what_it_says(policy, expected, session_wide):
    def play(request: Request, peer: Peer) -> bytes:
        return reply(request, Session="1") + peer.media(100)

    chosen = policy if session_wide else "drop_oldest"
    other = "latest" if policy != "latest" else "drop_newest"
    async with RawServer({"PLAY": play}) as server:
        options = {"transport": "tcp", "limits": Limits(queue_packets=10), "play": False}
        async with rtspkit.connect(server.url, backpressure=chosen, **options) as session:
            iterator = session.packets(backpressure=None if session_wide else policy)
            batches = session.batches(backpressure=other)
            await session.play()
            while session.stats().packets < 100:
                await session.get_parameter()
            assert [p.sequence_number for p in iterator._queue.take_all()] == expected
            assert iterator.dropped == 100 - len(expected)
            assert len(await anext(batches)) == (1 if other == "latest" else 10)


async def test_what_comes_between_the_answers_while_the_media_is_held_is_dropped():
    """Answers are waited for, and over TCP the media in front of them has to be read."""

    def play(request: Request, peer: Peer) -> bytes:
        return reply(request, Session="1") + peer.media(30)

    def answer(request: Request, peer: Peer) -> bytes:
        return peer.media(5) + reply(request, Session="1")

    async with RawServer({"PLAY": play, "GET_PARAMETER": answer}) as server:
        options = {"transport": "tcp", "limits": Limits(queue_packets=10), "play": False}
        async with rtspkit.connect(
            server.url, backpressure="block", **options, retry=None
        ) as session:
            iterator = session.packets()
            await session.play()
            for _ in range(4):
                await session.get_parameter()
                assert session._supervisor.driver._held
            assert iterator.dropped == session.stats().consumer_dropped == 20
            assert await take(iterator, 30) == list(range(30))
            assert not session._supervisor.driver._held
            await session.get_parameter()
            assert await take(iterator, 5) == list(range(50, 55))
            assert iterator.dropped == 20


@pytest.mark.parametrize("policy", ["", "DROP_OLDEST", "fifo", None])
async def test_a_policy_that_is_none_is_refused_at_once(policy):
    with pytest.raises(LocalProtocolError, match="backpressure is one of drop_oldest"):
        rtspkit.connect("rtsp://camera/x", backpressure=policy)


async def test_at_every_door_too():
    async with Camera() as camera, rtspkit.connect(camera.url, transport="tcp") as session:
        for door in (session.packets, session.batches, session.access_units):
            with pytest.raises(LocalProtocolError, match="backpressure is one of"):
                door(backpressure="fifo")


@virtual_clock
async def test_pictures_go_on_with_a_keyframe_after_the_consumer_was_too_slow():
    async with Camera(tracks=("H264",)) as camera:
        options = {"limits": Limits(queue_packets=200), "transport": "tcp"}
        async with rtspkit.connect(camera.url, **options) as session:
            units = session.access_units()
            first = [await anext(units) for _ in range(10)]
            assert not any(unit.discontinuity for unit in first)
            await stand_still(8)
            seen = []
            while not any(unit.discontinuity for unit in seen):
                seen.append(await anext(units))
            assert seen[-1].keyframe
            assert seen[-1].complete
            following = [await anext(units) for _ in range(30)]
            assert all(unit.complete and not unit.lost for unit in following)
            assert not any(unit.discontinuity for unit in following)
            assert units.dropped > 200


@virtual_clock
async def test_a_flood_and_a_consumer_that_sleeps_now_and_then_add_up():
    limits = Limits(queue_packets=64)
    async with Camera(tracks=("PCMU",), packets=1000, speed=math.inf, sequence_number=0) as camera:
        options = {"backpressure": "block", "limits": limits, "transport": "tcp"}
        async with rtspkit.connect(camera.url, **options) as session:
            iterator, numbers = session.packets(), []
            async for packet in iterator:
                numbers.append(packet.sequence_number)
                if len(numbers) % 50 == 0:
                    await stand_still(0.1)
            assert numbers == sorted(set(numbers))
            assert len(numbers) + iterator.dropped == session.stats().packets == 1000

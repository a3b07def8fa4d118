"""A session outlives its connections: what goes on, what is told, and what waits for it."""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise

import pytest
from faulty import Consumer, steps, units_until, wait
from leaks import open_timers, other_tasks
from lost_sessions import (
    open_steadily,
    packets_until,
    packets_until_empty,
    restart,
    told,
    told_all,
)

from rtspkit import (
    ConnectError,
    ConnectionLost,
    Limits,
    LocalProtocolError,
    Retry,
    Timeouts,
)
from rtspkit.engine.events import (
    AttemptFailed,
    Reconnected,
    Reconnecting,
    SessionEnded,
    StateChanged,
)
from rtspkit.testing.camera import Camera

virtual_clock = pytest.mark.virtual_clock
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])

CLOSE = 0.05  # seconds that media_time may be off the time that has passed


# -- what goes on ------------------------------------------------------------------------------


@virtual_clock
@both_transports
@pytest.mark.parametrize("outage", [0.0, 3.0])
async def test_packets_go_on_with_one_discontinuity_a_stream_and_time_goes_on(transport, outage):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        streams, packets = session.streams, session.packets()
        before = await packets_until(packets, 2.0)
        if outage:
            await restart(camera, outage)
        else:
            camera.kill()
        after = await packets_until(packets, before[-1].media_time + outage + 3.0)
        assert all(one is other for one, other in zip(streams, session.streams, strict=True))
    for stream in streams:
        old = [packet for packet in before if packet.stream is stream]
        new = [packet for packet in after if packet.stream is stream]
        fresh = next(place for place, packet in enumerate(new) if packet.discontinuity)
        assert sum(packet.discontinuity for packet in old + new) == 1
        last, first = (old + new[:fresh])[-1], new[fresh]
        assert first.arrival - last.arrival >= outage
        passed = first.media_time - last.media_time
        assert passed == pytest.approx(first.arrival - last.arrival, abs=CLOSE)
        assert max(map(abs, steps([p.media_time - p.arrival for p in new[fresh:]]))) < CLOSE
        assert new[fresh].lost == 0


@both_transports
async def test_packets_go_on_on_either_loop(transport):
    async with Camera(speed=5) as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        await packets_until(packets, 0.3)
        camera.kill()
        fresh = set()
        async for packet in packets:
            fresh.update({packet.stream.index} if packet.discontinuity else ())
            if fresh == {0, 1}:
                break
        await told(session, Reconnected)
        assert session.state == "playing"


@virtual_clock
@both_transports
async def test_access_units_go_on_at_a_complete_keyframe(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        units = session.access_units("video")
        await units_until(units, lambda unit: unit.media_time > 1.0)
        spoiled = 0

        def spoil(index: int, packet: bytes) -> list[bytes]:
            nonlocal spoiled  # the first keyframe that comes lacks its beginning
            spoiled += index == 0
            return [] if index == 0 and spoiled <= 2 else [packet]

        camera.kill()
        camera.on_packet = spoil
        after = await units_until(units, lambda unit: unit.discontinuity)
        after += await units_until(units, lambda unit: unit.media_time > 6.0)
        stats = session.stats().streams[0]
    place = next(place for place, unit in enumerate(after) if unit.discontinuity)
    fresh = after[place:]
    assert (fresh[0].keyframe, fresh[0].complete) == (True, True)
    assert [unit.discontinuity for unit in fresh[1:]] == [False] * (len(fresh) - 1)
    assert all(unit.complete for unit in fresh)
    assert stats.before_keyframe > 10  # those of the spoiled group
    times = [unit.media_time for unit in after]
    assert times == sorted(times)


@virtual_clock
@both_transports
async def test_an_iterator_made_while_nothing_plays_gets_what_comes_then(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        await packets_until(session.packets(), 0.5)
        await camera.aclose()
        await told(session, AttemptFailed)
        units = session.access_units("video")
        await camera.start()
        unit = await units_until(units, lambda unit: unit.media_time > 1.5)
        assert unit[-1].stream is session.streams[0]


@virtual_clock
async def test_every_door_goes_on():
    async with Camera() as camera, open_steadily(camera) as session:
        doors = [session.packets("audio"), session.batches(), session.access_units()]
        for door in doors:
            await anext(door)
        await restart(camera, 2.0)
        await told(session, Reconnected)
        since = asyncio.get_running_loop().time()
        for door in doors:
            async for item in door:
                if (item[-1] if isinstance(item, list) else item).arrival > since:
                    break


# -- what is told ------------------------------------------------------------------------------


@virtual_clock
@both_transports
async def test_every_attempt_is_told_in_order_with_its_cause(transport):
    loop = asyncio.get_running_loop()
    async with Camera() as camera, open_steadily(camera, transport) as session:
        await packets_until(session.packets(), 0.5)
        lost = loop.time()
        await restart(camera, 2.0)
        await told(session, Reconnected)
    kinds = (StateChanged, Reconnecting, AttemptFailed, Reconnected, SessionEnded)
    events = await told_all(session, *kinds)
    assert [type(event) for event in events] == [
        *(StateChanged, StateChanged),  # ready, playing
        *(StateChanged, Reconnecting, AttemptFailed, Reconnecting, AttemptFailed, Reconnecting),
        *(Reconnected, StateChanged),
        *(StateChanged, SessionEnded),
    ]
    states = [(e.before, e.state) for e in events if isinstance(e, StateChanged)]
    assert states == list(
        pairwise(["connecting", "ready", "playing", "reconnecting", "playing", "closed"])
    )
    attempts = [event for event in events if isinstance(event, Reconnecting)]
    failures = [event for event in events if isinstance(event, AttemptFailed)]
    assert [event.attempt for event in attempts] == [1, 2, 3]
    assert [event.delay for event in attempts] == [0.0, 1.0, 3.0]
    assert {event.strategy for event in attempts + failures} == {"linear"}
    assert {event.racing for event in attempts} <= {"none", "first-wins"}
    assert isinstance(attempts[0].cause, ConnectionLost)
    assert attempts[0].cause.phase == "streaming"
    assert [event.attempt for event in failures] == [1, 2]
    assert [event.cause for event in attempts[1:]] == [event.error for event in failures]
    assert all(isinstance(event.error, ConnectError) for event in failures)
    (back,) = [event for event in events if isinstance(event, Reconnected)]
    assert (back.attempt, back.strategy) == (3, "linear")
    assert back.seconds == pytest.approx(4.0, abs=0.1)
    assert back.at == pytest.approx(lost + back.seconds, abs=0.1)
    assert [event.at for event in events] == sorted(event.at for event in events)


@virtual_clock
@both_transports
async def test_the_numbers_are_those_of_all_connections_together(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        taken = await packets_until(packets, 1.0)
        sums = session.stats()
        for turn in range(3):
            await restart(camera, 0.5)
            await told(session, Reconnected, turn + 1)
            taken += await packets_until(packets, taken[-1].media_time + 2.0)
            before, sums = sums, session.stats()
            assert sums.packets > before.packets
            assert sums.requests > before.requests
            assert sums.responses >= before.responses + 4
            for one, other in zip(before.streams, sums.streams, strict=True):
                assert (other.bytes, other.expected) > (one.bytes, one.expected)
                assert other.first_packet == one.first_packet
        await camera.aclose()
        await told(session, AttemptFailed, 4)
        taken += await packets_until_empty(packets)
        assert session.stats().packets == len(taken)
        assert session.stats().bytes == sum(len(packet) for packet in taken)
        lost = await told(session, StateChanged, 9)  # twice to play, thrice and back, and away
        since_the_last_loss = asyncio.get_running_loop().time() - lost.at
        assert lost.state == "reconnecting"
    stats = session.stats()
    assert [stream.discontinuities for stream in stats.streams] == [3, 3]
    assert (stats.lost, stats.duplicates, stats.reconnects) == (0, 0, 3)
    assert stats.attempts == {"linear": 8}  # once to connect, thrice twice, and once in vain
    assert stats.strategy == "linear"
    seconds = sum(event.seconds for event in await told_all(session, Reconnected))
    assert stats.outage - seconds == pytest.approx(since_the_last_loss, abs=0.01)
    assert isinstance(stats.last_error, ConnectError)
    assert [stream.packets for stream in stats.streams] == [
        sum(packet.stream.index == index for packet in taken) for index in (0, 1)
    ]


@virtual_clock
async def test_the_outage_grows_while_it_lasts():
    async with Camera() as camera, open_steadily(camera) as session:
        await packets_until(session.packets(), 0.5)
        await camera.aclose()
        await told(session, AttemptFailed, 2)
        first = session.stats().outage
        await wait(1.5)
        assert session.state == "reconnecting"
        assert session.stats().outage == pytest.approx(first + 1.5)
        assert session.stats().reconnects == 0
        assert session.streams[0].encoding_name == "H264"  # the last that was known
        assert session.transport == "tcp"


@virtual_clock
async def test_events_end_behind_the_end_of_the_session():
    async with (
        Camera() as camera,
        open_steadily(camera) as session,
        Consumer(session.events()) as consumer,
    ):
        await packets_until(session.packets(), 0.5)
        await camera.aclose()
        await told(session, AttemptFailed)
        await session.aclose()
        await consumer.task
        assert isinstance(consumer.items[-1], SessionEnded)
        assert consumer.items[-1].error is None


# -- requests meanwhile ----------------------------------------------------------------------------


@virtual_clock
async def test_a_request_waits_for_the_session_to_come_back():
    async with Camera() as camera, open_steadily(camera) as session:
        await packets_until(session.packets(), 0.5)
        camera.parameters["a"] = "1"
        await camera.aclose()
        await told(session, AttemptFailed)
        asking = asyncio.ensure_future(session.get_parameter(b"a\r\n"))
        await restart(camera, 0.2)
        assert await asking == b"a: 1\r\n"
        assert session.state == "playing"


@virtual_clock
async def test_a_request_waits_no_longer_than_connect_may_take():
    loop, timeouts = asyncio.get_running_loop(), Timeouts(connect=4.0)
    async with Camera() as camera, open_steadily(camera, timeouts=timeouts) as session:
        await packets_until(session.packets(), 0.5)
        await camera.aclose()
        await told(session, AttemptFailed)
        for ask in (session.get_parameter, session.pause, session.play):
            began = loop.time()
            with pytest.raises(ConnectionLost, match="did not come back within 4 s") as caught:
                await ask()
            assert loop.time() - began == pytest.approx(4.0)
            assert caught.value.phase == "reconnect"
            assert caught.value.retryable
        await camera.start()
        await told(session, Reconnected)
        await session.get_parameter()


@virtual_clock
async def test_a_request_that_waits_when_the_session_is_closed_ends():
    async with Camera() as camera, open_steadily(camera) as session:
        await packets_until(session.packets(), 0.5)
        await camera.aclose()
        await told(session, AttemptFailed)
        asking = asyncio.ensure_future(session.get_parameter())
        await asyncio.sleep(0)
        await session.aclose()
        with pytest.raises(LocalProtocolError, match="closed"):
            await asking


# -- nothing grows ---------------------------------------------------------------------------------


@virtual_clock
@both_transports
async def test_three_hundred_losses_leave_no_trace(transport):
    loop = asyncio.get_running_loop()
    loop.hurry(2_000)
    retry = Retry(strategy="immediate", reset_after=0.2)
    limits = Limits(events=50)
    async with Camera(tracks=("PCMU",)) as camera:
        options = {"retry": retry, "limits": limits}
        async with open_steadily(camera, transport, **options) as session:
            packets = session.packets()
            tasks, sizes = len(other_tasks()), []
            for turn in range(300):
                async for packet in packets:
                    if packet.arrival > loop.time() - 0.1 and session.state == "playing":
                        break
                if turn % 100 == 50:
                    gc.collect()
                    sizes.append(len(gc.get_objects()))
                await wait(0.3)
                camera.requests.clear()
                camera.rtcp_received.clear()
                camera.kill()
            async for _ in packets:
                if session.stats().reconnects == 300 and session.state == "playing":
                    break
            assert session.stats().attempts == {"immediate": 301}
            assert session.stats().streams[0].discontinuities == 300
            assert len(other_tasks()) <= tasks
            assert len(open_timers(loop)) < 20
            assert len(session._fanout._history) <= 50
            assert session._supervisor._farewells == set()
            assert sizes[-1] - sizes[0] < 2_000
        assert camera.sessions_made == 301
        assert camera.sessions == {}

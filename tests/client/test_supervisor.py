"""A session outlives its connections: what goes on, what is told, and what is for good."""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise

import pytest
from faulty import Consumer, steps, units_until, wait
from leaks import open_timers, other_tasks
from lost_sessions import asked, open_steadily, packets_until, told, told_all
from raw_server import SDP, Peer, RawServer, bye, reply

import rtspkit
from rtspkit import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Limits,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    Retry,
    Timeouts,
    Unauthorized,
)
from rtspkit.client.iterators import PacketIterator
from rtspkit.engine.events import (
    AttemptFailed,
    Event,
    Reconnected,
    Reconnecting,
    SessionEnded,
    StateChanged,
    StreamChanged,
    StreamEnded,
)
from rtspkit.errors import Forbidden
from rtspkit.testing.actions import Close, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame
from rtspkit.wire.rtp import RtpPacket

virtual_clock = pytest.mark.virtual_clock
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])

CLOSE = 0.05  # seconds that media_time may be off the time that has passed


async def restart(camera: Camera, after: float) -> None:
    """Nobody listens for so many seconds."""
    await camera.aclose()
    await wait(after)
    await camera.start()


def only(index: int):
    """Media of one stream alone, from now on."""
    return lambda place, packet: [packet] if place == index else []


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


async def packets_until_empty(packets: PacketIterator) -> list[RtpPacket]:
    """What waits in its queue."""
    return [await anext(packets) for _ in range(len(packets._queue.items))]


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


# -- what is for good, and what is not -----------------------------------------------------------


@virtual_clock
@both_transports
async def test_a_wrong_password_after_a_restart_ends_it_at_once(transport):
    async with Camera(authentication=Authentication()) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        async with rtspkit.connect(url, transport=transport) as session:
            packets = session.packets()
            await packets_until(packets, 0.5)
            camera.authentication = Authentication(password="changed")
            refused = camera.refused
            camera.kill()
            with pytest.raises(Unauthorized):
                await packets_until(packets, 60.0)
            assert session.state == "lost"
            assert camera.refused - refused <= 2
            with pytest.raises(Unauthorized):
                await session.get_parameter()
            requests = len(camera.requests)
            await wait(120)
            assert len(camera.requests) == requests
    (failure,) = await told_all(session, AttemptFailed)
    (end,) = await told_all(session, SessionEnded)
    assert end.error is failure.error is session.stats().last_error


@virtual_clock
@both_transports
@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound)])
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP"])
async def test_a_refusal_for_good_ends_it_at_once(transport, status, kind, method):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        camera.script(method, Reply(status))
        camera.kill()
        with pytest.raises(kind):
            await packets_until(packets, 60.0)
        assert session.state == "lost"
        await camera.wait_until(lambda: not camera.sessions)
    assert len(await told_all(session, Reconnecting)) == 1


@virtual_clock
@both_transports
@pytest.mark.parametrize("status", [400, 453, 454, 500, 503])
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
async def test_a_refusal_that_may_pass_is_outlasted(transport, status, method):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        rule = camera.script(method, Reply(status), nth=range(1, 4))
        camera.kill()
        await told(session, Reconnected)
        assert rule.hits == 3
        assert session.stats().attempts == {"linear": 5}
        failure = await told(session, AttemptFailed, 3)
        assert failure.error.status_code == status
        assert failure.error.method == method
        assert session.state == "playing"


@virtual_clock
async def test_what_no_server_should_say_is_outlasted_too():
    """A camera that is just starting: a description without media, or no RTSP at all."""
    empty = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
    sdp = Reply(200, headers={"Content-Type": "application/sdp"}, body=empty)
    async with Camera() as camera, open_steadily(camera) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        camera.script("DESCRIBE", sdp, nth=1)
        camera.script("DESCRIBE", Reply(200), nth=2)
        camera.script("DESCRIBE", Close(), nth=3)
        camera.kill()
        await packets_until(packets, 12.0)
        assert session.stats().reconnects == 1
    kinds = [type(event.error) for event in await told_all(session, AttemptFailed)]
    assert kinds[1:] == [RemoteProtocolError, ConnectionLost]


@virtual_clock
@both_transports
@pytest.mark.parametrize("retry", [None, Retry(strategy="none")])
async def test_without_retry_a_loss_raises(transport, retry):
    async with Camera() as camera, open_steadily(camera, transport, retry=retry) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        camera.kill()
        with pytest.raises(ConnectionLost) as caught:
            await packets_until(packets, 60.0)
        assert session.state == "lost"
        with pytest.raises(ConnectionLost):
            await session.play()
        assert session.stats().reconnects == 0
    assert await told_all(session, Reconnecting, AttemptFailed) == []
    (end,) = await told_all(session, SessionEnded)
    assert end.error is caught.value


@virtual_clock
async def test_a_session_that_never_played_is_not_tried_for():
    async with Camera() as camera, open_steadily(camera, play=False) as session:
        camera.kill()
        with pytest.raises(ConnectionLost):
            await anext(session.packets())
        assert session.state == "lost"
        assert camera.connections_made == 1


@virtual_clock
async def test_a_defect_while_coming_back_ends_the_session_with_an_error():
    loop = asyncio.get_running_loop()
    async with Camera() as camera, open_steadily(camera) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        told_loop = []
        handler = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: told_loop.append(context["exception"]))
        session._supervisor.attempts.strategist.failed = None  # not callable
        camera.script("DESCRIBE", Reply(503))
        camera.kill()
        with pytest.raises(rtspkit.RtspError, match="a defect of rtspkit: TypeError"):
            await packets_until(packets, 60.0)
        assert [type(defect) for defect in told_loop] == [TypeError]
        loop.set_exception_handler(handler)
        assert session.state == "lost"


# -- what was asked for is asked for again ---------------------------------------------------------


@virtual_clock
@both_transports
async def test_a_paused_session_comes_back_paused(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        last = (await packets_until(packets, 1.0))[-1]
        await session.pause()
        last = ([last] + await packets_until_empty(packets))[-1]
        played = asked(camera, "PLAY")
        await restart(camera, 1.5)
        await told(session, Reconnected)
        await wait(30.0)
        assert session.state == "paused"
        assert asked(camera, "PLAY") == played
        assert session.stats().packets == sum(s.packets for s in session.stats().streams)
        await session.play()
        assert session.state == "playing"
        packet = await anext(packets)
        assert packet.discontinuity
        passed = packet.arrival - last.arrival
        assert packet.media_time == pytest.approx(last.media_time + passed, abs=CLOSE)
        camera.kill()
        await told(session, Reconnected, 2)
        assert session.state == "playing"


@virtual_clock
@both_transports
async def test_a_paused_session_that_is_lost_twice_still_knows_its_time(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        last = (await packets_until(packets, 2.0))[-1].media_time
        await session.pause()
        await packets_until_empty(packets)
        for turn in range(3):
            camera.kill()
            await told(session, Reconnected, turn + 1)
        assert session.state == "paused"
        await session.play()
        packet = await anext(packets)
        assert packet.media_time >= last
        assert packet.discontinuity


@virtual_clock
async def test_scale_and_speed_are_sent_again():
    async with Camera() as camera, open_steadily(camera) as session:
        await session.play(scale=2.0, speed=1.5)
        await packets_until(session.packets(), 0.5)
        camera.kill()
        await told(session, Reconnected)
        last = [request for request in camera.requests if request.method == "PLAY"][-1]
        assert (last.headers.get("Scale"), last.headers.get("Speed")) == ("2", "1.5")
        assert asked(camera, "PLAY") == 3


@virtual_clock
@both_transports
async def test_a_finite_presentation_goes_on_at_its_place_and_ends_in_order(transport):
    async with Camera(duration=12.0) as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        last = (await packets_until(packets, 5.0))[-1]
        await restart(camera, 2.5)
        rest = [packet async for packet in packets]
        assert session.state == "ended"
    play = [request for request in camera.requests if request.method == "PLAY"][-1]
    name, _, place = play.headers.get("Range").rstrip("-").partition("=")
    assert name == "npt"
    assert float(place) == pytest.approx(last.media_time, abs=0.1)
    fresh = next(place for place, packet in enumerate(rest) if packet.discontinuity)
    assert rest[fresh].media_time == pytest.approx(5.0, abs=1.0)  # from a keyframe
    assert rest[-1].media_time == pytest.approx(12.0, abs=1.0)


@virtual_clock
async def test_the_place_in_a_presentation_outlasts_attempts_that_fail():
    async with Camera(duration=12.0) as camera, open_steadily(camera) as session:
        await packets_until(session.packets(), 5.0)
        camera.script("PLAY", Reply(503), nth=[1, 2])
        camera.kill()
        await told(session, Reconnected)
    places = [r.headers.get("Range") for r in camera.requests if r.method == "PLAY"]
    assert places == ["npt=0.000-", *["npt=5.000-"] * 3]


@virtual_clock
@pytest.mark.parametrize("answer", [Reply(457), Close()], ids=["invalid-range", "closed"])
async def test_lost_at_its_very_end_a_presentation_that_is_refused_is_over(answer):
    """A server that hangs up at the end, and has nothing to play behind it."""
    async with Camera(duration=6.0) as camera, open_steadily(camera) as session:
        packets = session.packets()
        await packets_until(packets, 5.98)
        camera.script("PLAY", answer)
        camera.kill()
        async for _ in packets:
            pass  # it ends, and does not raise
        assert session.state == "ended"
    assert len(await told_all(session, Reconnecting)) == 1


@virtual_clock
async def test_a_farewell_ends_a_live_stream_unless_it_is_to_come_back():
    async with Camera(packets=40) as camera:
        async with open_steadily(camera) as session:
            assert [packet async for packet in session.packets("audio")] != []
            assert session.state == "ended"
        retry = Retry(strategy="linear", after_goodbye=True)
        async with open_steadily(camera, retry=retry) as session:
            packets = session.packets("audio")
            for _ in range(60):
                await anext(packets)
            assert session.stats().reconnects == 1
    (first, *_) = await told_all(session, Reconnecting)
    assert "BYE" in str(first.cause)


# -- the streams that come back --------------------------------------------------------------------


@virtual_clock
@both_transports
async def test_sound_alone_is_no_session_that_has_come_back(transport):
    timeouts = Timeouts(first_packet_tcp=3.0)
    async with Camera() as camera:
        async with open_steadily(camera, transport, timeouts=timeouts) as session:
            packets, video = session.packets("audio"), session.packets("video")
            await packets_until(packets, 0.5)
            camera.on_packet = only(1)
            torn_down = asked(camera, "TEARDOWN")
            camera.kill()
            failure = await told(session, AttemptFailed)
            assert session.state == "reconnecting"
            assert isinstance(failure.error, DeadlineExceeded)
            assert str(failure.error) == ("first packet: video H264 did not come back within 3 s")
            await camera.wait_until(lambda: not camera.sessions)
            assert asked(camera, "TEARDOWN") > torn_down
            camera.on_packet = None
            await told(session, Reconnected)
            assert session.state == "playing"
            now = asyncio.get_running_loop().time()
            times = {}
            for door in (packets, video):
                packet = await anext(door)
                while packet.arrival < now:
                    packet = await anext(door)
                times[packet.stream.media] = packet.media_time
            assert times["audio"] == pytest.approx(times["video"], abs=0.1)
        await camera.wait_until(lambda: not camera.sessions)


def record_order(session: rtspkit.Session) -> list[str]:
    """Names of events, and encodings of packets, in the order in which consumers get them."""
    order: list[str] = []
    fanout = session._fanout
    put_event, put_packets = fanout.put_event, fanout.put_packets

    def tell(event: Event) -> None:
        order.append(type(event).__name__)
        put_event(event)

    def give(packets: list[RtpPacket]) -> None:
        order.extend(packet.stream.encoding_name for packet in packets)
        put_packets(packets)

    fanout.put_event, fanout.put_packets = tell, give
    return order


@virtual_clock
@both_transports
async def test_another_format_is_told_before_its_first_packet(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        order = record_order(session)
        before, (video, sound) = session.streams, session.streams
        packets, units = session.packets("audio"), session.access_units("audio")
        await anext(units)
        await packets_until(packets, 0.5)
        camera.tracks = ("H264", "PCMU")
        await restart(camera, 0.2)
        change = await told(session, StreamChanged)
        assert change.before is sound
        assert (change.stream.encoding_name, change.stream.clock_rate) == ("PCMU", 8000)
        assert session.streams[0] is video
        assert session.streams[1] is change.stream
        assert before[1].encoding_name == "MPEG4-GENERIC"
        taken = await packets_until(packets, 3.0)
        fresh = [packet for packet in taken if packet.stream is change.stream]
        assert change.at <= fresh[0].arrival
        assert {packet.payload_type for packet in fresh} == {0}
        assert fresh[0].discontinuity
        old = [packet for packet in taken if packet.stream is sound]
        assert taken == old + fresh
        unit = await anext(units)
        while unit.stream is sound:
            unit = await anext(units)
        assert unit.stream is change.stream
        assert unit.discontinuity
        assert len(unit.data) == 160
    assert order.count("StreamChanged") == 1
    assert order.index("StreamChanged") < order.index("PCMU")
    assert "MPEG4-GENERIC" not in order[order.index("StreamChanged") :]


@virtual_clock
@both_transports
async def test_a_stream_that_is_missing_is_waited_for(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        streams, packets = session.streams, session.packets()
        await packets_until(packets, 0.5)
        camera.tracks = ("H264",)
        await restart(camera, 0.2)
        failure = await told(session, AttemptFailed, 2)
        assert isinstance(failure.error, RemoteProtocolError)
        assert "without its audio MPEG4-GENERIC" in str(failure.error)
        assert session.state == "reconnecting"
        await camera.wait_until(lambda: not camera.sessions)  # it was torn down
        camera.tracks = ("H264", "MPEG4-GENERIC")
        await restart(camera, 0.2)
        await told(session, Reconnected)
        assert session.streams == streams
        last = await packets_until(packets, session.stats().duration + 0.5)
        assert {packet.stream for packet in last} == set(streams)


@virtual_clock
async def test_a_stream_that_is_missing_is_let_go_where_not_all_are_required():
    async with Camera() as camera, open_steadily(camera, require_all=False) as session:
        video, sound = session.streams
        packets, gone = session.packets(), session.packets("audio")
        await packets_until(packets, 0.5)
        camera.tracks = ("H264",)
        await restart(camera, 0.2)
        await told(session, Reconnected)
        assert session.streams == (video,)
        assert session.state == "playing"
        await packets_until(packets, 4.0)
        assert [packet async for packet in gone] != []  # and it ends
        ended = await told(session, StreamEnded)
        assert ended.stream is sound


@virtual_clock
async def test_a_camera_with_room_for_one_has_its_session_of_before_taken_away_first():
    """Over UDP, the session outlives the connection, and would be in our own way for a minute."""
    async with Camera(max_sessions=1) as camera, open_steadily(camera, "udp") as session:
        await packets_until(session.packets(), 0.5)
        camera.kill(sessions=False)
        await told(session, Reconnected)
        assert session.stats().attempts == {"linear": 2}
        assert camera.sessions_made == 2
        assert len(camera.sessions) == 1


# -- losses that come at the wrong moment ----------------------------------------------------------


@virtual_clock
@both_transports
async def test_lost_again_right_after_it_came_back(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        for turn in range(4):
            camera.kill()
            await told(session, Reconnected, turn + 1)
        taken = await packets_until(packets, 30.0)
        assert session.state == "playing"
        times = [packet.media_time for packet in taken if packet.stream.index == 0]
        assert times == sorted(times)
        assert session.stats().reconnects >= 4


@virtual_clock
async def test_lost_again_with_the_answer_to_play():
    async with Camera() as camera, open_steadily(camera) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        rule = camera.script("PLAY", Close(answered=True), nth=[1, 2])
        camera.kill()
        await packets_until(packets, 6.0)
        assert rule.hits == 2
        assert session.state == "playing"


@virtual_clock
async def test_the_first_loss_may_come_before_connect_has_returned():
    """A server that gives a few packets and hangs up with the answer to PLAY."""

    def play(request: Request, peer: Peer) -> bytes:
        if len(peer.server.peers) == 1:
            asyncio.get_running_loop().call_soon(peer.reset)
        return peer.server.plain(request, peer)

    async with (
        RawServer({"PLAY": play}) as server,
        rtspkit.connect(server.url, transport="tcp", retry=Retry(strategy="linear")) as session,
    ):
        await told(session, Reconnected)
        assert session.state == "playing"


@virtual_clock
async def test_a_stream_that_says_goodbye_while_the_others_are_waited_for():
    """The attempt has failed: what is over at once has not come back."""
    sdp = SDP + SDP[SDP.index(b"m=") :].replace(b"track0", b"track1").replace(b"0 RTP", b"2 RTP")

    def play(request: Request, peer: Peer) -> bytes:
        answer = reply(request, Session="1", Range="npt=0-")
        first, second = peer.media(1), peer.media(1, channel=2)
        if len(peer.server.peers) != 2:
            return answer + first + second
        return answer + first + serialize_frame(1, bye()) + serialize_frame(3, bye())

    async with RawServer({"PLAY": play}, sdp=sdp) as server:
        options = {"retry": Retry(strategy="linear"), "timeouts": Timeouts(bye_grace=0.5)}
        async with rtspkit.connect(server.url, transport="tcp", **options) as session:
            packets = session.packets()
            assert {(await anext(packets)).stream for _ in range(2)} == set(session.streams)
            server.peers[0].reset()
            failure = await told(session, AttemptFailed)
            assert isinstance(failure.error, ConnectionLost | DeadlineExceeded)
            await told(session, Reconnected)


@virtual_clock
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@both_transports
async def test_lost_at_the_moment_of_closing(transport, turns):
    async with Camera() as camera:
        session = await open_steadily(camera, transport)
        packets = session.packets()
        await packets_until(packets, 0.5)
        camera.kill()
        for _ in range(turns):
            await asyncio.sleep(0)
        await session.aclose()
        assert session.state == "closed"
        async for _ in packets:
            pass  # it ends, and does not raise
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)
    (end,) = await told_all(session, SessionEnded)
    assert end.error is None


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

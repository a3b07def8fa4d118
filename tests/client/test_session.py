from __future__ import annotations

import asyncio
import gc

import pytest
from raw_server import Peer, RawServer, bye, reply

import rtspkit
from rtspkit import (
    ConnectionLost,
    LocalProtocolError,
    ResponseError,
    SessionNotFound,
    StreamNotFound,
    Timeouts,
)
from rtspkit.engine.events import SessionEnded, SessionRestored, StateChanged, StreamEnded
from rtspkit.testing.actions import Drop, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.header import Range
from rtspkit.wire.message import Request, serialize_frame

virtual_clock = pytest.mark.virtual_clock


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


async def until_media_time(session: rtspkit.Session, seconds: float) -> None:
    """Let the presentation go on."""
    async for packet in session.packets():
        if packet.media_time >= seconds:
            return


# -- what it is -------------------------------------------------------------------------------


async def test_tells_what_it_is_connected_to():
    async with Camera(authentication=Authentication(), session_timeout=33.0) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        async with rtspkit.connect(url, transport="udp") as session:
            assert (session.state, session.transport) == ("playing", "udp")
            assert session.server == "rtspkit camera"
            assert session.authentication == "digest"
            assert session.session_timeout == 33
            assert len(session.description.media) == 2
            assert [stream.index for stream in session.streams] == [0, 1]
            assert session.streams[0].transport.protocol == "UDP"
        assert "secret" not in repr(session) + str(session.url)
        assert repr(session).endswith(" closed>")


async def test_every_packet_belongs_to_one_of_its_streams():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        iterator = session.packets()
        packets = [await anext(iterator) for _ in range(50)]
        for packet in packets:
            assert any(packet.stream is stream for stream in session.streams)
            assert packet.stream.ssrc == packet.ssrc
            assert packet.payload.readonly


# -- iterators --------------------------------------------------------------------------------


async def test_several_iterators_get_the_same_packets():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        one, other, video = session.packets(), session.packets(), session.packets("video")
        first = [await anext(one) for _ in range(30)]
        second = [await anext(other) for _ in range(30)]
        assert all(a is b for a, b in zip(first, second, strict=True))
        wanted = [packet for packet in first if packet.stream.media == "video"]
        assert [await anext(video) for _ in wanted] == wanted


@pytest.mark.parametrize("select", ["video", "h264", 0])
async def test_a_selection_names_streams(select):
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        iterator = session.packets(select)
        for _ in range(10):
            assert (await anext(iterator)).stream is session.streams[0]
        by_stream = session.packets(session.streams[1])
        assert (await anext(by_stream)).stream is session.streams[1]


async def test_a_selection_of_nothing_is_refused_at_once():
    async with Camera() as camera, rtspkit.connect(camera.url) as session:
        for door in (session.packets, session.batches, session.access_units):
            with pytest.raises(StreamNotFound, match="no stream is 'text'"):
                door("text")


async def test_the_first_access_unit_is_a_keyframe_with_parameter_sets():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        await camera.wait_until(lambda: camera.packets_sent.total() > 20)  # nobody reads yet
        unit = await anext(session.access_units("video"))
        assert (unit.keyframe, unit.complete) == (True, True)
        assert unit.stream is session.streams[0]
        assert len(session.streams[0].parameter_sets) == 2


async def test_batches_hold_all_that_has_come():
    async with Camera(packets=20, speed=1e6) as camera:
        timeouts = Timeouts(bye_grace=0.05)
        async with rtspkit.connect(camera.url, transport="tcp", timeouts=timeouts) as session:
            batches = [batch async for batch in session.batches()]
    assert sum(map(len, batches)) == 40
    assert len(batches) < 40


async def test_an_iterator_dropped_half_way_costs_nothing_any_more():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        for _ in range(20):
            await anext(session.packets())
            await anext(session.batches())
            await anext(session.access_units("audio"))
            session.events()
        assert session._fanout._sources == {}
        assert len(session._fanout._event_queues) == 0


async def test_two_loops_over_one_iterator_at_once_are_refused():
    async with Camera() as camera, rtspkit.connect(camera.url, play=False) as session:
        iterator = session.packets()
        task = asyncio.ensure_future(anext(iterator))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one consumer"):
            await anext(iterator)
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest"])
async def test_backpressure_is_as_chosen(policy):
    def play(request: Request, peer: Peer) -> bytes:
        return reply(request, Session="1") + peer.media(100)

    limits = rtspkit.Limits(queue_packets=10)
    async with RawServer({"PLAY": play}) as server:
        options = {"transport": "tcp", "limits": limits, "backpressure": policy}
        async with rtspkit.connect(server.url, **options) as session:
            iterator = session.packets()
            while session.stats().packets < 100:
                await session.get_parameter()
            numbers = [p.sequence_number for p in iterator._queue.take_all()]
            expected = {
                "drop_oldest": list(range(90, 100)),
                "drop_newest": list(range(10)),
                "latest": [99],
            }
            assert numbers == expected[policy]
            assert session.stats().consumer_dropped in (90, 99)


# -- RTSP's own methods -----------------------------------------------------------------------


@virtual_clock
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_pause_and_play_go_on_where_they_stopped(transport):
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=3)
    async with Camera(session_timeout=8.0) as camera:
        options = {"transport": transport, "timeouts": timeouts}
        async with rtspkit.connect(camera.url, **options) as session:
            await until_media_time(session, 2.0)
            await session.pause()
            assert session.state == "paused"
            sent = camera.packets_sent.total()
            passed = loop.create_future()
            loop.call_later(30, passed.set_result, None)
            await passed  # silence is right, and the session is kept alive
            assert (session.state, camera.packets_sent.total()) == ("paused", sent)
            assert camera.sessions_expired == 0
            await session.play()
            assert session.state == "playing"
            assert camera.requests[-1].headers.get("Range") is None
            assert (await anext(session.packets())).media_time < 4.0
        assert camera.sessions == {}


async def test_seek_asks_for_a_place():
    async with Camera(duration=20.0, speed=10) as camera:
        url = camera.url
        async with rtspkit.connect(url, transport="tcp") as session:
            await session.seek(12.5)
            assert camera.requests[-1].headers.get("Range") == "npt=12.5-"
            async for packet in session.packets():
                if packet.media_time >= 12.5:
                    break
            await session.play(Range("npt", 1.0, 2.0), scale=2.0, speed=1.5)
            headers = camera.requests[-1].headers
            assert (headers.get("Scale"), headers.get("Speed")) == ("2", "1.5")
            await session.play("npt=3-")
            assert camera.requests[-1].headers.get("Range") == "npt=3-"


@virtual_clock
async def test_a_refused_play_changes_nothing():
    camera = Camera(speed=0.2)
    async with camera, rtspkit.connect(camera.url, transport="tcp") as session:
        await until_media_time(session, 0.2)
        camera.script("PLAY", Reply(457))
        with pytest.raises(ResponseError) as caught:
            await session.seek(1e6)
        assert caught.value.status_code == 457
        assert session.state == "playing"
        await until_media_time(session, 2.8)  # 13 seconds later
        await session.pause()
        with pytest.raises(ResponseError):
            await session.play()
        assert session.state == "paused"
        loop = asyncio.get_running_loop()
        passed = loop.create_future()
        loop.call_later(30, passed.set_result, None)
        await passed
        assert session.state == "paused"  # and nobody took the silence for a loss


async def test_parameters_are_read_and_set():
    async with Camera() as camera, rtspkit.connect(camera.url) as session:
        assert await session.get_parameter() == b""
        await session.set_parameter(b"brightness: 5\r\n")
        assert camera.parameters == {"brightness": "5"}
        assert b"5" in await session.get_parameter(b"brightness\r\n")
        assert camera.requests[-1].headers.get("Content-Type") == "text/parameters"
        camera.script("SET_PARAMETER", Reply(451))
        with pytest.raises(ResponseError, match="451"):
            await session.set_parameter(b"what: 1\r\n")
        assert session.state == "playing"


async def test_requests_of_several_tasks_at_once_each_get_their_answer():
    async with Camera() as camera, rtspkit.connect(camera.url) as session:
        camera.parameters.update({f"p{n}": str(n) for n in range(20)})
        answers = await asyncio.gather(
            *(session.get_parameter(f"p{n}\r\n".encode()) for n in range(20))
        )
        assert [answer.split()[-1] for answer in answers] == [str(n).encode() for n in range(20)]


@virtual_clock
async def test_a_request_without_an_answer_has_a_deadline_and_the_session_goes_on():
    async with Camera() as camera:
        options = {"transport": "tcp", "timeouts": Timeouts(response=2)}
        async with rtspkit.connect(camera.url, **options) as session:
            camera.script("SET_PARAMETER", Drop())
            with pytest.raises(rtspkit.DeadlineExceeded) as caught:
                await session.set_parameter(b"a: 1\r\n")
            assert caught.value.phase == "set_parameter"
            await anext(session.packets())
            assert session.state == "playing"


async def test_after_the_end_requests_are_refused():
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url)
        await session.aclose()
        for call in (session.play, session.pause, session.get_parameter):
            with pytest.raises(LocalProtocolError, match="the session is closed"):
                await call()
        async with asyncio.timeout(5):
            assert all([packet async for packet in session.packets()])


# -- 454 --------------------------------------------------------------------------------------


@virtual_clock
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_session_that_the_server_dropped_is_set_up_again(transport):
    async with Camera(session_timeout=10.0) as camera:
        async with rtspkit.connect(camera.url, transport=transport) as session:
            await until_media_time(session, 1.0)
            iterator = session.packets("video")
            before = await anext(iterator)
            camera.end_sessions()
            with pytest.raises(SessionNotFound):
                await session.get_parameter()
            async for packet in iterator:
                if packet.discontinuity:
                    break
            await session.get_parameter()  # waits until all is done
            assert packet.stream is before.stream
            assert packet.media_time >= before.media_time >= 1.0
            assert session.state == "playing"
            assert camera.connections_made == 1
            assert camera.sessions_made == 2
        assert camera.sessions == {}
        restored = [e async for e in session.events() if isinstance(e, SessionRestored)]
    assert len(restored) == 1


@virtual_clock
async def test_a_keepalive_finds_that_the_session_is_gone():
    async with Camera(session_timeout=10.0) as camera:
        url = camera.url
        async with rtspkit.connect(url, transport="udp") as session:
            await until_media_time(session, 1.0)
            camera.end_sessions()
            await camera.wait_until(lambda: camera.sessions_made == 2, timeout=20)
            iterator = session.packets()
            for _ in range(100):
                await anext(iterator)
            assert session.state == "playing"


@virtual_clock
async def test_a_paused_session_is_set_up_again_and_stays_paused():
    async with Camera(session_timeout=10.0) as camera:
        url = camera.url
        async with rtspkit.connect(url, transport="udp") as session:
            await session.pause()
            camera.end_sessions()
            with pytest.raises(SessionNotFound):
                await session.get_parameter()
            await session.get_parameter()  # waits until it is there again
            assert (session.state, camera.sessions_made) == ("paused", 2)
            assert methods(camera).count("PLAY") == 1
            await session.play()
            await anext(session.packets())


@virtual_clock
async def test_a_session_that_is_not_given_again_is_lost():
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, transport="udp", retry=None) as session,
    ):
        camera.end_sessions()
        camera.script("SETUP", Reply(503))
        with pytest.raises(SessionNotFound):
            await session.get_parameter()
        with pytest.raises(ConnectionLost, match="did not give it again") as caught:
            async for _ in session.packets():
                pass
        assert session.state == "lost"
    assert isinstance(caught.value.__cause__, ResponseError)


@virtual_clock
async def test_a_session_that_is_not_given_again_in_time_is_lost():
    timeouts = Timeouts(connect=3, response=20, media_silence=60)
    async with Camera() as camera:
        url = camera.url
        async with rtspkit.connect(url, transport="udp", timeouts=timeouts, retry=None) as session:
            camera.end_sessions()
            camera.script("SETUP", Drop())
            with pytest.raises(SessionNotFound):
                await session.get_parameter()
            with pytest.raises(ConnectionLost, match="did not give it again"):
                async for _ in session.packets():
                    pass


async def test_closing_while_the_session_is_being_restored_leaves_nothing():
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url, transport="udp", retry=None)
        camera.end_sessions()
        with pytest.raises(SessionNotFound):
            await session.get_parameter()
        assert session._supervisor._restoration.running
        await session.aclose()
        await camera.wait_until(lambda: not camera.sessions)


async def test_a_connection_lost_while_the_session_is_being_restored_is_the_end():
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, transport="udp", retry=None) as session,
    ):
        camera.end_sessions()
        camera.script("SETUP", Drop())
        with pytest.raises(SessionNotFound):
            await session.get_parameter()
        await camera.wait_until(lambda: methods(camera).count("SETUP") == 3)
        camera.kill()
        with pytest.raises(ConnectionLost):
            async for _ in session.packets():
                pass


# -- ends -------------------------------------------------------------------------------------


@virtual_clock
async def test_a_stream_may_end_before_the_others():
    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(2))
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, peer.write, serialize_frame(1, bye()))
        for tick in range(1, 60):
            loop.call_later(tick / 10, lambda: peer.write(peer.media(1, channel=2)))

    media = b"m=audio 0 RTP/AVP %d\r\na=control:%d\r\n"
    sdp = b"v=0\r\ns=x\r\n" + media % (0, 0) + media % (8, 1)
    async with RawServer({"PLAY": play}, sdp=sdp) as server:
        async with rtspkit.connect(server.url, transport="tcp") as session:
            first, second = session.packets(0), session.packets(1)
            assert len([packet async for packet in first]) == 2
            assert session.state == "playing"
            for _ in range(40):
                await anext(second)
            events = session.events()
        ended = [e.stream.index async for e in events if isinstance(e, StreamEnded)]
        assert ended == [0]
        passed = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(6, passed.set_result, None)
        await passed


async def test_the_server_may_end_the_session():
    async with Camera() as camera, rtspkit.connect(camera.url, retry=None) as session:
        iterator = session.packets()
        await anext(iterator)
        answer = await camera.send_request("TEARDOWN")
        assert answer.status_code == 200
        with pytest.raises(ConnectionLost, match="tore the session down"):
            async for _ in iterator:
                pass


async def test_the_servers_questions_are_answered():
    async with Camera() as camera, rtspkit.connect(camera.url) as session:
        assert (await camera.send_request("OPTIONS")).status_code == 200
        assert (await camera.send_request("ANNOUNCE")).status_code == 501
        await anext(session.packets())
        assert session.stats().server_requests == 2


async def test_events_tell_the_whole_life_and_end():
    async with Camera() as camera:
        async with rtspkit.connect(camera.url) as session:
            early = session.events()
            await session.pause()
        for events in (early, session.events()):
            told = [event async for event in events]
            states = [event.state for event in told if isinstance(event, StateChanged)]
            assert states == ["ready", "playing", "paused", "closed"]
            assert isinstance(told[-1], SessionEnded)
            assert told[-1].error is None
            assert [event.at for event in told] == sorted(event.at for event in told)


async def test_before_it_is_connected_it_says_so():
    from rtspkit.client.options import build_options

    session = rtspkit.Session(build_options("rtsp://camera/x", None, None, "udp", None))
    assert (session.state, session.streams) == ("connecting", ())
    for name in ("description", "transport", "server"):
        with pytest.raises(LocalProtocolError, match="not connected yet"):
            getattr(session, name)
    stats = session.stats()
    assert (stats.transport, stats.packets, stats.attempts) == (None, 0, {})
    with pytest.raises(StreamNotFound, match="nothing is set up"):
        session.packets("video")
    await session.aclose()
    assert session.state == "closed"


def forget(kept: list[object]) -> None:
    kept.clear()
    gc.collect()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_session_that_nobody_holds_any_more_is_torn_down_with_a_warning(transport):
    async with Camera() as camera:
        kept = [(await rtspkit.connect(camera.url, transport=transport)).packets()]
        gc.collect()
        await anext(kept[0])  # whoever reads keeps it
        assert len(camera.sessions) == 1
        with pytest.warns(ResourceWarning, match="was never closed"):
            forget(kept)
        await camera.wait_until(lambda: not camera.sessions, timeout=5)


async def test_nor_does_one_that_is_forgotten_while_it_is_lost_knock_for_ever():
    async with Camera() as camera:
        kept = [(await rtspkit.connect(camera.url)).events()]
        camera.script("DESCRIBE", Reply(503))
        camera.kill()
        async for event in kept[0]:
            if isinstance(event, StateChanged) and event.state == "reconnecting":
                break
        del event
        with pytest.warns(ResourceWarning, match="was never closed"):
            forget(kept)
        await asyncio.sleep(0)

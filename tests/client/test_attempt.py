"""One attempt: what it carries on, what it hands over, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest
from addresses import silent_port
from lost_sessions import Begun, asked, methods

from rtspkit import (
    ConnectionLost,
    DeadlineExceeded,
    ResponseError,
    Timeouts,
    TooManySessions,
    UnsupportedTransport,
)
from rtspkit.client.attempt import Attempt, Past, StaleSession, Way, take_leave
from rtspkit.client.driver import Driver
from rtspkit.client.options import ConnectOptions, build_options
from rtspkit.engine.continuity import Moment
from rtspkit.engine.events import QuirkSeen, TransportRejected
from rtspkit.testing.actions import Close, Delay, Drop, Reply
from rtspkit.testing.camera import Camera

pytestmark = pytest.mark.virtual_clock

BUDGET = 10.0  # seconds


def options_for(url: str, transport: object = "tcp", **options: object) -> ConnectOptions:
    return build_options(url, None, None, transport, None, **options)


def attempt_at(
    camera: Camera,
    sink: Begun,
    past: Past | None = None,
    *,
    transport: object = "tcp",
    way: Way | None = None,
    **options: object,
) -> Attempt:
    chosen = options_for(camera.url, transport, **options)
    return Attempt(chosen, sink, past or Past(), way or Way("first-wins"), sink.begin)


async def run(attempt: Attempt) -> None:
    await attempt.run(asyncio.get_running_loop().time() + BUDGET)


async def nobody_left(camera: Camera) -> None:
    await camera.wait_until(lambda: not camera.sessions and not camera.connections)


async def packets_of(sink: Begun, camera: Camera, number: int) -> None:
    await camera.wait_until(lambda: len(sink.packets) >= number)


# -- what is handed over ---------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_what_is_set_up_is_handed_over_before_play(transport):
    at_begin: list[list[str]] = []
    async with Camera() as camera:
        sink = Begun()
        attempt = attempt_at(camera, sink, transport=transport)
        begin = sink.begin
        attempt._begin = lambda *parts: (at_begin.append(methods(camera)), begin(*parts))
        await run(attempt)
        assert at_begin == [["DESCRIBE", "SETUP", "SETUP"]]
        ((driver, presentation),) = sink.begun
        assert presentation.kind == transport
        assert driver.playback.started_at is not None
        assert attempt.failure is None
        await sink.leave()
        await nobody_left(camera)


async def test_what_is_not_to_play_is_set_up_alone():
    async with Camera() as camera:
        sink = Begun()
        await run(attempt_at(camera, sink, Past(play=False)))
        assert methods(camera) == ["DESCRIBE", "SETUP", "SETUP"]
        await sink.leave()


# -- what is carried on ----------------------------------------------------------------------------


async def test_streams_times_and_headers_are_carried_on():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        first = Begun()
        await run(attempt_at(camera, first))
        streams = first.begun[0][1].chosen
        await first.leave()
        past = Past(
            streams=streams,
            moments={stream: Moment(70.0, loop.time() - 30.0) for stream in streams},
            headers=(("Scale", "2"), ("Speed", "1.5")),
        )
        sink = Begun()
        await run(attempt_at(camera, sink, past))
        await packets_of(sink, camera, 20)
        assert sink.begun[0][1].chosen == streams
        headers = [r for r in camera.requests if r.method == "PLAY"][-1].headers
        assert (headers.get("Scale"), headers.get("Speed")) == ("2", "1.5")
        assert headers.get("Range") == "npt=0.000-"
        for stream in streams:
            packet = next(packet for packet in sink.packets if packet.stream is stream)
            assert packet.media_time == pytest.approx(100.0, abs=0.05)
            assert packet.discontinuity
        await sink.leave()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_presentation_that_has_an_end_is_asked_for_where_it_was(transport):
    loop = asyncio.get_running_loop()
    async with Camera(duration=20.0) as camera:
        first = Begun()
        await run(attempt_at(camera, first, transport=transport))
        streams = first.begun[0][1].chosen
        await first.leave()
        moments = {stream: Moment(7.25, loop.time() - 30.0) for stream in streams}
        past, sink = Past(streams=streams, moments=moments, position=7.25), Begun()
        await run(attempt_at(camera, sink, past, transport=transport))
        await packets_of(sink, camera, 20)
        request = [r for r in camera.requests if r.method == "PLAY"][-1]
        assert request.headers.get("Range") == "npt=7.250-"
        for stream in streams:  # whatever was the time until then, it is that of the presentation
            packet = next(packet for packet in sink.packets if packet.stream is stream)
            assert packet.media_time == pytest.approx(7.25, abs=1.0)
            assert packet.discontinuity
        await sink.leave()


# -- a session that is left over -------------------------------------------------------------------


async def test_a_session_of_before_is_torn_down_first():
    """A camera with room for one viewer, whose connection of before has broken."""
    async with Camera(max_sessions=1, transports=("udp",)) as camera:
        first = Begun()
        await run(attempt_at(camera, first, transport="udp"))
        camera.kill(sessions=False)
        driver = first.begun[0][0]
        await camera.wait_until(lambda: not camera.connections)
        past = Past(stale=StaleSession(driver.machine.session_id, driver.machine.session_uri))
        driver.hang_up()
        assert len(camera.sessions) == 1
        sink = Begun()
        await run(attempt_at(camera, sink, past, transport="udp"))
        assert past.stale is None
        assert methods(camera)[-5:] == ["TEARDOWN", "DESCRIBE", "SETUP", "SETUP", "PLAY"]
        await sink.leave()
        await nobody_left(camera)


@pytest.mark.parametrize("answer", [Reply(454), Reply(500)])
async def test_a_server_that_knows_nothing_of_it_is_no_obstacle(answer):
    async with Camera() as camera:
        camera.script("TEARDOWN", answer, nth=1)
        sink, past = Begun(), Past(stale=StaleSession("12345678", camera.url))
        await run(attempt_at(camera, sink, past))
        assert camera.requests[0].headers.get("Session") == "12345678"
        assert past.stale is None
        await sink.leave()


async def test_a_server_that_says_nothing_to_it_costs_a_second():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("TEARDOWN", Drop(), nth=1)
        sink, past = Begun(), Past(stale=StaleSession("12345678", camera.url))
        began = loop.time()
        await run(attempt_at(camera, sink, past))
        assert loop.time() - began == pytest.approx(1.0, abs=0.1)
        noted = [e.identifier for e in sink.told(QuirkSeen)]
        assert "teardown-unanswered" in noted
        await sink.leave()


async def test_a_connection_that_ends_with_it_is_the_attempts_end():
    async with Camera() as camera:
        camera.script("TEARDOWN", Close())
        sink, past = Begun(), Past(stale=StaleSession("12345678", camera.url))
        with pytest.raises(ConnectionLost):
            await run(attempt_at(camera, sink, past))
        assert past.stale is not None  # it is tried again
        assert methods(camera) == ["TEARDOWN"]


# -- transports ------------------------------------------------------------------------------------


async def test_what_is_refused_gives_way_to_the_next_transport():
    async with Camera(transports=("tcp",)) as camera:
        sink = Begun()
        await run(attempt_at(camera, sink, transport=("udp", "tcp")))
        (rejected,) = sink.told(TransportRejected)
        assert (rejected.transport, rejected.following) == ("udp", "tcp")
        assert sink.begun[0][1].kind == "tcp"
        await sink.leave()


async def test_what_is_silent_gives_way_on_another_connection():
    async with Camera() as camera:
        sink = Begun()

        def no_udp(index: int, packet: bytes) -> list[bytes]:
            return [] if camera.connections_made == 1 else [packet]

        camera.on_packet, camera.report_interval = no_udp, None
        await run(attempt_at(camera, sink, transport=("udp", "tcp")))
        (rejected,) = sink.told(TransportRejected)
        assert "first packet" in rejected.reason
        assert [presentation.kind for _, presentation in sink.begun] == ["udp", "tcp"]
        assert camera.connections_made == 2
        await sink.leave()
        await nobody_left(camera)


async def test_the_last_refusal_is_raised():
    async with Camera() as camera:
        camera.script("SETUP", Reply(461))
        sink = Begun()
        attempt = attempt_at(camera, sink, transport=("udp", "tcp"))
        with pytest.raises(UnsupportedTransport) as caught:
            await run(attempt)
        assert attempt.failure is caught.value
        assert attempt.phase == "setup"
        assert sink.begun == []
        await nobody_left(camera)


# -- what fails, and what is given up --------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("DESCRIBE", 503), ("SETUP", 453), ("PLAY", 500)])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_what_has_failed_has_taken_leave(transport, method, status):
    async with Camera(session_timeout=None) as camera:
        camera.script(method, Reply(status))
        sink = Begun()
        attempt = attempt_at(camera, sink, transport=transport)
        with pytest.raises(ResponseError) as caught:
            await run(attempt)
        assert caught.value.status_code == status
        assert attempt.failure is caught.value
        assert attempt.phase == method.lower()
        assert asked(camera, "TEARDOWN") == (method == "PLAY")
        await nobody_left(camera)
        assert isinstance(caught.value, TooManySessions) == (status == 453)


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_given_up_half_way_it_leaves_no_session(transport, method):
    async with Camera(session_timeout=None) as camera:
        camera.script(method, Delay(0.2, performed=True))
        sink = Begun()
        attempt = attempt_at(camera, sink, transport=transport)
        running = asyncio.ensure_future(run(attempt))
        await camera.wait_until(lambda: method in methods(camera))
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert attempt.phase == method.lower()
        await nobody_left(camera)


async def test_a_way_with_a_time_of_its_own_gives_up_connecting_then():
    loop = asyncio.get_running_loop()
    with silent_port("127.0.0.1") as port:
        sink = Begun()
        url = f"rtsp://127.0.0.1:{port}/"
        attempt = Attempt(options_for(url), sink, Past(), Way("none", 0.7), sink.begin)
        began = loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            await run(attempt)
        assert loop.time() - began == pytest.approx(0.7, abs=0.05)
        assert (caught.value.phase, caught.value.seconds) == ("connect", 0.7)


async def test_a_connection_that_stands_is_not_bound_by_it():
    async with Camera() as camera:
        camera.script("DESCRIBE", Delay(2.0))
        sink = Begun()
        await run(attempt_at(camera, sink, way=Way("none", 0.7)))
        await sink.leave()


# -- taking leave ----------------------------------------------------------------------------------


async def playing(camera: Camera, sink: Begun, **options: object) -> Driver:
    await run(attempt_at(camera, sink, **options))
    return sink.begun[0][0]


async def test_taking_leave_tells_the_server_and_nobody_else():
    async with Camera() as camera:
        sink = Begun()
        driver = await playing(camera, sink)
        await take_leave(driver, 2.0)
        assert methods(camera)[-1] == "TEARDOWN"
        assert driver.ended
        assert sink.ends == []
        packets = len(sink.packets)
        await nobody_left(camera)
        assert len(sink.packets) == packets


async def test_a_server_that_does_not_answer_is_left_in_time():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        driver = await playing(camera, Begun(), timeouts=Timeouts(response=60.0))
        camera.script("TEARDOWN", Drop())
        began = loop.time()
        await take_leave(driver, 1.5)
        assert loop.time() - began == pytest.approx(1.5, abs=0.05)
        assert asked(camera, "TEARDOWN") == 1


async def test_cancelled_while_taking_leave_it_is_hung_up():
    async with Camera() as camera:
        driver = await playing(camera, Begun())
        camera.script("TEARDOWN", Drop(performed=True))
        leaving = asyncio.ensure_future(take_leave(driver, 5.0))
        await camera.wait_until(lambda: asked(camera, "TEARDOWN"))
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        await nobody_left(camera)
        assert asked(camera, "TEARDOWN") == 1


async def test_leave_of_what_is_gone_is_taken_at_once():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        sink = Begun()
        driver = await playing(camera, sink)
        camera.kill()
        await camera.wait_until(lambda: not camera.connections)
        began = loop.time()
        await take_leave(driver, 2.0)
        assert loop.time() == began
        assert asked(camera, "TEARDOWN") == 0

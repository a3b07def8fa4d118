"""A session that is lost: whether it comes back, and as what."""

from __future__ import annotations

import asyncio

import pytest
from faulty import wait
from lost_sessions import (
    asked,
    open_steadily,
    packets_until,
    packets_until_empty,
    restart,
    told,
    told_all,
)

import rtspkit
from rtspkit import (
    ConnectionLost,
    NotFound,
    RemoteProtocolError,
    Retry,
    Unauthorized,
)
from rtspkit.engine.events import (
    AttemptFailed,
    Reconnected,
    Reconnecting,
    SessionEnded,
)
from rtspkit.errors import Forbidden
from rtspkit.testing.actions import Close, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

virtual_clock = pytest.mark.virtual_clock
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])

CLOSE = 0.05  # seconds that media_time may be off the time that has passed


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

from __future__ import annotations

import asyncio

import pytest
from raw_server import RawServer, reply

import rtspkit
from rtspkit import DeadlineExceeded, NotFound, Timeouts, Unauthorized
from rtspkit.testing.actions import Close, Drop, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

virtual_clock = pytest.mark.virtual_clock


async def test_tells_what_the_camera_has():
    authentication = Authentication(schemes=("digest", "basic"), algorithms=("SHA-256",))
    async with Camera(authentication=authentication, session_timeout=42.0) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        found = await rtspkit.probe(url)
        assert camera.sessions == {}
        assert "PLAY" not in [request.method for request in camera.requests]
    assert "secret" not in found.url + repr(found)
    assert found.server == "rtspkit camera"
    assert {"DESCRIBE", "SETUP", "PLAY", "TEARDOWN"} <= set(found.methods)
    assert (found.authentication, found.algorithm) == ("digest", "SHA-256")
    assert [stream.encoding_name for stream in found.streams] == ["H264", "MPEG4-GENERIC"]
    assert found.transports == {"udp": True, "tcp": True}
    assert found.session_timeout == 42
    video = found.video[0]
    assert (video.width, video.height) == (640, 360)
    assert len(found.streams[0].parameter_sets) == 2
    assert len(found.description.media) == 2


@pytest.mark.parametrize("transports", [("udp",), ("tcp",), ()])
async def test_tells_which_transports_are_taken(transports):
    async with Camera(transports=transports) as camera:
        found = await rtspkit.probe(camera.url)
    assert found.transports == {"udp": "udp" in transports, "tcp": "tcp" in transports}
    assert (found.session_timeout is None) == (not transports)


async def test_an_answer_about_something_else_leaves_it_open():
    async with Camera(max_sessions=0) as camera:
        found = await rtspkit.probe(camera.url)
    assert found.transports == {"udp": None, "tcp": None}


async def test_quirks_are_told():
    async with Camera(quirks={"no-reason-phrase"}) as camera:
        found = await rtspkit.probe(camera.url)
    assert "reason-phrase-missing" in found.quirks


async def test_an_encoding_that_nobody_knows_is_told_all_the_same():
    sdp = b"v=0\r\ns=x\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 X-ODD/90000\r\n"
    async with RawServer(sdp=sdp) as server:
        found = await rtspkit.probe(server.url)
    assert [stream.encoding_name for stream in found.streams] == ["X-ODD"]
    assert found.video == {}


@pytest.mark.parametrize("action", [Reply(404), Close()])
async def test_options_may_be_refused(action):
    async with Camera() as camera:
        camera.script("OPTIONS", action)
        found = await rtspkit.probe(camera.url)
    assert found.methods == ()
    assert found.transports == {"udp": True, "tcp": True}


@virtual_clock
async def test_options_may_be_left_unanswered():
    async with Camera() as camera:
        camera.script("OPTIONS", Drop())
        found = await rtspkit.probe(camera.url, timeouts=Timeouts(response=2))
    assert found.methods == ()
    assert found.transports == {"udp": True, "tcp": True}


@virtual_clock
async def test_what_was_found_is_told_when_the_time_is_over():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("SETUP", Drop(), nth=1)
        begun = loop.time()
        found = await rtspkit.probe(camera.url, timeouts=Timeouts(connect=3))
        assert loop.time() - begun == pytest.approx(3, abs=0.1)
    assert len(found.streams) == 2
    assert found.transports == {"udp": None, "tcp": None}


@virtual_clock
async def test_without_a_description_the_time_that_is_over_is_an_error():
    async with RawServer({"DESCRIBE": b""}) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            await rtspkit.probe(server.url, timeouts=Timeouts(connect=3))
    assert caught.value.phase == "describe"
    assert str(caught.value) == "describe: probe() was not done within 3 s"


async def test_a_refused_description_is_its_error():
    async with Camera(authentication=Authentication()) as camera:
        with pytest.raises(Unauthorized):
            await rtspkit.probe(camera.url)
    async with RawServer({"DESCRIBE": lambda r, p: reply(r, "404 Not Found")}) as server:
        with pytest.raises(NotFound):
            await rtspkit.probe(server.url)


async def test_cancelled_nothing_is_left():
    async with RawServer({"SETUP": b""}) as server:
        task = asyncio.ensure_future(rtspkit.probe(server.url, timeouts=Timeouts(teardown=0.05)))
        await server.until(lambda: "SETUP" in server.methods)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

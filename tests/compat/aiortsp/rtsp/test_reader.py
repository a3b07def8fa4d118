from __future__ import annotations

import asyncio
import logging

import pytest
from raw_server import SDP, RawServer, bye

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.rtsp.reader import QUEUE, RTSPReader
from rtspkit.testing.actions import Drop, Reply
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.rtp import serialize_rtp

virtual_clock = pytest.mark.virtual_clock


def url_of(camera: Camera, scheme: str = "rtspt", user: str = "") -> str:
    return camera.url.replace("rtsp://", f"{scheme}://{user}")


class Told(RTSPReader):
    """Keeps what it is told."""

    def __init__(self, *args, **keywords) -> None:
        super().__init__(*args, **keywords)
        self.told: list[str] = []

    def on_ready(self, connection, transport, session):
        super().on_ready(connection, transport, session)
        self.told.append("ready")

    def handle_closed(self, error):
        super().handle_closed(error)
        self.told.append(type(error).__name__)


@pytest.mark.parametrize("scheme", ["rtsp", "rtspu", "rtspt"])
async def test_packets_come_as_they_were_sent(scheme):
    sent = []

    def remember(track, packet):
        if track == 0:
            sent.append(packet)
        return [packet]

    async with Camera(speed=5, on_packet=remember, username="me", password="pw") as camera:
        async with RTSPReader(url_of(camera, scheme, "me:pw@")) as reader:
            packets = [packet async for packet, _ in azip(reader.iter_packets(), 60)]
            assert [bytes(packet) for packet in packets] == sent[:60]
            assert reader.session.sdp.guess_h264_props()
            assert reader.payload_type == 96
            assert reader.connection.running
            assert reader.transport.running
        assert camera.sessions == {}
    (setup,) = {r.uri for r in camera.requests if r.method == "SETUP"}
    assert setup.endswith("track0")
    assert reader.connection is reader.session is reader.transport is None
    assert reader.dropped == 0


async def azip(iterator, number):
    """The first ones, numbered."""
    index = 0
    async for item in iterator:
        yield item, index
        index += 1
        if index == number:
            return


async def test_it_is_an_iterator_itself():
    async with Camera(speed=5) as camera, RTSPReader(url_of(camera)) as reader:
        async for packet in reader:
            assert isinstance(packet, RTP)
            break


async def test_udp_that_is_refused_becomes_tcp():
    async with Camera(transports=("tcp",)) as camera, RTSPReader(camera.url) as reader:
        await anext(reader.iter_packets())
        assert reader.transport.kind == "tcp"


async def test_entering_it_waits_for_nothing_and_what_fails_is_raised_then():
    async with RTSPReader("rtspt://127.0.0.1:1/none", timeout=2) as reader:
        with pytest.raises(RTSPConnectionError):
            await anext(reader.iter_packets())
        with pytest.raises(RTSPConnectionError):  # and for whoever asks again
            await anext(reader.iter_packets())


async def test_a_reader_that_was_not_entered_says_so():
    with pytest.raises(RTSPError, match="async with"):
        await anext(RTSPReader("rtspt://127.0.0.1:1/none").iter_packets())


async def test_leaving_it_while_it_connects_leaves_nothing():
    async with (
        RawServer({"DESCRIBE": b""}) as server,
        RTSPReader(server.url.replace("rtsp:", "rtspt:")),
    ):
        await server.until(lambda: "DESCRIBE" in server.methods)


@pytest.mark.parametrize("run_loop", [False, True])
async def test_a_wrong_password_is_not_tried_again(run_loop):
    async with Camera(username="me", password="pw") as camera:
        async with RTSPReader(url_of(camera, user="me:no@"), run_loop=run_loop) as reader:
            with pytest.raises(RTSPResponseError) as caught:
                await anext(reader.iter_packets())
        assert caught.value.response.status == 401
        assert camera.refused == 1


async def test_a_loss_raises_and_is_told():
    async with Camera(speed=5) as camera, Told(url_of(camera)) as reader:
        iterator = reader.iter_packets()
        await anext(iterator)
        camera.kill()
        with pytest.raises(RTSPConnectionError):
            async for _ in iterator:
                pass
        assert reader.told == ["ready", "RTSPConnectionError"]
        assert reader.session is None


@virtual_clock
async def test_silence_raises_in_time():
    loop = asyncio.get_running_loop()
    async with Camera() as camera, Told(url_of(camera), timeout=4) as reader:
        iterator = reader.iter_packets()
        await anext(iterator)
        camera.stop_media()
        began = loop.time()
        with pytest.raises((RTSPTimeoutError, RTSPConnectionError)):
            async for _ in iterator:
                pass
        assert loop.time() - began < 6


@virtual_clock
async def test_a_server_that_does_not_answer_raises_in_time():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("DESCRIBE", Drop())
        began = loop.time()
        async with RTSPReader(url_of(camera), timeout=3) as reader:
            with pytest.raises(RTSPTimeoutError):
                await anext(reader.iter_packets())
        assert loop.time() - began < 6


@virtual_clock
async def test_the_end_of_the_stream_is_the_end_of_the_iterator():
    async with RawServer() as server:
        url = server.url.replace("rtsp:", "rtspt:")
        async with Told(url, media_type="audio") as reader:
            iterator = reader.iter_packets()
            for _ in range(3):
                await anext(iterator)
            server.peers[0].write(serialize_frame(1, bye()))
            assert [packet async for packet in iterator] == []
            assert [packet async for packet in reader.iter_packets()] == []
            assert reader.told == ["ready", "NoneType"]


async def test_the_only_stream_is_taken_whatever_it_is():
    async with (
        RawServer() as server,
        RTSPReader(server.url.replace("rtsp:", "rtspt:")) as reader,
    ):
        assert (await anext(reader.iter_packets())).pt == 0


async def test_of_several_streams_the_media_must_be_there():
    sdp = SDP + b"m=application 0 RTP/AVP 107\r\na=control:track1\r\n"
    async with (
        RawServer(sdp=sdp) as server,
        RTSPReader(server.url.replace("rtsp:", "rtspt:")) as reader,
    ):
        with pytest.raises(RTSPError, match="no stream"):
            await anext(reader.iter_packets())


async def test_of_two_videos_the_first_is_taken():
    sdp = SDP + 2 * b"m=video 0 RTP/AVP 0\r\na=control:other\r\n"
    async with RawServer(sdp=sdp) as server:
        async with RTSPReader(server.url.replace("rtsp:", "rtspt:")) as reader:
            await anext(reader.iter_packets())
        assert server.methods.count("SETUP") == 1


async def test_packets_of_another_type_are_left_out():
    reader = RTSPReader("rtspt://127.0.0.1:1/none")
    packets = [
        serialize_rtp(b"", payload_type=number, sequence_number=0, timestamp=0, ssrc=0)
        for number in (96, 0, 96)
    ]
    for chosen, waiting in ((None, 3), (96, 5), (0, 6)):
        reader.payload_type = chosen
        for packet in packets:
            reader.handle_rtp(RTP(packet))
        assert reader.queue.qsize() == waiting


async def test_what_waits_is_bounded_and_the_oldest_go():
    reader = RTSPReader("rtspt://127.0.0.1:1/none")
    for index in range(QUEUE + 5):
        packet = serialize_rtp(b"", payload_type=0, sequence_number=index, timestamp=0, ssrc=0)
        reader.handle_rtp(RTP(packet))
    assert reader.dropped == 5
    assert reader.queue.get_nowait().seq == 5


async def test_a_defect_of_a_subclass_is_raised():
    class Broken(RTSPReader):
        def on_ready(self, connection, transport, session):
            raise KeyError("mine")

    async with Camera() as camera:
        async with Broken(url_of(camera)) as reader:
            with pytest.raises(KeyError):
                await anext(reader.iter_packets())
        assert camera.sessions == {}


async def test_tearing_its_session_down_ends_it():
    async with Camera(speed=5) as camera, RTSPReader(url_of(camera)) as reader:
        iterator = reader.iter_packets()
        await anext(iterator)
        await reader.session.teardown()
        async for _ in iterator:
            pass
        assert camera.sessions == {}


async def test_keywords_without_effect_are_named(caplog):
    RTSPReader("rtspt://127.0.0.1:1/none", buffer_size=5)
    assert "buffer_size" in caplog.text
    assert RTSPReader("rtspt://127.0.0.1:1/none", log_level=logging.ERROR).logger.level == 40


# -- with run_loop ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["rtspu", "rtspt"])
async def test_it_comes_back_and_says_so(scheme):
    async with Camera(speed=5) as camera:
        async with Told(url_of(camera, scheme), run_loop=True) as reader:
            iterator = reader.iter_packets()
            first = await anext(iterator)
            camera.kill()
            async for packet in iterator:
                if packet.ssrc != first.ssrc:
                    break
            assert reader.told == ["ready", "RTSPConnectionError", "ready"]
            assert reader.connection.running
        assert camera.sessions == {}


@virtual_clock
async def test_it_waits_for_a_server_that_is_not_there_yet():
    camera = Camera()
    await camera.start()
    await camera.aclose()
    async with RTSPReader(url_of(camera), run_loop=True) as reader:
        waiting = asyncio.ensure_future(anext(reader.iter_packets()))
        loop = asyncio.get_running_loop()
        passed = loop.create_future()
        loop.call_later(30, passed.set_result, None)
        await passed
        assert not waiting.done()
        async with camera:
            assert isinstance(await waiting, RTP)


@virtual_clock
async def test_a_busy_server_is_not_exhausted():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("SETUP", Reply(453))
        async with RTSPReader(url_of(camera), run_loop=True) as reader:
            waiting = asyncio.ensure_future(anext(reader.iter_packets()))
            passed = loop.create_future()
            loop.call_later(60, passed.set_result, None)
            await passed
            assert not waiting.done()
            assert 3 < camera.connections_made <= 12
            waiting.cancel()
            await asyncio.wait([waiting])


@pytest.mark.parametrize(("scheme", "options"), [("rtsps", {}), ("rtspt", {"ssl": True})])
async def test_with_tls_nothing_is_asked_in_the_clear(scheme, options):
    async with (
        Camera() as camera,
        RTSPReader(url_of(camera, scheme), timeout=2, **options) as reader,
    ):
        with pytest.raises((RTSPError, TypeError)):
            await anext(reader.iter_packets())
    assert camera.requests == []

from __future__ import annotations

import asyncio

import pytest
from raw_server import SDP, RawServer, bye, reply

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.compat.aiortsp.rtsp.session import RTSPMediaSession, sanitize_rtsp_url
from rtspkit.compat.aiortsp.transport import RTPTransportClient, transport_for_scheme
from rtspkit.testing.actions import Drop, Reply
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Headers, Response, serialize_frame

virtual_clock = pytest.mark.virtual_clock
TRANSPORTS = pytest.mark.parametrize("scheme", ["rtsp", "rtspt"])


class Client(RTPTransportClient):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[RTP] = asyncio.Queue()
        self.reports: list[object] = []
        self.closed: list[Exception | None] = []

    def handle_rtp(self, rtp):
        self.packets.put_nowait(rtp)

    def handle_rtcp(self, rtcp):
        self.reports.append(rtcp)

    def handle_closed(self, error):
        self.closed.append(error)


class Played:
    """A session in aiortsp's low-level style, with a client."""

    def __init__(self, url: str, port: int, *, scheme: str = "rtspt", timeout: float = 10) -> None:
        self.connection = RTSPConnection("127.0.0.1", port)
        self.transport = transport_for_scheme(scheme)(self.connection, timeout=timeout)
        self.session = RTSPMediaSession(self.connection, url, self.transport)
        self.client = Client()
        self.transport.subscribe(self.client)

    async def __aenter__(self) -> Played:
        await self.connection.__aenter__()
        try:
            await self.transport.__aenter__()
            await self.session.__aenter__()
        except BaseException:
            await self.connection.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.session.__aexit__(*exc_info)
        await self.transport.__aexit__(*exc_info)
        await self.connection.__aexit__(*exc_info)


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


@TRANSPORTS
async def test_a_session_from_its_beginning_to_its_end(scheme):
    async with Camera(speed=5, session_timeout=50.0) as camera:
        async with Played(camera.url, camera.port, scheme=scheme) as one:
            session = one.session
            assert session.is_setup
            assert session.session_id in camera.sessions
            assert session.session_keepalive == 45
            assert {"PLAY", "GET_PARAMETER"} <= session.session_options
            assert session.sdp.media_clock_rate() == 90_000
            response = await session.play()
            assert response.status == 200
            assert "rtp-info" in response.headers
            packets = [await one.client.packets.get() for _ in range(50)]
            first = packets[0].seq
            assert [p.seq for p in packets] == [n & 0xFFFF for n in range(first, first + 50)]
            assert {packet.pt for packet in packets} == {96}
            assert session.stats.received >= 50
            assert session.stats.jitter >= 0
            assert one.connection.running
            assert one.transport.running
        assert camera.sessions == {}
        assert methods(camera)[-1] == "TEARDOWN"
        assert not one.transport.running
        assert one.client.closed == [None]


@TRANSPORTS
async def test_reports_of_the_server_come_as_rtcp(scheme):
    async with Camera(speed=5) as camera, Played(camera.url, camera.port, scheme=scheme) as one:
        await one.session.play()
        packet = await one.client.packets.get()
        while not one.client.reports:
            packet = await one.client.packets.get()
        report = one.client.reports[0].get(200)
        assert report.ssrc == packet.ssrc
        assert one.client.reports[0].get(202).items[0][1] == [(1, b"rtspkit-camera")]
        assert one.session.stats.last_ntp == report.ntp


@virtual_clock
async def test_it_is_kept_alive_without_being_asked():
    async with Camera(session_timeout=20.0) as camera:
        async with Played(camera.url, camera.port) as one:
            await one.session.play()
            begun = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < begun + 50:
                await one.client.packets.get()
            assert camera.sessions_expired == 0
            response = await one.session.keep_alive()
            assert response.status == 200
        assert methods(camera).count("GET_PARAMETER") > 2


@virtual_clock
async def test_a_pause_may_last_and_playing_goes_on():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        async with Played(camera.url, camera.port, timeout=5) as one:
            await one.session.play()
            last = await one.client.packets.get()
            assert (await one.session.pause()).status == 200
            while not one.client.packets.empty():
                last = one.client.packets.get_nowait()
            passed = loop.create_future()
            loop.call_later(30, passed.set_result, None)
            await passed
            assert one.transport.running
            await one.session.play()
            following = await one.client.packets.get()
            assert following.seq == last.seq + 1 & 0xFFFF
        (_, again) = [r for r in camera.requests if r.method == "PLAY"]
        assert "Range" not in again.headers


async def test_play_says_where_and_how_fast():
    async with Camera() as camera, Played(camera.url, camera.port) as one:
        camera.script("PLAY", Reply(200))
        await one.session.play(seek=1_553_229_440.25, speed=2)
    (sent,) = [r for r in camera.requests if r.method == "PLAY"]
    assert sent.headers["Range"] == "clock=20190322T043720.25Z-"
    assert sent.headers["Scale"] == "2"


@virtual_clock
@TRANSPORTS
async def test_silence_closes_the_transport(scheme):
    async with Camera() as camera:
        async with Played(camera.url, camera.port, scheme=scheme, timeout=4) as one:
            await one.session.play()
            await one.client.packets.get()
            camera.stop_media()
            with pytest.raises(RTSPTimeoutError):
                await one.transport.result
            assert not one.transport.running
        assert [type(error) for error in one.client.closed] == [RTSPTimeoutError]
        assert camera.sessions == {}


@TRANSPORTS
async def test_a_lost_connection_closes_the_transport(scheme):
    async with Camera() as camera:
        async with Played(camera.url, camera.port, scheme=scheme) as one:
            await one.session.play()
            await one.client.packets.get()
            camera.kill()
            with pytest.raises(RTSPConnectionError):
                await one.transport.result
            assert not one.connection.running
            assert await one.session.teardown() is None
        assert [type(error) for error in one.client.closed] == [RTSPConnectionError]


@virtual_clock
async def test_a_session_that_the_server_has_dropped_closes_the_transport():
    async with Camera(session_timeout=20.0) as camera, Played(camera.url, camera.port) as one:
        await one.session.play()
        await one.client.packets.get()
        camera.end_sessions()
        with pytest.raises(RTSPConnectionError, match="dropped"):
            await one.connection.result
        assert not one.transport.running


@virtual_clock
async def test_a_farewell_of_the_server_is_an_end_in_order():
    async with RawServer() as server:
        async with Played(server.url, server.port) as one:
            await one.session.play()
            packet = await one.client.packets.get()
            assert packet.pt == 0
            assert one.session.sdp.media_clock_rate("audio") == 8000
            for _ in range(2):
                await one.client.packets.get()
            server.peers[0].write(serialize_frame(1, bye()))
            assert await one.transport.result is False
        assert one.client.closed == [None]
        assert one.client.reports[0].get(203).ssrcs == [0x11223344]


async def test_a_refused_setup_raises():
    async with Camera(transports=("tcp",)) as camera:
        with pytest.raises(RTSPResponseError) as caught:
            async with Played(camera.url, camera.port, scheme="rtsp"):
                pass
        assert caught.value.response.status == 461
        assert camera.sessions == {}


async def test_a_media_that_is_not_there_is_told():
    sdp = SDP + b"m=application 0 RTP/AVP 107\r\na=control:track1\r\n"
    async with RawServer(sdp=sdp) as server:
        with pytest.raises(RTSPError, match="no video, but audio, application"):
            async with Played(server.url, server.port):
                pass


async def test_another_media_may_be_asked_for():
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        transport = transport_for_scheme("rtspt")(connection)
        session = RTSPMediaSession(connection, camera.url, transport, media_type="audio")
        async with session:
            pass
    (setup,) = [r for r in camera.requests if r.method == "SETUP"]
    assert setup.uri.endswith("track1")


async def test_one_connection_carries_one_session():
    async with Camera() as camera, Played(camera.url, camera.port) as one:
        other = RTSPMediaSession(one.connection, camera.url, one.transport)
        with pytest.raises(RTSPError, match="one session"):
            await other.setup()


async def test_a_server_that_refuses_options_may_play_all_the_same():
    async with Camera(speed=5) as camera:
        camera.script("OPTIONS", Reply(501))
        async with Played(camera.url, camera.port) as one:
            assert one.session.session_options == set()
            assert await one.session.keep_alive() is None
            await one.session.play()
            await one.client.packets.get()


async def test_nothing_is_played_that_was_not_set_up():
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        transport = transport_for_scheme("rtspt")(connection)
        session = RTSPMediaSession(connection, camera.url, transport)
        with pytest.raises(RTSPError, match="not set up"):
            await session.play()


@virtual_clock
async def test_a_server_that_does_not_answer_teardown_holds_nobody_up():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("TEARDOWN", Drop())
        async with Played(camera.url, camera.port) as one:
            await one.session.play()
            began = loop.time()
        assert loop.time() - began < 5
        assert "TEARDOWN" in methods(camera)


async def test_a_head_without_a_list_of_methods_is_fine():
    answers = {"OPTIONS": lambda request, peer: reply(request)}
    async with RawServer(answers) as server, Played(server.url, server.port) as one:
        assert one.session.session_options == set()


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("rtspt://me:pw@cam:8554/a?b=c", "rtsp://cam:8554/a?b=c"),
        ("rtsps://me:pw@cam/a", "rtsps://cam/a"),
        ("rtsp://[::1]/a", "rtsp://[::1]/a"),
    ],
)
def test_a_url_on_the_wire_has_no_credentials(url, clean):
    assert sanitize_rtsp_url(url) == clean


def test_what_is_no_url_is_refused():
    with pytest.raises(RTSPError, match="scheme"):
        sanitize_rtsp_url("camera/stream")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1_553_229_440, "20190322T043720Z"),
        (1_553_229_440.003, "20190322T043720.003Z"),
        (1_553_229_440.9999, "20190322T043721Z"),
    ],
)
def test_seconds_become_a_clock(seconds, text):
    assert RTSPMediaSession.ts_to_clock(seconds) == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("clock=20190322T043720.25Z-", 1_553_229_440.25),
        ("clock=20190322T043720Z-20190322T053720Z", 1_553_229_440),
        ("clock=20191322T043720Z-", 5.0),
        ("npt=0-", 5.0),
        (None, 5.0),
    ],
)
def test_the_answer_to_play_tells_where_it_begins(value, seconds):
    headers = Headers([("Range", value)] if value else [])
    response = RTSPResponse(Response(200, "OK", headers))
    assert RTSPMediaSession.response_to_ts(response, 5.0) == seconds

"""Whatever the server is or does, the user gets a typed error in time, never silence."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from raw_server import SDP, Peer, RawServer, bye, reply, rtp

import rtspkit
from rtspkit import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    NotFound,
    RemoteProtocolError,
    ResponseError,
    RtspError,
    Timeouts,
    TooManySessions,
    Unauthorized,
    UnsupportedPayload,
    UnsupportedTransport,
)
from rtspkit.engine.events import TransportRejected
from rtspkit.errors import ServiceUnavailable
from rtspkit.testing.actions import Delay, Drop, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame

TIMEOUTS = Timeouts(connect=5, response=5, first_packet=0.5, first_packet_tcp=1, media_silence=2)

virtual_clock = pytest.mark.virtual_clock


async def failure_of(url: str, **options: object) -> RtspError:
    """The error that connect() or the iteration ends with."""
    options.setdefault("timeouts", TIMEOUTS)
    with pytest.raises(RtspError) as caught:
        await play_to_the_end(url, [], **options)
    return caught.value


async def play_to_the_end(url: str, received: list[int], **options: object) -> None:
    """Play, and note the sequence numbers; what is lost is lost."""
    async with rtspkit.connect(url, retry=None, **options) as session:
        async for packet in session.packets():
            received.append(packet.sequence_number)


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# -- before RTSP begins -----------------------------------------------------------------------


async def test_a_refused_port_is_a_connect_error_with_its_cause():
    port = closed_port()
    error = await failure_of(f"rtsp://user:secret@127.0.0.1:{port}/x")
    assert isinstance(error, ConnectError)
    assert (error.phase, error.retryable) == ("connect", True)
    assert str(error) == f"no connection to 127.0.0.1:{port} (connection refused)"
    assert [type(cause) for cause in error.causes] == [ConnectionRefusedError]


async def test_a_refused_port_of_a_literal_ipv6_address_is_shown_in_brackets():
    error = await failure_of("rtsp://[::1]:9/x")
    assert "no connection to [::1]:9 (" in str(error)


async def test_an_unknown_host_is_named():
    error = await failure_of("rtsp://camera.invalid/x")
    assert isinstance(error, ConnectError)
    assert error.phase == "resolve"
    assert "the host 'camera.invalid' is not known" in str(error)


async def test_a_host_name_that_no_dns_could_have_is_a_connect_error_too():
    error = await failure_of(f"rtsp://{'a' * 80}.example/x")
    assert isinstance(error, ConnectError)
    assert error.phase == "resolve"


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x00\x01\x02\xff\xfe" * 20,
        b"\x16\x03\x01\x02\x00\x01",
    ],
    ids=["ssh", "smtp", "binary", "tls"],
)
async def test_a_server_that_greets_in_another_protocol_is_quoted(greeting):
    async with RawServer(greeting=greeting) as server:
        error = await failure_of(server.url)
    assert type(error) is RemoteProtocolError
    assert error.phase in ("connect", "describe")  # as soon as it is read
    assert "RTSP" in str(error)
    assert len(str(error)) < 200


async def test_a_web_server_is_recognised():
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    async with RawServer({"DESCRIBE": page}) as server:
        error = await failure_of(server.url)
    assert type(error) is RemoteProtocolError
    assert "HTTP/1.1 400" in str(error)


@virtual_clock
async def test_a_server_that_accepts_and_is_silent_costs_the_budget_and_no_more():
    loop = asyncio.get_running_loop()
    async with RawServer({"DESCRIBE": b""}) as server:
        begun = loop.time()
        error = await failure_of(server.url)
        taken = loop.time() - begun
    assert isinstance(error, DeadlineExceeded)
    assert (error.phase, error.seconds) == ("describe", 5)
    assert str(error) == "describe: connect() was not done within 5 s"
    assert taken == pytest.approx(5, abs=0.1)


@virtual_clock
async def test_one_response_has_a_deadline_of_its_own():
    async with RawServer({"DESCRIBE": b""}) as server:
        error = await failure_of(server.url, timeouts=Timeouts(connect=9, response=2))
    assert (type(error), error.phase) == (DeadlineExceeded, "describe")
    assert str(error) == "describe: nothing within 2 s"


@virtual_clock
async def test_a_server_that_drips_a_byte_per_tick_costs_the_budget_and_no_more():
    loop = asyncio.get_running_loop()

    def drip(request: Request, peer: Peer) -> None:
        data = reply(request, body=SDP * 50, Content_Type="application/sdp")

        def one(index: int = 0) -> None:
            peer.write(data[index : index + 1])
            peer.ticking = loop.call_later(0.1, one, index + 1)

        one()

    async with RawServer({"DESCRIBE": drip}) as server:
        begun = loop.time()
        error = await failure_of(server.url)
        taken = loop.time() - begun
        await asyncio.wait([server.peers[0].closed])
        server.peers[0].ticking.cancel()
    assert isinstance(error, DeadlineExceeded)
    assert taken == pytest.approx(5, abs=0.1)


# -- DESCRIBE ---------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_server_that_dies_within_a_reply_is_a_lost_connection_at_every_byte():
    whole = reply(Request("DESCRIBE", "x"), body=SDP, Content_Type="application/sdp")
    whole = whole.replace(b"CSeq: None", b"CSeq: 1")
    async with RawServer() as server:
        for cut in range(len(whole)):

            def die(request: Request, peer: Peer, cut: int = cut) -> None:
                peer.write(whole[:cut])
                peer.transport.close()

            server.answers["DESCRIBE"] = die
            error = await failure_of(server.url)
            assert isinstance(error, ConnectionLost), cut
            assert error.phase == "describe"


async def test_a_server_that_dies_within_a_reply_says_so():
    def die(request: Request, peer: Peer) -> None:
        peer.write(b"RTSP/1.0 200 OK\r\nCSe")
        peer.transport.close()

    async with RawServer({"DESCRIBE": die}) as server:
        error = await failure_of(server.url)
    assert "in the middle of" in str(error)


async def test_a_reset_instead_of_a_reply_is_a_lost_connection():
    async with RawServer({"DESCRIBE": lambda request, peer: peer.reset()}) as server:
        error = await failure_of(server.url)
    assert isinstance(error, ConnectionLost)
    assert (error.phase, error.retryable) == ("describe", True)


async def test_a_wrong_password_is_tried_once():
    authentication = Authentication(username="user", password="right")
    async with Camera(authentication=authentication) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:wrong-secret@")
        error = await failure_of(url)
        assert camera.refused == 1
    assert isinstance(error, Unauthorized)
    assert (error.phase, error.retryable) == ("describe", False)
    assert "user name and password are missing, or not the right ones" in str(error)
    assert "wrong-secret" not in str(error) + repr(error)


async def test_no_password_where_one_is_needed_is_unauthorized():
    async with Camera(authentication=Authentication(username="user", password="right")) as camera:
        error = await failure_of(camera.url)
        assert [request.method for request in camera.requests] == ["DESCRIBE"]
    assert isinstance(error, Unauthorized)


async def test_a_path_that_is_not_there_is_not_found():
    async with Camera() as camera:
        error = await failure_of(camera.url + "-not-there")
    assert isinstance(error, NotFound)
    assert (error.method, error.status_code, error.phase) == ("DESCRIBE", 404, "describe")
    assert "check the path of the URL" in str(error)


@pytest.mark.parametrize(
    ("sdp", "words"),
    [
        (b"", "without a description"),
        (b"v=0\r\ns=x\r\nt=0 0\r\n", "no media"),
        (b"<html>not here</html>", ""),
        (bytes(range(256)), ""),
    ],
    ids=["empty", "no-media", "html", "binary"],
)
async def test_a_description_of_nothing_is_a_protocol_error(sdp, words):
    async with RawServer(sdp=sdp) as server:
        error = await failure_of(server.url)
        assert server.methods == ["DESCRIBE"]
    assert isinstance(error, RemoteProtocolError)
    assert error.phase == "describe"
    assert words in str(error)


async def test_a_stream_that_is_not_there_names_those_that_are():
    async with RawServer() as server:
        error = await failure_of(server.url, streams="video")
    assert isinstance(error, rtspkit.StreamNotFound)
    assert "0: audio PCMU" in str(error)


# -- SETUP and PLAY ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [(453, TooManySessions, True), (503, ServiceUnavailable, True), (500, ResponseError, True)],
)
@pytest.mark.parametrize("method", ["SETUP", "PLAY"])
async def test_a_refusal_is_the_error_of_its_status(method, status, kind, retryable):
    async with Camera() as camera:
        camera.script(method, Reply(status))
        error = await failure_of(camera.url)
        assert camera.sessions == {}
    assert type(error) is kind
    assert (error.method, error.phase, error.retryable) == (method, method.lower(), retryable)


async def test_a_camera_without_room_gets_no_second_connection():
    async with Camera(max_sessions=0) as camera:
        error = await failure_of(camera.url)
        assert camera.connections_made == 1
    assert isinstance(error, TooManySessions)


async def test_every_transport_refused_is_unsupported_transport():
    async with Camera(transports=()) as camera:
        error = await failure_of(camera.url)
    assert isinstance(error, UnsupportedTransport)
    assert "try another transport" in str(error)


async def test_udp_refused_goes_on_over_tcp():
    async with Camera(transports=("tcp",)) as camera:
        async with rtspkit.connect(camera.url, timeouts=TIMEOUTS) as session:
            assert session.transport == "tcp"
            await anext(session.packets())
        assert camera.connections_made == 1


async def test_no_answer_to_play_is_within_the_budget_and_leaves_no_session():
    loop = asyncio.get_running_loop()
    async with Camera() as camera:
        camera.script("PLAY", Drop())
        begun = loop.time()
        error = await failure_of(camera.url, timeouts=Timeouts(connect=0.3, first_packet=0.1))
        taken = loop.time() - begun
        await camera.wait_until(lambda: not camera.sessions)
        assert camera.requests[-1].method == "TEARDOWN"
    assert (type(error), error.phase) == (DeadlineExceeded, "play")
    assert taken == pytest.approx(0.3, abs=0.1)


async def test_a_refusal_is_not_hidden_by_a_teardown_that_outlasts_the_budget():
    async with Camera() as camera:
        camera.script("PLAY", Reply(503))
        camera.script("TEARDOWN", Drop(performed=True))
        error = await failure_of(camera.url, timeouts=Timeouts(connect=0.3))
    assert isinstance(error, ServiceUnavailable)


# -- media ------------------------------------------------------------------------------------

UNKNOWN = SDP.replace(b"PCMU/8000", b"X-SECRET/8000").replace(b" 0\r\n", b" 97\r\n")
UNKNOWN = UNKNOWN.replace(b"rtpmap:0", b"rtpmap:97")


async def test_an_unsupported_codec_still_has_packets():
    async with RawServer(sdp=UNKNOWN) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            packet = await anext(session.packets())
            with pytest.raises(UnsupportedPayload) as caught:
                session.access_units()
            with pytest.raises(UnsupportedPayload):
                session.access_units("audio")
    assert packet.stream.encoding_name == "X-SECRET"
    assert "'X-SECRET'; packets() still delivers it" in str(caught.value)


@virtual_clock
async def test_silence_over_udp_goes_on_over_tcp():
    def no_udp(camera: Camera) -> Callable[[int, bytes], list[bytes]]:
        def edit(index: int, packet: bytes) -> list[bytes]:
            return [packet] if camera.connections_made > 1 else []

        return edit

    loop = asyncio.get_running_loop()
    async with Camera(report_interval=None) as camera:
        camera.on_packet = no_udp(camera)
        begun = loop.time()
        async with rtspkit.connect(camera.url, timeouts=TIMEOUTS) as session:
            taken = loop.time() - begun
            assert (session.transport, session.state) == ("tcp", "playing")
            assert len(camera.sessions) == 1  # the first one was torn down
            iterator = session.packets()
            for _ in range(20):
                await anext(iterator)
        events = [event async for event in session.events()]
    rejected = [event for event in events if isinstance(event, TransportRejected)]
    assert taken == pytest.approx(0.5, abs=0.1)
    assert [(e.transport, e.following) for e in rejected] == [("udp", "tcp")]
    assert "no media came within 0.5 s" in rejected[0].reason
    assert camera.connections_made == 2
    assert [r.method for r in camera.requests].count("DESCRIBE") == 2


@virtual_clock
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_silence_over_the_last_transport_is_an_error_of_the_iterator(transport):
    loop = asyncio.get_running_loop()
    async with Camera(report_interval=None, on_packet=lambda index, packet: []) as camera:
        async with rtspkit.connect(
            camera.url, transport=transport, timeouts=TIMEOUTS, retry=None
        ) as session:
            begun = loop.time()
            with pytest.raises(DeadlineExceeded) as caught:
                await anext(session.packets())
            taken = loop.time() - begun
            assert session.state == "lost"
        assert camera.sessions == {}
    assert (caught.value.phase, caught.value.seconds) == ("first packet", 1)
    assert "PLAY was answered, but no media came within 1 s" in str(caught.value)
    assert taken == pytest.approx(1, abs=0.1)


@virtual_clock
async def test_a_slow_answer_to_play_is_not_silence():
    async with Camera() as camera:
        camera.script("PLAY", Delay(3.0))
        async with rtspkit.connect(camera.url, transport="tcp", timeouts=TIMEOUTS) as session:
            await anext(session.packets())
            assert session.state == "playing"


@virtual_clock
async def test_media_that_stops_is_a_lost_connection_after_its_time():
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=2)
    async with Camera(session_timeout=None, report_interval=None) as camera:
        async with rtspkit.connect(
            camera.url, transport="udp", timeouts=timeouts, retry=None
        ) as session:
            iterator = session.packets()
            await anext(iterator)
            camera.stop_media()
            begun = loop.time()
            with pytest.raises(ConnectionLost) as caught:
                async for _ in iterator:
                    pass
            taken = loop.time() - begun
            assert session.state == "lost"
            with pytest.raises(ConnectionLost):  # and it stays so
                await anext(iterator)
            with pytest.raises(ConnectionLost):
                await session.pause()
        assert camera.sessions == {}
    assert "no media and no reply for 2 s" in str(caught.value)
    assert (caught.value.phase, caught.value.retryable) == ("streaming", True)
    assert taken == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_connection_that_is_reset_is_a_lost_connection(transport):
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, transport=transport, retry=None) as session,
    ):
        iterator = session.packets()
        await anext(iterator)
        camera.kill()
        with pytest.raises(ConnectionLost) as caught:
            async for _ in iterator:
                pass
        assert session.state == "lost"
        events = [event async for event in session.events()]
    assert caught.value.phase == "streaming"
    assert events[-2].state == "lost" or events[-1].error is caught.value


async def test_a_connection_that_ends_within_a_frame_is_an_error():
    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1"))
        peer.write(peer.media(2) + serialize_frame(0, rtp(2))[:100])
        peer.transport.close()

    async with RawServer({"PLAY": play}) as server:
        received = []
        with pytest.raises(RtspError) as caught:
            await play_to_the_end(server.url, received, transport="tcp")
    assert received == [0, 1]
    assert "in the middle of" in str(caught.value)


async def test_garbage_without_end_is_a_limit():
    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(2) + b"\xee" * 70_000)

    async with RawServer({"PLAY": play}) as server:
        error = await failure_of(server.url, transport="tcp")
    assert isinstance(error, rtspkit.LimitExceeded)
    assert error.limit == "garbage"


@virtual_clock
async def test_a_farewell_ends_the_iteration_in_order():
    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(3))
        asyncio.get_running_loop().call_later(0.1, peer.write, serialize_frame(1, bye()))

    async with RawServer({"PLAY": play}) as server:
        async with rtspkit.connect(server.url, transport="tcp") as session:
            received = [packet.sequence_number async for packet in session.packets()]
            assert session.state == "ended"
            with pytest.raises(rtspkit.LocalProtocolError, match="the presentation is over"):
                await session.play("npt=0-")
        assert server.methods[-1] == "TEARDOWN"
    assert received == [0, 1, 2]


@virtual_clock
async def test_the_end_of_a_finite_presentation_ends_the_iteration_in_order():
    async with Camera(duration=1.0, transports=("udp",)) as camera:
        async with rtspkit.connect(camera.url) as session:
            received = [packet async for packet in session.packets()]
            stats = session.stats()
        assert len(received) == camera.packets_sent.total() == stats.packets
    assert stats.lost == 0


async def test_break_leaves_the_session_usable():
    async with Camera() as camera, rtspkit.connect(camera.url, transport="tcp") as session:
        numbers = []
        for _ in range(3):
            async for packet in session.packets("video"):
                numbers.append(packet.sequence_number)
                break
        await session.get_parameter()
        assert session.state == "playing"
    assert len(set(numbers)) == 3


async def test_an_exception_of_the_consumer_passes_and_the_session_is_torn_down():
    async def consume(url: str) -> None:
        async with rtspkit.connect(url) as session:
            async for packet in session.packets():
                packet.sequence_number / 0

    async with Camera() as camera:
        with pytest.raises(ZeroDivisionError):
            await consume(camera.url)
        assert camera.sessions == {}


async def test_a_deadline_of_ours_is_told_from_one_of_the_user():
    async with RawServer({"DESCRIBE": b""}) as server:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await rtspkit.connect(server.url, timeouts=Timeouts(connect=5))
        assert not isinstance(caught.value, RtspError)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(5):
                await rtspkit.connect(server.url, timeouts=Timeouts(connect=0.05))
        assert isinstance(caught.value, DeadlineExceeded)

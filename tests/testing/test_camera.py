from __future__ import annotations

import asyncio
import math

import pytest
from rtspkit_raw import RawClient

from rtspkit.errors import ConnectionLost, DeadlineExceeded
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request, Response, serialize_frame, serialize_response
from rtspkit.wire.rtcp import Goodbye, ReceiverReport, SenderReport, parse_rtcp, serialize_rtcp
from rtspkit.wire.rtp import parse_rtp
from rtspkit.wire.sdp import parse_sdp


async def test_describes_the_clip():
    async with Camera() as camera, RawClient(camera.url) as client:
        answer = await client.request("DESCRIBE", Accept="application/sdp")
    assert answer.status_code == 200
    assert answer.headers.get("Content-Base") == camera.url + "/"
    description = parse_sdp(answer.body)
    assert description.deviations == ()
    video, audio = description.media
    assert (video.media, video.payload_formats[0].encoding_name) == ("video", "H264")
    assert "sprop-parameter-sets" in video.payload_formats[0].fmtp
    assert (audio.media, audio.payload_formats[0].encoding_name) == ("audio", "MPEG4-GENERIC")
    assert [media.control for media in description.media] == ["track0", "track1"]


async def test_can_serve_another_selection_of_tracks():
    async with Camera(tracks=("PCMU",)) as camera, RawClient(camera.url) as client:
        answer = await client.request("DESCRIBE")
        await client.play(0)
        (packet,) = (await client.packets(1))[:1]
    assert [m.media for m in parse_sdp(answer.body).media] == ["audio"]
    assert packet.payload_type == 0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_plays_with_continuous_sequence_numbers(transport):
    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        await client.play(0, 1, transport=transport)
        if transport == "tcp":
            packets = await client.packets(60)
        else:
            packets = [parse_rtp(data) for data in await client.received(60)]
        assert camera.packets_sent[0] >= 60
        assert camera.packets_failed.total() == 0
        await client.request("TEARDOWN")
        assert camera.sessions == {}
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(len(numbers))]
    assert len({packet.ssrc for packet in packets}) == 1


async def test_listens_on_both_loopback_addresses():
    async with Camera() as camera:
        url = camera.url.replace("127.0.0.1", "[::1]")
        async with RawClient(url) as client:
            assert (await client.request("OPTIONS")).status_code == 200


async def test_first_packets_are_paced_in_real_time():
    loop = asyncio.get_running_loop()
    async with Camera() as camera, RawClient(camera.url) as client:
        begun = loop.time()
        await client.play(1)
        packets = await client.packets(8, channel=2)
        taken = loop.time() - begun
    due = (packets[7].timestamp - packets[0].timestamp & 0xFFFFFFFF) / 48000
    assert taken >= due - 0.002
    assert due == pytest.approx(7 * 1024 / 48000)


async def test_begins_with_a_sender_report_that_maps_the_first_timestamp():
    async with Camera(timestamp=90_000) as camera, RawClient(camera.url) as client:
        await client.play(0)
        frames = await client.frames(2)
    assert [frame.channel for frame in frames[:2]] == [1, 0]
    report = parse_rtcp(frames[0].payload)[0]
    packet = parse_rtp(frames[1].payload)
    assert isinstance(report, SenderReport)
    assert report.ntp != 0
    assert (report.ssrc, packet.timestamp) == (packet.ssrc, 90_000)
    assert 0 <= report.rtp_timestamp - 90_000 < 9_000


async def test_ends_a_finite_presentation_with_bye():
    async with Camera(duration=0.2, speed=10) as camera, RawClient(camera.url) as client:
        answer = await client.play(0)
        assert answer.headers.get("Range") == "npt=0-0.2"
        found = []
        while not any(isinstance(packet, Goodbye) for packet in found):
            found += await client.reports()
        assert next(iter(camera.sessions.values())).state == "ready"
        assert camera.packets_sent[0] >= 5  # 25 frames per second


async def test_stops_after_the_packets_asked_for_as_fast_as_it_goes():
    async with Camera(packets=500, speed=math.inf) as camera, RawClient(camera.url) as client:
        await client.play(0, 1)
        await camera.wait_until(lambda: camera.packets_sent.total() == 1000)
        assert camera.packets_sent == {0: 500, 1: 500}
        packets = await client.packets(500)
    assert len(packets) == 500


async def test_sequence_numbers_and_timestamps_wrap():
    options = {"sequence_number": 65_530, "timestamp": (1 << 32) - 9_000, "speed": 20}
    async with Camera(**options) as camera, RawClient(camera.url) as client:
        answer = await client.play(0)
        packets = await client.packets(40)
    assert "seq=65530;rtptime=4294958296" in answer.headers.get("RTP-Info")
    assert packets[0].sequence_number == 65_530
    assert packets[6].sequence_number == 0
    assert packets[0].timestamp == (1 << 32) - 9_000
    assert packets[-1].timestamp < 1_000_000


async def test_hook_on_packets_decides_what_is_sent():
    sent = []

    def hook(track, packet):
        sent.append(packet)
        return [packet, packet] if len(sent) == 2 else [] if len(sent) == 1 else [packet]

    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        camera.on_packet = hook
        await client.play(0)
        packets = await client.packets(3)
    assert [bytes(packet) for packet in packets[:3]] == [sent[1], sent[1], sent[2]]


async def test_hook_on_reports_decides_what_is_sent():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.on_report = lambda track, report: None
        await client.play(0)
        assert [frame.channel for frame in await client.frames(3)] == [0, 0, 0]


@pytest.mark.parametrize("waits", [False, True])
async def test_hook_on_requests_may_answer(waits):
    def answer(request: Request) -> Response | None:
        return Response(418, "Teapot") if request.method == "OPTIONS" else None

    async def later(request: Request) -> Response | None:
        return answer(request)

    async with (
        Camera(on_request=later if waits else answer) as camera,
        RawClient(camera.url) as client,
    ):
        assert (await client.request("OPTIONS")).status_code == 418
        assert (await client.request("DESCRIBE")).status_code == 200


async def test_records_requests_and_rtcp():
    report = serialize_rtcp([ReceiverReport(7)])
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.request("OPTIONS")
        await client.play(0)
        client.output.write(serialize_frame(1, report) + serialize_frame(0, b"not RTCP"))
        await camera.wait_until(lambda: camera.datagrams_received == 2)
        assert [request.method for request in camera.requests] == ["OPTIONS", "SETUP", "PLAY"]
        (received,) = camera.rtcp_received
    assert (received.track, received.packets) == (0, [ReceiverReport(7)])


async def test_counts_rtcp_that_is_broken_and_goes_on():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.play(0)
        client.output.write(serialize_frame(1, b"\x80\xc9\x00\xff"))
        await camera.wait_until(lambda: len(camera.protocol_errors) == 1)
        assert (await client.request("GET_PARAMETER")).status_code == 200


async def test_answers_what_is_no_rtsp_with_400_and_closes():
    async with Camera() as camera, RawClient(camera.url) as client:
        client.output.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await client.answer()).status_code == 400
        assert await client.event() is None
        assert len(camera.protocol_errors) == 1


async def test_sends_requests_to_the_client():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.request("OPTIONS")
        sending = asyncio.create_task(camera.send_request("OPTIONS", headers={"X-A": "b"}))
        event = await client.event()
        assert isinstance(event, Request)
        assert (event.method, event.uri, event.headers.get("X-A")) == ("OPTIONS", camera.url, "b")
        reply = Response(200, "OK", Headers([("CSeq", event.headers.get("CSeq"))]))
        client.output.write(serialize_response(reply))
        assert (await sending).status_code == 200


async def test_a_request_to_nobody_or_without_an_answer_fails_in_time():
    async with Camera() as camera:
        with pytest.raises(ConnectionLost):
            await camera.send_request("OPTIONS")
        async with RawClient(camera.url) as client:
            await client.request("OPTIONS")
            with pytest.raises(DeadlineExceeded):
                await camera.send_request("OPTIONS", timeout=0.01)
            sending = asyncio.create_task(camera.send_request("OPTIONS"))
            await client.event()
            camera.kill()
            with pytest.raises(ConnectionLost):
                await sending


async def test_kill_resets_every_connection_and_forgets_sessions():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        camera.kill()
        with pytest.raises(ConnectionResetError):
            await client.until_end()
        assert camera.sessions == {}
        await camera.wait_until(lambda: camera.connections == [])


async def test_sessions_over_udp_outlive_their_connection_and_those_over_tcp_do_not():
    async with Camera() as camera:
        async with RawClient(camera.url) as client:
            await client.set_up(0, transport="udp")
            async with RawClient(camera.url) as other:
                await other.set_up(0)
                assert len(camera.sessions) == 2
            await camera.wait_until(lambda: len(camera.connections) == 1)
            assert list(camera.sessions) == [client.session]
        await camera.wait_until(lambda: camera.connections == [])
        assert list(camera.sessions) == [client.session]


async def test_injects_bytes_between_frames():
    frame = serialize_frame(9, b"\x80abc")
    async with Camera(speed=10) as camera, RawClient(camera.url) as client:
        client.reader.channels.add(9)
        await client.play(0)
        camera.inject(frame)
        while all(frame.channel != 9 for frame in await client.frames(1)):
            pass


async def test_stopped_media_uses_no_sequence_numbers():
    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        await client.play(0)
        await client.packets(3)
        camera.stop_media()
        sent = camera.packets_sent[0]
        session = next(iter(camera.sessions.values()))
        skipped = session.senders[0].next_npt + 1.0
        while session.senders[0].next_npt < skipped:
            assert (await client.request("GET_PARAMETER")).status_code == 200
        assert camera.packets_sent[0] == sent
        number = session.senders[0].sequence_number
        camera.resume_media()
        await camera.wait_until(lambda: camera.packets_sent[0] > sent)
        frames = [parse_rtp(f.payload) for f in await client.frames(1) if f.channel == 0]
        assert (number - 1) & 0xFFFF in [packet.sequence_number for packet in frames]


async def test_mute_control_reads_and_does_not_answer():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.mute_control = True
        client.send("OPTIONS")
        await camera.wait_until(lambda: len(camera.requests) == 1)
        camera.mute_control = False
        assert (await client.request("OPTIONS")).cseq == 2


async def test_has_room_for_as_many_sessions_as_it_says():
    async with Camera(max_sessions=1) as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        async with RawClient(camera.url) as other:
            assert (await other.set_up(0)).status_code == 453
            await client.request("TEARDOWN")
            assert (await other.set_up(0)).status_code == 200
        assert camera.sessions_made == 2


async def test_listens_again_on_the_same_port():
    camera = Camera()
    await camera.start()
    await camera.start()
    url = camera.url
    async with RawClient(url) as client:
        await client.play(0)
        await camera.aclose()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", camera.port)
    camera.tracks = ("PCMU",)
    async with camera, RawClient(url) as client:
        assert b"m=video" not in (await client.request("DESCRIBE")).body
        assert (await client.request("PLAY", Session="0")).status_code == 454


async def test_closing_twice_or_unopened_does_nothing():
    camera = Camera()
    await camera.aclose()
    await camera.start()
    await camera.aclose()
    await camera.aclose()
    assert camera.connections == []


async def test_nothing_is_left_after_closing_with_everything_going_on():
    async with (
        Camera(speed=math.inf) as camera,
        RawClient(camera.url) as tcp,
        RawClient(camera.url) as udp,
    ):
        await tcp.play(0, 1)
        await udp.play(0, 1, transport="udp")
        await camera.wait_until(lambda: camera.packets_sent.total() > 500)
        camera.script("OPTIONS")
        await camera.aclose()
        assert camera.sessions == {}
        assert camera.connections == []


async def test_stale_nonces_can_be_ordered():
    camera = Camera(authentication=Authentication())
    async with camera, RawClient(camera.url) as client:
        first = (await client.request("DESCRIBE")).headers.get("WWW-Authenticate")
        again = (await client.request("DESCRIBE")).headers.get("WWW-Authenticate")
        camera.renew_nonces()
        third = (await client.request("DESCRIBE")).headers.get("WWW-Authenticate")
        assert first == again != third
        assert camera.challenged == 3
        assert camera.refused == 0


@pytest.mark.virtual_clock
async def test_a_virtual_clock_is_the_only_clock():
    loop = asyncio.get_running_loop()
    camera = Camera(tracks=("PCMU",), session_timeout=10)
    async with camera, RawClient(camera.url) as client:
        await client.play(0, transport="udp")
        begun = loop.time()
        await camera.wait_until(lambda: camera.sessions_expired == 1, timeout=None)
        assert loop.time() - begun == pytest.approx(10.0, abs=1e-6)
        assert camera.packets_sent[0] == pytest.approx(10 * 50, abs=1)
        reports = await client.received(10, port=1)
        times = [parse_rtcp(report)[0].ntp / (1 << 32) for report in reports]
        assert times[9] - times[0] == pytest.approx(9.0, abs=1e-3)

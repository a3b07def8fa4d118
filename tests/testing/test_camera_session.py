from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from rtspkit_raw import RawClient

from rtspkit.testing.camera import Camera
from rtspkit.wire.header import parse_range, parse_rtp_info
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.rtcp import ReceiverReport, serialize_rtcp


async def test_is_dropped_without_a_sign_of_life_and_unknown_afterwards():
    loop = asyncio.get_running_loop()
    async with Camera(session_timeout=0.1) as camera, RawClient(camera.url) as client:
        answer = await client.play(0)
        begun = loop.time()
        assert answer.headers.get("Session").endswith(";timeout=1")
        await camera.wait_until(lambda: camera.sessions_expired == 1)
        assert 0.09 <= loop.time() - begun < 1.0
        assert camera.sessions == {}
        assert (await client.request("GET_PARAMETER")).status_code == 454


@pytest.mark.parametrize("closes", [True, False])
async def test_may_close_the_connection_with_it(closes):
    camera = Camera(session_timeout=0.02, close_on_expiry=closes)
    async with camera, RawClient(camera.url) as client:
        await client.play(0)
        if closes:
            await client.until_end()
        else:
            await camera.wait_until(lambda: camera.sessions_expired == 1)
            assert (await client.request("OPTIONS")).status_code == 200
        assert camera.sessions == {}


async def test_requests_keep_it_alive():
    loop = asyncio.get_running_loop()
    async with Camera(session_timeout=0.1) as camera, RawClient(camera.url) as client:
        await client.play(0)
        until = loop.time() + 0.25
        while loop.time() < until:
            await client.frames(1)
            assert (await client.request("GET_PARAMETER")).status_code == 200
        assert camera.sessions_expired == 0


@pytest.mark.parametrize("counts", [True, False])
async def test_rtcp_keeps_it_alive_only_when_it_counts(counts):
    loop = asyncio.get_running_loop()
    keepalive = ("rtcp",) if counts else ("request",)
    async with (
        Camera(session_timeout=0.1, keepalive=keepalive) as camera,
        RawClient(camera.url) as client,
    ):
        await client.play(0)
        report = serialize_frame(1, serialize_rtcp([ReceiverReport(1)]))
        until = loop.time() + 0.25
        while loop.time() < until and camera.sessions:
            client.output.write(report)
            received = len(camera.rtcp_received)
            await camera.wait_until(
                lambda n=received: len(camera.rtcp_received) > n or not camera.sessions
            )
        assert bool(camera.sessions) is counts


async def test_pause_and_play_go_on_without_a_gap():
    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        await client.play(1)
        await client.packets(5, channel=2)
        assert (await client.request("PAUSE")).status_code == 200
        sent = camera.packets_sent[1]
        session = next(iter(camera.sessions.values()))
        number = session.senders[1].sequence_number
        assert (await client.request("GET_PARAMETER")).status_code == 200
        assert camera.packets_sent[1] == sent
        answer = await client.request("PLAY")
        (info,) = parse_rtp_info(answer.headers.get("RTP-Info"))
        assert info.sequence_number == number
        packets = await client.packets(sent, channel=2)
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(len(numbers))]
    ticks = [packet.timestamp for packet in packets]
    assert {(b - a) & 0xFFFFFFFF for a, b in pairwise(ticks)} == {1024}


async def test_seeks_to_the_keyframe_before():
    async with Camera(duration=60, speed=20) as camera, RawClient(camera.url) as client:
        await client.play(0, 1)
        answer = await client.request("PLAY", Range="npt=10.5-")
        begin = parse_range(answer.headers.get("Range"))
        assert begin.start == pytest.approx(9.6)  # a keyframe every 0.96 s
        assert begin.end == 60
        infos = parse_rtp_info(answer.headers.get("RTP-Info"))
        before = {event.channel for event in client.events}
        client.events.clear()
        packet = (await client.packets(1))[0]
        assert (packet.sequence_number, packet.timestamp) == (
            infos[0].sequence_number,
            infos[0].rtptime,
        )
        assert before <= {0, 1, 2, 3}


async def test_plays_a_range_and_stops_at_its_end():
    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        answer = await client.play(0, Range="npt=0-0.4")
        assert answer.headers.get("Range") == "npt=0-0.4"
        session = next(iter(camera.sessions.values()))
        await camera.wait_until(lambda: session.state == "ready")
        assert session.senders[0].next_npt == pytest.approx(0.4)
        assert session.npt() == pytest.approx(0.4)


async def test_speed_sends_faster_and_scale_passes_faster():
    async with Camera() as camera, RawClient(camera.url) as client:
        answer = await client.play(1, Speed="8", Scale="2")
        assert (answer.headers.get("Speed"), answer.headers.get("Scale")) == ("8", "2")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        packets = await client.packets(17, channel=2)
        assert packets[1].timestamp - packets[0].timestamp & 0xFFFFFFFF == 512
        assert loop.time() - begun >= 16 * 1024 / 48000 / 16 - 0.01


async def test_tracks_can_be_added_and_removed_while_playing():
    async with Camera(speed=20) as camera, RawClient(camera.url) as client:
        await client.play(0)
        await client.packets(5)
        assert (await client.set_up(1)).status_code == 200
        await client.packets(5, channel=2)
        assert (await client.request("TEARDOWN", f"{camera.url}/track0")).status_code == 200
        session = next(iter(camera.sessions.values()))
        assert list(session.senders) == [1]
        client.events.clear()
        await client.packets(5, channel=2)


async def test_reports_go_on_at_their_interval():
    async with Camera(report_interval=0.05) as camera, RawClient(camera.url) as client:
        await client.play(0)
        first, second = [p for p in await client.reports(2) if hasattr(p, "ntp")]
    assert (second.ntp - first.ntp) / (1 << 32) == pytest.approx(0.05, abs=0.03)
    assert (second.rtp_timestamp - first.rtp_timestamp) / 90_000 == pytest.approx(0.05, abs=0.03)


async def test_waits_for_a_client_that_does_not_read():
    async with Camera(speed=math.inf) as camera, RawClient(camera.url) as client:
        await client.play(0, 1)
        client.output.transport.pause_reading()
        sent = -1
        while camera.packets_sent.total() != sent:
            sent = camera.packets_sent.total()
            for _ in range(100):
                await asyncio.sleep(0)
        assert sent < 50_000
        client.output.transport.resume_reading()
        async with asyncio.timeout(5):
            while camera.packets_sent.total() == sent:
                await client.frames(50)


async def test_closing_twice_does_nothing():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.play(0)
        session = next(iter(camera.sessions.values()))
        session.close()
        session.close()
        assert session.state == "closed"
        session.start()
        assert session.state == "closed"

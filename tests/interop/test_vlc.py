"""The client against VLC, which serves UDP only and answers 461 to TCP."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from interop_media import (
    adts,
    cut,
    decode_pictures,
    decode_sound,
    nal_unit_types,
    place_of,
    psnr,
    tone_share,
)
from interop_relay import answer_of, relay
from interop_servers import VlcServer

import rtspkit
from rtspkit.engine.events import TransportRejected

pytestmark = pytest.mark.interop

SIZE = 160 * 120 * 3 // 2  # bytes of one I420 picture
PACKETS = 200
UNITS = 10


async def take(iterator, count):
    """So many items; the iterator is left as it is."""
    items = []
    async with asyncio.timeout(30):
        async for item in iterator:
            items.append(item)
            if len(items) == count:
                return items
    raise AssertionError(f"it ended after {len(items)} of {count}")


async def test_probe_tells_the_streams_the_server_and_the_transports(vlc: VlcServer):
    found = await rtspkit.probe(vlc.url)
    streams = {(s.media, s.encoding_name, s.clock_rate) for s in found.streams}
    assert streams == {("video", "H264", 90_000), ("audio", "MPEG4-GENERIC", 48_000)}
    assert found.server is not None
    assert found.server.startswith("VLC/")
    assert found.transports == {"udp": True, "tcp": False}
    assert [(v.width, v.height) for v in found.video.values()] == [(160, 120)]


async def test_two_hundred_packets_come_without_loss(vlc: VlcServer):
    async with rtspkit.connect(vlc.url, transport="udp") as session:
        packets = await take(session.packets(), PACKETS)
        stats = session.stats()
    assert stats.lost == 0
    assert stats.duplicates == 0
    assert sorted(Counter(packet.stream.index for packet in packets)) == [0, 1]
    for stream in stats.streams:
        assert (stream.malformed, stream.late, stream.unknown_ssrc, stream.strays) == (0, 0, 0, 0)
        mine = [p for p in packets if p.stream.index == stream.index]
        assert all((b.sequence_number - a.sequence_number) % 65_536 == 1 for a, b in pairwise(mine))
        assert {p.ssrc for p in mine} == {stream.ssrc}


async def test_pictures_are_those_of_the_source_from_a_keyframe_on(vlc: VlcServer, vlc_source):
    async with rtspkit.connect(vlc.url, transport="udp") as session:
        units = await take(session.access_units("video"), UNITS)
        stats = session.stats()
    assert units[0].keyframe
    assert {7, 8} <= set(nal_unit_types(units[0].data, "H264"))
    assert all(unit.complete and unit.lost == 0 for unit in units)
    assert [stream.malformed_payloads for stream in stats.streams] == [0, 0]

    pictures = cut(decode_pictures("h264", (unit.data for unit in units)), SIZE)
    assert len(pictures) == UNITS
    first = place_of(pictures[0], vlc_source)
    for number, picture in enumerate(pictures):
        assert psnr(picture, vlc_source[first + number]) >= 30


async def test_a_film_that_is_joined_midway_begins_with_a_keyframe(vlc: VlcServer):
    async with rtspkit.connect(vlc.url, transport="udp") as first:
        async for unit in first.access_units("video"):
            if unit.keyframe:  # the next one is 12 pictures, half a second, away
                break
        async with rtspkit.connect(vlc.url, transport="udp") as second:
            (unit,) = await take(second.access_units("video"), 1)
    assert unit.keyframe
    assert {7, 8} <= set(nal_unit_types(unit.data, "H264"))
    assert len(cut(decode_pictures("h264", [unit.data]), SIZE)) == 1


async def test_aac_is_the_tone_of_the_source(vlc: VlcServer):
    async with rtspkit.connect(vlc.url, transport="udp") as session:
        units = await take(session.access_units("audio"), 40)
    config = bytes.fromhex(units[0].stream.fmtp["config"])
    samples = decode_sound("-f", "aac", units=(adts(unit.data, config) for unit in units))
    assert len(samples) == 40 * 1024
    assert tone_share(samples[4096:], 48_000, 440) > 0.99


async def test_tcp_is_refused_by_name(vlc: VlcServer):
    with pytest.raises(rtspkit.UnsupportedTransport) as caught:
        await rtspkit.connect(vlc.url, transport="tcp")
    assert (caught.value.status_code, caught.value.phase) == (461, "setup")


async def test_udp_is_tried_when_tcp_is_refused(vlc: VlcServer):
    async with rtspkit.connect(vlc.url, transport=("tcp", "udp")) as session:
        assert session.transport == "udp"
        await take(session.packets(), 20)
        async for event in session.events():
            if isinstance(event, TransportRejected):
                break
        assert (event.transport, event.following) == ("tcp", "udp")
        assert "461" in event.reason


async def test_auto_plays_udp(vlc: VlcServer):
    async with rtspkit.connect(vlc.url) as session:
        assert session.transport == "udp"
        await take(session.packets(), 20)


async def test_a_path_that_is_not_there_is_not_found(vlc: VlcServer):
    with pytest.raises(rtspkit.NotFound):
        await rtspkit.connect(f"{vlc.url}/nothing")


async def test_leaving_ends_the_session_on_the_server(vlc: VlcServer):
    async with relay(vlc.port) as tap:
        url = f"rtsp://127.0.0.1:{tap.port}/x"
        async with rtspkit.connect(url, transport="udp") as session:
            await take(session.packets(), 20)
            play = f"PLAY {vlc.url} RTSP/1.0\r\nCSeq: 1\r\nSession: {tap.session_id()}\r\n\r\n"
            assert "\r\nRTP-Info: " in await answer_of(vlc.port, play)
    assert tap.requests()[-1].startswith("TEARDOWN ")
    # VLC answers 200 for sessions that it does not know, and has nothing to tell of them.
    assert "\r\nRTP-Info: " not in await answer_of(vlc.port, play)


async def test_a_server_that_dies_ends_the_iteration_with_an_error(vlc: VlcServer):
    async with rtspkit.connect(vlc.url, retry=None) as session:
        packets = session.packets()
        await take(packets, 20)
        vlc.process.kill()
        with pytest.raises(rtspkit.ConnectionLost):
            await take(packets, 10_000)

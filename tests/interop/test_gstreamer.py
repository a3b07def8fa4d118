"""The client against GStreamer's RTSP server: UDP and TCP, four codecs, Digest, short sessions."""

from __future__ import annotations

import asyncio
import contextlib
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
from interop_relay import relay
from interop_servers import ESCAPED_PASSWORD, PASSWORD, USER, GstServer, gst_server

import rtspkit
from rtspkit.engine.events import SessionRestored, TransportRejected

pytestmark = pytest.mark.interop

SIZE = 320 * 240 * 3 // 2  # bytes of one I420 picture
PACKETS = 200
UNITS = 10
PARAMETER_SETS = {"H264": {7, 8}, "H265": {32, 33, 34}}
FORMS = {"H264": "h264", "H265": "hevc"}
VIDEO = ["/h264", "/h264-sdp", "/h264-slices", "/h265"]
CONTENT = {
    "/h264": [("video", "H264", 90_000), ("audio", "MPEG4-GENERIC", 48_000)],
    "/h264-sdp": [("video", "H264", 90_000)],
    "/h265": [("video", "H265", 90_000)],
    "/pcmu": [("audio", "PCMU", 8_000)],
}

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


async def take(iterator, count):
    """So many items; the iterator is left as it is."""
    items = []
    async with asyncio.timeout(30):
        async for item in iterator:
            items.append(item)
            if len(items) == count:
                return items
    raise AssertionError(f"it ended after {len(items)} of {count}")


async def watch(session, seconds):
    """Packets of so many seconds."""
    count = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in session.packets():
                count += 1
    return count


def assert_left(server: GstServer, teardowns: int) -> None:
    """The server was told, and holds nothing of us any more."""
    assert server.settle() == 0
    assert server.requests("TEARDOWN") == teardowns + 1


@pytest.mark.parametrize("mount", list(CONTENT))
async def test_probe_tells_the_streams_the_server_and_the_transports(gst: GstServer, mount):
    found = await rtspkit.probe(gst.url(mount))
    streams = [(s.media, s.encoding_name, s.clock_rate) for s in found.streams]
    assert streams == CONTENT[mount]
    assert found.server == "GStreamer RTSP server"
    assert found.transports == {"udp": True, "tcp": True}
    assert found.authentication is None
    assert {"DESCRIBE", "SETUP", "PLAY", "TEARDOWN", "GET_PARAMETER"} <= set(found.methods)
    assert [(v.width, v.height) for v in found.video.values()] == (
        [] if mount == "/pcmu" else [(320, 240)]
    )
    assert gst.settle() == 0


@pytest.mark.parametrize(("mount", "refused"), [("/h264-tcp", "udp"), ("/h264-udp", "tcp")])
async def test_probe_tells_which_transport_is_refused(gst: GstServer, mount, refused):
    found = await rtspkit.probe(gst.url(mount))
    assert found.transports == {"udp": refused != "udp", "tcp": refused != "tcp"}
    assert gst.settle() == 0


@both_transports
@pytest.mark.parametrize("mount", list(CONTENT))
async def test_two_hundred_packets_come_without_loss_and_leave_no_session(
    gst: GstServer, mount, transport
):
    teardowns = gst.requests("TEARDOWN")
    async with rtspkit.connect(gst.url(mount), transport=transport) as session:
        packets = await take(session.packets(), PACKETS)
        stats = session.stats()
        assert gst.sessions == 1
        assert session.transport == transport
    assert_left(gst, teardowns)

    assert stats.lost == 0
    assert stats.duplicates == 0
    assert stats.packets >= PACKETS
    seen = Counter(packet.stream.index for packet in packets)
    assert sorted(seen) == list(range(len(CONTENT[mount])))
    for stream in stats.streams:
        assert (stream.malformed, stream.late, stream.unknown_ssrc, stream.strays) == (0, 0, 0, 0)
        mine = [p for p in packets if p.stream.index == stream.index]
        assert all((b.sequence_number - a.sequence_number) % 65_536 == 1 for a, b in pairwise(mine))
        assert all(b.media_time >= a.media_time for a, b in pairwise(mine))
        assert {p.ssrc for p in mine} == {stream.ssrc}
        assert {p.lost for p in mine} == {0}
        assert not any(p.discontinuity for p in mine)


@both_transports
@pytest.mark.parametrize("mount", VIDEO)
async def test_pictures_are_those_of_the_source_from_a_keyframe_on(
    gst: GstServer, gst_source, decoder, mount, transport
):
    teardowns = gst.requests("TEARDOWN")
    async with rtspkit.connect(gst.url(mount), transport=transport) as session:
        units = await take(session.access_units("video"), UNITS)
        stats = session.stats()
    assert_left(gst, teardowns)

    name = units[0].stream.encoding_name
    assert units[0].keyframe
    assert PARAMETER_SETS[name] <= set(nal_unit_types(units[0].data, name))
    assert all(unit.complete and unit.lost == 0 for unit in units)
    assert stats.streams[0].malformed_payloads == 0
    assert all(0.02 < b.media_time - a.media_time < 0.06 for a, b in pairwise(units))

    pictures = cut(decode_pictures(FORMS[name], (unit.data for unit in units)), SIZE)
    assert len(pictures) == UNITS
    first = place_of(pictures[0], gst_source)
    for number, picture in enumerate(pictures):
        assert psnr(picture, gst_source[first + number]) >= 30


@both_transports
async def test_an_iterator_that_comes_later_begins_with_a_keyframe_too(gst: GstServer, transport):
    async with rtspkit.connect(gst.url("/h264-sdp"), transport=transport) as session:
        await take(session.packets(), 12)  # by now, in the middle of a group of pictures
        (unit,) = await take(session.access_units("video"), 1)
    assert unit.keyframe
    assert PARAMETER_SETS["H264"] <= set(nal_unit_types(unit.data, "H264"))
    assert gst.settle() == 0


@both_transports
async def test_aac_is_the_tone_of_the_source(gst: GstServer, decoder, transport):
    async with rtspkit.connect(gst.url("/h264"), transport=transport) as session:
        units = await take(session.access_units("audio"), 40)
        config = bytes.fromhex(session.streams[1].fmtp["config"])
    assert all(unit.complete and unit.keyframe for unit in units)
    frames = (adts(unit.data, config) for unit in units)
    samples = decode_sound("-f", "aac", units=frames)
    assert len(samples) == 40 * 1024
    assert tone_share(samples[4096:], 48_000, 440) > 0.99
    assert gst.settle() == 0


@both_transports
async def test_pcmu_is_the_tone_of_the_source(gst: GstServer, decoder, transport):
    async with rtspkit.connect(gst.url("/pcmu"), transport=transport) as session:
        units = await take(session.access_units("PCMU"), 50)
    form = ("-f", "mulaw", "-ar", "8000", "-ch_layout", "mono")
    samples = decode_sound(*form, units=(unit.data for unit in units))
    assert len(samples) == sum(len(unit.data) for unit in units)
    assert tone_share(samples, 8_000, 440) > 0.99
    assert gst.settle() == 0


@both_transports
async def test_only_the_selected_stream_is_played(gst: GstServer, transport):
    setups = gst.requests("SETUP")
    url = gst.url("/h264")
    async with rtspkit.connect(url, transport=transport, streams="audio") as session:
        assert [s.encoding_name for s in session.streams] == ["MPEG4-GENERIC"]
        packets = await take(session.packets(), 50)
        assert {packet.stream.index for packet in packets} == {1}
    assert gst.requests("SETUP") == setups + 1
    assert gst.settle() == 0


@both_transports
async def test_pause_stops_the_media_and_play_goes_on(gst: GstServer, transport):
    async with rtspkit.connect(gst.url("/pcmu"), transport=transport) as session:
        packets = session.packets()
        before = await take(packets, 20)
        await session.pause()
        assert gst.requests("PAUSE") >= 1
        assert gst.sessions == 1
        await session.play()
        after = await take(packets, 60)
        assert session.stats().lost == 0
    assert after[-1].media_time > before[-1].media_time
    assert gst.settle() == 0


@pytest.mark.parametrize("userinfo", [f"{USER}:{ESCAPED_PASSWORD}", None])
@both_transports
async def test_digest_user_and_password_open_the_stream(gst_digest: GstServer, transport, userinfo):
    teardowns = gst_digest.requests("TEARDOWN")
    async with relay(gst_digest.port) as tap:
        at = f"{userinfo}@" if userinfo else ""
        options = {} if userinfo else {"username": USER, "password": PASSWORD}
        url = f"rtsp://{at}127.0.0.1:{tap.port}/h264"
        async with rtspkit.connect(url, transport=transport, **options) as session:
            await take(session.packets(), 50)
            assert session.authentication == "digest"
            assert session.stats().lost == 0
    assert_left(gst_digest, teardowns)
    requests = tap.requests()
    open_ones = [r for r in requests if "\r\nAuthorization: " not in r]
    assert len(open_ones) == 1  # the one that was challenged
    assert all("\r\nAuthorization: Digest " in r for r in requests if r not in open_ones)
    assert PASSWORD.encode() not in tap.sent
    assert ESCAPED_PASSWORD.encode() not in tap.sent


async def test_basic_user_and_password_open_the_stream(gst_basic: GstServer):
    url = gst_basic.url("/pcmu", f"{USER}:{ESCAPED_PASSWORD}")
    async with rtspkit.connect(url) as session:
        await take(session.packets(), 10)
        assert session.authentication == "basic"
    assert gst_basic.settle() == 0


async def test_probe_tells_the_authentication(gst_digest: GstServer):
    found = await rtspkit.probe(gst_digest.url("/pcmu"), username=USER, password=PASSWORD)
    assert found.authentication == "digest"
    assert found.transports == {"udp": True, "tcp": True}
    assert gst_digest.settle() == 0


@pytest.mark.parametrize("userinfo", ["viewer:wrong", "nobody:wrong", "viewer", ""])
async def test_wrong_credentials_are_refused_after_two_attempts(gst_digest: GstServer, userinfo):
    async with relay(gst_digest.port) as tap:
        at = f"{userinfo}@" if userinfo else ""
        with pytest.raises(rtspkit.Unauthorized) as caught:
            await rtspkit.connect(f"rtsp://{at}127.0.0.1:{tap.port}/h264")
    assert caught.value.status_code == 401
    assert not caught.value.retryable
    assert "wrong" not in str(caught.value)
    assert len([r for r in tap.requests() if "\r\nAuthorization: " in r]) <= 2
    assert gst_digest.settle() == 0


async def test_a_mount_that_is_not_there_is_not_found(gst: GstServer):
    with pytest.raises(rtspkit.NotFound) as caught:
        await rtspkit.connect(gst.url("/nothing"))
    assert caught.value.phase == "describe"
    assert gst.settle() == 0


async def test_a_session_of_five_seconds_lives_for_twenty(gst_short: GstServer):
    asked = gst_short.requests("GET_PARAMETER")
    url = gst_short.url("/pcmu")
    async with (
        rtspkit.connect(url, transport="udp") as udp,
        rtspkit.connect(url, transport="tcp") as tcp,
        rtspkit.connect(url, transport="udp") as paused,
    ):
        await paused.pause()
        assert (udp.session_timeout, tcp.session_timeout) == (5, 5)
        counts = await asyncio.gather(watch(udp, 20), watch(tcp, 20))
        assert gst_short.sessions == 3
        assert gst_short.requests("GET_PARAMETER") - asked >= 3 * 4  # one in 5 s, each
        assert min(counts) >= 900  # 50 a second
        for session in (udp, tcp):
            assert session.stats().lost == 0
            assert session.stats().keepalives >= 4
        await paused.play()
        await take(paused.packets(), 60)
        events = [session.events() for session in (udp, tcp, paused)]
    for each in events:  # none was dropped and asked for again on the way
        assert not [event async for event in each if isinstance(event, SessionRestored)]
    assert gst_short.settle() == 0


@pytest.mark.parametrize(("mount", "refused"), [("/h264-tcp", "udp"), ("/h264-udp", "tcp")])
async def test_a_transport_that_the_server_refuses_is_named(gst: GstServer, mount, refused):
    with pytest.raises(rtspkit.UnsupportedTransport) as caught:
        await rtspkit.connect(gst.url(mount), transport=refused)
    assert (caught.value.status_code, caught.value.phase) == (461, "setup")
    assert gst.settle() == 0


@pytest.mark.parametrize(
    ("mount", "transport", "chosen"),
    [
        ("/h264-tcp", "auto", "tcp"),
        ("/h264-tcp", ("udp", "tcp"), "tcp"),
        ("/h264-udp", ("tcp", "udp"), "udp"),
    ],
)
async def test_the_next_transport_is_tried_when_one_is_refused(
    gst: GstServer, mount, transport, chosen
):
    async with relay(gst.port) as tap:  # a port of its own: what "auto" remembers is by server
        url = f"rtsp://127.0.0.1:{tap.port}{mount}"
        async with rtspkit.connect(url, transport=transport) as session:
            assert session.transport == chosen
            (unit,) = await take(session.access_units("video"), 1)
            assert unit.keyframe
            async for event in session.events():
                if isinstance(event, TransportRejected):
                    break
            assert event.following == chosen
            assert "461" in event.reason
    assert gst.settle() == 0


async def test_cancelling_a_consumer_leaves_no_session(gst: GstServer):
    teardowns = gst.requests("TEARDOWN")
    playing = asyncio.Event()

    async def consume():
        async with rtspkit.connect(gst.url("/h264")) as session:
            async for _ in session.packets():
                playing.set()

    task = asyncio.create_task(consume())
    await playing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_left(gst, teardowns)


@both_transports
async def test_a_server_that_dies_ends_the_iteration_with_an_error(gstreamer, transport):
    with gst_server() as server:
        url = server.url("/pcmu")
        async with rtspkit.connect(url, transport=transport, retry=None) as session:
            packets = session.packets()
            await take(packets, 20)
            server.process.kill()
            with pytest.raises(rtspkit.ConnectionLost) as caught:
                await take(packets, 1_000)
            assert caught.value.retryable
            assert session.state == "lost"


@both_transports
async def test_a_stream_that_ends_ends_the_iteration(gst: GstServer, transport):
    async with rtspkit.connect(gst.url("/pcmu-short"), transport=transport) as session:
        count = 0
        async with asyncio.timeout(20):
            async for _ in session.packets():
                count += 1
        assert count in (99, 100)  # of 100; this server may use one up before it plays
        assert session.stats().lost == 0
        assert session.state == "ended"
    assert gst.settle() == 0

"""The numbers are true: compared with what a real camera has sent."""

from __future__ import annotations

import asyncio
import math

import pytest

import rtspkit
from rtspkit.cli.measure import Meter, Reading, StreamReading
from rtspkit.errors import ConnectionLost
from rtspkit.net.clock import monotonic_clock
from rtspkit.testing.actions import Delay, EditBody
from rtspkit.testing.camera import Camera
from rtspkit.wire.rtp import parse_rtp

FAST = {"speed": math.inf, "packets": 60}  # of each track; then it ends


async def measure(camera, transport="tcp", **bounds):
    """Play it, and give the last reading."""
    began = monotonic_clock(asyncio.get_running_loop())()
    async with rtspkit.connect(camera.url, transport=transport) as session:
        meter = Meter(session, began)
        await meter.watch(**bounds)
        return meter.reading()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_counts_what_the_camera_sent(transport):
    sizes = {0: 0, 1: 0}
    keyframes = 0

    def see(index, data):
        sizes[index] += len(data)
        return [data]

    async with Camera(**FAST, on_packet=see) as camera:
        reading = await measure(camera, transport, packets=120, seconds=5)
        video = camera.presentation[0]
        sent = dict(camera.packets_sent)
    keyframes = sum(unit.keyframe for unit in video.units[: reading.streams[0].access_units])
    assert reading.transport == transport
    assert {stream.index: stream.packets for stream in reading.streams} == sent == {0: 60, 1: 60}
    assert {stream.index: stream.bytes for stream in reading.streams} == sizes
    assert [stream.lost for stream in reading.streams] == [0, 0]
    assert reading.streams[0].keyframes == keyframes > 0
    assert reading.streams[1].access_units == 60
    assert reading.streams[1].keyframes == 0
    assert reading.streams[1].frame_rate is None


async def test_sees_loss_and_duplicates():
    def edit(index, data):
        number = parse_rtp(data).sequence_number
        return {(0, 110): [], (1, 120): [data, data]}.get((index, number), [data])

    async with Camera(**FAST, sequence_number=100, on_packet=edit) as camera:
        reading = await measure(camera, packets=119, seconds=5)
    assert (reading.total("lost"), reading.total("duplicates")) == (1, 1)
    assert [stream.packets for stream in reading.streams] == [59, 60]


async def test_times_count_from_the_call_of_connect():
    async with Camera(**FAST) as camera:
        camera.script("DESCRIBE", Delay(0.15))
        reading = await measure(camera, packets=120, seconds=5)
    video, audio = reading.streams
    assert 0.15 <= video.time_to_first_packet <= video.time_to_first_keyframe < 2
    assert audio.time_to_first_keyframe is None
    assert reading.seconds < 2


@pytest.mark.virtual_clock
async def test_rates_are_those_of_the_media():
    async with Camera() as camera:
        reading = await measure(camera, "udp", seconds=20.0)
    video, audio = reading.streams
    assert reading.seconds == pytest.approx(20, abs=0.1)
    assert video.frame_rate == pytest.approx(25, rel=0.01)
    assert audio.packet_rate == pytest.approx(48_000 / 1024, rel=0.01)
    assert audio.bitrate == pytest.approx(54_000, rel=0.05)
    assert video.bitrate == pytest.approx(8 * video.bytes / 20, rel=0.05)


@pytest.mark.virtual_clock
async def test_live_rates_are_those_of_the_last_two_seconds():
    async with Camera() as camera, rtspkit.connect(camera.url, transport="udp") as session:
        meter = Meter(session, 0.0)
        rates = []
        for second in range(10):
            if second == 5:
                camera.stop_media()
            await meter.watch(seconds=1.0)
            rates.append(meter.reading(live=True).streams[1].packet_rate)
        average = meter.reading().streams[1].packet_rate
    usual = 48_000 / 1024
    assert rates[:5] == pytest.approx([usual] * 5, rel=0.05)
    assert rates[5] == pytest.approx(usual / 2, rel=0.05)
    assert rates[6:] == [0.0] * 4
    assert average == pytest.approx(usual, rel=0.05)  # from the first packet to the last


async def test_too_few_packets_have_no_rate():
    async with Camera(**FAST) as camera:
        reading = await measure(camera, packets=1)
    assert [stream.bitrate for stream in reading.streams] == [None, None]
    assert reading.to_json()["bitrate"] is None


async def test_an_unknown_encoding_is_measured_without_access_units():
    def rename(body):
        return body.replace(b"PCMU/8000", b"X-OTHER/8000")

    async with Camera(tracks=("PCMU",), speed=math.inf, packets=20) as camera:
        camera.script("DESCRIBE", EditBody(rename))
        reading = await measure(camera, packets=20, seconds=5)
    (stream,) = reading.streams
    assert stream.encoding_name == "X-OTHER"
    assert (stream.packets, stream.access_units) == (20, 0)


async def test_a_lost_connection_is_raised_and_the_numbers_stay():
    count = 0

    def cut(index, data):
        nonlocal count
        count += 1
        if count == 20:
            asyncio.get_running_loop().call_soon(camera.kill)
        return [data]

    async with Camera(on_packet=cut) as camera:
        session = await rtspkit.connect(camera.url, transport="tcp", retry=None)
        meter = Meter(session, 0.0)
        with pytest.raises(ConnectionLost):
            await meter.watch()
        await session.aclose()
    assert 0 < meter.reading().total("packets") <= count


@pytest.mark.virtual_clock
async def test_a_stream_that_comes_back_as_another_is_counted_on():
    async with Camera() as camera, rtspkit.connect(camera.url, transport="tcp") as session:
        meter = Meter(session, 0.0)
        await meter.watch(packets=60)
        camera.tracks = ("H264", "PCMU")
        await camera.aclose()
        await camera.start()
        await meter.watch(packets=200)
        reading = meter.reading()
        await meter.watch(packets=1)
    assert [stream.encoding_name for stream in reading.streams] == ["H264", "PCMU"]
    assert reading.reconnects == 1
    assert reading.attempts == {"exponential-jitter": 2}
    assert all(stream.packets > 60 for stream in reading.streams)
    assert reading.total("access_units") > 100


async def test_ends_with_the_stream():
    timeouts = rtspkit.Timeouts(bye_grace=0.05)
    async with (
        Camera(**FAST) as camera,
        rtspkit.connect(camera.url, transport="tcp", timeouts=timeouts) as session,
    ):
        meter = Meter(session, 0.0)
        await meter.watch()
        assert session.state == "ended"
    assert meter.reading().total("packets") == 120


def test_json_has_every_number_and_sums_the_streams():
    video = StreamReading(
        index=0,
        media="video",
        encoding_name="H264",
        packets=10,
        bytes=1000,
        lost=2,
        jitter=0.001,
        access_units=5,
        keyframes=1,
        bitrate=800.0,
        time_to_first_packet=0.02,
        time_to_first_keyframe=0.03,
    )
    audio = StreamReading(
        index=1, media="audio", packets=7, bytes=70, jitter=0.002, time_to_first_packet=0.01
    )
    values = Reading(transport="udp", seconds=1.5, streams=(video, audio)).to_json()
    streams = values.pop("streams")
    assert values == {
        "transport": "udp",
        "seconds": 1.5,
        "packets": 17,
        "bytes": 1070,
        "lost": 2,
        "duplicates": 0,
        "late": 0,
        "malformed": 0,
        "consumer_dropped": 0,
        "kernel_dropped": 0,
        "receiver": "",
        "reconnects": 0,
        "outage": 0.0,
        "attempts": {},
        "strategy": "",
        "last_error": None,
        "jitter": 0.002,
        "bitrate": 800.0,
        "access_units": 5,
        "keyframes": 1,
        "time_to_first_packet": 0.01,
        "time_to_first_keyframe": 0.03,
    }
    assert [stream["index"] for stream in streams] == [0, 1]
    of_the_session = {"transport", "seconds", "consumer_dropped", "kernel_dropped", "receiver"}
    of_the_session |= {"reconnects", "outage", "attempts", "strategy", "last_error"}
    shared = set(values) - of_the_session
    assert shared <= set(streams[0])

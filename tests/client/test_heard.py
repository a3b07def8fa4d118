"""What fills up while a session is listened to."""

from __future__ import annotations

import pytest

from rtspkit.client.heard import SETTLING, Heard, StreamHeard
from rtspkit.payload.base import AccessUnit
from rtspkit.wire.rtp import RtpPacket, WallClock, parse_rtp, serialize_rtp
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)


def packet(number: int, *, arrival: float, timestamp: int | None = None) -> RtpPacket:
    data = serialize_rtp(
        b"x",
        payload_type=96,
        sequence_number=number,
        timestamp=number * 3600 if timestamp is None else timestamp,
        ssrc=1,
    )
    one = parse_rtp(data)
    one.arrival, one.media_time = arrival, number * 0.04
    return one


def picture(media_time: float, *, keyframe: bool = False) -> AccessUnit:
    return AccessUnit(b"x", 0, media_time=media_time, keyframe=keyframe)


def test_the_clock_is_looked_at_once_the_stream_has_settled():
    heard = StreamHeard(VIDEO)
    for number in range(100):
        late = 0.0 if number * 0.04 >= SETTLING else -number * 0.04  # sent ahead, all at once
        heard.take_packet(packet(number, arrival=5.0 + number * 0.04 + late))
    assert heard.first == 5.0
    assert heard.drift.rate == pytest.approx(1.0)
    assert heard.drift.points < 100


def test_packets_of_one_picture_are_one_point():
    heard = StreamHeard(VIDEO)
    for number in range(100):
        heard.take_packet(packet(number, arrival=number * 0.1, timestamp=number // 10))
    assert heard.drift.points == 9  # the first began before it had settled


def test_keyframes_are_counted_with_the_longest_gap():
    heard = StreamHeard(VIDEO, pictures=True)
    for media_time, keyframe in ((0, True), (1, False), (2, True), (5, True), (6, True)):
        heard.take_unit(picture(float(media_time), keyframe=keyframe))
    assert (heard.units, heard.keyframes, heard.longest_gap) == (5, 4, 3.0)


def test_one_keyframe_has_no_gap():
    heard = StreamHeard(VIDEO, pictures=True)
    heard.take_unit(picture(0.0, keyframe=True))
    assert (heard.keyframes, heard.longest_gap) == (1, None)


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -2.5])
def test_the_time_of_day_is_compared_at_the_last_packet(ahead):
    heard = StreamHeard(VIDEO)
    one = packet(50, arrival=1000.0)
    one.wall_clock = WallClock(one.media_time - 1, 1.7e9 + ahead - 1, "sr")
    heard.take_packet(one)
    heard.finish(now=1003.0, wall=1.7e9 + 3)
    assert heard.wall_offset == pytest.approx(ahead, abs=1e-5)


def test_without_a_report_there_is_no_time_of_day():
    heard = StreamHeard(VIDEO)
    heard.take_packet(packet(1, arrival=1000.0))
    heard.finish(now=1003.0, wall=1.7e9)
    assert heard.wall_offset is None


def test_it_works_when_a_packet_came():
    assert not Heard("udp", played=True).works
    assert Heard("udp", first_packet=0.0).works

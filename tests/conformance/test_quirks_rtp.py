"""QUIRKS.md, "RTP and RTCP": each line that concerns receiving, timing and RTCP, as a test.

The lines about payloads (FU-A, start codes, parameter sets) are the depacketizers' own.
"""

import pytest

from rtspkit.engine.receiver import PacketsReceived, StreamReceiver
from rtspkit.engine.rtcp_receiver import SenderReportReceived
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import (
    Goodbye,
    SdesChunk,
    SenderReport,
    SourceDescription,
    serialize_rtcp,
)
from rtspkit.wire.rtp import serialize_rtp
from rtspkit.wire.stream import Stream

RATE = 90_000
WALL = 1_700_000_000.0


def rtp(number, timestamp=None, ssrc=1, payload=b"x", **fields):
    return memoryview(
        serialize_rtp(
            payload,
            payload_type=96,
            sequence_number=number & 0xFFFF,
            timestamp=(3600 * number if timestamp is None else timestamp) & 0xFFFFFFFF,
            ssrc=ssrc,
            **fields,
        )
    )


def report(timestamp, wall=WALL, ssrc=1, ntp=None):
    ntp = unix_to_ntp(wall) if ntp is None else ntp
    return serialize_rtcp([SenderReport(ssrc, ntp=ntp, rtp_timestamp=timestamp & 0xFFFFFFFF)])


@pytest.fixture
def receiver():
    made = StreamReceiver(Stream(0, "video", "H264", 96, RATE))
    made.start(0.0)
    return made


def play(receiver, wanted, **fields):
    """Twenty-five packets a second, at the time that their number tells."""
    out = []
    for number in wanted:
        out += receiver.receive_rtp(rtp(number, **fields), number / 25)
    return out


class TestSources:
    def test_first_packets_with_another_ssrc(self, receiver):
        packets = play(receiver, range(2), ssrc=77) + play(receiver, range(2, 30))
        assert [packet.sequence_number for packet in packets] == list(range(30))
        assert [p.sequence_number for p in packets if p.discontinuity] == [2]

    def test_ssrc_change_at_each_keyframe(self, receiver):
        packets = []
        for picture in range(10):
            packets += play(receiver, range(picture * 20, picture * 20 + 20), ssrc=100 + picture)
        assert [packet.sequence_number for packet in packets] == list(range(200))
        assert sum(packet.discontinuity for packet in packets) == 9
        times = [packet.media_time for packet in packets]
        assert times == pytest.approx([n / 25 for n in range(200)])

    def test_rtcp_ssrc_unrelated(self, receiver):
        play(receiver, range(3))
        assert receiver.receive_rtcp(report(0, ssrc=0xDEAD), 0.2) == []
        assert receiver.receive_rtcp(serialize_rtcp([Goodbye([0xDEAD])]), 0.2) == []
        assert len(play(receiver, range(3, 6))) == 3
        assert receiver.snapshot().rtcp_unknown_ssrc == 2

    def test_ssrc_byte_swapped_in_the_transport_header(self):
        receiver = StreamReceiver(Stream(0, "video", "H264", 96, RATE), ssrc=0x78563412)
        packets = play(receiver, range(5), ssrc=0x12345678)
        assert [packet.sequence_number for packet in packets] == list(range(5))
        assert not any(packet.discontinuity for packet in packets)


class TestChannels:
    @pytest.mark.parametrize("packet_type", range(200, 205))
    def test_rtcp_on_the_rtp_channel(self, receiver, packet_type):
        play(receiver, range(3))
        data = bytes([0x80, packet_type, 0, 6]) + (1).to_bytes(4, "big") + bytes(20)
        assert receiver.receive_rtp(memoryview(data), 0.2) == []
        stats = receiver.snapshot()
        assert (stats.misplaced, stats.unknown_payload_type, stats.strays) == (1, 0, 0)

    def test_rtp_on_the_rtcp_channel(self, receiver):
        (event,) = receiver.receive_rtcp(rtp(0), 0.0)
        assert isinstance(event, PacketsReceived)
        assert len(event.packets) == 1

    def test_invalid_rtcp_over_tcp(self, receiver):
        play(receiver, range(3))
        for data in (b"\x80\xc8\x00\x01\x00\x00\x00\x01", b"\x81\xca", b"\x00" * 8, b"\xff" * 30):
            assert receiver.receive_rtcp(data, 0.2) == []
        assert receiver.snapshot().malformed == 4
        assert len(play(receiver, range(3, 6))) == 3


class TestNumbers:
    def test_two_packets_with_one_sequence_number(self, receiver):
        play(receiver, range(3))
        assert receiver.receive_rtp(rtp(2, payload=b"other"), 0.1) == []
        assert len(play(receiver, range(3, 6))) == 3
        stats = receiver.snapshot()
        assert (stats.duplicates, stats.lost) == (1, 0)

    def test_timestamps_repeated(self, receiver):
        packets = play(receiver, range(10), timestamp=5000)
        assert {packet.media_time for packet in packets} == {0.0}
        assert receiver.snapshot().discontinuities == 0

    def test_timestamps_jumping(self, receiver):
        play(receiver, range(25))
        (packet,) = receiver.receive_rtp(rtp(25, timestamp=3_000_000_000), 1.0)
        assert packet.discontinuity
        assert packet.media_time == pytest.approx(1.0)

    @pytest.mark.parametrize("rate", [8_000, 1_000_000])
    def test_timestamps_of_another_clock_than_declared(self, receiver, rate):
        packets = []
        for number in range(100):
            packets += receiver.receive_rtp(rtp(number, number * rate // 25), number / 25)
        times = [packet.media_time for packet in packets]
        assert times == sorted(times)
        assert not any(packet.discontinuity for packet in packets)

    def test_timestamps_restarted_after_a_reconnect(self, receiver):
        last = play(receiver, range(25))[-1]
        again = StreamReceiver(receiver.stream)
        again.carry_on(last.media_time, last.arrival)
        again.start(5.0)
        packets = again.receive_rtp(rtp(9000, timestamp=7), last.arrival + 5.0)
        packets += again.receive_rtp(rtp(9001, timestamp=7 + 3600), last.arrival + 5.04)
        expected = [last.media_time + 5.0, last.media_time + 5.04]
        assert [packet.media_time for packet in packets] == pytest.approx(expected)
        assert [packet.discontinuity for packet in packets] == [True, False]

    @pytest.mark.parametrize("marker", [False, True])
    def test_marker_never_set_and_always_set(self, receiver, marker):
        assert len(play(receiver, range(10), marker=marker)) == 10
        assert receiver.snapshot().unknown_payload_type == 0


class TestSizes:
    @pytest.mark.parametrize("size", [0, 1473, 10_000, 65_495])
    def test_datagrams_of_any_size(self, receiver, size):
        (packet,) = receiver.receive_rtp(rtp(0, payload=bytes(size)), 0.0)
        assert len(packet.payload) == size

    def test_padding_with_a_bad_count(self, receiver):
        data = bytearray(rtp(0, padding=4))
        data[-1] = 200
        assert receiver.receive_rtp(memoryview(data), 0.0) == []
        assert receiver.snapshot().malformed == 1

    def test_header_extensions_on_every_packet(self, receiver):
        packets = play(receiver, range(10), extension=(0xABAC, bytes(12)))
        assert [bytes(packet.payload) for packet in packets] == [b"x"] * 10
        assert {packet.extension.profile for packet in packets} == {0xABAC}


class TestSenderReports:
    def test_none_for_the_first_seconds(self, receiver):
        assert {packet.wall_time for packet in play(receiver, range(100))} == {None}

    def test_ntp_zero(self, receiver):
        play(receiver, range(3))
        (event,) = receiver.receive_rtcp(report(0, ntp=0), 0.1)
        assert isinstance(event, SenderReportReceived)
        assert not event.used
        assert play(receiver, [3])[0].wall_time is None

    def test_an_hour_off(self, receiver):
        play(receiver, range(3))
        receiver.receive_rtcp(report(2 * 3600, wall=WALL + 3600), 0.1)
        assert play(receiver, [3])[0].wall_time == pytest.approx(WALL + 3600.04, abs=1e-3)

    def test_a_mapping_that_jumps(self, receiver):
        play(receiver, range(3))
        receiver.receive_rtcp(report(2 * 3600), 0.1)
        before = play(receiver, [3])[0]
        receiver.receive_rtcp(report(3 * 3600, wall=WALL + 7), 0.13)
        after = play(receiver, [4])[0]
        assert before.wall_time == pytest.approx(WALL + 0.04, abs=1e-3)
        assert after.wall_time == pytest.approx(WALL + 7.04, abs=1e-3)
        assert after.media_time - before.media_time == pytest.approx(0.04)

    def test_a_clock_corrected_by_years_after_ntp_sync(self, receiver):
        play(receiver, range(3))
        receiver.receive_rtcp(report(2 * 3600, wall=42.0), 0.1)
        assert play(receiver, [3])[0].wall_time == pytest.approx(42.04, abs=1e-3)
        receiver.receive_rtcp(report(3 * 3600), 0.13)
        assert play(receiver, [4])[0].wall_time == pytest.approx(WALL + 0.04, abs=1e-3)

    def test_a_description_without_its_end_hides_no_report(self, receiver):
        play(receiver, range(3))
        description = serialize_rtcp([SourceDescription([SdesChunk(1, [(1, b"ab")])])])
        unended = description[:3] + b"\x02" + description[4:12]
        (event,) = receiver.receive_rtcp(report(2 * 3600) + unended, 0.1)
        assert isinstance(event, SenderReportReceived)
        assert receiver.snapshot().malformed == 0


def test_a_stream_silent_for_minutes_is_no_discontinuity(receiver):
    """An ONVIF metadata stream."""
    play(receiver, [0])
    (packet,) = receiver.receive_rtp(rtp(1, timestamp=600 * RATE), 600.0)
    assert not packet.discontinuity
    assert packet.media_time == 600.0


def test_a_server_loops_a_short_file_with_the_same_numbers(receiver):
    packets = []
    for loop in range(3):
        for number in range(500):
            now = (500 * loop + number) / 25
            packets += receiver.receive_rtp(rtp(number), now)
    assert len(packets) > 1500 - 2 * 70
    times = [packet.media_time for packet in packets]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1499 / 25, abs=1.5)

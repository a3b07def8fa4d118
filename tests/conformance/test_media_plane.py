"""SECURITY.md, media plane, by id: what the engine promises against a hostile sender.

M1 is kept by the sockets, which hear only the peer; here is what the engine adds to it.
"""

import random

import pytest

from rtspkit.engine.receiver import StreamReceiver
from rtspkit.engine.rtcp_receiver import ByeReceived, SenderReportReceived
from rtspkit.errors import MalformedPacket
from rtspkit.options import Limits
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import Goodbye, SenderReport, serialize_rtcp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp
from rtspkit.wire.stream import Stream

RATE = 90_000
OURS, THEIRS = 0x0A0B0C0D, 0x11223344


def rtp(number, ssrc=OURS, timestamp=None):
    return memoryview(
        serialize_rtp(
            bytes(100),
            payload_type=96,
            sequence_number=number & 0xFFFF,
            timestamp=(900 * number if timestamp is None else timestamp) & 0xFFFFFFFF,
            ssrc=ssrc,
        )
    )


@pytest.fixture
def receiver():
    made = StreamReceiver(Stream(0, "video", "H264", 96, RATE), ssrc=OURS)
    made.start(0.0)
    return made


def numbers(packets):
    return [packet.sequence_number for packet in packets]


def play(receiver, wanted, now=0.0):
    out = []
    for i, number in enumerate(wanted):
        out += receiver.receive_rtp(rtp(number), now + i / 100)
    return numbers(out)


class TestM1:
    def test_m1_single_packets_of_another_source_get_nothing_in(self, receiver):
        play(receiver, range(10))
        for number in range(10, 60):
            assert receiver.receive_rtp(rtp(number + 3, THEIRS), number / 100) == []
            assert play(receiver, [number], number / 100) == [number]
        assert receiver.snapshot().lost == 0

    def test_m1_before_the_first_packet_the_source_that_setup_named_is_waited_for(self, receiver):
        assert receiver.receive_rtp(rtp(5, THEIRS), 0.0) == []
        assert play(receiver, [1]) == [1]


class TestM2:
    def test_m2_two_packets_in_order_switch(self, receiver):
        play(receiver, range(10))
        assert receiver.receive_rtp(rtp(70, THEIRS), 0.2) == []
        first, second = receiver.receive_rtp(rtp(71, THEIRS), 0.21)
        assert numbers([first, second]) == [70, 71]
        assert first.discontinuity
        assert receiver.snapshot().ssrc == THEIRS

    def test_m2_a_stray_packet_never_switches(self, receiver):
        play(receiver, range(10))
        generator = random.Random(2)
        for number in range(10, 500):
            stray = rtp(generator.randrange(65_536), generator.randrange(2**32))
            assert receiver.receive_rtp(stray, number / 100) == []
            assert play(receiver, [number], number / 100) == [number]
        assert receiver.snapshot().ssrc == OURS

    def test_m2_two_sources_that_alternate_do_not_switch(self, receiver):
        play(receiver, range(10))
        for number in range(10, 200):
            assert receiver.receive_rtp(rtp(number, THEIRS), number / 100) == []
            assert play(receiver, [number], number / 100) == [number]

    def test_m2_a_source_for_every_packet_is_never_fatal(self, receiver):
        for ssrc in range(1, 5000):
            assert receiver.receive_rtp(rtp(ssrc, ssrc), 1.0) == []
        assert play(receiver, range(3), 2.0) == [0, 1, 2]


class TestM3:
    NTP = unix_to_ntp(1_700_000_000.0)

    def test_m3_bye_counts_only_for_the_locked_source(self, receiver):
        play(receiver, range(3))
        assert receiver.receive_rtcp(serialize_rtcp([Goodbye([THEIRS])]), 1.0) == []
        (event,) = receiver.receive_rtcp(serialize_rtcp([Goodbye([OURS])]), 1.0)
        assert isinstance(event, ByeReceived)

    def test_m3_bye_is_a_hint_and_media_goes_on(self, receiver):
        play(receiver, range(3))
        receiver.receive_rtcp(serialize_rtcp([Goodbye([OURS])]), 1.0)
        assert play(receiver, [3, 4], 1.1) == [3, 4]

    def test_m3_sender_reports_count_only_for_the_locked_source(self, receiver):
        play(receiver, range(3))
        forged = SenderReport(THEIRS, ntp=self.NTP, rtp_timestamp=900)
        assert receiver.receive_rtcp(serialize_rtcp([forged]), 1.0) == []
        (packet,) = receiver.receive_rtp(rtp(3), 1.0)
        assert packet.wall_time is None
        honest = SenderReport(OURS, ntp=self.NTP, rtp_timestamp=900)
        (event,) = receiver.receive_rtcp(serialize_rtcp([honest]), 1.0)
        assert isinstance(event, SenderReportReceived)
        assert receiver.snapshot().rtcp_unknown_ssrc == 1


class TestM4:
    HEADER = bytes.fromhex("60 0001 00000002 0a0b0c0d")

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\xa0" + HEADER + b"\x00\x00\x00\xff", id="padding-beyond-the-packet"),
            pytest.param(b"\xa0" + HEADER + b"\x00\x00\x00\x00", id="padding-of-zero"),
            pytest.param(b"\xa0" + HEADER, id="padding-of-nothing"),
            pytest.param(b"\x90" + HEADER + b"\xbe\xde\xff\xff", id="extension-beyond"),
            pytest.param(b"\x90" + HEADER + b"\xbe\xde", id="extension-header-cut-off"),
            pytest.param(b"\x8f" + HEADER + bytes(59), id="csrcs-beyond"),
            pytest.param(b"\x9f" + HEADER + bytes(60), id="extension-after-csrcs-beyond"),
            pytest.param(
                b"\xb0" + HEADER + b"\xbe\xde\x00\x01\x00\x00\x00\x05", id="padding-in-extension"
            ),
        ],
    )
    def test_m4_lengths_beyond_the_packet_are_refused_and_counted(self, receiver, data):
        with pytest.raises(MalformedPacket):
            parse_rtp(data)
        play(receiver, range(3))
        assert receiver.receive_rtp(memoryview(data), 1.0) == []
        assert receiver.snapshot().malformed == 1
        assert play(receiver, [3]) == [3]

    def test_m4_every_first_byte_with_every_short_length_is_a_packet_or_refused(self):
        for first in range(256):
            for size in range(11, 90):
                data = bytes([first]) + self.HEADER + bytes(size - 11)
                try:
                    packet = parse_rtp(data)
                except MalformedPacket:
                    continue
                assert 12 + len(packet.payload) + packet.padding_size <= len(data)
                assert len(packet.csrcs) == first & 0x0F


class TestM8:
    def test_m8_the_reorder_buffer_never_grows_past_its_limit(self):
        limit = 16
        receiver = StreamReceiver(
            Stream(0, "video", "H264", 96, RATE), limits=Limits(reorder_packets=limit), reorder=60.0
        )
        generator = random.Random(8)
        highest = 0
        for _ in range(5000):
            highest += generator.choice([1, 2, 50, 2000])
            receiver.receive_rtp(rtp(highest - generator.choice([0, 0, 700])), 1.0)
            assert receiver.snapshot().waiting <= limit

    def test_m8_random_numbers_keep_state_small_and_the_stream_comes_back(self, receiver):
        generator = random.Random(9)
        for i in range(20_000):
            receiver.receive_rtp(rtp(generator.randrange(65_536)), i / 10_000)
        reorder = receiver._reorder
        assert len(reorder.waiting) <= 128
        assert len(reorder._missing or ()) + len(reorder._early or ()) < 5000
        out = play(receiver, range(40_000, 40_300), 3.0)
        assert out[-200:] == list(range(40_100, 40_300))

    def test_m8_a_forged_number_far_ahead_stalls_nothing(self, receiver):
        play(receiver, range(100))
        assert receiver.receive_rtp(rtp(100 + 900), 1.0) == []
        assert play(receiver, range(100, 110), 1.0) == list(range(100, 110))

    def test_m8_a_forged_number_too_far_ahead_costs_a_discontinuity_and_no_packet(self, receiver):
        play(receiver, range(100))
        assert receiver.receive_rtp(rtp(100 + 2500, timestamp=90_000), 1.0) == []
        assert play(receiver, range(100, 110), 1.0) == [2600, *range(100, 110)]
        assert receiver.snapshot().discontinuities == 1

    def test_m8_after_the_forged_number_was_given_way_the_stream_comes_back(self, receiver):
        play(receiver, range(100))
        receiver.receive_rtp(rtp(100 + 900), 1.0)
        out = play(receiver, range(100, 1000), 1.2)
        assert out[-700:] == list(range(300, 1000))

    def test_m8_a_forged_number_far_ahead_again_and_again_lets_the_stream_through(self, receiver):
        out = []
        for number in range(2000):
            if number % 5 == 4:
                receiver.receive_rtp(rtp(number + 30_000 + 7 * number), number / 100)
            out += play(receiver, [number], number / 100)
        assert out == list(range(2000))

    def test_m8_timestamps_that_jump_about_stall_nothing(self, receiver):
        generator = random.Random(10)
        last = 0.0
        for number in range(3000):
            view = rtp(number, timestamp=generator.randrange(2**32))
            (packet,) = receiver.receive_rtp(view, number / 100)
            assert abs(packet.media_time - last) < 10.1
            last = packet.media_time

    def test_m8_every_packet_costs_about_the_same(self, receiver):
        """The most that waits is touched per packet, whatever the order of the numbers."""
        steps = 0

        class Counting(dict):
            def pop(self, *args):
                nonlocal steps
                steps += 1
                return super().pop(*args)

        receiver._reorder.waiting = Counting()
        for i in range(3000):
            receiver.receive_rtp(rtp(3 * i if i % 2 else 3 * i + 9), i / 10_000)
        assert steps < 4 * 3000

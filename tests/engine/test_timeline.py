"""Continuous media time, and what it says of the wall clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.timeline import Start, Timeline
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

RATE = 90_000
WALL = 1_700_000_000.0


def stamp(timeline, timestamp, arrival, sequence_number=0):
    data = serialize_rtp(
        b"",
        payload_type=96,
        sequence_number=sequence_number,
        timestamp=timestamp % 2**32,
        ssrc=1,
    )
    packet = parse_rtp(data)
    packet.arrival = arrival
    timeline.stamp(packet)
    return packet


def times(timeline, pairs):
    return [stamp(timeline, timestamp, arrival).media_time for timestamp, arrival in pairs]


class TestMediaTime:
    def test_it_counts_in_ticks_from_the_first_packet(self):
        pairs = [(1000 + 3000 * i, 5 + i / 30) for i in range(4)]
        assert times(Timeline(RATE), pairs) == pytest.approx([0, 1 / 30, 2 / 30, 3 / 30])

    def test_packets_of_one_picture_share_it(self):
        assert times(Timeline(RATE), [(0, 0.0), (9000, 0.1), (9000, 0.2)]) == [0, 0.1, 0.1]

    def test_it_goes_on_across_the_wrap_of_32_bits(self):
        assert times(Timeline(RATE), [(2**32 - 9000, 0.0), (0, 0.1), (9000, 0.2)]) == [0, 0.1, 0.2]

    def test_it_goes_back_for_pictures_sent_out_of_order(self):
        assert times(Timeline(RATE), [(0, 0), (9000, 0.1), (4500, 0.1)]) == [0, 0.1, 0.05]

    def test_many_wraps_add_up_to_no_error(self):
        timeline = Timeline(RATE)
        step = 2**31 - 9
        for i in range(101):
            last = stamp(timeline, step * i, step * i / RATE)
        assert last.media_time == pytest.approx(100 * step / RATE, rel=1e-15)
        assert timeline.jumps == 0

    def test_asking_for_a_time_changes_nothing(self):
        timeline = Timeline(RATE)
        times(timeline, [(0, 0), (9000, 0.1)])
        assert timeline.media_time(9000 + RATE) == pytest.approx(1.1)
        assert timeline.last == 0.1


class TestStart:
    def first(self, start, timestamp=0, arrival=100.2):
        timeline = Timeline(RATE)
        timeline.start(start)
        packet = stamp(timeline, timestamp, arrival)
        assert not packet.discontinuity
        return packet.media_time

    def test_without_more_it_is_the_seconds_since_play(self):
        assert self.first(Start(now=100.0)) == pytest.approx(0.2)

    def test_rtp_info_gives_the_place_in_the_presentation(self):
        start = Start(now=100.0, rtptime=1000, npt_start=60.0)
        assert self.first(start, timestamp=1000 + RATE) == pytest.approx(61.0)

    def test_rtptime_counts_across_the_wrap(self):
        assert self.first(Start(now=100.0, rtptime=2**32 - RATE), timestamp=RATE) == 2.0

    @pytest.mark.parametrize("off", [11, -11, 20_000])
    def test_an_rtptime_far_from_the_packet_is_not_believed(self, off):
        start = Start(now=100.0, rtptime=0)
        assert self.first(start, timestamp=off * RATE) == pytest.approx(0.2)

    def test_npt_without_rtptime_is_reckoned_from_the_arrival(self):
        assert self.first(Start(now=100.0, npt_start=60.0)) == pytest.approx(60.2)

    def test_the_response_may_come_after_play_was_sent(self):
        timeline = Timeline(RATE)
        timeline.start(Start(now=0.0))
        assert timeline.inform(rtptime=0, sequence_number=1, npt_start=5.0)
        assert stamp(timeline, RATE, 0.3).media_time == 6.0

    def test_a_response_after_the_first_packet_changes_nothing(self):
        timeline = Timeline(RATE)
        timeline.start(Start(now=0.0))
        stamp(timeline, 0, 0.3)
        assert not timeline.inform(rtptime=0, sequence_number=1, npt_start=50.0)
        assert stamp(timeline, 9000, 0.4).media_time == pytest.approx(0.4)


class TestAnotherPlay:
    @pytest.fixture
    def timeline(self):
        timeline = Timeline(RATE)
        timeline.start(Start(now=0.0))
        times(timeline, [(9000 * i, i / 10) for i in range(11)])
        return timeline

    def test_a_seek_goes_where_the_response_says(self, timeline):
        timeline.start(Start(now=5.0, rtptime=500 * RATE, sequence_number=200, npt_start=30.0))
        packet = stamp(timeline, 500 * RATE + 9000, 5.2, sequence_number=200)
        assert packet.media_time == pytest.approx(30.1)
        assert packet.discontinuity
        assert timeline.jumps == 1

    def test_packets_in_flight_keep_their_old_time(self, timeline):
        timeline.start(Start(now=5.0, rtptime=500 * RATE, sequence_number=200, npt_start=30.0))
        old = stamp(timeline, 99_000, 5.1, sequence_number=199)
        assert old.media_time == pytest.approx(1.1)
        assert not old.discontinuity
        assert stamp(timeline, 500 * RATE, 5.2, sequence_number=200).media_time == 30.0

    def test_what_is_unchanged_is_told_only_when_no_packet_needs_a_look(self, timeline):
        assert timeline.unchanged == 90_000
        timeline.start(Start(now=5.0, rtptime=500 * RATE, sequence_number=200, npt_start=30.0))
        assert timeline.unchanged == -1
        stamp(timeline, 99_000, 5.1, sequence_number=199)  # in flight: the next may begin anew
        assert timeline.unchanged == -1
        stamp(timeline, 500 * RATE, 5.2, sequence_number=200)
        assert timeline.unchanged == 500 * RATE
        assert timeline.arrival == 5.2

    def test_an_rtptime_without_a_place_does_not_send_it_back(self, timeline):
        timeline.start(Start(now=600.0, rtptime=77))
        assert stamp(timeline, 77, 600.25).media_time == pytest.approx(1.25)

    def test_without_knowledge_it_goes_on_where_it_was(self, timeline):
        timeline.start(Start(now=600.0))
        assert stamp(timeline, 77, 600.25).media_time == pytest.approx(1.25)


class TestJumps:
    @pytest.mark.parametrize("jump", [11 * RATE, -11 * RATE, 2**31 - 1, -(2**31)])
    def test_a_jump_against_the_arrival_goes_on_with_the_arrival(self, jump):
        timeline = Timeline(RATE)
        times(timeline, [(0, 10.0), (9000, 10.1)])
        packet = stamp(timeline, 9000 + jump, 10.35)
        assert packet.media_time == pytest.approx(0.35)
        assert packet.discontinuity
        after = stamp(timeline, 9000 + jump + 9000, 10.45)
        assert after.media_time == pytest.approx(0.45)
        assert not after.discontinuity
        assert timeline.jumps == 1

    def test_a_long_silence_is_no_jump(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        packet = stamp(timeline, 300 * RATE, 311.0)
        assert packet.media_time == 300.0
        assert not packet.discontinuity

    def test_a_stall_of_the_network_is_no_jump(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        assert times(timeline, [(9000, 40.0), (18_000, 40.0)]) == [0.1, 0.2]
        assert timeline.jumps == 0


class TestRestart:
    def test_another_source_goes_on_by_its_arrival(self):
        timeline = Timeline(RATE)
        times(timeline, [(0, 10.0), (9000, 10.1)])
        timeline.restart(123_456_789, 10.3)
        assert stamp(timeline, 123_456_789, 10.3).media_time == pytest.approx(0.3)

    def test_timestamps_that_carry_on_are_kept(self):
        timeline = Timeline(RATE)
        times(timeline, [(0, 10.0), (9000, 10.1)])
        timeline.restart(18_000, 10.25)
        assert stamp(timeline, 18_000, 10.25).media_time == pytest.approx(0.2)

    def test_before_the_first_packet_it_does_nothing(self):
        timeline = Timeline(RATE)
        timeline.start(Start(now=1.0))
        timeline.restart(5, 2.0)
        assert stamp(timeline, 5, 2.0).media_time == 1.0


class TestAnotherConnection:
    """A timeline that carries on where that of another connection stopped, at 40 s."""

    def carried(self, start=None):
        timeline = Timeline(RATE)
        timeline.carry_on(40.0, 100.0)
        timeline.start(start or Start(now=103.0))
        return timeline

    def test_time_goes_on_by_the_seconds_between_the_arrivals(self):
        pairs = [(777_000, 103.5), (786_000, 103.6), (795_000, 103.8)]
        assert times(self.carried(), pairs) == pytest.approx([43.5, 43.6, 43.7])

    def test_the_first_packet_alone_is_a_discontinuity(self):
        timeline = self.carried()
        packets = [stamp(timeline, 9000 * i, 103.5 + i / 10) for i in range(5)]
        assert [packet.discontinuity for packet in packets] == [True, False, False, False, False]
        assert timeline.jumps == 1

    def test_one_that_is_known_already_is_counted_once(self):
        timeline = self.carried()
        packet = parse_rtp(
            serialize_rtp(b"", payload_type=96, sequence_number=0, timestamp=5, ssrc=1)
        )
        packet.arrival, packet.discontinuity = 103.5, True
        timeline.stamp(packet)
        assert packet.media_time == pytest.approx(43.5)
        assert timeline.jumps == 0

    def test_an_arrival_before_that_of_the_last_packet_does_not_go_back(self):
        assert stamp(self.carried(), 5, 99.9).media_time == 40.0

    @pytest.mark.parametrize("sequence_number", [None, 0, 500, 65_535])
    @pytest.mark.parametrize("rtptime", [None, 0, 123_000, 2**31])
    def test_rtp_info_changes_nothing_without_a_place(self, rtptime, sequence_number):
        """Also when it says that the first packets are of the time before: there was none."""
        start = Start(now=103.0, rtptime=rtptime, sequence_number=sequence_number)
        timeline = self.carried(start)
        packet = stamp(timeline, 123_000, 103.5, sequence_number=400)
        assert packet.media_time == pytest.approx(43.5)
        assert packet.discontinuity

    def test_a_place_in_the_presentation_is_gone_to(self):
        start = Start(now=103.0, rtptime=1000, sequence_number=7, npt_start=39.0)
        packet = stamp(self.carried(start), 1000 + 9000, 103.5, sequence_number=7)
        assert packet.media_time == pytest.approx(39.1)
        assert packet.discontinuity

    def test_a_place_without_rtptime_is_reckoned_from_play(self):
        packet = stamp(self.carried(Start(now=103.0, npt_start=39.0)), 1000, 103.5)
        assert packet.media_time == pytest.approx(39.5)

    def test_a_place_with_an_rtptime_that_is_far_off_too(self):
        start = Start(now=103.0, rtptime=2**31, npt_start=39.0)
        assert stamp(self.carried(start), 1000, 103.5).media_time == pytest.approx(39.5)

    def test_an_answer_behind_the_first_packet_changes_nothing(self):
        timeline = self.carried()
        stamp(timeline, 0, 103.5)
        assert not timeline.inform(rtptime=0, sequence_number=1, npt_start=0.0)
        assert stamp(timeline, 9000, 103.6).media_time == pytest.approx(43.6)

    def test_a_report_before_the_first_packet_is_used_for_it(self):
        timeline = self.carried()
        assert timeline.sender_report(unix_to_ntp(WALL), 1_000_000, 103.25)
        packet = stamp(timeline, 1_000_000 + RATE // 2, 103.75)
        assert packet.media_time == pytest.approx(43.75)
        assert packet.wall_time == pytest.approx(WALL + 0.5, abs=1e-6)

    def test_a_report_of_another_clock_is_not(self):
        timeline = self.carried()
        timeline.sender_report(unix_to_ntp(WALL), 2**31, 103.25)
        assert stamp(timeline, 0, 103.75).wall_time is None

    def test_it_is_carried_once(self):
        timeline = self.carried()
        stamp(timeline, 0, 103.5)
        timeline.start(Start(now=110.0))  # paused, and played again
        packet = stamp(timeline, 9_000_000, 110.25)
        assert packet.media_time == pytest.approx(43.75)
        assert packet.discontinuity

    @given(st.floats(0, 1e6), st.floats(0, 1e5), st.integers(0, 2**32 - 1), st.integers(0, 65_535))
    def test_wherever_it_was_and_whatever_comes_time_is_continuous(
        self, media_time, outage, timestamp, sequence_number
    ):
        timeline = Timeline(RATE)
        timeline.carry_on(media_time, 50.0)
        timeline.start(Start(now=50.0, rtptime=timestamp ^ 0xFFFF, sequence_number=5))
        packet = stamp(timeline, timestamp, 50.0 + outage, sequence_number=sequence_number)
        assert packet.media_time == pytest.approx(media_time + outage)
        assert packet.discontinuity


class TestWallClock:
    def test_it_maps_media_time_to_unix_time(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        assert timeline.sender_report(unix_to_ntp(WALL), 9000, 10.1)
        packet = stamp(timeline, 18_000, 10.2)
        assert packet.wall_time == pytest.approx(WALL + 0.1, abs=1e-6)
        assert packet.wall_source == "sr"

    def test_before_the_first_report_there_is_none(self):
        assert stamp(Timeline(RATE), 0, 10.0).wall_time is None

    def test_a_report_before_the_first_packet_is_used_for_it(self):
        timeline = Timeline(RATE)
        assert timeline.sender_report(unix_to_ntp(WALL), 0, 9.5)
        packet = stamp(timeline, RATE // 2, 10.0)
        assert packet.wall_time == pytest.approx(WALL + 0.5, abs=1e-6)

    def test_an_early_report_of_another_clock_is_not(self):
        timeline = Timeline(RATE)
        timeline.sender_report(unix_to_ntp(WALL), 2**31, 9.5)
        assert stamp(timeline, 0, 10.0).wall_time is None

    def test_ntp_zero_says_nothing(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        assert not timeline.sender_report(0, 0, 10.0)
        assert stamp(timeline, 9000, 10.1).wall_time is None

    def test_a_timestamp_far_from_the_stream_says_nothing(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        assert not timeline.sender_report(unix_to_ntp(WALL), 11 * RATE, 10.0)
        assert timeline.wall_clock is None

    def test_a_report_during_a_long_silence_is_believed(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        assert timeline.sender_report(unix_to_ntp(WALL), 120 * RATE, 130.0)

    def test_the_latest_report_counts(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        timeline.sender_report(unix_to_ntp(WALL), 0, 10.0)
        timeline.sender_report(unix_to_ntp(WALL + 86_400 * 365), 0, 10.0)
        assert stamp(timeline, 0, 10.0).wall_time == pytest.approx(WALL + 86_400 * 365)

    def test_a_packet_keeps_the_mapping_it_was_given(self):
        timeline = Timeline(RATE)
        stamp(timeline, 0, 10.0)
        timeline.sender_report(unix_to_ntp(WALL), 0, 10.0)
        packet = stamp(timeline, 0, 10.0)
        timeline.sender_report(unix_to_ntp(WALL + 3600), 0, 10.0)
        assert packet.wall_time == pytest.approx(WALL)


@given(
    st.integers(1, 200_000),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 30)), min_size=1, max_size=60),
)
def test_whatever_the_timestamps_time_stays_near_the_arrival(clock_rate, steps):
    """Each step of media_time is a believable step of the timestamp, or the time that passed."""
    timeline, now, last = Timeline(clock_rate), 0.0, 0.0
    for timestamp, wait in steps:
        now += wait
        time = stamp(timeline, timestamp, now).media_time
        assert abs(time - last) <= 10.0 + wait + 1e-6
        last = time


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 90_000), min_size=1, max_size=60))
def test_ordinary_timestamps_are_followed_exactly(first, steps):
    timeline, ticks = Timeline(RATE), 0
    stamp(timeline, first, 0.0)
    for step in steps:
        ticks += step
        assert stamp(timeline, first + ticks, ticks / RATE).media_time == ticks / RATE

"""One source's sequence numbers, losses and jitter: RFC 3550 A.1, A.3, A.8."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.reception import MAX_DROPOUT, MAX_MISORDER, Reception
from rtspkit.wire.rtcp import ReportBlock


@pytest.fixture
def reception():
    return Reception(8000, ssrc=7)


def feed(reception, numbers, start=0.0):
    """Twenty milliseconds of 8 kHz a packet, on time."""
    return [reception.receive(n & 0xFFFF, 160 * i, start + 0.02 * i) for i, n in enumerate(numbers)]


class TestSequence:
    def test_the_first_packet_needs_no_probation(self, reception):
        assert reception.receive(65_000, 0, 0.0) == 65_000
        assert (reception.expected, reception.received, reception.lost) == (1, 1, 0)

    def test_numbers_go_on_past_the_wrap(self, reception):
        assert feed(reception, range(65_533, 65_540)) == list(range(65_533, 65_540))
        assert reception.highest == 65_539
        assert reception.lost == 0

    def test_a_gap_is_lost_until_the_packets_come(self, reception):
        assert feed(reception, [10, 11, 15]) == [10, 11, 15]
        assert reception.lost == 3
        assert feed(reception, [13]) == [13]
        assert reception.lost == 2
        assert reception.highest == 15

    def test_what_is_due_is_told_as_the_wire_has_it(self, reception):
        assert reception.due == -1
        due = []
        for number in (65_534, 65_535, 65_538, 65_537):
            reception.receive(number & 0xFFFF, 0, 0.0)
            due.append(reception.due)
        assert due == [65_535, 0, 3, 3]
        reception.receive(30_000, 0, 0.0)
        assert reception.due == 3  # not confirmed
        reception.receive(30_001, 0, 0.0)
        assert reception.due == 30_002

    def test_a_duplicate_counts_as_received(self, reception):
        feed(reception, [1, 2, 2, 2])
        assert reception.received == 4
        assert reception.lost == -2

    def test_packets_before_the_first_one_are_expected_too(self, reception):
        assert feed(reception, [0, 65_534]) == [0, -2]
        assert reception.expected == 3
        assert reception.lost == 1

    def test_a_stray_far_away_changes_nothing(self, reception):
        feed(reception, range(100))
        assert reception.receive(40_000, 0, 2.0) is None
        assert reception.receive(100, 16_000, 2.0) == 100
        assert reception.receive(40_001, 0, 2.1) is None
        assert (reception.restarts, reception.lost) == (0, 0)

    def test_two_in_a_row_far_away_are_a_restart(self, reception):
        feed(reception, range(100))
        assert reception.receive(40_000, 0, 2.0) is None
        extended = reception.receive(40_001, 160, 2.02)
        assert extended == 65_536 + 40_001
        assert reception.restarts == 1
        assert reception.receive(40_002, 320, 2.04) == extended + 1
        assert (reception.expected, reception.received, reception.lost) == (103, 103, 0)

    def test_a_restart_keeps_what_was_lost_before_it(self, reception):
        feed(reception, [0, 1, 5])
        feed(reception, [40_000, 40_001])
        assert reception.lost == 3

    def test_a_restart_just_below_the_wrap(self, reception):
        feed(reception, range(10))
        assert feed(reception, [50_000, 50_001])[0] is None
        assert feed(reception, [65_535, 65_536])[1] == reception.highest
        assert reception.restarts == 2
        assert reception.lost == 0

    def test_the_bounds_of_a_jump(self, reception):
        reception.receive(10_000, 0, 0.0)
        assert reception.receive(10_000 - MAX_MISORDER, 0, 0.0) == 10_000 - MAX_MISORDER
        assert reception.receive(10_000 - MAX_MISORDER - 1, 0, 0.0) is None
        assert reception.receive(10_000 + MAX_DROPOUT, 0, 0.0) is None
        assert reception.receive(10_000 + MAX_DROPOUT - 1, 0, 0.0) == 10_000 + MAX_DROPOUT - 1

    @given(st.lists(st.integers(0, 0xFFFF), max_size=300))
    def test_any_numbers_leave_sound_counts(self, numbers):
        reception = Reception(90_000)
        given_out = [n for n in feed(reception, numbers) if n is not None]
        assert all(number & 0xFFFF in numbers for number in given_out)
        assert reception.received == len(given_out) + reception.restarts
        assert reception.expected >= (1 if numbers else 0)
        block = reception.report_block(1e6)
        assert 0 <= block.fraction_lost <= 255
        assert block.packets_lost == reception.lost

    @given(st.integers(0, 0xFFFF), st.integers(1, 500), st.sets(st.integers(1, 499)))
    def test_lost_is_exactly_what_was_left_out(self, first, count, left_out):
        reception = Reception(90_000)
        kept = [i for i in range(count) if i not in left_out or i == count - 1]
        feed(reception, [first + i for i in kept])
        assert reception.lost == count - len(kept)


class TestJitter:
    def test_packets_on_time_have_none(self, reception):
        feed(reception, range(100))
        assert reception.jitter_ticks == pytest.approx(0, abs=1e-6)

    def test_the_rfcs_sum(self, reception):
        expected = 0.0
        arrivals = [0.0, 0.025, 0.038, 0.07, 0.08]
        for i, arrival in enumerate(arrivals):
            reception.receive(i, 160 * i, arrival)
        for before, after in pairwise(arrivals):
            difference = abs((after - before) * 8000 - 160)
            expected += (difference - expected) / 16
        assert reception.jitter_ticks == pytest.approx(expected)
        assert reception.jitter == pytest.approx(expected / 8000)

    def test_the_wrap_of_the_timestamp_is_no_jitter(self, reception):
        reception.receive(1, 2**32 - 80, 0.0)
        reception.receive(2, 80, 0.02)
        assert reception.jitter_ticks == 0.0

    def test_packets_of_one_picture_count_by_their_arrival(self):
        reception = Reception(90_000)
        reception.receive(1, 0, 0.0)
        reception.receive(2, 0, 0.001)
        assert reception.jitter_ticks == pytest.approx(90 / 16)

    def test_a_timestamp_that_jumps_is_no_jitter(self, reception):
        feed(reception, range(10))
        reception.receive(10, 2**31 - 1, 0.2)
        reception.receive(11, 5, 0.22)
        assert reception.jitter < 0.01

    def test_a_restart_is_no_jitter(self, reception):
        feed(reception, range(10))
        feed(reception, [30_000, 30_001, 30_002], start=500.0)
        assert reception.jitter_ticks == pytest.approx(0, abs=1e-6)


class TestReportBlock:
    def test_the_numbers_of_one_interval(self, reception):
        feed(reception, [n for n in range(100) if n % 4])
        block = reception.report_block(10.0)
        assert block == ReportBlock(
            ssrc=7,
            fraction_lost=(24 << 8) // 99,
            packets_lost=24,
            highest_sequence_number=99,
            interarrival_jitter=block.interarrival_jitter,
        )

    def test_each_interval_has_its_own_fraction(self, reception):
        feed(reception, [0, 2])
        assert reception.report_block(1.0).fraction_lost == 256 // 3
        feed(reception, [3, 4])
        block = reception.report_block(2.0)
        assert (block.fraction_lost, block.packets_lost) == (0, 1)
        feed(reception, [5, 7])
        block = reception.report_block(3.0)
        assert (block.fraction_lost, block.packets_lost) == (256 // 3, 2)
        assert reception.report_block(4.0).fraction_lost == 0

    def test_duplicates_make_lost_negative_and_the_fraction_zero(self, reception):
        feed(reception, [0, 0, 0])
        block = reception.report_block(1.0)
        assert (block.fraction_lost, block.packets_lost) == (0, -2)

    def test_the_extended_number_counts_its_cycles(self, reception):
        feed(reception, range(65_530, 65_540))
        assert reception.report_block(1.0).highest_sequence_number == 65_539

    def test_the_last_sender_report_and_its_age(self, reception):
        feed(reception, [1])
        reception.sender_report(0x11112222_33334444, now=100.0)
        block = reception.report_block(101.5)
        assert block.last_sender_report == 0x2222_3333
        assert block.delay_since_last_sender_report == 98_304

    def test_without_a_sender_report_both_are_zero(self, reception):
        feed(reception, [1])
        block = reception.report_block(5.0)
        assert (block.last_sender_report, block.delay_since_last_sender_report) == (0, 0)

    def test_lost_stays_within_24_bits(self, reception):
        step = MAX_DROPOUT - 1
        feed(reception, [i * step for i in range(3000)])
        assert reception.lost > 1 << 23
        assert reception.report_block(1.0).packets_lost == (1 << 23) - 1

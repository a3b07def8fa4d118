"""Packets put back in order, by number and by time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.reorder import STUCK_PACKETS, STUCK_TIME, Reorder
from rtspkit.wire.rtp import parse_rtp, serialize_rtp


def packet(number, arrival=0.0):
    made = parse_rtp(
        serialize_rtp(b"", payload_type=96, sequence_number=number & 0xFFFF, timestamp=0, ssrc=1)
    )
    made.arrival = arrival
    return made


def push(reorder, number, now=0.0):
    return [p.sequence_number for p in reorder.push(number, packet(number, now), now)]


class TestOrder:
    def test_packets_in_order_pass_at_once(self):
        reorder = Reorder(128, 0.1)
        assert [push(reorder, n) for n in (5, 6, 7)] == [[5], [6], [7]]
        assert reorder.deadline is None
        assert (reorder.reordered, reorder.skipped) == (0, 0)

    def test_a_packet_too_early_waits_for_the_one_before(self):
        reorder = Reorder(128, 0.1)
        assert [push(reorder, n) for n in (5, 7, 8, 6, 9)] == [[5], [], [], [6, 7, 8], [9]]
        assert reorder.reordered == 1
        assert not reorder.waiting

    def test_several_gaps_are_closed_one_by_one(self):
        reorder = Reorder(128, 0.1)
        given_out = [push(reorder, n) for n in (0, 4, 2, 1, 3)]
        assert given_out == [[0], [], [], [1, 2], [3, 4]]
        assert reorder.reordered == 3

    def test_what_came_already_is_double(self):
        reorder = Reorder(128, 0.1)
        assert [push(reorder, n) for n in (0, 0, 2, 2, 1, 1, 2)] == [
            [0],
            [],
            [],
            [],
            [1, 2],
            [],
            [],
        ]
        assert reorder.duplicates == 4
        assert reorder.late == 0


class TestTime:
    def test_no_packet_waits_longer_than_the_delay(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 0, 1.0)
        push(reorder, 3, 1.0)
        push(reorder, 6, 1.05)
        assert reorder.deadline == 1.0 + 0.1
        assert reorder.handle_deadline(1.09) == []
        (late,) = reorder.handle_deadline(reorder.deadline)
        assert (late.sequence_number, late.lost) == (3, 2)
        assert reorder.deadline == 1.05 + 0.1
        (late,) = reorder.handle_deadline(2.0)
        assert (late.sequence_number, late.lost) == (6, 2)
        assert reorder.deadline is None
        assert reorder.skipped == 4

    def test_the_delay_runs_from_the_first_arrival_whatever_its_number(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 0, 0.0)
        push(reorder, 9, 0.0)
        push(reorder, 5, 0.08)
        assert [p.sequence_number for p in reorder.handle_deadline(0.1)] == [5, 9]

    def test_a_push_past_the_deadline_needs_no_timer(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 0, 0.0)
        push(reorder, 2, 0.0)
        assert push(reorder, 3, 0.5) == [2, 3]

    def test_a_delay_of_zero_lets_none_wait(self):
        reorder = Reorder(128, 0.0)
        assert [push(reorder, n) for n in (0, 2, 1, 3)] == [[0], [2], [], [3]]
        assert (reorder.late, reorder.skipped) == (1, 1)


class TestNumber:
    def test_more_than_the_limit_never_wait(self):
        reorder = Reorder(3, 10.0)
        push(reorder, 0)
        assert [push(reorder, n) for n in (2, 4, 6)] == [[], [], []]
        assert push(reorder, 8) == [2]
        assert push(reorder, 9) == [4]
        assert len(reorder.waiting) == 3

    def test_what_follows_without_a_gap_goes_too(self):
        reorder = Reorder(3, 10.0)
        push(reorder, 0)
        assert [push(reorder, n) for n in (4, 3, 2)] == [[], [], []]
        assert push(reorder, 9) == [2, 3, 4]


class TestLate:
    def test_a_packet_whose_gap_was_given_up_is_late_once_and_then_double(self):
        reorder = Reorder(128, 0.0)
        push(reorder, 0)
        push(reorder, 3)
        assert push(reorder, 1) == []
        assert (reorder.late, reorder.duplicates) == (1, 0)
        assert push(reorder, 1) == []
        assert (reorder.late, reorder.duplicates) == (1, 1)

    def test_a_packet_from_before_the_first_is_late_once_and_then_double(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 10)
        push(reorder, 8)
        push(reorder, 8)
        assert (reorder.late, reorder.duplicates) == (1, 1)

    def test_what_is_remembered_stays_small_under_loss(self):
        reorder = Reorder(128, 0.0)
        for number in range(0, 200_000, 2):
            push(reorder, number)
        assert len(reorder._missing) <= 64 + 2 * 501
        assert push(reorder, 199_997) == []
        assert reorder.late == 1

    def test_stuck_needs_many_late_packets_for_a_while(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 1000)
        for number in range(STUCK_PACKETS):
            assert not reorder.stuck(50.0 + STUCK_TIME)
            push(reorder, number, 50.0)
        assert not reorder.stuck(50.0 + STUCK_TIME / 2)
        assert reorder.stuck(50.0 + STUCK_TIME)
        push(reorder, 1001, 52.0)
        assert not reorder.stuck(99.0)


class TestFlushAndRestart:
    def test_flush_gives_all_that_waits_with_its_gaps(self):
        reorder = Reorder(128, 0.1)
        for number in (0, 5, 3, 9):
            push(reorder, number)
        assert [(p.sequence_number, p.lost) for p in reorder.flush()] == [(3, 2), (5, 1), (9, 3)]
        assert reorder.flush() == []

    def test_restart_gives_what_waited_and_begins_with_the_new_number(self):
        reorder = Reorder(128, 0.1)
        push(reorder, 0)
        push(reorder, 2)
        assert [p.sequence_number for p in reorder.restart(70_000)] == [2]
        assert push(reorder, 70_000) == [70_000 - 65_536]
        assert reorder.skipped == 1

    def test_restart_may_go_back_and_forgets_what_was_above(self):
        reorder = Reorder(128, 0.1)
        for number in (400, 500):
            push(reorder, number)
        reorder.restart(10)
        assert [push(reorder, n) for n in (10, 12, 11)] == [[10], [], [11, 12]]
        assert (reorder.reordered, reorder.late, reorder.duplicates) == (1, 0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 0.2)), max_size=120),
    st.sampled_from([0.0, 0.05, 0.1]),
    st.integers(1, 8),
)
def test_every_packet_comes_out_once_in_order_or_is_counted(arrivals, delay, limit):
    reorder = Reorder(limit, delay)
    now, out = 0.0, []
    for number, wait in arrivals:
        now += wait
        out += reorder.push(number, packet(number, now), now)
        assert len(reorder.waiting) <= limit
        assert all(p.arrival + delay > now for p in reorder.waiting.values())
    out += reorder.flush()
    numbers = [p.sequence_number for p in out]
    assert numbers == sorted(set(numbers))
    assert len(out) + reorder.late + reorder.duplicates == len(arrivals)
    assert len(out) + reorder.late == len({number for number, _ in arrivals})
    for before, after in pairwise(out):
        assert after.lost == after.sequence_number - before.sequence_number - 1
    assert reorder.skipped == sum(p.lost for p in out)

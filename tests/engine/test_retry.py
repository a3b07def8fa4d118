"""Delays are those of the strategies, and no port is knocked at too often."""

from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.retry import (
    CONNECTS,
    LATER,
    PERIOD,
    QUICK_ATTEMPTS,
    QUICK_GAP,
    Pace,
    delay_before,
    delays,
    proportional_delay,
    quick_gap,
)
from rtspkit.options import Retry

NAMES = ("immediate", "linear", "exponential", "exponential-jitter", "auto", "adaptive")


def first(strategy, count, random=lambda: 0.5, **options):
    return list(islice(delays(strategy, Retry(**options), random), count))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("immediate", [0, 0, 0, 0]),
        ("linear", [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 30, 30]),
        ("exponential", [1, 2, 4, 8, 16, 30, 30]),
    ],
)
def test_delays_are_those_of_the_formula(strategy, expected):
    assert first(strategy, len(expected)) == expected


@pytest.mark.parametrize("strategy", ["exponential-jitter", "auto", "adaptive"])
def test_jitter_is_a_quarter_both_ways_and_never_passes_the_cap(strategy):
    for share in (0.0, 0.5, 1.0 - 2**-53):
        got = first(strategy, 7, lambda share=share: share)
        for delay, base in zip(got, (1, 2, 4, 8, 16, 30, 30), strict=True):
            assert 0.75 * base <= delay <= min(1.25 * base, 30)
    low = first(strategy, 5, lambda: 0.0)
    assert low == [0.75, 1.5, 3, 6, 12]


def test_at_the_cap_many_clients_stay_apart():
    random = Random(1).random
    retry = Retry()
    found = {delay_before("exponential-jitter", 20, retry, random) for _ in range(50)}
    assert len(found) == 50
    assert max(found) - min(found) > 5


def test_none_has_no_further_attempt():
    assert first("none", 3) == []


def test_initial_and_maximum_delay_are_the_users():
    assert first("exponential", 4, initial_delay=0.5, maximum_delay=2) == [0.5, 1, 2, 2]
    assert first("linear", 3, initial_delay=0.5, maximum_delay=3) == [0.5, 2.5, 3]


@pytest.mark.parametrize("strategy", NAMES)
def test_delays_go_on_for_years(strategy):
    assert 0 <= delay_before(strategy, 10**9, Retry(), lambda: 0.5) <= 30


@given(st.sampled_from(NAMES), st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_delay_is_negative_or_past_the_cap(strategy, step, share):
    assert 0 <= delay_before(strategy, step, Retry(), lambda: share) <= 30


def test_a_proportional_delay_is_a_tenth_of_the_outage_up_to_the_cap():
    assert proportional_delay(100, Retry(), lambda: 0.5) == pytest.approx(10)
    assert proportional_delay(100, Retry(), lambda: 0.0) == pytest.approx(7.5)
    assert proportional_delay(1e6, Retry(), lambda: 0.5) == 30


def test_the_quick_phase_lasts_for_five_seconds_whatever_chance_says():
    shortest, longest = quick_gap(lambda: 1.0), quick_gap(lambda: 0.0)
    assert (QUICK_ATTEMPTS - 1) * shortest >= 5.0
    assert longest == QUICK_GAP < 1.0


def test_the_pace_has_no_bound_before_the_first_attempt():
    pace = Pace()
    assert pace.last is None
    assert pace.bound == pace.spread == float("-inf")


def test_the_thirteenth_attempt_waits_for_the_first_to_be_a_minute_old():
    pace = Pace()
    for number in range(CONNECTS):
        assert pace.bound <= number
        pace.begin(number)
    assert pace.bound == PERIOD > 60
    pace.renew()
    assert pace.last is None


def test_quick_attempts_leave_some_for_what_comes_after_them():
    pace = Pace()
    for number in range(CONNECTS - LATER):
        assert pace.has_room(number)
        pace.begin(number)
    assert not pace.has_room(30.0)
    assert pace.has_room(PERIOD + 0.5)  # the first of them is old


def test_who_has_no_delay_is_spread_dense_at_first_and_then_even():
    pace = Pace()
    times = [50.0]
    pace.begin(50.0)
    for _ in range(40):
        times.append(max(pace.spread, pace.bound))
        pace.begin(times[-1])
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[0] < 0.2
    assert all(b > a for a, b in pairwise(gaps[:CONNECTS]))
    assert times[CONNECTS] == pytest.approx(50 + PERIOD)
    assert gaps[CONNECTS:] == pytest.approx([PERIOD / CONNECTS] * len(gaps[CONNECTS:]))
    assert sum(time <= 55.5 for time in times) >= 5


def test_attempts_that_took_long_do_not_make_the_next_ones_crowd():
    pace = Pace()
    pace.begin(0.0)
    pace.begin(1000.0)
    assert pace.spread == pytest.approx(1000 + PERIOD / CONNECTS)


@given(st.lists(st.floats(0, 20), min_size=13, max_size=80))
def test_no_minute_has_more_than_twelve(waits):
    pace, now, begun = Pace(), 0.0, []
    for wait in waits:
        now = max(now + wait, pace.bound, pace.spread if wait < 1 else 0.0)
        pace.begin(now)
        begun.append(now)
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= CONNECTS


def test_connections_that_were_raced_count_too():
    pace, now, begun = Pace(), 0.0, []
    for _ in range(30):
        now = max(now, pace.bound)
        left = pace.left(now)
        pace.begin(now)
        raced = min(3, left)
        pace.charge(raced - 1)
        begun += [now] * raced
        now += 0.7
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= CONNECTS


def test_what_was_not_taken_by_the_server_is_not_charged():
    pace = Pace()
    pace.charge(3)  # before any attempt
    pace.begin(0.0)
    pace.charge(-1)
    pace.charge(0)
    assert pace.left(0.0) == CONNECTS - 1
    assert pace.last == 0.0


def test_at_the_bound_one_connection_is_left():
    pace = Pace()
    for _ in range(CONNECTS):
        pace.begin(0.0)
    assert pace.left(1.0) == 1
    assert pace.left(PERIOD + 1) == CONNECTS

"""Wall-clock stamps on a monotonic clock."""

from __future__ import annotations

import time

import pytest

from rtspkit.net.arrival import SECOND, ArrivalClock

WALL = 1_700_000_000 * SECOND


@pytest.fixture
def clock() -> ArrivalClock:
    return ArrivalClock(time.monotonic)


def test_an_age_is_taken_off_the_moment_of_reading(clock):
    assert clock.one(1_699_999_999, 500_000_000, 100.0, WALL) == pytest.approx(99.5)
    assert clock.many([1_699_999_999] * 2, [750_000_000, 900_000_000], 100.0, WALL) == (
        pytest.approx([99.75, 99.9])
    )


def test_a_second_may_begin_between_two_datagrams(clock):
    arrivals = clock.many([1_699_999_999, 1_700_000_000], [999_999_000, 1_000], 100.0, WALL + 2_000)
    assert arrivals == pytest.approx([100.0 - 3e-6, 100.0 - 1e-6])


@pytest.mark.parametrize("off", [-3600, -6, 1, 3600])
def test_a_stamp_that_makes_no_sense_is_now(clock, off):
    seconds = WALL // SECOND + off
    assert clock.one(seconds, 0, 100.0, WALL) == 100.0
    assert clock.many([seconds, seconds], [0, 1], 100.0, WALL) == [100.0, 100.0]


def test_no_arrival_is_before_the_one_before_it(clock):
    assert clock.one(1_699_999_999, 900_000_000, 100.0, WALL) == pytest.approx(99.9)
    first = clock.one(1_699_999_999, 900_000_000, 100.0, WALL)
    assert clock.one(1_699_999_999, 800_000_000, 100.0, WALL) == first
    later = clock.many([1_699_999_999] * 2, [700_000_000, 950_000_000], 100.0, WALL)
    assert later[0] == first
    assert later[1] == pytest.approx(99.95)


def test_the_clocks_are_read_at_one_moment(monkeypatch):
    """Put aside between the two looks, it looks again."""
    moments = iter([1.0, 1.5, 1.5 + 1e-6, 9.0])
    walls = iter([10, 20, 30])
    clock = ArrivalClock(lambda: next(moments))
    monkeypatch.setattr(time, "time_ns", lambda: next(walls))
    assert clock.read() == (1.5 + 1e-6, 20)


def test_it_gives_up_to_look_again_after_a_while(monkeypatch):
    moments = iter([0.0, 1.0, 2.0, 3.0, 4.0])
    clock = ArrivalClock(lambda: next(moments))
    monkeypatch.setattr(time, "time_ns", lambda: 7)
    assert clock.read() == (3.0, 7)

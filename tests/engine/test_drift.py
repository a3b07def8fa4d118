"""The rate of a clock, from its points."""

from __future__ import annotations

import random

import pytest

from rtspkit.engine.drift import Drift


def drift(rate: float, *, points: int = 100, jitter: float = 0.0, start: float = 5e8) -> Drift:
    chance = random.Random("drift")
    found = Drift()
    for number in range(points):
        media = number * 0.04
        found.add(start + media / rate + chance.uniform(0, jitter), 7.0 + media)
    return found


@pytest.mark.parametrize("rate", [0.5, 0.999, 1.0, 1.001, 2.0])
def test_the_rate_is_found_however_late_the_clock_is(rate):
    found = drift(rate)
    assert found.rate == pytest.approx(rate, rel=1e-6)
    assert found.uncertainty == pytest.approx(0, abs=1e-6)
    assert found.points == 100


def test_what_jitters_is_less_sure_and_right_within_that():
    found = drift(1.0, jitter=0.02)
    assert 0 < found.uncertainty < 0.01
    assert abs(found.rate - 1) < 4 * found.uncertainty


@pytest.mark.parametrize("points", [0, 1, 9])
def test_few_points_make_no_line(points):
    found = drift(1.0, points=points)
    assert found.rate is None
    assert found.uncertainty is None


def test_a_moment_is_too_short():
    found = Drift()
    for _ in range(100):
        found.add(5.0, 1.0)
    assert found.rate is None


def test_a_clock_that_stands_has_the_rate_nothing():
    found = Drift()
    for number in range(50):
        found.add(number * 0.04, 3.0)
    assert found.rate == 0

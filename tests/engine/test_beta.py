"""Samples have the mean and the spread of their distribution, and always come."""

from itertools import cycle
from random import Random
from statistics import fmean, pvariance

import pytest

from rtspkit.engine.beta import beta, gamma

COUNT = 20_000


@pytest.mark.parametrize("shape", [1.0, 2.5, 40.0])
def test_gamma_has_its_mean_and_variance(shape):
    random = Random(7).random
    samples = [gamma(shape, random) for _ in range(COUNT)]
    assert min(samples) > 0
    assert fmean(samples) == pytest.approx(shape, rel=0.03)
    assert pvariance(samples) == pytest.approx(shape, rel=0.08)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (8, 2), (1, 30), (200.5, 100.5)])
def test_beta_has_its_mean_and_variance(a, b):
    random = Random(9).random
    samples = [beta(a, b, random) for _ in range(COUNT)]
    assert all(0 <= sample <= 1 for sample in samples)
    assert fmean(samples) == pytest.approx(a / (a + b), rel=0.03)
    variance = a * b / ((a + b) ** 2 * (a + b + 1))
    assert pvariance(samples) == pytest.approx(variance, rel=0.08)


@pytest.mark.parametrize("share", [0.0, 0.5, 1 - 2**-53])
def test_chance_that_is_none_ends_too(share):
    assert gamma(1.0, lambda: share) > 0
    assert 0 <= beta(1.0, 3.0, lambda: share) <= 1


def test_chance_that_always_refuses_ends_too():
    turns = cycle([1 - 2**-53, 0.5, 0.0])  # far out on the left: never accepted
    assert gamma(1.0, lambda: next(turns)) == pytest.approx(2 / 3)

"""Samples of the beta and gamma distributions from uniform ones.

Layer:  engine (chance comes in)
Source: G. Marsaglia, W. W. Tsang: A Simple Method for Generating Gamma Variables (2000)
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["beta", "gamma"]

TRIES = 64  # each accepts with a probability over 0.95; then the middle is taken


def beta(a: float, b: float, random: Callable[[], float]) -> float:
    """One sample of Beta(a, b), a and b at least 1; 0 to 1."""
    x, y = gamma(a, random), gamma(b, random)
    return x / (x + y)


def gamma(shape: float, random: Callable[[], float]) -> float:
    """One sample of Gamma(shape, 1), for a shape of at least 1; over 0.

    A source of chance that gives always the same does not keep it from ending.
    """
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    for _ in range(TRIES):
        x = _normal(random)
        v = (1 + c * x) ** 3
        if v > 0 and math.log(1 - random()) < x * x / 2 + d - d * v + d * math.log(v):
            return d * v
    return d


def _normal(random: Callable[[], float]) -> float:
    """One sample of the normal distribution (Box and Muller); ``random`` gives 0 to under 1."""
    return math.sqrt(-2 * math.log(1 - random())) * math.cos(2 * math.pi * random())

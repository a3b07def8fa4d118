"""Modular arithmetic on circles of 2**16 and 2**32."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.serial import difference_16, difference_32, unwrap_16, unwrap_32

CIRCLES = [
    pytest.param(difference_16, unwrap_16, 16, id="16"),
    pytest.param(difference_32, unwrap_32, 32, id="32"),
]


@pytest.mark.parametrize(("difference", "unwrap", "bits"), CIRCLES)
class TestCircle:
    def test_ahead_behind_and_across_the_wrap(self, difference, unwrap, bits):
        top = (1 << bits) - 1
        assert difference(7, 5) == 2
        assert difference(5, 7) == -2
        assert difference(0, top) == 1
        assert difference(top, 0) == -1
        assert difference(9, 9) == 0

    def test_the_far_side_counts_as_behind(self, difference, unwrap, bits):
        half = 1 << (bits - 1)
        assert difference(half, 0) == -half
        assert difference(half - 1, 0) == half - 1

    def test_unwrap_goes_on_past_the_wrap(self, difference, unwrap, bits):
        size = 1 << bits
        assert unwrap(0, size - 1) == size
        assert unwrap(size - 1, size) == size - 1
        assert unwrap(3, 5 * size + 2) == 5 * size + 3
        assert unwrap(size - 1, 0) == -1


@given(st.integers(0, 0xFFFF), st.integers(-(10**9), 10**9))
def test_unwrap_16_is_the_nearest_number_of_that_residue(value, reference):
    unwrapped = unwrap_16(value, reference)
    assert unwrapped % (1 << 16) == value
    assert -(1 << 15) <= unwrapped - reference < 1 << 15


@given(st.integers(0, 0xFFFFFFFF), st.integers(-(10**14), 10**14))
def test_unwrap_32_is_the_nearest_number_of_that_residue(value, reference):
    unwrapped = unwrap_32(value, reference)
    assert unwrapped % (1 << 32) == value
    assert -(1 << 31) <= unwrapped - reference < 1 << 31


@given(st.integers(0, 0xFFFF), st.integers(-0x7FFF, 0x7FFF))
def test_difference_16_is_antisymmetric_and_finds_the_step(old, step):
    new = (old + step) & 0xFFFF
    assert difference_16(new, old) == step == -difference_16(old, new)


@given(st.integers(0, 0xFFFFFFFF), st.integers(-0x7FFFFFFF, 0x7FFFFFFF))
def test_difference_32_is_antisymmetric_and_finds_the_step(old, step):
    new = (old + step) & 0xFFFFFFFF
    assert difference_32(new, old) == step == -difference_32(old, new)

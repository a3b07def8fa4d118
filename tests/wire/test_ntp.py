"""NTP timestamps against Unix time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.ntp import middle_32, ntp_to_unix, unix_to_ntp

UNIX_EPOCH = 2_208_988_800 << 32


def test_the_unix_epoch():
    assert unix_to_ntp(0.0) == UNIX_EPOCH
    assert ntp_to_unix(UNIX_EPOCH) == 0.0


def test_the_fraction_is_in_units_of_two_to_the_minus_32():
    assert unix_to_ntp(0.5) == UNIX_EPOCH + (1 << 31)
    assert ntp_to_unix(UNIX_EPOCH + (1 << 30)) == 0.25


def test_a_fraction_that_rounds_up_carries_into_the_seconds():
    assert unix_to_ntp(1 - 2**-40) == UNIX_EPOCH + (1 << 32)


@pytest.mark.parametrize(
    ("seconds", "unix"),
    [
        (0x80000000, -61_505_152),  # 20 January 1968
        (0xFFFFFFFF, 2_085_978_495),  # 7 February 2036, the last second of the era
        (0, 2_085_978_496),  # and the next one
        (0x7FFFFFFF, 4_233_462_143),  # 2104
    ],
)
def test_without_a_hint_the_era_is_that_of_1968_to_2104(seconds, unix):
    assert ntp_to_unix(seconds << 32) == unix


def test_with_a_hint_the_nearest_era_is_taken():
    in_1950 = (50 * 365 + 12) * 86_400
    assert ntp_to_unix(in_1950 << 32, near=-600_000_000.0) == in_1950 - 2_208_988_800
    assert ntp_to_unix(5 << 32, near=2_085_978_490.0) == 2_085_978_501
    assert ntp_to_unix(0xFFFFFFFF << 32, near=2_085_978_500.0) == 2_085_978_495


def test_middle_32_is_what_a_report_block_carries():
    assert middle_32(0x12345678_9ABCDEF0) == 0x56789ABC


@given(st.floats(0, 4_000_000_000))
def test_there_and_back_within_the_precision_of_a_float(wall):
    assert ntp_to_unix(unix_to_ntp(wall)) == pytest.approx(wall, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(-(10**10), 10**10))
def test_the_result_is_within_half_an_era_of_the_hint(seconds, near):
    wall = ntp_to_unix(seconds << 32, near=near)
    assert abs(wall - near) <= 2**31 + 1
    assert unix_to_ntp(wall) >> 32 == seconds

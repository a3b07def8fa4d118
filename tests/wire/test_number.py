"""Numbers from the network: ASCII digits, length-capped, or None."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.number import parse_decimal, parse_hexadecimal, parse_seconds

NOT_DIGITS = ["", " ", "1_0", "+5", "-1", " 5", "5 ", "٣", "²", "1.0", "0x10", "1e3", "5\n"]


@pytest.mark.parametrize("text", NOT_DIGITS)
def test_what_int_would_take_and_is_no_ascii_digits_is_none(text):
    assert parse_decimal(text, maximum=10**6) is None


@pytest.mark.parametrize(
    ("text", "maximum", "number"),
    [("0", 0, 0), ("1", 0, None), ("007", 9, 7), ("65535", 65535, 65535), ("65536", 65535, None)],
)
def test_the_maximum_is_included(text, maximum, number):
    assert parse_decimal(text, maximum=maximum) == number


@pytest.mark.parametrize(
    ("text", "number"), [("ff", 255), ("FF", 255), ("0ff", 255), ("100", None), ("", None)]
)
def test_hexadecimal_takes_either_case(text, number):
    assert parse_hexadecimal(text, maximum=255) == number


@pytest.mark.parametrize("text", ["0xff", "-1", "f_f", " f", "g", "٣"])
def test_hexadecimal_refuses_what_int_would_take(text):
    assert parse_hexadecimal(text, maximum=10**9) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("5.", 5.0),
        ("5.25", 5.25),
        ("596.480000000000000000000001", 596.48),
        (".5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("-1", None),
        ("5.2.1", None),
        ("5.٣", None),
        ("9" * 16, None),
    ],
)
def test_seconds_are_digits_with_a_fraction(text, seconds):
    assert parse_seconds(text) == seconds


def test_a_million_digits_are_refused_without_being_converted():
    begin = time.process_time()
    assert parse_decimal("9" * 10**6, maximum=2**64) is None
    assert parse_hexadecimal("f" * 10**6, maximum=2**64) is None
    assert parse_seconds("9" * 10**6) is None
    assert parse_decimal("0" * 10**6 + "1", maximum=1) == 1
    assert time.process_time() - begin < 1


@given(st.integers(0, 2**70), st.integers(0, 2**70))
def test_every_number_up_to_the_maximum_comes_back(number, maximum):
    wanted = number if number <= maximum else None
    assert parse_decimal(str(number), maximum=maximum) == wanted
    assert parse_hexadecimal(f"{number:x}", maximum=maximum) == wanted


@given(st.text(alphabet="0123456789.-+_e ٣", max_size=30) | st.text())
def test_anything_gives_a_number_in_range_or_none(text):
    decimal = parse_decimal(text, maximum=1000)
    assert decimal is None or 0 <= decimal <= 1000
    seconds = parse_seconds(text)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))

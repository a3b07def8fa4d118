"""Numbers are aligned and have their units; foreign text cannot move a cursor."""

import pytest

from rtspkit.cli.figures import clock, count, decimal, milliseconds, one_line, plural, shorten


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (1_234_567, "1234567"),
        (12_345_678, "12.3 M"),
        (123_456_789_012, "123.5 G"),
    ],
)
def test_a_count_fits_its_column(number, text):
    assert count(number, 7) == text


def test_a_count_has_its_thousands_apart_where_there_is_room():
    assert count(1_234_567) == "1,234,567"


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0.0, "0.0"), (25.04, "25.0"), (999.94, "999.9"), (12345.6, "12,346")],
)
def test_a_rate_has_one_decimal_while_it_is_small(number, text):
    assert decimal(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.00 ms"),
        (0.000412, "0.41 ms"),
        (0.00996, "10 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.00 s"),
        (1.52, "1.52 s"),
    ],
)
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, text):
    assert milliseconds(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0:00"),
        (7, "0:07"),
        (5999, "99:59"),
        (6000, "1h40m"),
        (359_999, "99h59m"),
        (360_000, "4d04h"),
    ],
)
def test_a_duration_stays_short(seconds, text):
    assert clock(seconds) == text


def test_nouns_have_their_plural():
    assert [plural(n, "packet") for n in (0, 1, 2000)] == ["0 packets", "1 packet", "2,000 packets"]


def test_foreign_text_cannot_leave_its_line():
    assert one_line("a\x1b[2J\r\nb\u202e ") == "a [2J  b"


def test_foreign_text_is_cut_to_its_column():
    assert shorten("GStreamer", 9) == "GStreamer"
    assert shorten("GStreamer", 8) == "GStream…"

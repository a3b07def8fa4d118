"""Names beside lines, and pictures that do not change."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plots import Panel, Point, Series, draw, place_labels

HEIGHTS = st.lists(st.floats(0, 300), max_size=20)


@given(HEIGHTS)
def test_no_name_covers_another_and_all_are_inside(wanted):
    places = place_labels(wanted, 11, 0, 300)
    ordered = sorted(places)
    assert all(b - a >= 11 - 1e-6 for a, b in pairwise(ordered))
    assert all(-1e-6 <= place <= 300 + 1e-6 for place in places)


@given(HEIGHTS)
def test_names_keep_the_order_of_their_lines(wanted):
    places = place_labels(wanted, 11, 0, 300)
    by_wish = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert by_wish == sorted(range(len(wanted)), key=lambda index: places[index])


def test_names_with_room_stay_where_they_are():
    assert place_labels([100, 20, 200], 11, 0, 300) == [100, 20, 200]


def panel():
    series = (
        Series("rtspkit packets", (Point(1000, 2, 1.9, 2.1), Point(80_000, 1, 1, 1)), strong=True),
        Series("bare recvmmsg", (Point(1000, 1, 0.9, 1.2), Point(80_000, 0.9, 0.9, 0.9)), True),
    )
    return Panel("UDP", series, "packets per second", "CPU per packet (µs)")


def test_the_same_figures_are_the_same_bytes():
    pytest.importorskip("matplotlib")
    first = draw([panel()], "a title")
    assert draw([panel()], "a title") == first
    text = first.decode()
    for word in ("a title", "UDP", "rtspkit packets", "bare recvmmsg", "CPU per packet (µs)"):
        assert word in text
    assert "dc:date" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())

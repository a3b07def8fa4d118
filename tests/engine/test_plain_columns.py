"""The plain loops: what they give, and that nothing of numpy comes out of them."""

from array import array

import pytest
from packet_traces import columns_of

from rtspkit.engine.plain_columns import sources, statistics
from rtspkit.engine.source_columns import Gap, RateWindow
from rtspkit.wire.columns import concatenate_columns

TRACE = [(1, 0, 0.0), (2, 3000, 0.1), (9_000, 0, 0.15), (5, 6000, 0.2), (3, 3000, 0.3), (5, 0, 1.5)]


def test_columns_have_the_type_codes_that_are_documented():
    (source,) = sources(columns_of(TRACE), {}, 90_000)
    names = ("row", "sequence_number", "timestamp", "arrival", "size", "behind", "duplicate")
    codes = [getattr(source, name).typecode for name in (*names, "jitter_ticks", "strays")]
    assert codes == ["q", "q", "q", "d", "i", "h", "B", "d", "q"]


def test_the_sums_of_a_small_trace():
    columns = columns_of(TRACE)
    (source,) = sources(columns, {}, 90_000)
    assert source.row == array("q", [0, 1, 3, 4, 5])
    sums = statistics(columns, source, 1.0)
    assert (sums.packets, sums.received, sums.strays, sums.duplicates) == (6, 5, 1, 1)
    assert (sums.expected, sums.missing, sums.gaps) == (5, 1, (Gap(4, 1),))
    assert (sums.reordered, sums.reorder_depth, sums.highest) == (1, 2, 5)
    assert sums.windows == (RateWindow(0.0, 5, 110), RateWindow(1.0, 1, 25))
    assert (sums.timestamp_span, sums.last_arrival) == (6000, 1.5)


def test_numpys_columns_give_pythons_numbers():
    pytest.importorskip("numpy")
    columns = concatenate_columns([columns_of(TRACE)], engine="numpy")
    (source,) = sources(columns, {96: 8000}, 90_000)
    sums = statistics(columns, source, 1.0)
    plain = (int, float, tuple)
    slots = type(sums).__slots__
    assert all(type(getattr(sums, name)) in plain for name in slots)
    assert {type(number) for window in sums.windows for number in window} == {float, int}
    assert source.clock_rate == 8000

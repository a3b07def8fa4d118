"""Packets that arrived together: where each one lies."""

from itertools import repeat

from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.datagrams import UNKNOWN, Datagrams, lone_datagrams, spaced_headers
from rtspkit.wire.rtp import HEADER_SIZE, unpack_header


def test_rows_of_one_slab_are_views_of_it():
    slab = memoryview(b"..one..three...two")
    rows = Datagrams(repeat(slab), [2, 7, 15], [3, 5, 3], repeat(1.0), 1.0)
    views = list(rows)
    assert views == [b"one", b"three", b"two"]
    assert all(view.obj is slab.obj for view in views)
    assert list(rows) == views  # as often as one likes
    assert len(rows) == 3


def test_rows_may_lie_in_memories_of_their_own():
    views = [memoryview(b"-one"), memoryview(b"two-")]
    rows = Datagrams(views, [1, 0], [3, 3], [1.0, 2.0], 2.0)
    assert list(rows) == [b"one", b"two"]


@given(st.lists(st.binary(max_size=20), max_size=10), st.floats(0, 1e6))
def test_lone_datagrams_are_whole_and_all_there_at_once(data, now):
    rows = lone_datagrams([memoryview(one) for one in data], now)
    assert list(map(bytes, rows)) == data
    assert len(rows) == len(data) == len(rows.starts)
    assert list(rows.lengths) == list(map(len, data))
    assert rows.latest == now
    assert [at for at, _ in zip(rows.arrivals, data, strict=False)] == [now] * len(data)


@given(st.integers(0, 9), st.integers(HEADER_SIZE, 40), st.integers(1, 8), st.integers(0, 40))
def test_headers_at_equal_distances_are_those_that_are_read_alone(begin, step, count, behind):
    size = begin + step * (count - 1) + HEADER_SIZE + behind
    memory = memoryview(bytes(n * 37 & 0xFF for n in range(size)))
    starts = range(begin, begin + step * count, step)
    found = spaced_headers(memory, starts)
    if begin + step * count > size:  # the last one is not followed by a whole distance
        assert found is None
    else:
        assert found is not None
        assert list(found) == [unpack_header(memory, start) for start in starts]


def test_what_nobody_has_asked_for_is_unknown():
    rows = lone_datagrams([memoryview(b"one")], 1.0)
    assert (rows.size, rows.headers) == (UNKNOWN, None)

"""Packets that arrived together: where each one lies."""

from itertools import repeat

from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.datagrams import Datagrams, lone_datagrams


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

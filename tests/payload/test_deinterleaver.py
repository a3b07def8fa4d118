"""Interleaved units come out in their order, and none waits for ever."""

import pytest

from rtspkit.payload.base import AccessUnit
from rtspkit.payload.deinterleaver import MAX_WAITING, Deinterleaver


def units(*timestamps, size=1):
    return [AccessUnit(bytes(size), timestamp & 0xFFFFFFFF) for timestamp in timestamps]


def timestamps(found):
    return [unit.timestamp for unit in found]


def test_units_that_are_not_interleaved_pass():
    order = Deinterleaver(1000)
    assert timestamps(order.push(units(0, 1, 2), 0, interleaved=False)) == [0, 1, 2]
    assert order.flush() == []


@pytest.mark.parametrize("start", [0, (1 << 32) - 4])
def test_three_packets_of_three_come_out_in_order(start):
    order = Deinterleaver(1000)
    out = []
    for first in range(3):
        now = (start + first) & 0xFFFFFFFF
        group = units(*(start + first + 3 * i for i in range(3)))
        out += timestamps(order.push(group, now, interleaved=True))
    out += timestamps(order.push(units(start + 9), (start + 9) & 0xFFFFFFFF, interleaved=False))
    assert out == [(start + i) & 0xFFFFFFFF for i in range(10)]


def test_what_waits_goes_when_the_stream_ends():
    order = Deinterleaver(1000)
    assert timestamps(order.push(units(0, 3, 6), 0, interleaved=True)) == [0]
    assert timestamps(order.flush()) == [3, 6]
    assert order.flush() == []


def test_a_timestamp_that_goes_back_sends_everything_off_first():
    order = Deinterleaver(1000)
    order.push(units(5000, 5003), 5000, interleaved=True)
    assert timestamps(order.push(units(10), 10, interleaved=False)) == [5003, 10]


def test_no_more_than_a_bounded_number_waits():
    order = Deinterleaver(1 << 20)
    found = order.push(units(0, *range(10, 10 + 2 * MAX_WAITING)), 0, interleaved=True)
    assert len(found) == 1 + MAX_WAITING
    assert timestamps(found) == sorted(timestamps(found))


def test_no_more_than_a_bounded_size_waits():
    order = Deinterleaver(100)
    found = order.push(units(0, 10, 20, 30, size=40), 0, interleaved=True)
    assert timestamps(found) == [0, 10]


def test_a_long_time_without_interleaving_does_no_harm():
    order = Deinterleaver(1000)
    order.push(units(0, 3), 0, interleaved=True)
    order.flush()
    later = 1 << 31
    assert timestamps(order.push(units(later, later + 3), later, interleaved=True)) == [later]

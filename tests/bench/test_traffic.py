"""Cycles: as many packets as asked for, at their times, and access units that hold together."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.traffic import (
    MAX_SEGMENTS,
    STAMP_SIZE,
    Traffic,
    build_cycle,
    make_stamp,
    read_stamp,
    shares,
)


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(1, 100_000),
    pacing=st.sampled_from(["frames", "flat", "flood"]),
    packet_size=st.integers(200, 9000),
    interleaved=st.booleans(),
)
def test_a_cycle_has_the_rate_that_was_asked_for(rate, pacing, packet_size, interleaved):
    traffic = Traffic(rate=rate, pacing=pacing, packet_size=packet_size)
    cycle = build_cycle(traffic, interleaved=interleaved)
    assert cycle.packets / cycle.duration == pytest.approx(rate)
    assert sum(len(burst.template.headers) for burst in cycle.bursts) == cycle.packets
    assert sum(burst.template.units for burst in cycle.bursts) == 30
    dues = [burst.due for burst in cycle.bursts]
    assert dues == sorted(dues)
    assert cycle.interval == (0 if pacing == "flood" else cycle.duration)
    for burst in cycle.bursts:
        template = burst.template
        assert len(template.headers) <= MAX_SEGMENTS
        assert len(template.data) <= len(template.headers) * template.size <= 70_000
        assert len(template.data) > (len(template.headers) - 1) * template.size


@given(st.integers(0, 5000), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_shares_are_at_least_what_is_needed_and_add_up(more, least):
    total = sum(least) + more
    counts = shares(total, [8.0] + [1.0] * (len(least) - 1), least)
    assert sum(counts) == total
    assert all(count >= need for count, need in zip(counts, least, strict=True))


def test_a_keyframe_is_eight_times_as_large():
    cycle = build_cycle(Traffic(rate=10_000))
    counts: dict[int, int] = {}
    for burst in cycle.bursts:
        counts[burst.ticks] = counts.get(burst.ticks, 0) + len(burst.template.headers)
    key, *others = counts.values()
    assert key == pytest.approx(8 * 10_000 / 37, abs=1)
    assert max(others) - min(others) <= 1
    assert list(counts) == [3000 * index for index in range(30)]


def test_flat_traffic_is_flat():
    cycle = build_cycle(Traffic(rate=50_000, pacing="flat"))
    in_tick: dict[int, int] = {}
    for burst in cycle.bursts:
        in_tick[round(burst.due * 1000)] = in_tick.get(round(burst.due * 1000), 0) + len(
            burst.template.headers
        )
    assert len(in_tick) == 1000
    assert set(in_tick.values()) == {50}


def test_a_picture_goes_out_at_the_line_rate():
    cycle = build_cycle(Traffic(rate=10_000, line_rate=20_000))
    for before, burst in pairwise(cycle.bursts):
        gap = len(before.template.headers) / 20_000
        assert burst.due >= before.due + gap - 1e-9


def test_a_rate_too_low_for_thirty_pictures_a_second_has_fewer():
    cycle = build_cycle(Traffic(rate=10))
    assert cycle.frame_rate < 10
    assert cycle.duration == pytest.approx(30 / cycle.frame_rate)


def test_no_picture_is_larger_than_a_receiver_must_take():
    for pacing in ("frames", "flat"):
        cycle = build_cycle(Traffic(rate=300_000, pacing=pacing))
        sizes: dict[int, int] = {}
        for burst in cycle.bursts:
            sizes[burst.ticks] = sizes.get(burst.ticks, 0) + burst.template.unit_bytes
        assert len(sizes) == 30
        assert 2_000_000 < max(sizes.values()) <= 3_000_000
        assert (1 / cycle.duration) % 1 == pytest.approx(0, abs=0.01)


def test_equal_bursts_share_their_memory():
    cycle = build_cycle(Traffic(rate=100_000))
    size = sum(len(t.data) for t in {id(b.template): b.template for b in cycle.bursts}.values())
    assert size < 3 << 20


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"pacing": "slow"}, {"packet_size": 20}, {"packet_size": 70_000}]
)
def test_impossible_traffic_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not|positive"):
        Traffic(**wrong)


@pytest.mark.parametrize("head", [b"\x0c\xff", b"\x1c\x8c", b"\x1c\x0c", b"\x1c\x4c"])
def test_a_stamp_is_read_back(head):
    before = time.monotonic_ns(), time.time_ns()
    payload = head + b"\xff" * 40 + make_stamp()
    after = time.monotonic_ns(), time.time_ns()
    stamp = read_stamp(memoryview(payload))
    assert before[0] <= stamp.monotonic <= after[0]
    assert before[1] <= stamp.realtime <= after[1]


def test_a_stamp_makes_no_start_code():
    stamp = make_stamp()
    assert len(stamp) == STAMP_SIZE
    assert min(stamp) >= 0x80


@pytest.mark.parametrize("payload", [b"", b"\x0c", b"\x1c\x81" + b"\xff" * 40, b"\x41" * 40])
def test_what_carries_no_stamp_has_none(payload):
    assert read_stamp(payload) is None

"""Statistics by known values; the processes are real ones, our own."""

from __future__ import annotations

import math
import os
import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import (
    CpuUse,
    cpu_use,
    percentile,
    ratios,
    rss,
    student_t,
    summarize,
    summarize_ratio,
    udp_drops,
)


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [  # from the printed tables
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 4, 2.776),
        (0.95, 7, 2.365),
        (0.95, 30, 2.042),
        (0.99, 1, 63.657),
        (0.99, 4, 4.604),
        (0.99, 9, 3.250),
        (0.90, 5, 2.015),
    ],
)
def test_students_t_is_the_tables(confidence, degrees, expected):
    assert student_t(confidence, degrees) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("confidence", "degrees"), [(1.0, 3), (-0.1, 3), (0.95, 0)])
def test_students_t_refuses_what_has_no_quantile(confidence, degrees):
    with pytest.raises(ValueError, match="quantile"):
        student_t(confidence, degrees)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        samples = [10 * math.exp(chance.gauss(0, 0.2)) for _ in range(5)]
        summary = summarize(samples, 0.95)
        held += summary.low <= 10 <= summary.high
    assert 0.93 < held / 2000 < 0.97


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_the_median_lies_within_its_interval(samples):
    summary = summarize(samples)
    assert summary.low <= summary.median <= summary.high
    assert summary.rounds == len(samples)


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=30))
def test_positive_samples_have_a_positive_interval(samples):
    assert summarize(samples).low > 0


def test_one_sample_has_no_width():
    assert summarize([3.0]) == summarize([3.0], 0.99)
    assert (summarize([3.0]).low, summarize([3.0]).high) == (3.0, 3.0)


def test_more_confidence_is_a_wider_interval():
    narrow, wide = summarize([1.0, 1.1, 1.3], 0.95), summarize([1.0, 1.1, 1.3], 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_no_samples_have_no_middle():
    with pytest.raises(ValueError, match="no samples"):
        summarize([])


def test_ratios_are_paired_by_round():
    """A disturbance that doubles both sides of a round changes no ratio."""
    summary = summarize_ratio([2.0, 4.0, None, 2.0], [1.0, 2.0, 1.0, 1.0])
    assert summary.median == pytest.approx(2.0)
    assert summary.low == pytest.approx(2.0)
    assert summary.high == pytest.approx(2.0)
    assert summary.rounds == 3


def test_rounds_without_one_side_have_no_ratio():
    assert ratios([1.0, None, 3.0, 4.0], [2.0, 1.0, None, 0.0]) == [0.5]
    with pytest.raises(ValueError, match="no round"):
        summarize_ratio([None], [1.0])


def test_percentiles_are_interpolated():
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([0.0, 10.0], 0.5) == 5.0
    assert percentile([float(n) for n in range(101)], 0.9) == 90.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0


def test_work_shows_in_the_cpu_of_a_process():
    before = cpu_use(os.getpid())
    while (used := cpu_use(os.getpid()) - before).total < 0.03:
        sum(range(10_000))
    assert used.threads >= 1
    assert used.user + used.system <= used.total + 0.03


def test_a_process_that_is_gone_has_no_cpu():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(ProcessLookupError):
        cpu_use(child)


def test_uses_are_subtracted_field_by_field():
    assert CpuUse(3.0, 2.0, 1.0, 4) - CpuUse(1.0, 0.5, 0.5, 1) == CpuUse(2.0, 1.5, 0.5, 4)


def test_resident_memory_is_in_bytes():
    assert 1 << 20 < rss() < 1 << 40


def test_datagrams_for_a_full_queue_are_seen_from_outside():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        port = receiver.getsockname()[1]
        assert udp_drops([port]) == 0
        for _ in range(200):
            sender.sendto(bytes(1000), ("127.0.0.1", port))
        kept = 0
        while True:
            try:
                receiver.recv(2000)
            except BlockingIOError:
                break
            kept += 1
        assert 0 < kept < 200
        assert udp_drops([port]) == 200 - kept

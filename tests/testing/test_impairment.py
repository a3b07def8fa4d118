from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.testing.impairment import DatagramLane, Impairment, LaneCounters, StreamLane

SHARES = st.floats(0, 1)
IMPAIRMENTS = st.builds(
    Impairment,
    loss=SHARES,
    every=st.integers(0, 5),
    delay=st.floats(0, 0.1),
    jitter=st.floats(0, 0.1),
    reorder=SHARES,
    overtaken_by=st.integers(0, 4),
    duplicate=SHARES,
    rate=st.sampled_from([0, 100, 10_000]),
    queue=st.integers(0, 50),
)


def run(lane: DatagramLane, number: int, *, step: float = 0.01) -> list[int]:
    """Push packets 0 to number - 1, one each step; what came out, in order."""
    out: list[bytes] = []
    for n in range(number):
        lane.push(n.to_bytes(4, "big"), n * step)
        out += lane.due(n * step)
    while (deadline := lane.deadline) is not None:
        out += lane.due(deadline)
    return [int.from_bytes(data, "big") for data in out]


def test_a_clean_lane_passes_everything_at_once():
    lane = DatagramLane(Impairment(), 0, "x")
    assert run(lane, 50) == list(range(50))
    assert lane.counters == LaneCounters(received=50, delivered=50, bytes=200)


def test_every_nth_packet_is_lost():
    assert run(DatagramLane(Impairment(every=3), 0, "x"), 9) == [0, 1, 3, 4, 6, 7]


def test_delay_is_kept_to():
    lane = DatagramLane(Impairment(delay=0.5), 0, "x")
    lane.push(b"a", 1.0)
    assert lane.deadline == 1.5
    assert lane.due(1.499) == []
    assert lane.due(1.5) == [b"a"]


def test_jitter_delays_and_keeps_the_order():
    lane = DatagramLane(Impairment(jitter=0.5), 0, "x")
    assert run(lane, 100) == list(range(100))
    lane.push(b"a", 10.0)
    assert 10.0 < lane.deadline < 10.5


def test_the_fate_of_a_packet_does_not_depend_on_the_time():
    what = Impairment(loss=0.3)
    slow, fast = DatagramLane(what, 1, "x"), DatagramLane(what, 1, "x")
    assert run(slow, 100) == run(fast, 100, step=0.0001)


def test_lanes_and_seeds_differ():
    what = Impairment(loss=0.5)
    fates = [
        run(DatagramLane(what, seed, name), 50) for seed, name in ((1, "x"), (2, "x"), (1, "y"))
    ]
    assert fates[0] != fates[1] != fates[2] != fates[0]


def test_a_held_packet_comes_after_those_that_overtake_it():
    lane = DatagramLane(Impairment(reorder=0.3, overtaken_by=1), 0, "x")
    order = run(lane, 100)
    assert sorted(order) == list(range(100))
    overtaken = sum(any(later < n for later in order[i:]) for i, n in enumerate(order))
    assert overtaken > 0
    assert lane.counters.reordered > 10


def test_a_packet_that_nothing_overtakes_comes_late_and_is_not_counted():
    lane = DatagramLane(Impairment(reorder=1.0), 0, "x")
    lane.push(b"a", 0.0)
    assert lane.deadline == pytest.approx(0.05)
    assert lane.due(0.05) == [b"a"]
    assert lane.counters.reordered == 0


def test_rate_spaces_packets_and_overflows():
    lane = DatagramLane(Impairment(rate=100, queue=20), 0, "x")
    for _ in range(5):
        lane.push(bytes(10), 0.0)
    assert [len(lane.due(now)) for now in (0.0, 0.1, 0.2, 9.0)] == [0, 1, 1, 0]
    assert (lane.counters.dropped, lane.counters.overflowed) == (3, 3)


def test_blocked_loses_everything_until_it_is_not():
    what = Impairment(blocked=True)
    lane = DatagramLane(what, 0, "x")
    lane.push(b"a", 0.0)
    what.blocked = False
    lane.push(b"b", 0.0)
    assert lane.due(0.0) == [b"b"]


def test_clearing_forgets_what_was_under_way_and_counts_it_as_no_loss():
    lane = DatagramLane(Impairment(delay=1), 0, "x")
    lane.push(b"a", 0.0)
    lane.clear()
    assert lane.deadline is None
    assert lane.due(9.0) == []
    assert lane.counters.dropped == 0


@settings(max_examples=60, deadline=None)
@given(what=IMPAIRMENTS, seed=st.integers(0, 9), number=st.integers(0, 60))
def test_counters_are_exact_whatever_happens(what, seed, number):
    lane = DatagramLane(what, seed, "x")
    out = run(lane, number)
    counters = lane.counters
    assert counters.received == number
    assert counters.delivered == len(out)
    assert len(out) == number - counters.dropped + counters.duplicated
    highest, late = -1, set()
    for n in out:
        if n < highest:
            late.add(n)
        highest = max(highest, n)
    assert len(late) == counters.reordered


def test_a_stream_comes_whole_and_in_order():
    lane = StreamLane(Impairment(loss=0.3, jitter=0.1, delay=0.1, rate=50_000), 0, "x")
    sent = bytes(range(256)) * 40
    lane.push(sent, 0.0)
    got = b""
    while (deadline := lane.deadline) is not None:
        got += lane.due(deadline)
    assert got == sent
    assert lane.counters.dropped > 0
    assert lane.queued == 0


def test_loss_delays_a_stream_by_a_retransmission():
    lane = StreamLane(Impairment(loss=1.0), 0, "x")
    lane.push(b"a", 1.0)
    assert lane.deadline == pytest.approx(1.2)


def test_a_stalled_stream_gives_nothing():
    lane = StreamLane(Impairment(), 0, "x")
    lane.push(b"a", 0.0)
    lane.stalled = True
    assert (lane.deadline, lane.due(9.0)) == (None, b"")
    lane.stalled = False
    assert lane.due(9.0) == b"a"


def test_a_stream_is_full_when_more_than_the_queue_waits():
    lane = StreamLane(Impairment(delay=1, queue=10), 0, "x")
    lane.push(bytes(10), 0.0)
    assert not lane.full
    lane.push(b"a", 0.0)
    assert lane.full


@pytest.mark.parametrize("bad", [{"loss": 1.1}, {"delay": -1}, {"duplicate": 2}, {"reorder": -0.1}])
def test_impossible_values_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Impairment(**bad)


def test_counters_add_up():
    assert LaneCounters(1, 2, 3) + LaneCounters(1, 1, 1, dropped=4) == LaneCounters(2, 3, 4, 4)

"""Bulk columns agree with the machines that take packets one by one, with either engine."""

import sys
from array import array
from dataclasses import asdict
from importlib.util import find_spec
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_traces import columns_of, one_by_one, traces

from rtspkit.engine.columns import Gap, RateWindow, analyze_columns, unwrap_columns
from rtspkit.errors import LocalProtocolError, MissingExtra
from rtspkit.wire.columns import concatenate_columns, parse_columns
from rtspkit.wire.rtp import serialize_rtp

HAS_NUMPY = find_spec("numpy") is not None
needs_numpy = pytest.mark.skipif(not HAS_NUMPY, reason="numpy is not installed")
ENGINES = ["python", pytest.param("numpy", marks=needs_numpy)]
RATE = 90_000


def close(ticks):
    """The tolerance that is documented."""
    return pytest.approx(ticks, rel=1e-9, abs=1e-9)


def regular(numbers, step=0.02):
    """One packet every 20 ms, on time."""
    return [(n & 0xFFFF, 1800 * row, step * row) for row, n in enumerate(numbers)]


def only(trace, engine, **more):
    (statistics,) = analyze_columns(columns_of(trace), RATE, engine=engine, **more)
    return statistics


def as_lists(source):
    """All columns of a source, jitter apart."""
    names = ("row", "sequence_number", "timestamp", "arrival", "size", "behind", "duplicate")
    integers = {name: getattr(source, name).tolist() for name in names}
    integers |= {"strays": source.strays.tolist(), "restarts": source.restarts}
    integers |= {"ssrc": source.ssrc, "types": source.payload_types, "rate": source.clock_rate}
    return integers, source.jitter_ticks.tolist()


class TestAgreement:
    @pytest.mark.parametrize("engine", ENGINES)
    @given(trace=traces(), delay=st.sampled_from([0.0, 0.1, 100.0]))
    def test_with_reception_and_reorder(self, engine, trace, delay):
        """Loss, reordering, duplicates, wraps, jumps and restarts: the same counts."""
        machines = one_by_one(trace, RATE, delay)
        reception, reorder = machines.reception, machines.reorder
        (source,) = unwrap_columns(columns_of(trace), RATE, engine=engine)
        assert source.sequence_number.tolist() == machines.extended
        assert source.jitter_ticks.tolist() == close(machines.jitter_ticks)
        assert source.strays.tolist() == machines.strays
        statistics = only(trace, engine)
        assert statistics.received == reception.received
        assert statistics.expected == reception.expected
        assert statistics.lost == reception.lost
        assert statistics.highest == reception.highest
        assert statistics.restarts == reception.restarts
        assert statistics.jitter_ticks == close(reception.jitter_ticks)
        assert statistics.jitter == close(reception.jitter)
        assert statistics.duplicates == reorder.duplicates
        assert statistics.reordered == reorder.reordered + reorder.late
        unique = reception.received - reorder.duplicates
        assert statistics.missing == reception.expected - unique
        assert statistics.packets == len(trace) == statistics.received + statistics.strays

    @needs_numpy
    @given(
        sources=st.lists(traces(max_size=30), max_size=3),
        order=st.randoms(use_true_random=False),
        window=st.sampled_from([0.001, 0.3, 1.0, 60.0]),
    )
    def test_of_numpy_with_plain_python(self, sources, order, window):
        """Several sources, mixed: integers are equal, jitter to 1e-9, columns of either kind."""
        owners = [ssrc for ssrc, trace in enumerate(sources) for _ in trace]
        order.shuffle(owners)
        rest = [iter(trace) for trace in sources]
        mixed = [next(rest[ssrc]) for ssrc in owners]
        columns = columns_of(
            mixed, [5 - ssrc for ssrc in owners], [95 + ssrc for ssrc in owners], None
        )
        rates = {95: 8000, 97: 48_000}
        plain = unwrap_columns(columns, rates, engine="python")
        fast = unwrap_columns(columns, rates, engine="numpy")
        for one, other in zip(plain, fast, strict=True):
            (exact, jitter), (exact_too, jitter_too) = as_lists(one), as_lists(other)
            assert exact == exact_too
            assert jitter_too == close(jitter)
        numpy_columns = concatenate_columns([columns], engine="numpy")
        answers = [
            [asdict(each) for each in analyze_columns(made, rates, window=window, engine=engine)]
            for made in (columns, numpy_columns)
            for engine in ("python", "numpy")
        ]
        for answer in answers[1:]:
            for one, other in zip(answers[0], answer, strict=True):
                for name, value in one.items():
                    wanted = close(value) if "jitter" in name else value
                    assert other[name] == wanted, name
                    assert type(other[name]) is type(value), name


@pytest.mark.parametrize("engine", ENGINES)
class TestSequence:
    def test_numbers_go_on_past_the_wrap(self, engine):
        (source,) = unwrap_columns(columns_of(regular(range(65_530, 65_545))), engine=engine)
        assert source.sequence_number.tolist() == list(range(65_530, 65_545))
        assert (len(source), source.restarts) == (15, ())

    def test_gaps_are_what_never_came(self, engine):
        statistics = only(regular([10, 11, 15, 13, 16, 20]), engine)
        assert statistics.gaps == (Gap(12, 1), Gap(14, 1), Gap(17, 3))
        assert (statistics.missing, statistics.lost, statistics.expected) == (5, 5, 11)
        assert (statistics.reordered, statistics.reorder_depth) == (1, 2)

    def test_a_gap_across_the_wrap(self, engine):
        statistics = only(regular([65_534, 65_538]), engine)
        assert statistics.gaps == (Gap(65_535, 3),)

    def test_packets_from_before_the_first_one(self, engine):
        statistics = only(regular([0, 65_533, 1]), engine)
        assert statistics.gaps == (Gap(-2, 2),)
        assert statistics.expected == 5

    def test_duplicates_do_not_hide_a_loss(self, engine):
        statistics = only(regular([1, 2, 2, 2, 5, 1]), engine)
        assert (statistics.duplicates, statistics.missing, statistics.lost) == (3, 2, -1)
        assert (statistics.reordered, statistics.reorder_depth) == (0, 0)

    def test_a_duplicate_that_comes_before_its_neighbours(self, engine):
        (source,) = unwrap_columns(columns_of(regular([1, 5, 3, 3, 5, 2])), engine=engine)
        assert source.duplicate.tolist() == [False, False, False, True, True, False]
        assert source.behind.tolist() == [0, 0, 2, 2, 0, 3]

    def test_strays_are_counted_and_move_nothing(self, engine):
        statistics = only(regular([1, 2, 30_000, 3, 50_000, 4]), engine)
        assert (statistics.strays, statistics.missing, statistics.received) == (2, 0, 4)
        assert (statistics.packets, statistics.restarts) == (6, 0)

    def test_nothing_is_missing_between_two_beginnings(self, engine):
        trace = regular([1, 2, 4, 30_000, 30_001, 30_003, 5, 6])
        statistics = only(trace, engine)
        assert statistics.restarts == 2
        assert [gap.packets for gap in statistics.gaps] == [1, 1]
        assert (statistics.missing, statistics.expected, statistics.strays) == (2, 10, 0)
        (source,) = unwrap_columns(columns_of(trace), engine=engine)
        assert source.restarts == (3, 6)

    def test_a_long_trace_with_all_of_it(self, engine):
        """Longer than one run of numpy's loops, with jumps in between."""
        numbers = [n for n in range(60_000, 85_000) if n % 97]
        numbers[20_000:20_000] = [7, 9, numbers[19_990], 5, 6]
        trace = regular(numbers, step=0.001)
        machines = one_by_one(trace, RATE, 0.1)
        (source,) = unwrap_columns(columns_of(trace), RATE, engine=engine)
        assert source.sequence_number.tolist() == machines.extended
        assert source.jitter_ticks.tolist() == close(machines.jitter_ticks)
        assert only(trace, engine).expected == machines.reception.expected


@pytest.mark.parametrize("engine", ENGINES)
class TestTime:
    def test_timestamps_go_on_past_the_wrap_and_back(self, engine):
        trace = [(1, 2**32 - 10, 0.0), (2, 20, 0.1), (3, 2**32 - 5, 0.2), (4, 30, 0.3)]
        (source,) = unwrap_columns(columns_of(trace), engine=engine)
        assert source.timestamp.tolist() == [2**32 - 10, 2**32 + 20, 2**32 - 5, 2**32 + 30]
        assert only(trace, engine).timestamp_span == 40

    def test_packets_on_time_have_no_jitter(self, engine):
        assert only(regular(range(100)), engine).highest_jitter_ticks == pytest.approx(0, abs=1e-6)

    def test_the_rfcs_sum(self, engine):
        arrivals, expected, running = [0.0, 0.025, 0.038, 0.07, 0.08], 0.0, [0.0]
        for before, after in pairwise(arrivals):
            expected += (abs((after - before) * RATE - 1800) - expected) / 16
            running.append(expected)
        trace = [(row, 1800 * row, arrival) for row, arrival in enumerate(arrivals)]
        (source,) = unwrap_columns(columns_of(trace), RATE, engine=engine)
        assert source.jitter_ticks.tolist() == close(running)
        statistics = only(trace, engine)
        assert statistics.highest_jitter_ticks == close(max(running))

    def test_windows_of_equal_time(self, engine):
        trace = [(row, 0, 10 + at) for row, at in enumerate([0, 0.5, 0.999, 1.0, 3.5, 3.6])]
        statistics = only(trace, engine)
        assert statistics.windows == (
            RateWindow(10.0, 3, 20 + 21 + 22),
            RateWindow(11.0, 1, 23),
            RateWindow(13.0, 2, 24 + 25),
        )
        assert statistics.highest_bitrate == 8 * 63
        assert only(trace, engine, window=10).windows == (RateWindow(10.0, 6, 135),)

    def test_rates_from_the_first_packet_to_the_last(self, engine):
        statistics = only(regular([1, 2, 3, 30_000, 4], step=0.5), engine)
        assert (statistics.bytes, statistics.duration) == (20 + 21 + 22 + 23 + 24, 2.0)
        assert statistics.bitrate == 8 * 110 / 2
        assert statistics.packet_rate == 2.5
        assert (statistics.first_arrival, statistics.last_arrival) == (0.0, 2.0)

    def test_one_packet_has_no_rate(self, engine):
        statistics = only(regular([1]), engine)
        assert (statistics.bitrate, statistics.packet_rate, statistics.duration) == (0, 0, 0)
        assert statistics.windows == (RateWindow(0.0, 1, 20),)

    def test_a_clock_that_is_set_back(self, engine):
        trace = [(1, 0, 5.0), (2, 0, 5.5), (3, 0, 2.1), (4, 0, 5.7), (5, 0, 1e9)]
        windows = only(trace, engine).windows
        assert [(each.start, each.packets) for each in windows] == [(2.0, 1), (5.0, 3), (1e9, 1)]


@pytest.mark.parametrize("engine", ENGINES)
class TestSources:
    def test_no_packets_are_no_sources(self, engine):
        assert analyze_columns(columns_of([]), engine=engine) == []
        assert unwrap_columns(columns_of([]), engine=engine) == []

    def test_each_is_counted_by_itself_in_order_of_appearance(self, engine):
        columns = columns_of(regular([1, 500, 2, 502, 3]), ssrcs=[9, 4, 9, 4, 9])
        first, second = analyze_columns(columns, engine=engine)
        assert (first.ssrc, first.packets, first.missing) == (9, 3, 0)
        assert (second.ssrc, second.packets, second.gaps) == (4, 2, (Gap(501, 1),))
        sources = unwrap_columns(columns, engine=engine)
        assert [source.row.tolist() for source in sources] == [[0, 2, 4], [1, 3]]

    def test_rtcp_is_no_source(self, engine):
        types, markers = [72, 72, 96, 64, 95, 63], [1, 0, 1, 1, 1, 1]
        columns = columns_of(regular(range(6)), [3, 1, 1, 5, 6, 1], types, markers)
        (source,) = unwrap_columns(columns, engine=engine)
        assert source.row.tolist() == [1, 2, 5]
        assert source.payload_types == (63, 72, 96)

    def test_nothing_but_rtcp(self, engine):
        columns = columns_of(regular(range(2)), [3, 1], [72, 73], [1, 1])
        assert analyze_columns(columns, engine=engine) == []

    def test_the_clock_rate_is_that_of_the_first_payload_type(self, engine):
        columns = columns_of(regular(range(4)), [1, 1, 2, 3], [0, 96, 111, 98])
        sources = analyze_columns(columns, {0: 8000, 111: 48_000}, engine=engine)
        assert [source.clock_rate for source in sources] == [8000, 48_000, 90_000]

    def test_from_the_bytes_on(self, engine):
        packets = [
            serialize_rtp(b"x" * 8, payload_type=0, sequence_number=n, timestamp=160 * n, ssrc=1)
            for n in (1, 2, 4)
        ]
        packets.insert(1, b"no RTP")
        columns = parse_columns(
            b"".join(packets),
            list(map(len, packets)),
            arrival=[0.02, 0.03, 0.04, 0.08],
            engine=engine,
        )
        (source,) = analyze_columns(columns, 8000, engine=engine)
        assert (columns.malformed, source.packets, source.bytes) == (1, 3, 60)
        assert (source.gaps, source.jitter_ticks) == ((Gap(3, 1),), pytest.approx(0, abs=1e-9))


class TestArguments:
    @pytest.mark.parametrize("rate", [0, -1, 2**32, {96: 0}])
    def test_a_clock_rate_that_is_none(self, rate):
        with pytest.raises(LocalProtocolError, match="ticks per second"):
            unwrap_columns(columns_of([]), rate)

    @pytest.mark.parametrize("window", [0, -1.0, 0.0001, float("inf"), float("nan")])
    def test_a_window_that_is_none(self, window):
        with pytest.raises(LocalProtocolError, match="window"):
            analyze_columns(columns_of([]), window=window)

    def test_without_numpy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy", None)
        (source,) = unwrap_columns(columns_of(regular(range(3))))
        assert isinstance(source.timestamp, array)
        with pytest.raises(MissingExtra, match=r"rtspkit\[numpy\]"):
            analyze_columns(columns_of([]), engine="numpy")

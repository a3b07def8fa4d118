"""What numpy's loops have of their own: runs, blocks and the way back to them after a jump."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_traces import columns_of, one_by_one, traces

from rtspkit.engine.columns import analyze_columns, unwrap_columns
from rtspkit.engine.reception import MAX_DROPOUT, MAX_MISORDER

np = pytest.importorskip("numpy")
numpy_columns = pytest.importorskip("rtspkit.engine.numpy_columns")


def close(ticks):
    return pytest.approx(ticks, rel=1e-9, abs=1e-9)


def regular(numbers):
    return [(n & 0xFFFF, 1800 * row & 0xFFFFFFFF, 0.021 * row) for row, n in enumerate(numbers)]


@pytest.fixture
def small_runs(monkeypatch):
    """Runs so short that a small trace has many seams."""
    monkeypatch.setattr(numpy_columns, "RUN", 8)
    monkeypatch.setattr(numpy_columns, "CALM", 2)
    monkeypatch.setattr(numpy_columns, "BLOCK", 4)


class TestRuns:
    def test_the_bounds_of_a_jump_fit_the_column_and_half_a_lap(self):
        assert MAX_MISORDER + MAX_DROPOUT < 1 << 15

    @pytest.mark.usefixtures("small_runs")
    def test_runs_join_without_a_seam(self):
        @given(traces())
        def check(trace):
            machines = one_by_one(trace, 90_000, 0.1)
            (source,) = unwrap_columns(columns_of(trace), 90_000, engine="numpy")
            assert source.sequence_number.tolist() == machines.extended
            assert source.strays.tolist() == machines.strays
            assert source.jitter_ticks.tolist() == close(machines.jitter_ticks)

        check()

    @pytest.mark.usefixtures("small_runs")
    def test_gaps_and_windows_join_without_a_seam(self):
        numbers = [n for n in range(65_000, 65_100) if n % 5 and n % 8 and n % 23]
        columns = columns_of(regular(numbers))
        (fast,) = analyze_columns(columns, window=0.5, engine="numpy")
        (plain,) = analyze_columns(columns, window=0.5, engine="python")
        assert (fast.gaps, fast.windows) == (plain.gaps, plain.windows)
        assert sum(gap.packets for gap in fast.gaps) == numbers[-1] - numbers[0] + 1 - len(numbers)
        assert len(fast.windows) == 3

    @pytest.mark.usefixtures("small_runs")
    def test_a_run_of_nothing_but_late_packets_lowers_nothing(self):
        numbers = [*range(100, 116), *range(60, 76), 70, 117, 3116, 2116]
        trace = regular(numbers)
        (source,) = unwrap_columns(columns_of(trace), engine="numpy")
        assert source.behind.tolist() == [0] * 16 + list(range(55, 39, -1)) + [45, 0, 0, 1000]

    @pytest.mark.parametrize("place", [1, 63, 64, 65, 16_383, 16_384, 16_385])
    def test_a_restart_anywhere_in_a_run(self, place):
        trace = regular([*range(place), *range(50_000, 50_200)])
        machines = one_by_one(trace, 90_000, 0.1)
        (source,) = unwrap_columns(columns_of(trace), 90_000, engine="numpy")
        assert source.sequence_number.tolist() == machines.extended
        assert source.restarts == (place,)

    def test_nothing_but_jumps(self):
        """The most that the way singly costs: every packet is a stray or confirms one."""
        numbers = [n for start in range(0, 3_000_000, 10_007) for n in (start, start + 1)]
        trace = regular(numbers)
        machines = one_by_one(trace, 90_000, 0.1)
        (statistics,) = analyze_columns(columns_of(trace), engine="numpy")
        assert statistics.restarts == machines.reception.restarts == 299
        assert statistics.expected == machines.reception.expected == len(numbers)


class TestJitter:
    @given(st.lists(st.floats(0, 1e6), max_size=200), st.integers(1, 9))
    def test_the_weighted_sum_is_the_recurrence(self, values, repeat):
        """Any length, longer than a block of blocks too; agrees to 1e-9."""
        values = values * repeat
        total, running = 0.0, []
        for value in values:
            total = total * 15 / 16 + value
            running.append(total)
        sums = np.array(values, np.float64)
        numpy_columns._sum_decaying(sums, 15 / 16)
        assert sums.tolist() == close(running)

    def test_a_million_packets_stay_within_the_tolerance(self):
        values = np.random.default_rng(1).exponential(100.0, 1_000_000)
        running, total = np.empty_like(values), 0.0
        for row, value in enumerate(values.tolist()):
            total += (value - total) / 16
            running[row] = total
        sums = values / 16
        numpy_columns._sum_decaying(sums, 15 / 16)
        assert np.abs(sums / running - 1).max() < 1e-9

    def test_a_burst_long_ago_fades_as_it_should(self):
        sums = np.zeros(2000)
        sums[0] = 1.0
        numpy_columns._sum_decaying(sums, 15 / 16)
        assert sums[1999] == pytest.approx((15 / 16) ** 1999, rel=1e-9)


class TestTypes:
    def test_columns_have_the_types_that_are_documented(self):
        (source,) = unwrap_columns(columns_of(regular([1, 2, 9_000, 5])), engine="numpy")
        names = ("row", "sequence_number", "timestamp", "arrival", "size", "behind", "duplicate")
        kinds = [getattr(source, name).dtype.name for name in (*names, "jitter_ticks", "strays")]
        integers = ["int64"] * 3
        assert kinds == [*integers, "float64", "int32", "int16", "bool", "float64", "int64"]

    def test_the_columns_given_stay_as_they_were(self):
        columns = columns_of(regular([1, 2, 9_000, 5, 5, 4]))
        before = [getattr(columns, name).tolist() for name in ("timestamp", "arrival", "size")]
        analyze_columns(columns, engine="numpy")
        after = [getattr(columns, name).tolist() for name in ("timestamp", "arrival", "size")]
        assert before == after

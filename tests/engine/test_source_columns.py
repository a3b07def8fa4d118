"""The values of one source: what they say of themselves, and what follows from them."""

import pickle
from array import array
from dataclasses import FrozenInstanceError, replace

import pytest

from rtspkit.engine.source_columns import Gap, RateWindow, SourceColumns, SourceStatistics

STATISTICS = SourceStatistics(
    ssrc=7,
    clock_rate=8000,
    payload_types=(0,),
    packets=6,
    bytes=1000,
    first_arrival=10.0,
    last_arrival=12.5,
    highest=9,
    received=5,
    expected=8,
    missing=4,
    gaps=(Gap(3, 3), Gap(8, 1)),
    duplicates=1,
    reordered=0,
    reorder_depth=0,
    strays=1,
    restarts=0,
    timestamp_span=1600,
    jitter_ticks=16.0,
    highest_jitter_ticks=32.0,
    windows=(RateWindow(10.0, 4, 700), RateWindow(12.0, 2, 300)),
    window=2.0,
)


def test_lost_is_expected_less_received():
    assert STATISTICS.lost == 3
    assert replace(STATISTICS, received=10).lost == -2


def test_the_sums_hold():
    assert STATISTICS.packets == STATISTICS.received + STATISTICS.strays
    unique = STATISTICS.received - STATISTICS.duplicates
    assert STATISTICS.expected == unique + STATISTICS.missing
    assert sum(gap.packets for gap in STATISTICS.gaps) == STATISTICS.missing


def test_jitter_is_in_seconds():
    assert STATISTICS.jitter == 0.002


def test_rates():
    assert STATISTICS.duration == 2.5
    assert STATISTICS.bitrate == 3200
    assert STATISTICS.packet_rate == 2.4
    assert STATISTICS.highest_bitrate == 2800


@pytest.mark.parametrize("last", [10.0, 9.0])
def test_no_time_has_no_rate(last):
    still = replace(STATISTICS, last_arrival=last)
    assert (still.bitrate, still.packet_rate) == (0.0, 0.0)


def test_statistics_are_values():
    assert pickle.loads(pickle.dumps(STATISTICS)) == STATISTICS
    with pytest.raises(FrozenInstanceError):
        STATISTICS.packets = 0


def test_columns_say_what_they_are():
    whole = array("q", [1, 2])
    source = SourceColumns(
        ssrc=0xABC,
        clock_rate=8000,
        payload_types=(0,),
        row=whole,
        sequence_number=whole,
        timestamp=whole,
        arrival=array("d", [0, 1]),
        size=whole,
        behind=whole,
        duplicate=whole,
        jitter_ticks=array("d", [0, 0]),
        restarts=(),
        strays=array("q"),
    )
    assert repr(source) == "SourceColumns(ssrc=0x00000abc, 2 packets)"
    assert len(source) == 2

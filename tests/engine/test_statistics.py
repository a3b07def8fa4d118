"""Snapshots: sums over streams, and nothing that changes."""

import inspect
from dataclasses import FrozenInstanceError, fields

import pytest

from rtspkit.engine.statistics import PoolStats, SessionStats, StreamStats


def test_a_session_sums_its_streams():
    stats = SessionStats(
        streams=(
            StreamStats(packets=3, bytes=30, lost=1, duplicates=2, access_units=1),
            StreamStats(index=1, packets=4, bytes=40, lost=2, duplicates=5, access_units=2),
        )
    )
    sums = stats.packets, stats.bytes, stats.lost, stats.duplicates, stats.access_units
    assert sums == (7, 70, 3, 7, 3)


def test_a_session_without_streams_sums_to_nothing():
    assert SessionStats().packets == 0


@pytest.mark.parametrize(
    ("packets", "copied", "share"), [(0, 0, 1.0), (100, 0, 1.0), (100, 25, 0.75), (2, 5, 0.0)]
)
def test_the_share_that_lies_where_the_network_wrote_it(packets, copied, share):
    stats = SessionStats(streams=(StreamStats(packets=packets),), copied=copied)
    assert stats.zero_copy == share


def test_a_snapshot_does_not_change():
    with pytest.raises(FrozenInstanceError):
        StreamStats().packets = 1  # type: ignore[misc]


@pytest.mark.parametrize("kind", [StreamStats, SessionStats, PoolStats])
def test_every_field_is_explained(kind):
    text = inspect.cleandoc(kind.__doc__)
    for field in fields(kind):
        assert f"\n    {field.name}: " in text

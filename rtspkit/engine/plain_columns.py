"""Columns of one source and their sums, without numpy.

Layer:  engine
In/Out: as ``engine.columns``, which says what they mean
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from itertools import pairwise

from rtspkit.engine.reception import Reception
from rtspkit.engine.source_columns import Gap, RateWindow, SourceColumns, SourceStatistics
from rtspkit.wire.columns import PacketColumns
from rtspkit.wire.rtcp import HIGHEST_TYPE, LOWEST_TYPE
from rtspkit.wire.serial import unwrap_32

__all__ = ["sources", "statistics"]


def sources(
    columns: PacketColumns, clock_rates: Mapping[int, int], clock_rate: int
) -> list[SourceColumns]:
    """``engine.columns.unwrap_columns``; ``clock_rate`` is for payload types without one."""
    rows: dict[int, list[int]] = {}
    headers = zip(columns.ssrc, columns.marker, columns.payload_type, strict=True)
    for row, (ssrc, marker, payload_type) in enumerate(headers):
        if not (marker and LOWEST_TYPE <= payload_type | 0x80 <= HIGHEST_TYPE):
            rows.setdefault(int(ssrc), []).append(row)
    found = []
    for ssrc, own in rows.items():
        rate = clock_rates.get(int(columns.payload_type[own[0]]), clock_rate)
        found.append(_source(columns, ssrc, own, rate))
    return found


def _source(columns: PacketColumns, ssrc: int, rows: list[int], clock_rate: int) -> SourceColumns:
    """Feed the packets of one source to ``Reception``, and write down what it says."""
    reception = Reception(clock_rate, ssrc)
    placed, extended, jitter_ticks = array("q"), array("q"), array("d")
    strays: list[int] = []
    restarts: list[int] = []
    for row in rows:
        number = reception.receive(
            int(columns.sequence_number[row]),
            int(columns.timestamp[row]),
            float(columns.arrival[row]),
        )
        if number is None:
            strays.append(row)
            continue
        if reception.restarts != len(restarts):
            restarts.append(len(placed))
            placed.append(strays.pop())
            extended.append(number - 1)
            jitter_ticks.append(jitter_ticks[-1])
        placed.append(row)
        extended.append(number)
        jitter_ticks.append(reception.jitter_ticks)
    behind, duplicate = _order(extended)
    return SourceColumns(
        ssrc=ssrc,
        clock_rate=clock_rate,
        payload_types=tuple(sorted({int(columns.payload_type[row]) for row in rows})),
        row=placed,
        sequence_number=extended,
        timestamp=_unwrapped(int(columns.timestamp[row]) for row in placed),
        arrival=array("d", (columns.arrival[row] for row in placed)),
        size=array("i", (columns.size[row] for row in placed)),
        behind=behind,
        duplicate=duplicate,
        jitter_ticks=jitter_ticks,
        restarts=tuple(restarts),
        strays=array("q", strays),
    )


def _order(extended: Iterable[int]) -> tuple[array[int], array[int]]:
    """How far each packet is behind, and which came before."""
    behind, duplicate = array("h"), array("B")
    seen: set[int] = set()
    highest: int | None = None
    for number in extended:
        highest = number if highest is None else max(highest, number)
        behind.append(highest - number)
        duplicate.append(number in seen)
        seen.add(number)
    return behind, duplicate


def _unwrapped(timestamps: Iterable[int]) -> array[int]:
    """Each the nearest to the one before."""
    unwrapped = array("q")
    before: int | None = None
    for timestamp in timestamps:
        before = timestamp if before is None else unwrap_32(timestamp, before)
        unwrapped.append(before)
    return unwrapped


def statistics(columns: PacketColumns, source: SourceColumns, window: float) -> SourceStatistics:
    """The sums over one source of ``columns``."""
    rows = sorted(source.row.tolist() + source.strays.tolist())
    first, last = float(columns.arrival[rows[0]]), float(columns.arrival[rows[-1]])
    gaps, expected = _gaps(source)
    timestamps, jitter_ticks = source.timestamp.tolist(), source.jitter_ticks.tolist()
    duplicates = sum(source.duplicate.tolist())
    depths = [
        behind
        for behind, duplicate in zip(source.behind.tolist(), source.duplicate.tolist(), strict=True)
        if behind and not duplicate
    ]
    return SourceStatistics(
        ssrc=source.ssrc,
        clock_rate=source.clock_rate,
        payload_types=source.payload_types,
        packets=len(rows),
        bytes=sum(int(columns.size[row]) for row in rows),
        first_arrival=first,
        last_arrival=last,
        highest=max(source.sequence_number.tolist()),
        received=len(source),
        expected=expected,
        missing=expected - len(source) + duplicates,
        gaps=gaps,
        duplicates=duplicates,
        reordered=len(depths),
        reorder_depth=max(depths, default=0),
        strays=len(source.strays),
        restarts=len(source.restarts),
        timestamp_span=max(timestamps) - min(timestamps),
        jitter_ticks=jitter_ticks[-1],
        highest_jitter_ticks=max(jitter_ticks),
        windows=_windows(columns, rows, first, window),
        window=window,
    )


def _gaps(source: SourceColumns) -> tuple[tuple[Gap, ...], int]:
    """What never came, and how many were sent: from restart to restart."""
    gaps: list[Gap] = []
    expected = 0
    extended = source.sequence_number.tolist()
    for begin, end in pairwise([0, *source.restarts, len(source)]):
        numbers = sorted(set(extended[begin:end]))
        expected += numbers[-1] - numbers[0] + 1
        gaps += [
            Gap(before + 1, after - before - 1)
            for before, after in pairwise(numbers)
            if after - before > 1
        ]
    return tuple(gaps), expected


def _windows(
    columns: PacketColumns, rows: list[int], start: float, window: float
) -> tuple[RateWindow, ...]:
    """Packets and bytes by stretch of time."""
    counts: dict[int, list[int]] = {}
    for row in rows:
        count = counts.setdefault(math.floor((columns.arrival[row] - start) / window), [0, 0])
        count[0] += 1
        count[1] += int(columns.size[row])
    return tuple(
        RateWindow(start + index * window, packets, size)
        for index, (packets, size) in sorted(counts.items())
    )

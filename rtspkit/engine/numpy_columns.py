"""Columns of one source and their sums, by numpy.

Layer:  engine
In/Out: as ``engine.columns``, which says what they mean; imported by it when numpy is there

Facts the code leans on
- As long as no packet jumps, adding up the differences of neighbours gives the same numbers as
  ``Reception``, which compares each with the highest: both stay within 4,000 of each other.
  The first jump shows itself, and ``Reception`` then takes the packets until all is calm.
- The jitter's recurrence J' = J + (D - J) / 16 has a weight for each D that depends on its
  distance only: a block of it is one product with a matrix, the ends of the blocks are the
  same recurrence again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from rtspkit.engine.reception import MAX_DROPOUT, MAX_MISORDER, MAX_STEP, Reception
from rtspkit.engine.source_columns import Gap, RateWindow, SourceColumns, SourceStatistics
from rtspkit.wire.columns import PacketColumns
from rtspkit.wire.rtcp import HIGHEST_TYPE, LOWEST_TYPE
from rtspkit.wire.serial import difference_16, difference_32, unwrap_16

__all__ = ["sources", "statistics"]

Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int16]  # holds MAX_MISORDER and MAX_DROPOUT
Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = Integers | slice

RUN = 1 << 14  # packets at once: what is worked out meanwhile stays in the cache
CALM = 64  # packets in a row without a stray, after which it is tried again
STRAY = -(1 << 15)  # ahead of the highest, of a packet that has no place
BLOCK = 32  # packets that one product sums up: the matrix stays small
BLOCKS = 128  # of one call: below what BLAS would start threads for

# The rules of wire.serial hold for whole columns too: their operators are numpy's.
_differences_16 = cast("Callable[[Integers, Integers], Integers]", difference_16)
_differences_32 = cast("Callable[[Integers, Integers], Integers]", difference_32)


def sources(
    columns: PacketColumns, clock_rates: Mapping[int, int], clock_rate: int
) -> list[SourceColumns]:
    """``engine.columns.unwrap_columns``; ``clock_rate`` is for payload types without one."""
    ssrcs = np.asarray(columns.ssrc, np.uint32)
    payload_types = np.asarray(columns.payload_type, np.uint8)
    markers = np.asarray(columns.marker, np.bool_)
    rtcp = (payload_types >= LOWEST_TYPE & 0x7F) & (payload_types <= HIGHEST_TYPE & 0x7F) & markers
    groups: Iterable[Rows]
    if not rtcp.any() and (ssrcs == ssrcs[:1]).all():
        groups = [slice(None)] if len(ssrcs) else []  # views instead of copies
    else:
        rows = np.flatnonzero(~rtcp)
        groups = _groups(ssrcs[rows], rows)
    found = []
    for own in groups:
        types = payload_types[own]
        rate = clock_rates.get(int(types[0]), clock_rate)
        same = (types == types[0]).all()
        kinds = (int(types[0]),) if same else tuple(np.flatnonzero(np.bincount(types)).tolist())
        found.append(_source(columns, own, int(ssrcs[own][0]), kinds, rate))
    return found


def _groups(ssrcs: npt.NDArray[np.uint32], rows: Integers) -> list[Integers]:
    """The rows of each source, by their first one."""
    if not len(rows):
        return []
    order = np.argsort(ssrcs, kind="stable")
    begins = np.flatnonzero(np.diff(ssrcs[order])) + 1
    return sorted(np.split(rows[order], begins), key=lambda group: int(group[0]))


def _source(
    columns: PacketColumns, own: Rows, ssrc: int, kinds: tuple[int, ...], clock_rate: int
) -> SourceColumns:
    """The columns of one source, which has these rows."""
    numbers = np.asarray(columns.sequence_number, np.uint16)[own]
    rows = np.arange(len(numbers), dtype=np.int64) if isinstance(own, slice) else own
    block = np.empty((3, len(numbers)), np.int64)  # one piece, which large pages can hold
    extended = block[0]
    ahead, begun = _place(numbers, extended)
    strays = rows[:0]
    restarts: Integers = np.array(begun, np.int64)
    placed = ahead != STRAY
    if not placed.all():
        restarts = np.cumsum(placed)[restarts] - 1
        strays, rows = rows[~placed], rows[placed]
        extended, ahead, own = extended[placed], ahead[placed], rows
    arrivals = np.asarray(columns.arrival, np.float64)[own]
    timestamps, jitter_ticks = block[1, : len(rows)], block[2, : len(rows)].view(np.float64)
    sent = np.asarray(columns.timestamp, np.uint32)[own]
    _times(sent, arrivals, clock_rate, timestamps, jitter_ticks)
    if len(restarts):
        jitter_ticks[restarts + 1] = 0.0
        live = np.ones(len(rows), np.bool_)
        live[restarts] = False
        own_jitter = jitter_ticks[live]
        _sum_decaying(own_jitter, 15 / 16)
        jitter_ticks[live] = own_jitter
        jitter_ticks[restarts] = jitter_ticks[restarts - 1]
    else:
        _sum_decaying(jitter_ticks, 15 / 16)
    behind, duplicate = _order(extended, ahead)
    return SourceColumns(
        ssrc=ssrc,
        clock_rate=clock_rate,
        payload_types=kinds,
        row=rows,
        sequence_number=extended,
        timestamp=timestamps,
        arrival=arrivals,
        size=np.asarray(columns.size, np.int32)[own],
        behind=behind,
        duplicate=duplicate,
        jitter_ticks=jitter_ticks,
        restarts=tuple(restarts.tolist()),
        strays=strays,
    )


def _place(numbers: npt.NDArray[np.uint16], extended: Integers) -> tuple[Steps, list[int]]:
    """Place packets as ``Reception`` does; fills ``extended``.

    Returns:
        How far each packet is ahead of the highest before it, ``STRAY`` for one that has no
        place; and the packets where the source begins anew.
    """
    count = len(numbers)
    ahead = np.empty(count, np.int16)
    begun: list[int] = []
    highest = int(numbers[0]) - 1
    position, run = 0, RUN
    while position < count:
        stop = min(position + run, count)
        here = slice(position, stop)
        done = _place_run(numbers[here], highest, extended[here], ahead[here])
        if done:
            highest = max(highest, int(extended[position : position + done].max()))
        position += done
        run = min(2 * run, RUN)
        if position < stop:
            position, highest = _place_singly(numbers, position, highest, extended, ahead, begun)
            run = CALM
    return ahead, begun


def _place_run(
    numbers: npt.NDArray[np.uint16], highest: int, extended: Integers, ahead: Steps
) -> int:
    """Place packets up to the first one that jumps; how many these are."""
    wide = numbers.astype(np.int64)
    extended[0] = unwrap_16(int(wide[0]), highest)
    extended[1:] = _differences_16(wide[1:], wide[:-1])
    np.cumsum(extended, out=extended)
    steps = wide  # its memory
    steps[0] = highest
    steps[1:] = extended[:-1]
    np.maximum.accumulate(steps, out=steps)
    np.subtract(extended, steps, out=steps)
    ahead[:] = steps
    jumps = (steps < -MAX_MISORDER) | (steps >= MAX_DROPOUT)
    return int(jumps.argmax()) if jumps.any() else len(jumps)


def _place_singly(
    numbers: npt.NDArray[np.uint16],
    position: int,
    highest: int,
    extended: Integers,
    ahead: Steps,
    begun: list[int],
) -> tuple[int, int]:
    """Have ``Reception`` place packets from ``position`` on, until all is calm again.

    Returns:
        Where that is, and the highest extended number by then.
    """
    reception = Reception(1)
    base = highest & ~0xFFFF  # it begins on its first lap; laps change nothing
    reception.receive(highest - base, 0, 0.0)
    calm = restarts = 0
    while position < len(numbers) and calm < CALM:
        before = reception.highest
        number = reception.receive(int(numbers[position]), 0, 0.0)
        calm += 1
        if number is None:
            ahead[position] = STRAY
            calm = 0
        elif reception.restarts != restarts:
            restarts = reception.restarts
            begun.append(position - 1)
            extended[position - 1 : position + 1] = base + number - 1, base + number
            ahead[position - 1 : position + 1] = 1
        else:
            extended[position] = base + number
            ahead[position] = number - before
        position += 1
    return position, base + reception.highest


def _times(
    timestamps: npt.NDArray[np.uint32],
    arrivals: Floats,
    clock_rate: int,
    unwrapped: Integers,
    transits: Floats,
) -> None:
    """Fill in unwrapped timestamps; and how the transit time changed with each packet.

    The latter in sixteenths of the absolute number of ticks: what the packet adds to the jitter.
    """
    unwrapped[:1], transits[:1] = timestamps[:1], 0.0
    for begin in range(1, len(timestamps), RUN):
        run, before = slice(begin, begin + RUN), slice(begin - 1, begin + RUN - 1)
        wide = timestamps[begin - 1 : begin + RUN].astype(np.int64)
        steps = _differences_32(wide[1:], wide[:-1])
        np.cumsum(steps, out=unwrapped[run])
        unwrapped[run] += unwrapped[begin - 1]
        changes = transits[run]
        np.subtract(arrivals[run], arrivals[before][: len(changes)], out=changes)
        changes *= clock_rate
        changes -= steps
        np.abs(changes, out=changes)
        if changes.max() / clock_rate >= MAX_STEP:
            changes[(changes / clock_rate >= MAX_STEP) & (steps != 0)] = 0.0
        changes /= 16


def _sum_decaying(values: Floats, decay: float) -> None:
    """Add to each value the sum of all before it, each weighted by ``decay ** distance``."""
    distance = np.arange(BLOCK) - np.arange(BLOCK)[:, None]
    weights = np.where(distance >= 0, decay ** np.maximum(distance, 0), 0.0)
    whole = len(values) - len(values) % BLOCK
    blocks, tail = values[:whole].reshape(-1, BLOCK), values[whole:]
    if len(blocks):
        ends = np.empty(len(blocks))
        for begin in range(0, len(blocks), BLOCKS):
            ends[begin : begin + BLOCKS] = blocks[begin : begin + BLOCKS] @ weights[:, -1]
        if len(blocks) > 1:
            _sum_decaying(ends, decay**BLOCK)
            blocks[1:, 0] += decay * ends[:-1]
        for begin in range(0, len(blocks), BLOCKS):
            blocks[begin : begin + BLOCKS] = blocks[begin : begin + BLOCKS] @ weights
        tail[:1] += decay * ends[-1]
    tail[:] = tail @ weights[: len(tail), : len(tail)]


def _order(extended: Integers, ahead: Steps) -> tuple[Steps, Mask]:
    """How far each packet is behind, and which came before."""
    duplicate = np.zeros(len(extended), np.bool_)
    ordered = ahead > 0
    if not ordered.all():
        ascending, rows = extended[ordered], np.flatnonzero(~ordered)
        numbers = extended[rows]
        order = np.argsort(numbers, kind="stable")
        again = numbers[order[1:]] == numbers[order[:-1]]
        duplicate[rows[order[1:][again]]] = True
        places = np.minimum(np.searchsorted(ascending, numbers), len(ascending) - 1)
        duplicate[rows[ascending[places] == numbers]] = True
    return np.maximum(-ahead, 0), duplicate


def statistics(columns: PacketColumns, source: SourceColumns, window: float) -> SourceStatistics:
    """The sums over one source of ``columns``."""
    arrivals, sizes = np.asarray(source.arrival), np.asarray(source.size)
    if len(source.strays):
        rows = np.sort(np.concatenate([np.asarray(source.row), np.asarray(source.strays)]))
        arrivals, sizes = np.asarray(columns.arrival)[rows], np.asarray(columns.size)[rows]
    extended = np.asarray(source.sequence_number)
    behind, duplicate = np.asarray(source.behind), np.asarray(source.duplicate, np.bool_)
    duplicates = int(np.count_nonzero(duplicate))
    late = np.flatnonzero((behind > 0) & ~duplicate)
    gaps = _gaps(extended, behind, duplicate, list(source.restarts))
    missing = sum(gap.packets for gap in gaps)
    timestamps, jitter_ticks = np.asarray(source.timestamp), np.asarray(source.jitter_ticks)
    return SourceStatistics(
        ssrc=source.ssrc,
        clock_rate=source.clock_rate,
        payload_types=source.payload_types,
        packets=len(arrivals),
        bytes=int(sizes.sum(dtype=np.int64)),
        first_arrival=float(arrivals[0]),
        last_arrival=float(arrivals[-1]),
        highest=int(extended.max()),
        received=len(source),
        expected=len(source) - duplicates + missing,
        missing=missing,
        gaps=gaps,
        duplicates=duplicates,
        reordered=len(late),
        reorder_depth=int(behind[late].max(initial=0)),
        strays=len(source.strays),
        restarts=len(source.restarts),
        timestamp_span=int(timestamps.max() - timestamps.min()),
        jitter_ticks=float(jitter_ticks[-1]),
        highest_jitter_ticks=float(jitter_ticks.max()),
        windows=_windows(arrivals, sizes, window),
        window=window,
    )


def _gaps(
    extended: Integers, behind: Steps, duplicate: Mask, restarts: list[int]
) -> tuple[Gap, ...]:
    """What never came, from restart to restart.

    Between packets that came in order, only those on both sides of a gap matter; packets that
    came behind lie within these gaps, or before the first of all.
    """
    fresh = (behind == 0) & ~duplicate
    before, after = [extended[:0]], [extended[:1]]
    last = extended[:0]
    for begin in range(0, len(extended), RUN):
        end = begin + RUN
        numbers = np.concatenate([last, extended[begin:end][fresh[begin:end]]])
        last = numbers[-1:]
        at = np.flatnonzero(numbers[1:] - numbers[:-1] != 1)
        before.append(numbers[at])
        after.append(numbers[at + 1])
    edges = np.concatenate([*after, *before, extended[(behind > 0) & ~duplicate]])
    order = np.argsort(edges, kind="stable")
    numbers = edges[order]
    missing = numbers[1:] - numbers[:-1] - 1
    missing[order[:-1] < sum(map(len, after))] = 0  # all came, up to the next gap
    if restarts:
        lowest = np.minimum.reduceat(extended, [0, *restarts])
        missing[np.searchsorted(numbers, lowest[1:]) - 1] = 0
    at = np.flatnonzero(missing > 0)
    return tuple(map(Gap, (numbers[at] + 1).tolist(), missing[at].tolist()))


def _windows(
    arrivals: Floats, sizes: npt.NDArray[np.int32], window: float
) -> tuple[RateWindow, ...]:
    """Packets and bytes by stretch of time."""
    start = float(arrivals[0])
    begins, values = [], []
    last = -1.0
    for begin in range(0, len(arrivals), RUN):
        indices = np.floor((arrivals[begin : begin + RUN] - start) / window)
        changes = np.flatnonzero(np.diff(indices, prepend=last))
        begins.append(changes + begin)
        values.append(indices[changes])
        last = indices[-1]
    begin_of, index_of = np.concatenate(begins), np.concatenate(values)
    packets = np.diff(begin_of, append=len(arrivals))
    octets = np.add.reduceat(sizes, begin_of, dtype=np.int64)
    if (np.diff(index_of) < 0).any():  # a clock that was set back
        order = np.argsort(index_of, kind="stable")
        index_of = index_of[order]
        first = np.flatnonzero(np.diff(index_of, prepend=index_of[0] - 1))
        packets = np.add.reduceat(packets[order], first)
        octets = np.add.reduceat(octets[order], first)
        index_of = index_of[first]
    return tuple(
        map(RateWindow, (start + index_of * window).tolist(), packets.tolist(), octets.tolist())
    )

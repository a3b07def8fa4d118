"""The headers of many RTP packets at once, read by numpy.

Layer:  wire
In/Out: as ``wire.columns``, which says what the columns are; imported by it when numpy is there
Source: RFC 3550 §5.1, §5.3.1

Facts the code leans on
- A packet is fetched once, its 12 bytes of header together: in a slab the headers are far apart,
  and reaching for them once per field would wait for the memory once per field.
- Only packets that have padding, an extension or CSRCs need a second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.columns import LARGEST, LATEST, Column, PacketColumns
from rtspkit.wire.rtp import HEADER_SIZE, VERSION_2

__all__ = ["concatenate_with_numpy", "parse_with_numpy"]

Integers: TypeAlias = npt.NDArray[np.int64]
Octets: TypeAlias = npt.NDArray[np.uint8]

HEADER = np.dtype(
    [
        ("first", "u1"),
        ("second", "u1"),
        ("sequence_number", ">u2"),
        ("timestamp", ">u4"),
        ("ssrc", ">u4"),
    ]
)
KINDS: dict[str, type[np.generic]] = {  # of the columns, as PacketColumns says
    "sequence_number": np.uint16,
    "timestamp": np.uint32,
    "marker": np.bool_,
    "payload_type": np.uint8,
    "ssrc": np.uint32,
    "size": np.int32,
    "payload_size": np.int32,
    "arrival": np.float64,
    "valid": np.bool_,
}
RUN = 1 << 14  # packets read at once: what is worked out meanwhile stays in the cache


def parse_with_numpy(
    data: memoryview,
    lengths: Sequence[int] | Column[int],
    offsets: Sequence[int] | Column[int] | None,
    slot_size: int | None,
    arrival: Sequence[float] | Column[float] | float,
) -> PacketColumns:
    """``wire.columns.parse_columns``, its arguments looked at and ``data`` in bytes."""
    sizes = _integers(lengths)
    count, filled = len(sizes), 0
    starts = None
    if offsets is not None:
        starts = _integers(offsets)
    elif slot_size is None:
        starts = np.cumsum(sizes) - sizes
    limit = min(LARGEST, len(data) if slot_size is None else slot_size)
    times = np.broadcast_to(np.asarray(arrival, np.float64), count)
    table = _table(count)
    for begin in range(0, count, RUN):
        end = min(begin + RUN, count)
        run = slice(begin, end)
        if starts is not None:
            places = starts[run]
        else:
            places = np.arange(begin, end, dtype=np.int64) * (slot_size or 0)
        _check(places, sizes[run], times[run], len(data), limit)
        filled += _parse_run(data, places, sizes[run], times[run], table, run, filled)
    valid = table.pop("valid")
    if filled < count:
        table = {name: column[:filled].copy() for name, column in table.items()}
    return _packet_columns({**table, "valid": valid})


def _table(count: int) -> dict[str, npt.NDArray[np.generic]]:
    """Columns to be filled: one block of memory, which large pages can hold."""
    sizes = {name: np.dtype(kind).itemsize for name, kind in KINDS.items()}
    block, begin, table = np.empty(count * sum(sizes.values()), np.uint8), 0, {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):  # so that each is aligned
        end = begin + count * sizes[name]
        table[name] = block[begin:end].view(KINDS[name])
        begin = end
    return table


def _packet_columns(table: dict[str, npt.NDArray[np.generic]]) -> PacketColumns:
    """The columns as a value."""
    integers = {name: cast("Column[int]", table[name]) for name in table if name != "arrival"}
    return PacketColumns(**integers, arrival=cast("Column[float]", table["arrival"]))


def _parse_run(
    data: memoryview,
    starts: Integers,
    sizes: Integers,
    times: npt.NDArray[np.float64],
    table: dict[str, npt.NDArray[np.generic]],
    run: slice,
    filled: int,
) -> int:
    """Write the rows of one run behind those that are ``filled``; how many these are."""
    valid = sizes >= HEADER_SIZE
    if not valid.all():
        starts, sizes, times = starts[valid], sizes[valid], times[valid]
    header = _headers(data, starts)
    payload_sizes = sizes - HEADER_SIZE
    unusual = np.flatnonzero(header["first"] != VERSION_2)
    if len(unusual):
        octets = np.frombuffer(data, np.uint8)
        first = header["first"][unusual]
        payload_sizes[unusual] = _payload_sizes(octets, starts[unusual], sizes[unusual], first)
        good = payload_sizes >= 0
        if not good.all():
            valid[np.flatnonzero(valid)[~good]] = False
            header, sizes, times = header[good], sizes[good], times[good]
            payload_sizes = payload_sizes[good]
    second = header["second"]
    rows = slice(filled, filled + len(header))
    for name in ("sequence_number", "timestamp", "ssrc"):
        table[name][rows] = header[name]
    table["marker"][rows] = second > 0x7F
    table["payload_type"][rows] = second & 0x7F
    table["size"][rows] = sizes
    table["payload_size"][rows] = payload_sizes
    table["arrival"][rows] = times
    table["valid"][run] = valid
    return len(header)


def _integers(values: Sequence[int] | Column[int]) -> Integers:
    """A column of the caller's, TypeError when it is not of integers."""
    try:
        given = np.asarray(values)
    except OverflowError:
        given = np.asarray(values, dtype=object)
    if len(given) == 0:
        return np.empty(0, np.int64)
    if given.dtype.kind not in "iub":
        if given.dtype.kind == "O" and all(isinstance(value, int) for value in given):
            raise LocalProtocolError("an offset or a length that no memory has")
        raise TypeError(f"offsets and lengths are integers, not {given.dtype}")
    if given.dtype == np.uint64 and given.max() > np.uint64(np.iinfo(np.int64).max):
        raise LocalProtocolError("an offset or a length that no memory has")
    return given.astype(np.int64, copy=False)


def _check(
    starts: Integers, sizes: Integers, times: npt.NDArray[np.float64], total: int, limit: int
) -> None:
    """Refuse a packet that is not wholly inside; by steps in which nothing overflows."""
    if (
        starts.min() < 0
        or starts.max() > total
        or sizes.min() < 0
        or sizes.max() > limit
        or (starts + sizes).max() > total
    ):
        raise LocalProtocolError("a packet is not wholly inside its memory or its slot")
    if not (times.min() >= -LATEST and times.max() <= LATEST):
        raise LocalProtocolError("an arrival time is not a number of seconds")


def _headers(data: memoryview, starts: Integers) -> npt.NDArray[np.void]:
    """The fixed headers that begin at ``starts``, each inside ``data``, one after the other."""
    windows: npt.NDArray[np.void] = np.ndarray(
        (max(len(data) - HEADER_SIZE + 1, 0),), f"V{HEADER_SIZE}", data, strides=(1,)
    )
    return windows[starts].view(HEADER)


def _payload_sizes(octets: Octets, starts: Integers, sizes: Integers, first: Octets) -> Integers:
    """Sizes of the payloads of packets of at least 12 bytes; -1 where one is malformed."""
    begin = HEADER_SIZE + 4 * (first & 0x0F).astype(np.int64)
    good = first >> 6 == 2

    rows = np.flatnonzero(good & (first & 0x10 != 0))
    fits = begin[rows] + 4 <= sizes[rows]
    good[rows[~fits]] = False
    rows = rows[fits]
    at = starts[rows] + begin[rows] + 2
    begin[rows] += 4 + 4 * (256 * octets[at].astype(np.int64) + octets[at + 1])
    good &= begin <= sizes

    rows = np.flatnonzero(good & (first & 0x20 != 0))
    padding = octets[starts[rows] + sizes[rows] - 1].astype(np.int64)
    good[rows[(padding == 0) | (begin[rows] + padding > sizes[rows])]] = False
    payload_sizes = sizes - begin
    payload_sizes[rows] -= padding
    payload_sizes[~good] = -1
    return payload_sizes


def concatenate_with_numpy(parts: Sequence[PacketColumns]) -> PacketColumns:
    """``wire.columns.concatenate_columns``."""
    table: dict[str, npt.NDArray[np.generic]] = {}
    for name, kind in KINDS.items():
        columns = [np.asarray(getattr(part, name), dtype=kind) for part in parts]
        table[name] = np.concatenate([np.empty(0, kind), *columns])
    return _packet_columns(table)

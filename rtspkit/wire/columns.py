"""The headers of many RTP packets at once, as columns: one value per packet and field.

Layer:  wire
In:     parse_columns(memory that packets lie in, their lengths, where they begin, when they came)
Out:    PacketColumns: a row per well-formed packet, and which of the packets these were
Source: RFC 3550 §5.1, §5.3.1

Facts the code leans on
- The verdict on a packet is that of ``wire.rtp.parse_rtp``, whatever the bytes are.
- numpy reads the headers in loops of its own where it is installed; a plain loop gives the same
  numbers without it. Only the type of the columns differs.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from typing import Literal, Protocol, TypeVar

from rtspkit.errors import LocalProtocolError, MalformedPacket, MissingExtra
from rtspkit.wire.rtp import HEADER_SIZE, VERSION_2, parse_rtp

__all__ = [
    "LARGEST",
    "LATEST",
    "Column",
    "Engine",
    "PacketColumns",
    "concatenate_columns",
    "parse_columns",
    "use_numpy",
]

Engine = Literal["auto", "numpy", "python"]

LATEST = 1e15  # seconds: no clock is further from its beginning than that
LARGEST = (1 << 31) - 1  # bytes of one packet, what its column holds
_unpack_header = Struct("!BBHII").unpack_from

Number = TypeVar("Number", int, float)


class Column(Protocol[Number]):
    """One value per row: a ``numpy.ndarray`` or an ``array.array``, by the engine that made it."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Number]: ...
    def __getitem__(self, row: int, /) -> Number: ...
    def tolist(self) -> list[Number]: ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PacketColumns:
    """The headers of many packets, a row each, in the order in which they were given.

    All columns but ``valid`` have the same length. They are copies: nothing of the memory that
    the packets were read from is kept alive. With numpy they are arrays of the type named first,
    which share one block of 29 bytes per packet; without it ``array.array`` of the type code
    named last.

    Attributes:
        sequence_number: 16 bits, as sent; uint16, ``H``.
        timestamp: 32 bits, as sent, in ticks; uint32, ``I``.
        marker: The marker bit; bool, ``B`` of 0 and 1.
        payload_type: 0 to 127; uint8, ``B``.
        ssrc: 32 bits; uint32, ``I``.
        size: Bytes of the whole packet, header included; int32, ``i``.
        payload_size: Bytes of the payload, without CSRCs, extension and padding; int32, ``i``.
        arrival: When it was received, in seconds as given; float64, ``d``.
        valid: A value per packet *given*, whether it is well-formed and has a row here; bool,
            ``B`` of 0 and 1.
    """

    sequence_number: Column[int]
    timestamp: Column[int]
    marker: Column[int]
    payload_type: Column[int]
    ssrc: Column[int]
    size: Column[int]
    payload_size: Column[int]
    arrival: Column[float]
    valid: Column[int]

    def __len__(self) -> int:
        """How many packets have a row."""
        return len(self.ssrc)

    @property
    def malformed(self) -> int:
        """How many packets were given that are no RTP, and have no row."""
        return len(self.valid) - len(self.ssrc)

    def __repr__(self) -> str:
        return f"PacketColumns({len(self)} packets, {self.malformed} malformed)"


def use_numpy(engine: Engine) -> bool:
    """Whether the loops are numpy's.

    Args:
        engine: ``"auto"``: where it is installed; ``"numpy"``: yes; ``"python"``: no.

    Raises:
        MissingExtra: ``"numpy"`` was asked for and is not installed.
        LocalProtocolError: There is no such engine.
    """
    if engine == "python":
        return False
    if engine not in ("auto", "numpy"):
        raise LocalProtocolError(f"there is no engine {engine!r}: auto, numpy or python")
    try:
        import numpy  # noqa: F401
    except ImportError:
        if engine == "numpy":
            raise MissingExtra("numpy", "engine='numpy'") from None
        return False
    return True


def parse_columns(
    memory: bytes | bytearray | memoryview,
    lengths: Sequence[int] | Column[int],
    *,
    offsets: Sequence[int] | Column[int] | None = None,
    slot_size: int | None = None,
    arrival: Sequence[float] | Column[float] | float = 0.0,
    engine: Engine = "auto",
) -> PacketColumns:
    """Read the headers of all packets that lie in one piece of memory.

    Args:
        memory: What the packets lie in; only read, and not kept.
        lengths: Bytes of each packet.
        offsets: Where each packet begins, in bytes from the beginning of ``memory``. Without
            it and without ``slot_size``, each packet begins where the one before ends.
        slot_size: The packets begin this many bytes apart, the first at 0: a slab of slots.
        arrival: When each packet was received, or one moment for all; in seconds of any clock.
        engine: ``"numpy"``, ``"python"``, or ``"auto"``: numpy where it is installed.

    Returns:
        A row per well-formed packet. The values are the same with either engine.

    Raises:
        LocalProtocolError: A packet that is not wholly inside ``memory`` or its slot, columns of
            unequal length, a time that is none. Never for the bytes themselves.
        MissingExtra: ``engine="numpy"``, and it is not installed.

    Source: RFC 3550 §5.1, §5.3.1.
    """
    if offsets is not None and slot_size is not None:
        raise LocalProtocolError("packets have either offsets or slots, not both")
    if slot_size is not None and slot_size < 1:
        raise LocalProtocolError(f"a slot has at least 1 byte, not {slot_size}")
    if offsets is not None and len(offsets) != len(lengths):
        raise LocalProtocolError(f"{len(lengths)} lengths and {len(offsets)} offsets")
    if not isinstance(arrival, float | int) and len(arrival) != len(lengths):
        raise LocalProtocolError(f"{len(lengths)} lengths and {len(arrival)} arrivals")
    data = memoryview(memory).cast("B")
    if use_numpy(engine):
        from rtspkit.wire.numpy_columns import parse_with_numpy

        return parse_with_numpy(data, lengths, offsets, slot_size, arrival)
    sizes = _integers(lengths)
    starts = _starts(sizes, offsets, slot_size)
    limit = min(LARGEST, len(data) if slot_size is None else slot_size)
    for start, size in zip(starts, sizes, strict=True):
        if not (0 <= start <= len(data) and 0 <= size <= min(limit, len(data) - start)):
            raise LocalProtocolError("a packet is not wholly inside its memory or its slot")
    if isinstance(arrival, float | int):
        times = array("d", [arrival]) * len(sizes)
    else:
        times = array("d", arrival)
    if not all(-LATEST <= time <= LATEST for time in times):
        raise LocalProtocolError("an arrival time is not a number of seconds")
    return _parse(data, starts, sizes, times)


def _integers(values: Sequence[int] | Column[int]) -> array[int]:
    """A column of the caller's; TypeError when it is not of integers."""
    try:
        return array("q", values)
    except OverflowError:
        raise LocalProtocolError("an offset or a length that no memory has") from None


def _starts(
    sizes: array[int], offsets: Sequence[int] | Column[int] | None, slot_size: int | None
) -> Sequence[int]:
    """Where each packet begins."""
    if offsets is not None:
        return _integers(offsets)
    if slot_size is not None:
        return range(0, len(sizes) * slot_size, slot_size)
    return list(accumulate(sizes, initial=0))[:-1]


def _parse(
    data: memoryview, starts: Sequence[int], sizes: array[int], times: array[float]
) -> PacketColumns:
    """Read one header after the other."""
    sequence_numbers, timestamps, markers = array("H"), array("I"), array("B")
    payload_types, ssrcs, payload_sizes = array("B"), array("I"), array("i")
    valid = array("B", bytes(len(sizes)))
    for row, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        if size < HEADER_SIZE:
            continue
        first, second, sequence_number, timestamp, ssrc = _unpack_header(data, start)
        if first == VERSION_2:
            payload_size = size - HEADER_SIZE
        else:
            try:
                payload_size = len(parse_rtp(data[start : start + size]).payload)
            except MalformedPacket:
                continue
        valid[row] = 1
        sequence_numbers.append(sequence_number)
        timestamps.append(timestamp)
        markers.append(second >> 7)
        payload_types.append(second & 0x7F)
        ssrcs.append(ssrc)
        payload_sizes.append(payload_size)
    return PacketColumns(
        sequence_number=sequence_numbers,
        timestamp=timestamps,
        marker=markers,
        payload_type=payload_types,
        ssrc=ssrcs,
        size=array("i", (size for size, good in zip(sizes, valid, strict=True) if good)),
        payload_size=payload_sizes,
        arrival=array("d", (time for time, good in zip(times, valid, strict=True) if good)),
        valid=valid,
    )


def concatenate_columns(
    parts: Sequence[PacketColumns], *, engine: Engine = "auto"
) -> PacketColumns:
    """The columns of several slabs as those of one, one part after the other.

    Args:
        parts: In the order of arrival; made by either engine.
        engine: Which kind of columns to give.

    Raises:
        MissingExtra: ``engine="numpy"``, and it is not installed.
    """
    if use_numpy(engine):
        from rtspkit.wire.numpy_columns import concatenate_with_numpy

        return concatenate_with_numpy(parts)
    return PacketColumns(
        sequence_number=array("H", [n for part in parts for n in part.sequence_number.tolist()]),
        timestamp=array("I", [n for part in parts for n in part.timestamp.tolist()]),
        marker=array("B", [n for part in parts for n in part.marker.tolist()]),
        payload_type=array("B", [n for part in parts for n in part.payload_type.tolist()]),
        ssrc=array("I", [n for part in parts for n in part.ssrc.tolist()]),
        size=array("i", [n for part in parts for n in part.size.tolist()]),
        payload_size=array("i", [n for part in parts for n in part.payload_size.tolist()]),
        arrival=array("d", [n for part in parts for n in part.arrival.tolist()]),
        valid=array("B", [n for part in parts for n in part.valid.tolist()]),
    )

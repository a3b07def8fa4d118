"""The AU Header Section: how many access units a packet of MPEG4-GENERIC has, and their sizes.

Layer:  payload (pure functions and a plain value)
In:     the format parameters of the SDP; the payload of one packet
Out:    AuLayout; AuHeader of each unit, and where the data begins
Source: RFC 3640 §3.2.1 (AU headers), §3.2.2 (auxiliary section), §4.1 (parameters)

    +---------+-----------+-----------+---------------+
    | RTP     | AU Header | Auxiliary | Access Unit   |
    | Header  | Section   | Section   | Data Section  |
    +---------+-----------+-----------+---------------+

Where we leave the RFC
- No usable parameter at all: AAC-hbr is assumed, which is what devices send.
- Headers of 16 bits where the SDP promises others in AAC-hbr mode: AAC-hbr's own are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rtspkit.errors import LocalProtocolError, MalformedPacket
from rtspkit.payload.mpeg4_audio import read_bits
from rtspkit.wire.number import parse_decimal

__all__ = ["AuHeader", "AuLayout", "parse_au_headers", "parse_layout", "serialize_au_headers"]

MAX_FIELD_BITS = 32
MAX_UNITS = 1024  # in one packet; AAC puts 10 there at most
MAX_CONSTANT = 65_535  # bytes of one unit, ticks of one unit

_PARAMETERS = {  # of the SDP, in lower case: the field, and the most that it may be
    "sizelength": ("size", MAX_FIELD_BITS),
    "indexlength": ("index", MAX_FIELD_BITS),
    "indexdeltalength": ("index_delta", MAX_FIELD_BITS),
    "ctsdeltalength": ("cts_delta", MAX_FIELD_BITS),
    "dtsdeltalength": ("dts_delta", MAX_FIELD_BITS),
    "randomaccessindication": ("random_access", 1),
    "streamstateindication": ("stream_state", MAX_FIELD_BITS),
    "auxiliarydatasizelength": ("auxiliary", MAX_FIELD_BITS),
    "constantsize": ("constant_size", MAX_CONSTANT),
    "constantduration": ("constant_duration", MAX_CONSTANT),
}
_OF_MODE = frozenset({"size", "index", "index_delta"})  # given by the mode when AU-size is


@dataclass(slots=True, frozen=True)
class AuLayout:
    """The bits of each AU-header field, in their order on the wire; 0 when it is absent.

    Attributes:
        size: AU-size.
        index: AU-Index, in the first header only.
        index_delta: AU-Index-delta, in the others.
        cts_delta: CTS-delta; a flag bit is in front of it.
        dts_delta: DTS-delta; a flag bit is in front of it.
        random_access: 1 when there is a RAP-flag.
        stream_state: Stream-state.
        auxiliary: auxiliary-data-size, which is in no header but behind them.
        constant_size: Bytes of each unit when no header tells, or 0.
        constant_duration: Ticks of each unit, or 0.
        mode: In lower case: ``"aac-hbr"``.
        is_assumed: Whether the SDP did not say, and the layout is that of the mode.
    """

    size: int = 13
    index: int = 3
    index_delta: int = 3
    cts_delta: int = 0
    dts_delta: int = 0
    random_access: int = 0
    stream_state: int = 0
    auxiliary: int = 0
    constant_size: int = 0
    constant_duration: int = 0
    mode: str = "aac-hbr"
    is_assumed: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no AU Header Section at all."""
        return not (
            self.size
            or self.index
            or self.index_delta
            or self.cts_delta
            or self.dts_delta
            or self.random_access
            or self.stream_state
        )

    @property
    def is_hbr(self) -> bool:
        """Whether each header is one 16-bit word, AU-size and index: nearly all AAC there is."""
        return (
            self.size == 13
            and self.index == 3
            and self.index_delta == 3
            and not (self.cts_delta or self.dts_delta or self.random_access or self.stream_state)
        )


AAC_HBR = AuLayout()
AAC_LBR = AuLayout(size=6, index=2, index_delta=2, mode="aac-lbr")
CELP_VBR = AuLayout(size=6, index=2, index_delta=2, mode="celp-vbr")
_BY_MODE = {layout.mode: layout for layout in (AAC_HBR, AAC_LBR, CELP_VBR)}


@dataclass(slots=True)
class AuHeader:
    """One access unit of a packet.

    Attributes:
        size: Bytes of the whole unit; None when nothing tells, and it takes the rest.
        index: Units between the packet's first and this one on the timeline: 0, 1, 2 … unless
            they are interleaved.
        cts_delta: Ticks from the packet's timestamp, where the header has them.
    """

    size: int | None
    index: int
    cts_delta: int | None = None


def parse_layout(fmtp: Mapping[str, str]) -> AuLayout:
    """What the SDP says of the AU headers; values that are no sane number count as absent.

    Source: RFC 3640 §3.3, §4.1.
    """
    mode = fmtp.get("mode", "").strip().lower()
    told: dict[str, int] = {}
    for name, (field, maximum) in _PARAMETERS.items():
        value = parse_decimal(fmtp.get(name, "").strip(), maximum=maximum)
        if value:
            told[field] = value
    if "size" in told or "constant_size" in told or (mode and mode not in _BY_MODE):
        return _replace(AuLayout(size=0, index=0, index_delta=0, mode=mode or AAC_HBR.mode), told)
    layout = replace(_BY_MODE.get(mode, AAC_HBR), is_assumed=True)
    return _replace(layout, {field: told[field] for field in told.keys() - _OF_MODE})


def _replace(layout: AuLayout, numbers: Mapping[str, int]) -> AuLayout:
    """``layout`` with other numbers; the checker cannot tell them from ``mode``."""
    changes: dict[str, Any] = dict(numbers)
    return replace(layout, **changes)


def parse_au_headers(payload: memoryview, layout: AuLayout) -> tuple[list[AuHeader], int]:
    """Read the AU headers of one packet.

    Returns:
        The headers, at least one, and where the first unit's data begins; it may be at the end.

    Raises:
        MalformedPacket: The sections are not there, or end past the payload. Nothing else.

    Source: RFC 3640 §3.2.1, §3.2.2.
    """
    available = 8 * len(payload)
    if layout.is_empty:
        start = _after_auxiliary(payload, 0, layout)
        return _headless(len(payload) - start, layout), start
    if available < 16:
        raise MalformedPacket(f"an AU Header Section in a payload of {len(payload)} bytes")
    bits = payload[0] << 8 | payload[1]
    end = 16 + bits
    if end > available:
        raise MalformedPacket(f"{bits} bits of AU headers in a payload of {len(payload)} bytes")
    if layout.is_hbr:
        headers = _hbr_headers(payload, bits)
    elif layout.mode == AAC_HBR.mode and _looks_like_hbr(bits, layout):
        layout = replace(AAC_HBR, auxiliary=layout.auxiliary)
        headers = _hbr_headers(payload, bits)
    else:
        headers = _headers(payload, end, layout)
    return headers, _after_auxiliary(payload, (end + 7) >> 3, layout)


def _looks_like_hbr(bits: int, layout: AuLayout) -> bool:
    """Whether the headers can only be AAC-hbr's 13 + 3 bits, not what the SDP promises."""
    if layout.cts_delta or layout.dts_delta or layout.random_access or layout.stream_state:
        return False
    first, following = layout.size + layout.index, layout.size + layout.index_delta
    if bits == first or (following and bits > first and (bits - first) % following == 0):
        return False
    return bits > 0 and bits % 16 == 0


def _headless(size: int, layout: AuLayout) -> list[AuHeader]:
    """The units of a packet without headers: of one size, or one that takes everything."""
    constant = layout.constant_size
    if not constant:
        return [AuHeader(None, 0)]
    count = max(size // constant, 1)
    if count > MAX_UNITS:
        raise MalformedPacket(f"{count} units of {constant} bytes in one packet")
    return [AuHeader(constant, i) for i in range(count)]


def _after_auxiliary(payload: memoryview, start: int, layout: AuLayout) -> int:
    """Where the data begins behind the auxiliary section that begins at ``start``."""
    if not layout.auxiliary:
        return start
    position = 8 * start
    left = 8 * len(payload) - position
    if left < layout.auxiliary:
        raise MalformedPacket("the auxiliary section begins past the end of the payload")
    bits = layout.auxiliary + read_bits(payload, position, layout.auxiliary)
    if bits > left:
        raise MalformedPacket(f"{bits} bits of auxiliary section, {left} in the payload")
    return start + (bits + 7) // 8


def _hbr_headers(payload: memoryview, bits: int) -> list[AuHeader]:
    """``_headers`` of the layout that ``is_hbr``: a word each, at a fifth of the cost."""
    count = bits >> 4
    if count == 0:
        raise MalformedPacket(f"no AU header in {bits} bits")
    if count > MAX_UNITS:
        raise MalformedPacket(f"more than {MAX_UNITS} AU headers in one packet")
    headers = [AuHeader(payload[2] << 5 | payload[3] >> 3, 0)]
    index = 0
    for position in range(4, 2 + 2 * count, 2):
        low = payload[position + 1]
        index += 1 + (low & 7)
        headers.append(AuHeader(payload[position] << 5 | low >> 3, index))
    return headers


def _headers(payload: memoryview, end: int, layout: AuLayout) -> list[AuHeader]:
    """The headers up to bit ``end``; a rest that is too short for one more is padding."""
    headers: list[AuHeader] = []
    position, index = 16, 0
    while position < end:
        reader = _HeaderReader(payload, position, end)
        size = reader.take(layout.size) if layout.size else layout.constant_size or None
        delta = reader.take(layout.index_delta if headers else layout.index)
        cts_delta = reader.optional(layout.cts_delta)
        reader.optional(layout.dts_delta)
        reader.take(layout.random_access + layout.stream_state)
        if reader.position > end or reader.position == position:
            break
        if len(headers) == MAX_UNITS:
            raise MalformedPacket(f"more than {MAX_UNITS} AU headers in one packet")
        if headers:
            index += 1 + delta
        position = reader.position
        headers.append(AuHeader(size, index, cts_delta))
    if not headers:
        raise MalformedPacket(f"no AU header in {end - 16} bits")
    return headers


class _HeaderReader:
    """Takes fields one by one; past the end they are 0, and ``position`` tells of it."""

    __slots__ = ("end", "payload", "position")

    def __init__(self, payload: memoryview, position: int, end: int) -> None:
        self.payload = payload
        self.position = position
        self.end = end

    def take(self, size: int) -> int:
        position = self.position
        self.position = position + size
        return read_bits(self.payload, position, size) if self.position <= self.end else 0

    def optional(self, size: int) -> int | None:
        """A field behind its flag bit, in two's complement; None when the flag is 0 or absent."""
        if not size or not self.take(1):
            return None
        value = self.take(size)
        return value - (1 << size) if value >> (size - 1) else value


def serialize_au_headers(sizes: Sequence[int], layout: AuLayout = AAC_HBR) -> bytes:
    """Write the AU Header Section of units that follow each other, indexes 0.

    Args:
        sizes: Bytes of each whole unit.
        layout: With AU-size and indexes only.

    Raises:
        LocalProtocolError: A size that its field cannot hold, or too many of them.

    Source: RFC 3640 §3.2.1.
    """
    value = bits = 0
    for position, size in enumerate(sizes):
        if not 0 <= size < 1 << layout.size:
            raise LocalProtocolError(f"AU-size {size} does not fit {layout.size} bits")
        width = layout.index_delta if position else layout.index
        value = (value << layout.size | size) << width
        bits += layout.size + width
    if bits >= 1 << 16:
        raise LocalProtocolError(f"{len(sizes)} AU headers do not fit one packet")
    padding = -bits & 7
    return bits.to_bytes(2, "big") + (value << padding).to_bytes((bits + padding) // 8, "big")

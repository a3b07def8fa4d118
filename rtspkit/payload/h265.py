"""H.265 over RTP: access units out of packets, and packets out of access units.

Layer:  payload (state of one stream)
In:     packets of payload type H265; an Annex B byte stream for the packetizer
Out:    AccessUnit; single NAL unit packets, aggregation packets and fragmentation units
Source: RFC 7798 §1.1.4 (NAL unit header), §4.4 (payload structures), §4.5 (decoding order)

Where we leave the RFC
- With ``sprop-max-don-diff`` above 0, NAL units are read where they are sent in decoding order; a
  unit whose decoding order numbers run backwards is dropped and counted.
- NAL units with the forbidden bit or a type of 48 and more are left out, their access unit is
  delivered as incomplete.
- Enhancement layers (nuh_layer_id above 0) are passed on and never begin a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import ClassVar

from rtspkit.options import Limits
from rtspkit.payload import h265_parameters
from rtspkit.payload.nal_packetizer import NalUnitPacketizer
from rtspkit.payload.nal_units import NalUnitDepacketizer
from rtspkit.payload.pending_unit import (
    DELIMITER,
    FIRST_BIT,
    INVALID,
    KEY,
    PARAMETER_SET,
    SEI,
    SLICE,
    TRAILING,
)
from rtspkit.wire.number import parse_decimal
from rtspkit.wire.serial import difference_16

__all__ = ["H265Depacketizer", "H265Packetizer"]

AGGREGATION, FRAGMENTATION, PACI = 48, 49, 50  # §4.4.2 to §4.4.4
HEADER_SIZE = 2  # of a NAL unit, and of a payload
FORBIDDEN = 0x80
START, END = 0x80, 0x40  # FU header
MAX_DON_DIFF = 32_767  # §7.1

# By nal_unit_type, H.265 table 7-1
KINDS = (
    (SLICE | FIRST_BIT,) * 16
    + (SLICE | FIRST_BIT | KEY,) * 8  # IRAP: BLA, IDR, CRA, reserved
    + (SLICE | FIRST_BIT,) * 8
    + (PARAMETER_SET,) * 3
    + (DELIMITER,)
    + (TRAILING,) * 3  # end of sequence, end of bitstream, filler
    + (SEI, TRAILING)
    + (0,) * 7
    + (INVALID,) * 16
)


class H265Depacketizer(NalUnitDepacketizer):
    """Access units out of RFC 7798 payloads."""

    encoding_name = "H265"
    READER = h265_parameters.READER
    HEADER_SIZE: ClassVar[int] = HEADER_SIZE
    FRAGMENT: ClassVar[Struct] = Struct("!H10xHB")  # payload header and FU header

    def __init__(
        self,
        clock_rate: int,
        fmtp: Mapping[str, str] | None = None,
        channels: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(clock_rate, fmtp, channels, limits)
        text = self.fmtp.get("sprop-max-don-diff", "0").strip()
        # Bytes of DONL in front of a NAL unit: none, or 2 (§4.4.1)
        self._donl_size = 2 if parse_decimal(text, maximum=MAX_DON_DIFF) else 0
        self._order_number: int | None = None

    def _kind(self, head: bytes | memoryview) -> int:
        # +---------------+---------------+
        # |F|   Type    |  LayerId  | TID |
        if head[0] & FORBIDDEN or len(head) < HEADER_SIZE:
            return INVALID
        kind = KINDS[head[0] >> 1]
        return kind & INVALID if head[0] & 1 or head[1] > 7 else kind

    def _fragment_header(self, header: bytes, fu_header: int) -> tuple[int, ...]:
        return (header[0] & 0x81 | FRAGMENTATION << 1) << 8 | header[1], fu_header

    def _restart_order(self) -> None:
        self._order_number = None

    def _take(self, payload: memoryview) -> None:
        kind = payload[0] >> 1  # the forbidden bit makes it 64 and more
        if kind == FRAGMENTATION and len(payload) > 2:
            fu_header, middle = payload[2], self._unit.fragment
            if fu_header == middle:
                self._unit.add(payload[3:])
            elif fu_header == middle | END and len(payload) > 3:
                if self._unit.add(payload[3:]):
                    self._close()
            else:
                self._take_fragment(payload)
        elif kind == AGGREGATION:
            self._take_aggregate(payload)
        elif kind == PACI:
            self._take_paci(payload)
        elif (
            kind == FRAGMENTATION
            or len(payload) < HEADER_SIZE
            or (self._donl_size and len(payload) < 5)
        ):
            self._violate()
        elif not self._donl_size or kind > PACI:
            self._add(payload)
        elif self._follow_order(payload[2] << 8 | payload[3]):
            self._add(bytes(payload[:2]) + payload[4:])

    def _take_fragment(self, payload: memoryview) -> None:
        """The fragmentation unit (§4.4.3)."""
        fu_header, begin = payload[2], 3
        if fu_header & START and self._donl_size:
            if len(payload) < 5:
                return self._violate()
            if not self._follow_order(payload[3] << 8 | payload[4]):
                return None
            begin = 5
        header = bytes((payload[0] & 0x81 | (fu_header & 0x3F) << 1, payload[1]))
        self._add_fragment(header, fu_header, payload[begin:])
        return None

    def _take_aggregate(self, payload: memoryview) -> None:
        """The aggregation packet (§4.4.2): sizes of 16 bits, each with its NAL unit."""
        position, end = HEADER_SIZE, len(payload)
        order_size, order = self._donl_size, 0
        if end <= position + order_size:
            return self._violate()
        while end - position >= order_size + 2:
            if order_size == 2:
                order = payload[position] << 8 | payload[position + 1]
            elif order_size == 1:  # DOND of all but the first
                order += payload[position] + 1
            start = position + order_size + 2
            position = start + (payload[start - 2] << 8 | payload[start - 1])
            if position > end:
                return self._violate()
            if order_size and not self._follow_order(order & 0xFFFF):
                return None
            order_size = min(order_size, 1)
            if position > start:
                self._add(payload[start:position])
            else:
                self._note("aggregation-empty-unit")
        if position < end:
            self._note("aggregation-trailing-byte")
        return None

    def _take_paci(self, payload: memoryview) -> None:
        """The PACI packet (§4.4.4): its extension is left out, what it carries is read."""
        # +---------------+---------------+---------------+---------------+
        # |    PayloadHdr (Type=50)       |A|   cType   | PHSsize |F0..2|Y|
        if len(payload) < 4:
            return self._violate()
        fields = payload[2] << 8 | payload[3]
        carried = fields >> 9 & 0x3F
        begin = 4 + (fields >> 4 & 0x1F)
        if carried == PACI or begin >= len(payload):
            return self._violate()
        header = bytes((payload[2] & FORBIDDEN | carried << 1 | payload[0] & 1, payload[1]))
        self._take(memoryview(header + payload[begin:]))
        return None

    def _follow_order(self, number: int) -> bool:
        """Whether this decoding order number lies not behind the one before (§4.5)."""
        before, self._order_number = self._order_number, number
        if before is None or difference_16(number, before) >= 0:
            return True
        self._note("decoding-order-interleaved")
        self._violate()
        return False


class H265Packetizer(NalUnitPacketizer):
    """RFC 7798 payloads out of access units, without decoding order numbers."""

    encoding_name = "H265"
    HEADER_SIZE: ClassVar[int] = HEADER_SIZE

    def _aggregation_header(self, nal_units: list[bytes]) -> bytes:
        """Of an aggregation packet (§4.4.2)."""
        headers = [int.from_bytes(nal_unit[:2], "big") for nal_unit in nal_units]
        forbidden = max(header & 0x8000 for header in headers)
        layer = min(header & 0x01F8 for header in headers)
        temporal = min(header & 0x0007 for header in headers)
        return (forbidden | AGGREGATION << 9 | layer | temporal).to_bytes(2, "big")

    def _fragment_header(self, nal_unit: bytes) -> tuple[bytes, int]:
        """Of a fragmentation unit (§4.4.3)."""
        header = bytes((nal_unit[0] & 0x81 | FRAGMENTATION << 1, nal_unit[1]))
        return header, nal_unit[0] >> 1 & 0x3F

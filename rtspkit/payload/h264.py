"""H.264 over RTP: access units out of packets, and packets out of access units.

Layer:  payload (state of one stream)
In:     packets of payload type H264; an Annex B byte stream for the packetizer
Out:    AccessUnit; single NAL unit packets, STAP-A and FU-A
Source: RFC 6184 §5.2 to §5.8; ITU-T H.264 §7.3.1, §7.4.1, §D.1.8 (recovery point)

Where we leave the RFC
- Interleaved mode (STAP-B, MTAP, FU-B) is read where it is sent in decoding order; a unit whose
  decoding order numbers run backwards is dropped and counted. No known device interleaves.
- NAL units with the forbidden bit or a reserved type are left out, their access unit is delivered
  as incomplete.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar, Literal

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload import h264_parameters
from rtspkit.payload.base import DEFAULT_MAX_PACKET_SIZE
from rtspkit.payload.nal import BitReader, remove_emulation_prevention
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
from rtspkit.wire.serial import difference_16

__all__ = ["H264Depacketizer", "H264Packetizer"]

STAP_A, STAP_B, MTAP16, MTAP24, FU_A, FU_B = range(24, 30)  # §5.2, table 1
RECOVERY_POINT = 6  # SEI payloadType
MAX_SEI_MESSAGES = 32  # looked at in one SEI
FORBIDDEN = 0x80
START, END = 0x80, 0x40  # FU header

_KINDS = {
    1: SLICE | FIRST_BIT,
    2: SLICE | FIRST_BIT,  # data partition A
    3: SLICE,
    4: SLICE,
    5: SLICE | FIRST_BIT | KEY,  # IDR
    6: SEI,
    7: PARAMETER_SET,
    8: PARAMETER_SET,
    9: DELIMITER,
    10: TRAILING,
    11: TRAILING,
    12: TRAILING,
} | dict.fromkeys(range(24, 32), INVALID)
# By the first byte of a NAL unit: F (1 bit), NRI (2), type (5)
KINDS = tuple(INVALID if byte & FORBIDDEN else _KINDS.get(byte & 0x1F, 0) for byte in range(256))


class H264Depacketizer(NalUnitDepacketizer):
    """Access units out of RFC 6184 payloads."""

    encoding_name = "H264"
    READER = h264_parameters.READER
    HEADER_SIZE: ClassVar[int] = 1
    FRAGMENT: ClassVar[Struct] = Struct("!H10xH")  # FU indicator and FU header
    _order_number: int | None = None  # DON of the last NAL unit that had one

    def _kind(self, head: bytes | memoryview) -> int:
        return KINDS[head[0]]

    def _fragment_header(self, header: bytes, fu_header: int) -> tuple[int, ...]:
        return ((header[0] & 0xE0 | FU_A) << 8 | fu_header,)

    def _reads_as_slice(self, head: bytes | memoryview) -> bool:
        return h264_parameters.reads_as_slice(head)

    def _restart_order(self) -> None:
        self._order_number = None

    def _take(self, payload: memoryview) -> None:
        # +---------------+---------------+
        # |F|NRI|  Type   |S|E|R|  Type   |   FU indicator and FU header (§5.8)
        kind = payload[0] & 0x1F
        if kind == FU_A and len(payload) > 1:
            fu_header, middle = payload[1], self._unit.fragment
            if fu_header == middle:
                self._unit.add(payload[2:])
            elif fu_header == middle | END and len(payload) > 2:
                if self._unit.add(payload[2:]):
                    self._close()
            else:
                self._take_fragment(payload, 2)
        elif kind < STAP_A:
            self._add(payload)
        elif kind in (STAP_A, STAP_B):
            self._take_aggregate(payload, kind)
        elif kind in (MTAP16, MTAP24):
            self._take_multi_time(payload, 2 if kind == MTAP16 else 3)
        elif kind == FU_B and len(payload) > 3:
            if self._in_order(payload, 2):
                self._take_fragment(payload, 4)
        elif kind in (FU_A, FU_B):
            self._violate()
        else:
            self._reject()

    def _take_fragment(self, payload: memoryview, begin: int) -> None:
        fu_header = payload[1]
        if fu_header & 0x20:
            self._note("fragment-reserved-bit")
        header = bytes((payload[0] & 0xE0 | fu_header & 0x1F,))
        self._add_fragment(header, fu_header & ~0x20, payload[begin:])

    def _take_aggregate(self, payload: memoryview, kind: int) -> None:
        """STAP-A and STAP-B (§5.7.1): sizes of 16 bits, each with its NAL unit."""
        position, end = 1, len(payload)
        if kind == STAP_B:
            if end < 3:
                return self._violate()
            if not self._in_order(payload, 1):
                return None
            position = 3
        if position == end:
            return self._violate()
        while end - position >= 2:
            start = position + 2
            position = start + (payload[position] << 8 | payload[position + 1])
            if position > end:
                return self._violate()
            if position > start:
                self._add(payload[start:position])
            else:
                self._note("aggregation-empty-unit")
        if position < end:
            self._note("aggregation-trailing-byte")
        return None

    def _take_multi_time(self, payload: memoryview, offset_size: int) -> None:
        """MTAP16 and MTAP24 (§5.7.2): each NAL unit with its own timestamp."""
        head = 3 + offset_size  # size, DOND, TS offset
        base, base_time, base_wall = self._timestamp, self._media_time, self._wall_time
        end = len(payload)
        if end < 3 + head:
            return self._violate()
        order_base = payload[1] << 8 | payload[2]
        position = 3
        while end - position >= head:
            start = position + head
            # The size counts the NAL unit alone.
            stop = start + (payload[position] << 8 | payload[position + 1])
            if stop > end:
                return self._violate()
            order = order_base + payload[position + 2]
            ticks = int.from_bytes(payload[position + 3 : start], "big")
            position = stop
            if not self._follow_order(order & 0xFFFF):
                return None
            if (timestamp := (base + ticks) & 0xFFFFFFFF) != self._timestamp:
                self._turn_to(timestamp)
                seconds = self._seconds(ticks)
                self._media_time = base_time + seconds
                self._wall_time = None if base_wall is None else base_wall + seconds
            if stop > start:
                self._add(payload[start:stop])
        if position < end:
            self._note("aggregation-trailing-byte")
        return None

    def _in_order(self, payload: memoryview, offset: int) -> bool:
        return self._follow_order(payload[offset] << 8 | payload[offset + 1])

    def _follow_order(self, number: int) -> bool:
        """Whether this decoding order number lies not behind the one before (§5.5)."""
        before, self._order_number = self._order_number, number
        if before is None or difference_16(number, before) >= 0:
            return True
        self._note("decoding-order-interleaved")
        self._violate()
        return False

    def _is_recovery_point(self, nal_unit: bytes) -> bool:
        """Whether a recovery point with recovery_frame_cnt 0 is in this SEI (§D.1.8)."""
        data = remove_emulation_prevention(nal_unit[1:])
        position, end = 0, len(data)
        for _ in range(MAX_SEI_MESSAGES):
            numbers = []
            for _ in range(2):  # payloadType, payloadSize: 255 for each 0xFF, then the rest
                value = 0
                while position < end and data[position] == 0xFF:
                    value, position = value + 255, position + 1
                if position >= end:
                    return False
                numbers.append(value + data[position])
                position += 1
            if numbers[0] == RECOVERY_POINT:
                try:
                    return BitReader(data[position : position + 8]).exp_golomb() == 0
                except RemoteProtocolError:
                    return False
            position += numbers[1]
        return False


class H264Packetizer(NalUnitPacketizer):
    """RFC 6184 payloads out of access units (packetization-mode 1).

    Args:
        payload_type: 0 to 127.
        ssrc: Of all its packets.
        sequence_number: Of the first packet.
        max_packet_size: Bytes of one RTP packet.
        aggregation: Whether neighbours that fit into one packet share a STAP-A.
    """

    encoding_name = "H264"
    HEADER_SIZE: ClassVar[int] = 1

    def __init__(
        self,
        *,
        payload_type: int,
        ssrc: int,
        sequence_number: int = 0,
        max_packet_size: int = DEFAULT_MAX_PACKET_SIZE,
        aggregation: Literal["stap-a", "none"] = "stap-a",
    ) -> None:
        super().__init__(
            payload_type=payload_type,
            ssrc=ssrc,
            sequence_number=sequence_number,
            max_packet_size=max_packet_size,
        )
        if aggregation not in ("stap-a", "none"):
            raise ValueError(f"aggregation is 'stap-a' or 'none', not {aggregation!r}")
        self.aggregation = aggregation
        self.aggregates = aggregation == "stap-a"

    def _aggregation_header(self, nal_units: list[bytes]) -> bytes:
        """Of a STAP-A (§5.7.1)."""
        forbidden = max(nal_unit[0] & FORBIDDEN for nal_unit in nal_units)
        importance = max(nal_unit[0] & 0x60 for nal_unit in nal_units)
        return bytes((forbidden | importance | STAP_A,))

    def _fragment_header(self, nal_unit: bytes) -> tuple[bytes, int]:
        """Of an FU-A (§5.8)."""
        return bytes((nal_unit[0] & 0xE0 | FU_A,)), nal_unit[0] & 0x1F

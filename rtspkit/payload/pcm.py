"""Plain samples in RTP: PCMU, PCMA, L8, L16 and L24.

Layer:  payload
In/Out: RTP payloads and access units; samples stay as the sender wrote them
Source: RFC 3551 §4.1 (channels), §4.5.10 (L8), §4.5.11 (L16), §4.5.14 (PCMA, PCMU);
        RFC 3190 §4 (L24)

Facts the code leans on
- There is no payload header: every packet is whole samples of all channels, one after the other,
  and each packet is an access unit.
- One tick is one sample of each channel; L16 and L24 are in network byte order.

Where we leave the RFC
- A payload that ends within a sample is delivered up to it, marked as not complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from rtspkit.errors import LocalProtocolError
from rtspkit.options import Limits
from rtspkit.payload.base import (
    DEFAULT_MAX_PACKET_SIZE,
    AccessUnit,
    Depacketizer,
    Packetizer,
)
from rtspkit.wire.rtp import RtpPacket

__all__ = [
    "L8Depacketizer",
    "L8Packetizer",
    "L16Depacketizer",
    "L16Packetizer",
    "L24Depacketizer",
    "L24Packetizer",
    "PcmDepacketizer",
    "PcmPacketizer",
    "PcmaDepacketizer",
    "PcmaPacketizer",
    "PcmuDepacketizer",
    "PcmuPacketizer",
]


class PcmDepacketizer(Depacketizer):
    """Samples out of the payloads of one stream; its subclasses name the encodings."""

    sample_size: ClassVar[int] = 1  # bytes of one sample of one channel

    def __init__(
        self,
        clock_rate: int,
        fmtp: Mapping[str, str] | None = None,
        channels: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(clock_rate, fmtp or {}, channels, limits or Limits())
        self._frame_size = self.sample_size * max(channels or 1, 1)
        self._lost = 0
        self._discontinuity = False

    def push(self, packet: RtpPacket) -> list[AccessUnit]:
        """Take one packet; give its samples."""
        if self._is_behind(packet):
            return []
        self._lost += self._missing_before(packet)
        self._discontinuity |= packet.discontinuity
        data = bytes(packet.payload)
        rest = len(data) % self._frame_size
        complete = bool(data) and not rest
        if not complete:
            self.counters.malformed += 1
            data = data[: len(data) - rest]
        if not data or len(data) > self.limits.audio_access_unit:
            self.counters.dropped_units += 1
            return []
        self.counters.incomplete_units += not complete
        unit = AccessUnit(
            data,
            packet.timestamp,
            stream=packet.stream,
            media_time=packet.media_time,
            wall_time=packet.wall_time,
            wall_source=packet.wall_source,
            arrival=packet.arrival,
            complete=complete,
            lost=self._lost,
            discontinuity=self._discontinuity,
        )
        self._lost, self._discontinuity = 0, False
        return [unit]

    def flush(self) -> list[AccessUnit]:
        """Nothing ever waits."""
        self._expected = None
        return []


class PcmPacketizer(Packetizer):
    """RTP packets of samples; its subclasses name the encodings.

    Args:
        channels: Samples of one moment, which no packet parts.
    """

    sample_size: ClassVar[int] = 1  # bytes of one sample of one channel

    def __init__(
        self,
        *,
        payload_type: int,
        ssrc: int,
        sequence_number: int = 0,
        max_packet_size: int = DEFAULT_MAX_PACKET_SIZE,
        channels: int | None = None,
    ) -> None:
        super().__init__(
            payload_type=payload_type,
            ssrc=ssrc,
            sequence_number=sequence_number,
            max_packet_size=max_packet_size,
        )
        self._frame_size = self.sample_size * (1 if channels is None else channels)
        if not 0 < self._frame_size <= self.max_payload_size:
            raise ValueError(f"{channels} channels do not fit {max_packet_size} bytes")

    def payloads(self, data: bytes) -> Iterable[tuple[bytes, int, bool]]:
        """Pieces of whole samples, each with the ticks before it; the marker is never set.

        Raises:
            LocalProtocolError: ``data`` ends within a sample.
        """
        if len(data) % self._frame_size:
            raise LocalProtocolError(
                f"{len(data)} bytes are no whole samples of {self._frame_size} bytes"
            )
        ticks = self.max_payload_size // self._frame_size
        step = ticks * self._frame_size
        for turn, start in enumerate(range(0, len(data), step)):
            yield data[start : start + step], turn * ticks, False


class PcmuDepacketizer(PcmDepacketizer):
    """G.711 µ-law."""

    encoding_name = "PCMU"


class PcmuPacketizer(PcmPacketizer):
    """G.711 µ-law."""

    encoding_name = "PCMU"


class PcmaDepacketizer(PcmDepacketizer):
    """G.711 A-law."""

    encoding_name = "PCMA"


class PcmaPacketizer(PcmPacketizer):
    """G.711 A-law."""

    encoding_name = "PCMA"


class L8Depacketizer(PcmDepacketizer):
    """Linear, 8 bits, 128 is silence."""

    encoding_name = "L8"


class L8Packetizer(PcmPacketizer):
    """Linear, 8 bits, 128 is silence."""

    encoding_name = "L8"


class L16Depacketizer(PcmDepacketizer):
    """Linear, 16 bits, signed, most significant byte first."""

    encoding_name = "L16"
    sample_size = 2


class L16Packetizer(PcmPacketizer):
    """Linear, 16 bits, signed, most significant byte first."""

    encoding_name = "L16"
    sample_size = 2


class L24Depacketizer(PcmDepacketizer):
    """Linear, 24 bits, signed, most significant byte first."""

    encoding_name = "L24"
    sample_size = 3


class L24Packetizer(PcmPacketizer):
    """Linear, 24 bits, signed, most significant byte first."""

    encoding_name = "L24"
    sample_size = 3

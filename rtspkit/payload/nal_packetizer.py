"""RTP payloads out of NAL units, as H.264 and H.265 share it: aggregate, or cut.

Layer:  payload
In:     one access unit as an Annex B byte stream
Out:    payloads; the marker is on the last
Source: RFC 6184 §5.6 to §5.8, RFC 7798 §4.4.1 to §4.4.3
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from rtspkit.errors import LocalProtocolError
from rtspkit.payload.base import Packetizer
from rtspkit.payload.nal import split_annex_b
from rtspkit.payload.nal_units import END, START

__all__ = ["NalUnitPacketizer"]


class NalUnitPacketizer(Packetizer):
    """What H264Packetizer and H265Packetizer share."""

    HEADER_SIZE: ClassVar[int]  # bytes of a NAL unit's header
    aggregates = True  # whether small NAL units share a packet

    @abstractmethod
    def _aggregation_header(self, nal_units: list[bytes]) -> bytes:
        """The header of the packet that several NAL units share."""

    @abstractmethod
    def _fragment_header(self, nal_unit: bytes) -> tuple[bytes, int]:
        """What a fragment has in front of its FU header, and the type in that."""

    def payloads(self, data: bytes) -> Iterable[tuple[bytes, int, bool]]:
        """The payloads of one access unit; the marker is on the last.

        Args:
            data: An Annex B byte stream.

        Raises:
            LocalProtocolError: A NAL unit without a whole header.
        """
        payloads: list[bytes] = []
        waiting: list[bytes] = []
        size = self.HEADER_SIZE  # of the aggregation packet that ``waiting`` makes
        for nal_unit in split_annex_b(data):
            if len(nal_unit) < self.HEADER_SIZE:
                name = f"{self.encoding_name[0]}.{self.encoding_name[1:]}"
                raise LocalProtocolError(
                    f"an {name} NAL unit has at least {self.HEADER_SIZE} bytes, "
                    f"this has {len(nal_unit)}"
                )
            if size + 2 + len(nal_unit) > self.max_payload_size or not self.aggregates:
                payloads += self._aggregate(waiting)
                waiting, size = [], self.HEADER_SIZE
            if len(nal_unit) > self.max_payload_size:
                payloads += self._fragments(nal_unit)
            else:
                waiting.append(nal_unit)
                size += 2 + len(nal_unit)
        payloads += self._aggregate(waiting)
        last = len(payloads) - 1
        return [(payload, 0, index == last) for index, payload in enumerate(payloads)]

    def _aggregate(self, nal_units: list[bytes]) -> list[bytes]:
        """One aggregation packet, or the NAL unit itself when it is alone."""
        if len(nal_units) < 2:
            return nal_units
        parts = [self._aggregation_header(nal_units)]
        for nal_unit in nal_units:
            parts += len(nal_unit).to_bytes(2, "big"), nal_unit
        return [b"".join(parts)]

    def _fragments(self, nal_unit: bytes) -> list[bytes]:
        """Fragments, each with S or E in its FU header where it is the first or the last."""
        header, kind = self._fragment_header(nal_unit)
        first, end = self.HEADER_SIZE, len(nal_unit)
        size = self.max_payload_size - len(header) - 1
        fragments = []
        for start in range(first, end, size):
            flags = (START if start == first else 0) | (END if start + size >= end else 0)
            fragments.append(header + bytes((flags | kind,)) + nal_unit[start : start + size])
        return fragments

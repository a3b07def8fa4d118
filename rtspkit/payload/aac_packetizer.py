"""AAC into RTP: one raw frame, or one fragment of it, in each packet of MPEG4-GENERIC.

Layer:  payload
In:     raw AAC frames
Out:    RTP packets, and the format parameters that describe them
Source: RFC 3640 §3.2.3 (fragments), §3.3.6 (AAC-hbr), §4.1 (SDP)
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.errors import LocalProtocolError
from rtspkit.payload.au_header import AAC_HBR, AuLayout, serialize_au_headers
from rtspkit.payload.base import DEFAULT_MAX_PACKET_SIZE, Packetizer

__all__ = ["AacPacketizer", "format_parameters"]


class AacPacketizer(Packetizer):
    """RTP packets of MPEG4-GENERIC, one raw AAC frame or one fragment of it in each.

    Args:
        size_length: Bits of AU-size, 1 to 32; the AAC-hbr default takes frames to 8,191 bytes.
        index_length: Bits of AU-Index, 0 to 32.
    """

    encoding_name = "MPEG4-GENERIC"

    def __init__(
        self,
        *,
        payload_type: int,
        ssrc: int,
        sequence_number: int = 0,
        max_packet_size: int = DEFAULT_MAX_PACKET_SIZE,
        size_length: int = AAC_HBR.size,
        index_length: int = AAC_HBR.index,
    ) -> None:
        super().__init__(
            payload_type=payload_type,
            ssrc=ssrc,
            sequence_number=sequence_number,
            max_packet_size=max_packet_size,
        )
        if not 1 <= size_length <= 32 or not 0 <= index_length <= 32:
            raise ValueError("size_length must be 1 to 32, index_length 0 to 32")
        self._layout = AuLayout(size_length, index_length, index_length)

    def payloads(self, data: bytes) -> Iterable[tuple[bytes, int, bool]]:
        """The payloads of one raw AAC frame.

        Raises:
            LocalProtocolError: The frame is empty, or longer than its AU-size can tell.
        """
        if not data:
            raise LocalProtocolError("an empty AAC frame cannot be sent")
        header = serialize_au_headers([len(data)], self._layout)
        room = self.max_payload_size - len(header)
        for start in range(0, len(data), room):
            end = start + room
            yield header + data[start:end], 0, end >= len(data)


def format_parameters(config: bytes) -> str:
    """The value of ``a=fmtp`` for what ``AacPacketizer`` sends by default.

    Args:
        config: The AudioSpecificConfig.

    Source: RFC 3640 §3.3.6, §4.1.
    """
    return (
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;"
        f"sizelength={AAC_HBR.size};indexlength={AAC_HBR.index};"
        f"indexdeltalength={AAC_HBR.index_delta};config={config.hex()}"
    )

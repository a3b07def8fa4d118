"""One interleaved frame: RTP or RTCP between the messages of a control connection.

Layer:  wire
Source: RFC 2326 §10.12

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |   "$" = 0x24  |    channel    |       length of payload       |
    +---------------+---------------+-------------------------------+
    |   payload: one RTP or RTCP packet                         ...
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from rtspkit.errors import LocalProtocolError

__all__ = ["DOLLAR", "HEADER_SIZE", "InterleavedFrame", "looks_like_rtp", "serialize_frame"]

DOLLAR = 0x24
HEADER_SIZE = 4
RTCP_MINIMUM = 8  # bytes: an empty receiver report, the shortest packet in use (RFC 3550 §6.4.2)
_HEADER = Struct("!BBH")
unpack_header = _HEADER.unpack_from


@dataclass(slots=True)
class InterleavedFrame:
    """One frame.

    Attributes:
        channel: 0 to 255, as negotiated in SETUP.
        payload: Read-only; keeps the memory that it lies in alive.
    """

    channel: int
    payload: memoryview


def looks_like_rtp(length: int, first: int) -> bool:
    """Whether a payload of that length and first byte may be RTP or RTCP of version 2."""
    return length >= RTCP_MINIMUM and first & 0xC0 == 0x80


def serialize_frame(channel: int, payload: bytes | bytearray | memoryview) -> bytes:
    """Write one frame.

    Raises:
        LocalProtocolError: ``channel`` beyond 255 or ``payload`` beyond 65,535 bytes.
    """
    if not 0 <= channel <= 255 or len(payload) > 0xFFFF:
        raise LocalProtocolError("a frame has a channel of 0 to 255 and up to 65,535 bytes")
    return _HEADER.pack(DOLLAR, channel, len(payload)) + payload

"""An RTP packet with the attributes that aiortsp's users know: those of ``dpkt.rtp.RTP``.

Layer:  compat
In:     an ``RtpPacket`` of ours, or bytes
Source: RFC 3550 §5.1

Rules
- ``data`` is everything behind the CSRCs, header extension and padding too, as dpkt has it;
  ``packet.payload`` is without them.
- dpkt is not needed. Where its class is wanted: ``dpkt.rtp.RTP(bytes(packet))``.
"""

from __future__ import annotations

from struct import Struct

from rtspkit.wire.rtp import RtpPacket, parse_rtp

__all__ = ["RTP"]

HEADER_SIZE = 12
_HEADER = Struct("!HHII")


class RTP:
    """One RTP packet; every field may be changed before ``bytes()`` writes it again.

    Args:
        packet: As the session gave it, or the bytes of one.

    Raises:
        MalformedPacket: The bytes are no RTP packet.

    Attributes:
        seq: Sequence number, 16 bits.
        ts: Timestamp, 32 bits.
        ssrc: The source, 32 bits.
        csrc: The contributing sources, four bytes each.
        packet: What it was made of, with its times, its stream, and what was lost before it.
    """

    __slots__ = ("_data", "_type", "csrc", "packet", "seq", "ssrc", "ts")

    def __init__(self, packet: RtpPacket | bytes | bytearray | memoryview) -> None:
        if not isinstance(packet, RtpPacket):
            packet = parse_rtp(bytes(packet))
        memory, start = packet.memory, packet.start
        self._type = memory[start] << 8 | memory[start + 1]
        self.seq = packet.sequence_number
        self.ts = packet.timestamp
        self.ssrc = packet.ssrc
        count = memory[start] & 0x0F
        begin = start + HEADER_SIZE
        self.csrc = bytes(memory[begin : begin + 4 * count]) if count else b""
        self.packet = packet
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        """All that follows the CSRCs."""
        if self._data is None:
            packet = self.packet
            begin = packet.start + HEADER_SIZE + 4 * (packet.memory[packet.start] & 0x0F)
            self._data = bytes(packet.memory[begin : packet.start + packet.size])
        return self._data

    @data.setter
    def data(self, data: bytes) -> None:
        self._data = bytes(data)

    #  0                   1
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
    # +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    # |V=2|P|X|  CC   |M|     PT      |

    @property
    def version(self) -> int:
        """2."""
        return self._type >> 14

    @version.setter
    def version(self, value: int) -> None:
        self._put(14, 0x3, value)

    @property
    def p(self) -> int:
        """1 when padding follows the payload."""
        return self._type >> 13 & 1

    @p.setter
    def p(self, value: int) -> None:
        self._put(13, 1, value)

    @property
    def x(self) -> int:
        """1 when a header extension precedes the payload."""
        return self._type >> 12 & 1

    @x.setter
    def x(self, value: int) -> None:
        self._put(12, 1, value)

    @property
    def cc(self) -> int:
        """Number of contributing sources."""
        return self._type >> 8 & 0x0F

    @cc.setter
    def cc(self, value: int) -> None:
        self._put(8, 0x0F, value)

    @property
    def m(self) -> int:
        """The marker bit."""
        return self._type >> 7 & 1

    @m.setter
    def m(self, value: int) -> None:
        self._put(7, 1, value)

    @property
    def pt(self) -> int:
        """The payload type, 0 to 127."""
        return self._type & 0x7F

    @pt.setter
    def pt(self, value: int) -> None:
        self._put(0, 0x7F, value)

    def _put(self, shift: int, mask: int, value: int) -> None:
        self._type = self._type & ~(mask << shift) | (int(value) & mask) << shift

    def __bytes__(self) -> bytes:
        """The whole packet, with what was changed."""
        return _HEADER.pack(self._type, self.seq, self.ts, self.ssrc) + self.csrc + self.data

    def __len__(self) -> int:
        return HEADER_SIZE + len(self.csrc) + len(self.data)

    def __repr__(self) -> str:
        return (
            f"RTP(pt={self.pt}, seq={self.seq}, ts={self.ts}, ssrc={self.ssrc:#010x}, m={self.m}, "
            f"data={len(self.data)} bytes)"
        )

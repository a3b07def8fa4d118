"""One RTP packet: read without copying, written by the RFC.

Layer:  wire
In:     parse_rtp(one datagram, or the inside of one interleaved frame)
Out:    RtpPacket, whose ``payload`` is a read-only view into what came in
Source: RFC 3550 §5.1, §5.3.1; RFC 8285 §4.2, §4.3 (header extensions)

Facts the code leans on
- Most packets have neither padding, extension nor CSRCs: their first byte is 0x80, and
  nothing but the fixed header has to be read.
- A packet is built once and read by several consumers: its class has slots and is not frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from rtspkit.errors import LocalProtocolError, MalformedPacket

if TYPE_CHECKING:
    from rtspkit.wire.stream import Stream

__all__ = ["HeaderExtension", "RtpPacket", "WallClock", "parse_rtp", "serialize_rtp"]

HEADER_SIZE = 12  # §5.1, without CSRCs
VERSION_2 = 0x80
_HEADER = Struct("!BBHII")
_unpack_header = _HEADER.unpack_from
_EXTENSION = Struct("!HH")

ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285 §4.2
TWO_BYTE_PROFILE = 0x1000  # RFC 8285 §4.3; the low four bits are the application's
ONE_BYTE_END = 15  # RFC 8285 §4.2: stop reading here


@dataclass(slots=True, frozen=True)
class WallClock:
    """How one stream's ``media_time`` maps to wall-clock time.

    Attributes:
        media_time: Seconds on the stream's timeline.
        wall: Unix seconds at that moment.
        source: Where it comes from: ``"sr"``.
    """

    media_time: float
    wall: float
    source: str


@dataclass(slots=True)
class HeaderExtension:
    """An RTP header extension (RFC 3550 §5.3.1).

    Attributes:
        profile: The 16 bits that the profile defines: 0xBEDE for one-byte elements.
        data: The whole body, padded to 32-bit words; a read-only view.
    """

    profile: int
    data: memoryview

    def elements(self) -> list[tuple[int, memoryview]] | None:
        """The elements as (id, data), padding left out; None when the profile has none.

        Elements after one that does not fit are left out: the body is what the sender made
        of it, and the packet is good without it.

        Source: RFC 8285 §4.2, §4.3.
        """
        if self.profile == ONE_BYTE_PROFILE:
            return self._elements(one_byte=True)
        if self.profile & 0xFFF0 == TWO_BYTE_PROFILE:
            return self._elements(one_byte=False)
        return None

    def _elements(self, *, one_byte: bool) -> list[tuple[int, memoryview]]:
        data, found, position = self.data, [], 0
        while position < len(data):
            first = data[position]
            position += 1
            if first == 0:
                continue  # padding
            if one_byte:
                identifier, size = first >> 4, (first & 0x0F) + 1
                if identifier in (0, ONE_BYTE_END):
                    break
            else:
                if position == len(data):
                    break
                identifier, size = first, data[position]
                position += 1
            if position + size > len(data):
                break
            found.append((identifier, data[position : position + size]))
            position += size
        return found


class RtpPacket:
    """One RTP packet, and what the session knows of it.

    The wire's own fields are read from the packet; the others are filled in by the session
    and have their defaults on a packet that ``parse_rtp`` gave.

    Attributes:
        sequence_number: 16 bits, as sent.
        timestamp: 32 bits, as sent, in ticks of ``stream.clock_rate``.
        ssrc: 32 bits.
        payload: Read-only view, extension and padding removed; keeps its memory alive.
        stream: The stream it belongs to; None outside of a session.
        arrival: When it was received, in monotonic seconds.
        media_time: Seconds on the session's timeline, continuous across wraps.
        lost: Packets missing just before this one.
        discontinuity: Whether the stream began anew here: another source, a jump.
    """

    __slots__ = (
        "_data",
        "_start",
        "_stop",
        "arrival",
        "discontinuity",
        "lost",
        "media_time",
        "payload",
        "sequence_number",
        "ssrc",
        "stream",
        "timestamp",
        "wall_clock",
    )

    def __init__(
        self,
        data: memoryview,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        start: int,
        stop: int,
    ) -> None:
        self._data = data
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self._start = start
        self._stop = stop
        self.payload = data[start:stop]
        self.stream: Stream | None = None
        self.arrival = 0.0
        self.media_time = 0.0
        self.wall_clock: WallClock | None = None
        self.lost = 0
        self.discontinuity = False

    @property
    def marker(self) -> bool:
        """The marker bit: for video, mostly the last packet of a picture."""
        return self._data[1] > 0x7F

    @property
    def payload_type(self) -> int:
        """The payload type, 0 to 127."""
        return self._data[1] & 0x7F

    @property
    def padding_size(self) -> int:
        """Bytes of padding that followed the payload, its count included."""
        return len(self._data) - self._stop

    @property
    def memory(self) -> bytes | bytearray:
        """What this packet keeps alive: the slab that it lies in, or its own bytes."""
        memory: bytes | bytearray = self._data.obj  # type: ignore[assignment]
        return memory

    @property
    def csrcs(self) -> tuple[int, ...]:
        """The contributing sources, 0 to 15 of them."""
        count = self._data[0] & 0x0F
        return Struct(f"!{count}I").unpack_from(self._data, HEADER_SIZE) if count else ()

    @property
    def extension(self) -> HeaderExtension | None:
        """The header extension, or None."""
        if not self._data[0] & 0x10:
            return None
        begin = HEADER_SIZE + 4 * (self._data[0] & 0x0F)
        (profile, _) = _EXTENSION.unpack_from(self._data, begin)
        return HeaderExtension(profile, self._data[begin + 4 : self._start])

    @property
    def wall_time(self) -> float | None:
        """Unix seconds at which this was sampled, or None while nobody has told."""
        clock = self.wall_clock
        return None if clock is None else clock.wall + (self.media_time - clock.media_time)

    @property
    def wall_source(self) -> str | None:
        """Where ``wall_time`` comes from: ``"sr"``; None without one."""
        clock = self.wall_clock
        return None if clock is None else clock.source

    def __bytes__(self) -> bytes:
        """The whole packet, as it came."""
        return bytes(self._data)

    def __len__(self) -> int:
        """Size of the whole packet in bytes."""
        return len(self._data)

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, sequence_number={self.sequence_number}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc:#010x}, marker={self.marker}, "
            f"payload={len(self.payload)} bytes)"
        )


def parse_rtp(datagram: memoryview | bytes | bytearray) -> RtpPacket:
    """Read one RTP packet without copying its payload.

    Args:
        datagram: One whole packet, 12 to 65,535 bytes: a UDP payload, or the inside of one
            interleaved frame (RFC 2326 §10.12).

    Returns:
        The packet. ``payload`` is a read-only view into ``datagram`` and keeps it alive; its
        owner must not write to it while the packet is held.

    Raises:
        MalformedPacket: Wrong version, or a length that the packet does not have. Nothing
            else, whatever the bytes are.

    Source: RFC 3550 §5.1, §5.3.1.
    """
    data = datagram if type(datagram) is memoryview else memoryview(datagram)
    if not data.readonly:
        data = data.toreadonly()
    size = len(data)
    if size < HEADER_SIZE:
        raise MalformedPacket(f"an RTP packet has at least {HEADER_SIZE} bytes, this has {size}")
    #  0                   1                   2                   3
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    # +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    # |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    # |                           timestamp                           |
    # |           synchronization source (SSRC) identifier            |
    first, _, sequence_number, timestamp, ssrc = _unpack_header(data)
    if first == VERSION_2:
        return RtpPacket(data, sequence_number, timestamp, ssrc, HEADER_SIZE, size)
    if first >> 6 != 2:
        raise MalformedPacket(f"RTP version {first >> 6} instead of 2")
    start, stop = _payload_bounds(data, first)
    return RtpPacket(data, sequence_number, timestamp, ssrc, start, stop)


def _payload_bounds(data: memoryview, first: int) -> tuple[int, int]:
    """Where the payload starts and stops in a packet with CSRCs, extension or padding."""
    size = len(data)
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > size:
            raise MalformedPacket("the header extension begins past the end of the packet")
        start += 4 + 4 * _EXTENSION.unpack_from(data, start)[1]
    if start > size:
        raise MalformedPacket(f"the header says {start} bytes, the packet has {size}")
    if not first & 0x20:
        return start, size
    padding = data[size - 1] if size > start else 0
    if padding == 0 or start + padding > size:
        raise MalformedPacket(f"{padding} bytes of padding after {size - start} of payload")
    return start, size - padding


def serialize_rtp(
    payload: bytes | memoryview,
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    marker: bool = False,
    csrcs: Sequence[int] = (),
    extension: tuple[int, bytes] | None = None,
    padding: int = 0,
) -> bytes:
    """Write one RTP packet.

    Args:
        payload: The payload.
        payload_type: 0 to 127.
        sequence_number: 0 to 65,535.
        timestamp: 0 to 2**32 - 1, in ticks.
        ssrc: 0 to 2**32 - 1.
        marker: The marker bit.
        csrcs: At most 15 contributing sources.
        extension: Profile and body of a header extension; the body in whole 32-bit words.
        padding: Bytes to append, their count included: 0 to 255.

    Raises:
        LocalProtocolError: A value that its field cannot hold.

    Source: RFC 3550 §5.1, §5.3.1.
    """
    fits = (
        0 <= payload_type < 1 << 7
        and 0 <= sequence_number < 1 << 16
        and 0 <= timestamp < 1 << 32
        and 0 <= ssrc < 1 << 32
        and len(csrcs) < 16
        and all(0 <= csrc < 1 << 32 for csrc in csrcs)
        and 0 <= padding < 256
    )
    if not fits:
        raise LocalProtocolError("a field of the RTP header is out of its range")
    first = VERSION_2 | len(csrcs)
    middle = Struct(f"!{len(csrcs)}I").pack(*csrcs)
    if extension is not None:
        profile, body = extension
        if len(body) % 4 or len(body) >= 1 << 18 or not 0 <= profile < 1 << 16:
            raise LocalProtocolError("a header extension is up to 65,535 whole 32-bit words")
        first |= 0x10
        middle += _EXTENSION.pack(profile, len(body) // 4) + body
    if padding:
        first |= 0x20
    second = payload_type | (0x80 if marker else 0)
    header = _HEADER.pack(first, second, sequence_number, timestamp, ssrc)
    tail = bytes(padding - 1) + bytes([padding]) if padding else b""
    return b"".join((header, middle, payload, tail))

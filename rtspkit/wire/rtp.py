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

__all__ = [
    "HeaderExtension",
    "RtpPacket",
    "WallClock",
    "parse_rtp",
    "parse_rtp_at",
    "serialize_rtp",
]

HEADER_SIZE = 12  # §5.1, without CSRCs
VERSION_2 = 0x80
_HEADER = Struct("!BBHII")
_SSRC = Struct("!I")
unpack_header = Struct("!HHQ").unpack_from  # the timestamp and the SSRC as one number
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
        stream: The stream it belongs to; None outside of a session.
        arrival: When it was received, in monotonic seconds: by the kernel, where it tells.
        media_time: Seconds on the session's timeline, continuous across wraps.
        lost: Packets missing just before this one.
        discontinuity: Whether the stream began anew here: another source, a jump.
        wall_clock: How ``media_time`` maps to the wall clock; None while nobody has told.
        memory: Read-only view of the memory that the packet lies in, which it keeps alive; shared
            with other packets, so never to be released.
        start: Where in ``memory`` its header begins.
        size: Its bytes, header and padding included.
    """

    __slots__ = (
        "arrival",
        "discontinuity",
        "lost",
        "media_time",
        "memory",
        "sequence_number",
        "size",
        "start",
        "stream",
        "timestamp",
        "wall_clock",
    )

    # There is no __init__: who makes a packet fills every slot, which costs a third of the call.
    memory: memoryview
    start: int
    size: int
    sequence_number: int
    timestamp: int
    stream: Stream | None
    arrival: float
    media_time: float
    wall_clock: WallClock | None
    lost: int
    discontinuity: bool

    @property
    def payload(self) -> memoryview:
        """Read-only view, header, extension and padding left out; keeps its memory alive."""
        start = self.start
        return self.memory[start + HEADER_SIZE : start + self.size]

    @property
    def ssrc(self) -> int:
        """The source, 32 bits."""
        ssrc: int = _SSRC.unpack_from(self.memory, self.start + 8)[0]
        return ssrc

    @property
    def marker(self) -> bool:
        """The marker bit: for video, mostly the last packet of a picture."""
        return self.memory[self.start + 1] > 0x7F

    @property
    def payload_type(self) -> int:
        """The payload type, 0 to 127."""
        return self.memory[self.start + 1] & 0x7F

    @property
    def padding_size(self) -> int:
        """Bytes of padding that followed the payload, its count included."""
        return 0

    @property
    def csrcs(self) -> tuple[int, ...]:
        """The contributing sources, 0 to 15 of them."""
        count = self.memory[self.start] & 0x0F
        if not count:
            return ()
        return Struct(f"!{count}I").unpack_from(self.memory, self.start + HEADER_SIZE)

    @property
    def extension(self) -> HeaderExtension | None:
        """The header extension, or None."""
        memory, start = self.memory, self.start
        if not memory[start] & 0x10:
            return None
        begin = start + HEADER_SIZE + 4 * (memory[start] & 0x0F)
        profile, words = _EXTENSION.unpack_from(memory, begin)
        return HeaderExtension(profile, memory[begin + 4 : begin + 4 + 4 * words])

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

    def moved(self, memory: memoryview, start: int) -> RtpPacket:
        """The same packet, its bytes elsewhere: whoever calls this has copied them there."""
        packet = type(self)()
        for name in RtpPacket.__slots__:
            setattr(packet, name, getattr(self, name))
        packet.memory, packet.start = memory, start
        return packet

    def __bytes__(self) -> bytes:
        """The whole packet, as it came."""
        return bytes(self.memory[self.start : self.start + self.size])

    def __len__(self) -> int:
        """Size of the whole packet in bytes."""
        return self.size

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, sequence_number={self.sequence_number}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc:#010x}, marker={self.marker}, "
            f"payload={len(self.payload)} bytes)"
        )


class UnusualPacket(RtpPacket):
    """A packet with CSRCs, an extension or padding; whoever holds one calls it an ``RtpPacket``."""

    __slots__ = ()

    @property
    def payload(self) -> memoryview:
        """As of any packet."""
        begin, end = _payload_bounds(self.memory, self.start, self.start + self.size)
        return self.memory[begin:end]

    @property
    def padding_size(self) -> int:
        """Bytes of padding that followed the payload, its count included."""
        end = self.start + self.size
        return end - _payload_bounds(self.memory, self.start, end)[1]


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
    return parse_rtp_at(data, 0, len(data))


def parse_rtp_at(memory: memoryview, start: int, size: int) -> RtpPacket:
    """``parse_rtp`` of the ``size`` bytes at ``start`` of a read-only view of bytes."""
    if size < HEADER_SIZE:
        raise MalformedPacket(f"an RTP packet has at least {HEADER_SIZE} bytes, this has {size}")
    #  0                   1                   2                   3
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    # +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    # |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    # |                           timestamp                           |
    # |           synchronization source (SSRC) identifier            |
    beginning, number, rest = unpack_header(memory, start)
    first = beginning >> 8
    packet = RtpPacket()
    if first != VERSION_2:
        if first >> 6 != 2:
            raise MalformedPacket(f"RTP version {first >> 6} instead of 2")
        _payload_bounds(memory, start, start + size)
        packet = UnusualPacket()
    packet.memory = memory
    packet.start = start
    packet.size = size
    packet.sequence_number = number
    packet.timestamp = rest >> 32
    packet.stream = None
    packet.arrival = packet.media_time = 0.0
    packet.wall_clock = None
    packet.lost = 0
    packet.discontinuity = False
    return packet


def _payload_bounds(memory: memoryview, begin: int, end: int) -> tuple[int, int]:
    """Where the payload of the packet from ``begin`` to ``end`` starts and stops."""
    first = memory[begin]
    start = begin + HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > end:
            raise MalformedPacket("the header extension begins past the end of the packet")
        start += 4 + 4 * _EXTENSION.unpack_from(memory, start)[1]
    if start > end:
        raise MalformedPacket(
            f"the header says {start - begin} bytes, the packet has {end - begin}"
        )
    if not first & 0x20:
        return start, end
    padding = memory[end - 1] if end > start else 0
    if padding == 0 or start + padding > end:
        raise MalformedPacket(f"{padding} bytes of padding after {end - start} of payload")
    return start, end - padding


def is_sound(memory: memoryview, start: int, size: int) -> bool:
    """Whether what a header of version 2 names is within its packet."""
    try:
        _payload_bounds(memory, start, start + size)
    except MalformedPacket:
        return False
    return True


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

"""RTCP packets: reports, source descriptions, farewells; the rest passes raw.

Layer:  wire
In:     parse_rtcp(one datagram, or the inside of one interleaved frame: a compound packet)
Out:    a list of plain values, in order, which own their bytes
Source: RFC 3550 §6.4 to §6.7, A.2; RFC 5761 §4 (telling RTCP from RTP)

Where we leave the RFC
- A compound packet may begin with anything (RFC 5506), and padding may stand on any of its parts.
- A source description may end without the zero byte that closes its last chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct

from rtspkit.errors import LocalProtocolError, MalformedPacket

__all__ = [
    "ApplicationDefined",
    "Goodbye",
    "RawRtcp",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "is_rtcp",
    "parse_rtcp",
    "salvage_rtcp",
    "serialize_rtcp",
]

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
APPLICATION_DEFINED = 204
LOWEST_TYPE, HIGHEST_TYPE = 192, 223  # RFC 5761 §4
MAX_COUNT = 31  # five bits
CNAME = 1  # SDES item, §6.5.1

_HEADER = Struct("!BBH")
_WORD = Struct("!I")
_SENDER = Struct("!IQIII")
_REPORT_BLOCK = Struct("!IIIIII")


@dataclass(slots=True)
class ReportBlock:
    """What one receiver says about one source (§6.4.1).

    Attributes:
        ssrc: The source that is reported on.
        fraction_lost: Lost since the last report, in 1/256: 0 to 255.
        packets_lost: Lost in all, signed 24 bits; negative when duplicates came.
        highest_sequence_number: Extended to 32 bits.
        interarrival_jitter: In ticks of the source's clock.
        last_sender_report: Middle 32 bits of the NTP time of the last SR; 0 without one.
        delay_since_last_sender_report: In 1/65,536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    packets_lost: int = 0
    highest_sequence_number: int = 0
    interarrival_jitter: int = 0
    last_sender_report: int = 0
    delay_since_last_sender_report: int = 0


@dataclass(slots=True)
class SenderReport:
    """SR (§6.4.1). ``ntp`` has 64 bits, ``extension`` is what the profile adds at the end."""

    ssrc: int
    ntp: int = 0
    rtp_timestamp: int = 0
    packet_count: int = 0
    octet_count: int = 0
    report_blocks: list[ReportBlock] = field(default_factory=list)
    extension: bytes = b""


@dataclass(slots=True)
class ReceiverReport:
    """RR (§6.4.2). ``extension`` is what the profile adds at the end."""

    ssrc: int
    report_blocks: list[ReportBlock] = field(default_factory=list)
    extension: bytes = b""


@dataclass(slots=True)
class SdesChunk:
    """What is said of one source: items as (type, text); type 1 is the CNAME (§6.5)."""

    ssrc: int
    items: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class SourceDescription:
    """SDES (§6.5)."""

    chunks: list[SdesChunk] = field(default_factory=list)


@dataclass(slots=True)
class Goodbye:
    """BYE (§6.6): these sources have left; ``reason`` is None when none is given."""

    ssrcs: list[int] = field(default_factory=list)
    reason: bytes | None = None


@dataclass(slots=True)
class ApplicationDefined:
    """APP (§6.7): ``name`` has four bytes, ``data`` whole 32-bit words."""

    subtype: int
    ssrc: int
    name: bytes
    data: bytes = b""


@dataclass(slots=True)
class RawRtcp:
    """A packet of another type: its five-bit count, and its body without padding."""

    packet_type: int
    count: int
    data: bytes = b""


RtcpPacket = (
    SenderReport | ReceiverReport | SourceDescription | Goodbye | ApplicationDefined | RawRtcp
)


def is_rtcp(view: memoryview | bytes | bytearray) -> bool:
    """Whether this begins like RTCP rather than RTP: version 2, type 192 to 223 (RFC 5761 §4)."""
    return len(view) >= 4 and view[0] >> 6 == 2 and LOWEST_TYPE <= view[1] <= HIGHEST_TYPE


def parse_rtcp(datagram: memoryview | bytes | bytearray) -> list[RtcpPacket]:
    """Read one compound packet, or a single one.

    Args:
        datagram: The whole datagram; at least four bytes, each part in whole 32-bit words.

    Returns:
        One value per part, in order; at least one.

    Raises:
        MalformedPacket: Wrong version, a type that is not RTCP, or a length that the packet does
            not have, anywhere in the compound. Nothing else, whatever the bytes are.

    Source: RFC 3550 §6.1, A.2.
    """
    return [_parse_body(*part) for part in _parts(bytes(datagram))]


def salvage_rtcp(datagram: memoryview | bytes | bytearray) -> tuple[list[RtcpPacket], int]:
    """Read what can be read of a compound packet; never raises for its bytes.

    Returns:
        The good parts, and how many others there were. A part with a bad length hides all
        that follows it, which counts as one.
    """
    packets: list[RtcpPacket] = []
    bad = 0
    parts = _parts(bytes(datagram))
    while True:
        try:
            part = next(parts, None)
        except MalformedPacket:
            return packets, bad + 1
        if part is None:
            return packets, bad
        try:
            packets.append(_parse_body(*part))
        except MalformedPacket:
            bad += 1


def _parts(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Cut a compound packet: type, count and body of each part, padding removed."""
    #  0                   1                   2                   3
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    # +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    # |V=2|P|  count  |  packet type  |     length in words - 1       |
    position, size = 0, len(data)
    while position < size or not size:
        if size - position < 4:
            raise MalformedPacket(
                f"an RTCP packet has at least 4 bytes, here are {size - position}"
            )
        first, packet_type, words = _HEADER.unpack_from(data, position)
        if first >> 6 != 2:
            raise MalformedPacket(f"RTCP version {first >> 6} instead of 2")
        if not LOWEST_TYPE <= packet_type <= HIGHEST_TYPE:
            raise MalformedPacket(f"{packet_type} is no RTCP packet type")
        stop = position + 4 + 4 * words
        if stop > size:
            raise MalformedPacket(
                f"the RTCP header says {4 + 4 * words} bytes, {size - position} are there"
            )
        body = data[position + 4 : stop]
        if first & 0x20:
            padding = body[-1] if body else 0
            if padding == 0 or padding % 4 or padding > len(body):
                raise MalformedPacket(f"{padding} bytes of padding in {len(body)} of RTCP")
            body = body[:-padding]
        yield packet_type, first & 0x1F, body
        position = stop


def _parse_body(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    parse = _PARSERS.get(packet_type)
    return RawRtcp(packet_type, count, body) if parse is None else parse(count, body)


def _need(body: bytes, size: int, what: str) -> None:
    if len(body) < size:
        raise MalformedPacket(f"{what} needs {size} bytes, has {len(body)}")


def _parse_report_blocks(count: int, body: bytes, start: int) -> tuple[list[ReportBlock], bytes]:
    """The report blocks from ``start`` on, and what follows them."""
    stop = start + count * _REPORT_BLOCK.size
    _need(body, stop, f"a report with {count} blocks")
    blocks = []
    for ssrc, loss, highest, jitter, last, delay in _REPORT_BLOCK.iter_unpack(body[start:stop]):
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1  # signed 24 bits
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return blocks, body[stop:]


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    _need(body, _SENDER.size, "a sender report")
    ssrc, ntp, rtp_timestamp, packets, octets = _SENDER.unpack_from(body)
    blocks, extension = _parse_report_blocks(count, body, _SENDER.size)
    return SenderReport(ssrc, ntp, rtp_timestamp, packets, octets, blocks, extension)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    _need(body, 4, "a receiver report")
    blocks, extension = _parse_report_blocks(count, body, 4)
    return ReceiverReport(_WORD.unpack_from(body)[0], blocks, extension)


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    chunks, position = [], 0
    for _ in range(count):
        _need(body, position + 4, "a chunk of a source description")
        chunk = SdesChunk(_WORD.unpack_from(body, position)[0])
        position += 4
        while position < len(body) and body[position]:
            _need(body, position + 2, "an item of a source description")
            stop = position + 2 + body[position + 1]
            _need(body, stop, "an item of a source description")
            chunk.items.append((body[position], body[position + 2 : stop]))
            position = stop
        position += 4 - position % 4  # at least the one zero that ends the list
        chunks.append(chunk)
    return SourceDescription(chunks)


def _parse_goodbye(count: int, body: bytes) -> Goodbye:
    _need(body, 4 * count, f"a farewell of {count} sources")
    ssrcs = [ssrc for (ssrc,) in _WORD.iter_unpack(body[: 4 * count])]
    rest = body[4 * count :]
    if not rest:
        return Goodbye(ssrcs)
    _need(rest, 1 + rest[0], "the reason for leaving")
    return Goodbye(ssrcs, rest[1 : 1 + rest[0]])


def _parse_application_defined(count: int, body: bytes) -> ApplicationDefined:
    _need(body, 8, "an application-defined packet")
    return ApplicationDefined(count, _WORD.unpack_from(body)[0], body[4:8], body[8:])


_PARSERS: dict[int, Callable[[int, bytes], RtcpPacket]] = {
    SENDER_REPORT: _parse_sender_report,
    RECEIVER_REPORT: _parse_receiver_report,
    SOURCE_DESCRIPTION: _parse_source_description,
    GOODBYE: _parse_goodbye,
    APPLICATION_DEFINED: _parse_application_defined,
}


def serialize_rtcp(packets: Iterable[RtcpPacket]) -> bytes:
    """Write the packets as one compound packet, in this order, without padding.

    Raises:
        LocalProtocolError: A value that its field cannot hold.

    Source: RFC 3550 §6.1.
    """
    parts = []
    for packet in packets:
        packet_type, count, body = _serialize_body(packet)
        if len(body) % 4 or len(body) > 4 * 0xFFFF:
            raise LocalProtocolError(f"an RTCP packet has whole words, not {len(body)} bytes")
        if not 0 <= count <= MAX_COUNT or not LOWEST_TYPE <= packet_type <= HIGHEST_TYPE:
            raise LocalProtocolError(f"RTCP type {packet_type} with a count of {count}")
        parts.append(_HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body)
    return b"".join(parts)


def _serialize_body(packet: RtcpPacket) -> tuple[int, int, bytes]:
    """Type, count and body of one packet."""
    match packet:
        case SenderReport(report_blocks=blocks):
            counts = packet.packet_count, packet.octet_count
            _fits(32, packet.ssrc, packet.rtp_timestamp, *counts)
            _fits(64, packet.ntp)
            body = _SENDER.pack(packet.ssrc, packet.ntp, packet.rtp_timestamp, *counts)
            body += b"".join(map(_serialize_report_block, blocks)) + packet.extension
            return SENDER_REPORT, len(blocks), body
        case ReceiverReport(report_blocks=blocks):
            body = _words(packet.ssrc) + b"".join(map(_serialize_report_block, blocks))
            return RECEIVER_REPORT, len(blocks), body + packet.extension
        case SourceDescription(chunks=chunks):
            return SOURCE_DESCRIPTION, len(chunks), b"".join(map(_serialize_chunk, chunks))
        case Goodbye(ssrcs=ssrcs):
            body = _words(*ssrcs)
            if packet.reason is not None:
                body += _text(packet.reason)
            return GOODBYE, len(ssrcs), body + bytes(-len(body) % 4)
        case ApplicationDefined():
            if len(packet.name) != 4:
                raise LocalProtocolError(f"the name of an APP packet has 4 bytes: {packet.name!r}")
            body = _words(packet.ssrc) + packet.name + packet.data
            return APPLICATION_DEFINED, packet.subtype, body
        case RawRtcp():
            return packet.packet_type, packet.count, packet.data


def _serialize_report_block(block: ReportBlock) -> bytes:
    lost = block.packets_lost
    if not -(1 << 23) <= lost < 1 << 23:
        raise LocalProtocolError(f"{lost} packets lost do not fit in 24 bits")
    _fits(8, block.fraction_lost)
    return _words(
        block.ssrc,
        block.fraction_lost << 24 | lost & 0xFFFFFF,
        block.highest_sequence_number,
        block.interarrival_jitter,
        block.last_sender_report,
        block.delay_since_last_sender_report,
    )


def _serialize_chunk(chunk: SdesChunk) -> bytes:
    body = _words(chunk.ssrc)
    for item_type, text in chunk.items:
        if not 0 < item_type < 256:
            raise LocalProtocolError(f"{item_type} is no type of an SDES item")
        body += bytes([item_type]) + _text(text)
    return body + bytes(4 - len(body) % 4)


def _text(text: bytes) -> bytes:
    if len(text) > 255:
        raise LocalProtocolError(f"a text in RTCP has at most 255 bytes, not {len(text)}")
    return bytes([len(text)]) + text


def _words(*values: int) -> bytes:
    _fits(32, *values)
    return Struct(f"!{len(values)}I").pack(*values)


def _fits(bits: int, *values: int) -> None:
    for value in values:
        if not 0 <= value < 1 << bits:
            raise LocalProtocolError(f"{value} does not fit in {bits} bits of RTCP")

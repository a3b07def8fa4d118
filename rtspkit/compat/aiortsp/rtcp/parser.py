"""RTCP packets with the names that aiortsp gives their fields.

Layer:  compat (the bytes are read and written by ``wire.rtcp``)
In:     a compound packet
Out:    ``RTCP``, with ``SR``, ``RR``, ``SDES``, ``BYE`` and ``APP`` in ``packets``
Source: RFC 3550 §6.4 to §6.7

Where it differs from aiortsp
- A packet of another type is an ``RTCPPacket`` by itself; it does not spoil the compound.
- ``clost`` is signed, as the RFC has it: duplicates make it negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtspkit.errors import MalformedPacket
from rtspkit.wire.ntp import ntp_to_unix, unix_to_ntp
from rtspkit.wire.rtcp import (
    ApplicationDefined,
    Goodbye,
    RawRtcp,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
    parse_rtcp,
    salvage_rtcp,
    serialize_rtcp,
)

__all__ = [
    "APP",
    "BYE",
    "RR",
    "RTCP",
    "SDES",
    "SR",
    "RTCPPacket",
    "SRReport",
    "ntp_to_ts",
    "ts_to_ntp",
]


def ts_to_ntp(ts: float) -> tuple[int, int]:
    """NTP seconds and fraction of Unix seconds."""
    return divmod(unix_to_ntp(ts), 1 << 32)


def ntp_to_ts(seconds: int, fraction: int) -> float:
    """Unix seconds of NTP seconds and fraction."""
    return ntp_to_unix((seconds << 32) + fraction)


class RTCPPacket:
    """A part of a compound packet; by itself, one of a type that has no class here.

    Attributes:
        pt: The packet type.
        raw: What it is in ``wire.rtcp``.
    """

    pt = 0

    def __init__(self, raw: RawRtcp) -> None:
        self.pt = raw.packet_type
        self.raw = raw

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        return self.raw

    def __bytes__(self) -> bytes:
        return serialize_rtcp([self.to_wire()])

    def __repr__(self) -> str:
        return f"<RTCPPacket pt={self.pt}>"


@dataclass(slots=True)
class SRReport:
    """One report block: fraction and sum of the losses, highest sequence number, jitter …"""

    ssrc: int
    flost: int
    clost: int
    hseq: int
    jitter: int
    lsr: int
    dlsr: int

    @classmethod
    def from_wire(cls, block: ReportBlock) -> SRReport:
        """Of a block in ``wire.rtcp``."""
        return cls(
            block.ssrc,
            block.fraction_lost,
            block.packets_lost,
            block.highest_sequence_number,
            block.interarrival_jitter,
            block.last_sender_report,
            block.delay_since_last_sender_report,
        )

    def to_wire(self) -> ReportBlock:
        """The same in ``wire.rtcp``."""
        return ReportBlock(
            self.ssrc,
            self.flost,
            self.clost,
            self.hseq & 0xFFFFFFFF,
            self.jitter,
            self.lsr,
            self.dlsr,
        )


@dataclass
class SR(RTCPPacket):
    """A sender report. ``ntp`` is in Unix seconds, ``ts`` the RTP timestamp of that moment."""

    ssrc: int
    ntp: float
    ts: int = 0
    pkt_count: int = 0
    byte_count: int = 0
    extn: bytes | None = None
    reports: list[SRReport] = field(default_factory=list)
    pt = 200

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        blocks = [report.to_wire() for report in self.reports]
        ntp, counts = unix_to_ntp(self.ntp), (self.pkt_count, self.byte_count)
        return SenderReport(self.ssrc, ntp, self.ts, *counts, blocks, self.extn or b"")


@dataclass
class RR(RTCPPacket):
    """A receiver report."""

    ssrc: int
    extn: bytes | None = None
    reports: list[SRReport] = field(default_factory=list)
    pt = 201

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        blocks = [report.to_wire() for report in self.reports]
        return ReceiverReport(self.ssrc, blocks, self.extn or b"")


@dataclass
class SDES(RTCPPacket):
    """Source descriptions: for each source, its items as (type, text)."""

    items: list[tuple[int, list[tuple[int, bytes]]]] = field(default_factory=list)
    pt = 202
    CNAME, NAME, EMAIL, PHONE, LOC, TOOL, NOTE, PRIV = range(1, 9)

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        return SourceDescription([SdesChunk(ssrc, list(items)) for ssrc, items in self.items])


@dataclass
class BYE(RTCPPacket):
    """These sources have left."""

    ssrcs: list[int] = field(default_factory=list)
    reason: bytes | None = None
    pt = 203

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        return Goodbye(self.ssrcs, self.reason)


@dataclass
class APP(RTCPPacket):
    """What an application has defined for itself."""

    subtype: int
    ssrc: int
    name: bytes
    data: bytes | None = None
    pt = 204

    def to_wire(self) -> RtcpPacket:
        """The same in ``wire.rtcp``."""
        return ApplicationDefined(self.subtype, self.ssrc, self.name, self.data or b"")


def _from_wire(packet: RtcpPacket) -> RTCPPacket:
    match packet:
        case SenderReport():
            reports = [SRReport.from_wire(block) for block in packet.report_blocks]
            ntp, counts = ntp_to_unix(packet.ntp), (packet.packet_count, packet.octet_count)
            extension = packet.extension or None
            return SR(packet.ssrc, ntp, packet.rtp_timestamp, *counts, extension, reports)
        case ReceiverReport():
            reports = [SRReport.from_wire(block) for block in packet.report_blocks]
            return RR(packet.ssrc, packet.extension or None, reports)
        case SourceDescription():
            return SDES([(chunk.ssrc, chunk.items) for chunk in packet.chunks])
        case Goodbye():
            return BYE(packet.ssrcs, packet.reason)
        case ApplicationDefined():
            return APP(packet.subtype, packet.ssrc, packet.name, packet.data)
        case RawRtcp():
            return RTCPPacket(packet)


class RTCP:
    """A compound packet.

    Attributes:
        packets: Its parts, in order.
    """

    def __init__(self, packets: list[RTCPPacket] | None = None) -> None:
        self.packets = packets or []

    @classmethod
    def unpack(cls, data: bytes) -> RTCP:
        """Read one.

        Raises:
            ValueError: It is none, or part of it is broken.
        """
        try:
            return cls([_from_wire(packet) for packet in parse_rtcp(data)])
        except MalformedPacket as error:
            raise ValueError(str(error)) from error

    @classmethod
    def salvage(cls, data: memoryview) -> RTCP:
        """Its good parts, maybe none; never raises."""
        return cls([_from_wire(packet) for packet in salvage_rtcp(data)[0]])

    def get(self, pt: int) -> RTCPPacket | None:
        """The first part of this type, or None."""
        return next((packet for packet in self.packets if packet.pt == pt), None)

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.packets))

    def __repr__(self) -> str:
        return f"RTCP({self.packets})"

"""How the quirks change RTP packets and sender reports.

Layer:  testing
In:     the place of a track, and one packet or report
Out:    what is sent instead
Source: RFC 3550 §5.1, §5.3.1, §6.4.1
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from struct import Struct

from rtspkit.wire.rtcp import ReceiverReport, SenderReport, serialize_rtcp

__all__ = [
    "PacketEdit",
    "ReportEdit",
    "bad_padding",
    "changing_ssrc",
    "duplicates",
    "empty_payload",
    "extension",
    "foreign_first",
    "foreign_report",
    "marker",
    "ntp_hour_off",
    "ntp_zero",
    "rtcp_among",
    "unknown_type",
]

PacketEdit = Callable[[int, bytes], Iterable[bytes]]
ReportEdit = Callable[[int, SenderReport], SenderReport | None]

FOREIGN = 0x0DDBA115  # an SSRC that is nobody's
FEW = 3  # packets at the beginning
OFTEN = 10  # packets between two of a kind
GOP = 50  # packets between two changes of the SSRC
HOUR = 3600 << 32  # of NTP
UNKNOWN_TYPE = 127
_SSRC = Struct("!I")
_EXTENSION = bytes.fromhex("abac0001") + bytes(4)  # profile, one word


def _with_ssrc(packet: bytes, ssrc: int) -> bytes:
    return packet[:8] + _SSRC.pack(ssrc) + packet[12:]


def _numbered(edit: Callable[[int, bytes], Iterable[bytes]]) -> PacketEdit:
    """An edit that is given the number of the packet in its track, from 0."""
    numbers: Counter[int] = Counter()

    def apply(index: int, packet: bytes) -> Iterable[bytes]:
        number = numbers[index]
        numbers[index] += 1
        return edit(number, packet)

    return apply


def foreign_first() -> PacketEdit:
    """The first packets are of another SSRC."""
    return _numbered(lambda n, packet: [_with_ssrc(packet, FOREIGN) if n < FEW else packet])


def changing_ssrc() -> PacketEdit:
    """The SSRC is another one every 50 packets."""

    def edit(number: int, packet: bytes) -> Iterable[bytes]:
        (ssrc,) = _SSRC.unpack_from(packet, 8)
        return [_with_ssrc(packet, (ssrc + number // GOP) & 0xFFFFFFFF)]

    return _numbered(edit)


def marker(*, on: bool) -> PacketEdit:
    """The marker bit always, or never."""

    def edit(_: int, packet: bytes) -> Iterable[bytes]:
        second = packet[1] | 0x80 if on else packet[1] & 0x7F
        return [bytes((packet[0], second)) + packet[2:]]

    return edit


def duplicates() -> PacketEdit:
    """Every tenth packet comes twice."""
    return _numbered(lambda n, packet: [packet, packet] if n % OFTEN == 0 else [packet])


def unknown_type() -> PacketEdit:
    """Before every tenth packet, one with its number, of a type that was not described."""

    def edit(number: int, packet: bytes) -> Iterable[bytes]:
        if number % OFTEN:
            return [packet]
        return [packet[:1] + bytes([UNKNOWN_TYPE]) + _with_ssrc(packet, FOREIGN)[2:], packet]

    return _numbered(edit)


def bad_padding() -> PacketEdit:
    """Before every tenth packet, one that claims more padding than it has bytes."""

    def edit(number: int, packet: bytes) -> Iterable[bytes]:
        if number % OFTEN:
            return [packet]
        return [bytes([packet[0] | 0x20]) + packet[1:12] + bytes([0, 255]), packet]

    return _numbered(edit)


def empty_payload() -> PacketEdit:
    """Before every tenth packet, its header alone."""
    return _numbered(lambda n, packet: [packet[:12], packet] if n % OFTEN == 0 else [packet])


def extension() -> PacketEdit:
    """A header extension on every packet."""

    def edit(_: int, packet: bytes) -> Iterable[bytes]:
        return [bytes([packet[0] | 0x10]) + packet[1:12] + _EXTENSION + packet[12:]]

    return edit


def rtcp_among() -> PacketEdit:
    """Before every tenth packet, an RTCP packet on the same port or channel."""
    report = serialize_rtcp([ReceiverReport(FOREIGN)])
    return _numbered(lambda n, packet: [report, packet] if n % OFTEN == 0 else [packet])


def ntp_zero(_: int, report: SenderReport) -> SenderReport:
    """No wall-clock time."""
    return replace(report, ntp=0)


def ntp_hour_off(_: int, report: SenderReport) -> SenderReport:
    """A wall clock that is an hour fast."""
    return replace(report, ntp=(report.ntp + HOUR) & 0xFFFFFFFFFFFFFFFF)


def foreign_report(_: int, report: SenderReport) -> SenderReport:
    """An SSRC that no packet has."""
    return replace(report, ssrc=FOREIGN)

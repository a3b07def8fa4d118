from __future__ import annotations

import pytest

from rtspkit.errors import MalformedPacket
from rtspkit.testing import media_quirks as quirks
from rtspkit.wire.rtcp import SenderReport, is_rtcp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp


def packets(edit: quirks.PacketEdit, number: int = 100) -> list[bytes]:
    """What becomes of so many packets of one track."""
    out: list[bytes] = []
    for n in range(number):
        packet = serialize_rtp(
            b"data", payload_type=96, sequence_number=n, timestamp=n, ssrc=9, marker=n % 2 == 1
        )
        out += edit(0, packet)
    return out


def test_the_first_packets_are_of_another_source():
    ssrcs = [parse_rtp(packet).ssrc for packet in packets(quirks.foreign_first())]
    assert ssrcs[3:] == [9] * 97
    assert len(set(ssrcs[:3]) - {9}) == 1


def test_the_source_changes_again_and_again():
    ssrcs = [parse_rtp(packet).ssrc for packet in packets(quirks.changing_ssrc())]
    assert ssrcs == [9] * 50 + [10] * 50


@pytest.mark.parametrize("on", [True, False])
def test_the_marker_is_what_it_is_told(on):
    assert {parse_rtp(packet).marker for packet in packets(quirks.marker(on=on))} == {on}


def test_some_packets_come_twice():
    numbers = [parse_rtp(packet).sequence_number for packet in packets(quirks.duplicates())]
    assert len(numbers) == 110
    assert numbers[:2] == [0, 0]


def test_some_packets_are_of_another_type():
    types = [parse_rtp(packet).payload_type for packet in packets(quirks.unknown_type())]
    assert types.count(127) == 10
    assert types.count(96) == 100


def test_some_packets_cannot_be_right():
    bad = 0
    for packet in packets(quirks.bad_padding()):
        try:
            parse_rtp(packet)
        except MalformedPacket:
            bad += 1
    assert bad == 10


def test_some_packets_are_empty():
    sizes = [len(parse_rtp(packet).payload) for packet in packets(quirks.empty_payload())]
    assert sizes.count(0) == 10
    assert sizes.count(4) == 100


def test_every_packet_has_an_extension_and_the_same_payload():
    for packet in packets(quirks.extension()):
        parsed = parse_rtp(packet)
        assert parsed.extension is not None
        assert bytes(parsed.payload) == b"data"


def test_rtcp_comes_among_rtp():
    assert sum(is_rtcp(packet) for packet in packets(quirks.rtcp_among())) == 10


def test_each_track_is_counted_by_itself():
    edit = quirks.foreign_first()
    for _ in range(2):
        packet = serialize_rtp(b"", payload_type=0, sequence_number=0, timestamp=0, ssrc=9)
        assert [parse_rtp(p).ssrc for p in edit(0, packet)] != [9]
        assert [parse_rtp(p).ssrc for p in edit(1, packet)] != [9]


def test_reports_are_changed_in_a_copy():
    report = SenderReport(9, 5 << 32, 7)
    assert quirks.ntp_zero(0, report).ntp == 0
    assert quirks.ntp_hour_off(0, report).ntp >> 32 == 3605
    assert quirks.foreign_report(0, report).ssrc != 9
    assert report == SenderReport(9, 5 << 32, 7)

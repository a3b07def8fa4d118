"""What H.264 and H.265 packetizers share: which NAL units travel together, and which are cut."""

import pytest

from rtspkit.payload.h264 import H264Packetizer
from rtspkit.payload.h265 import H265Packetizer
from rtspkit.payload.nal import join_annex_b
from rtspkit.wire.rtp import parse_rtp

KINDS = [(H264Packetizer, b"\x41"), (H265Packetizer, b"\x02\x01")]


def sizes(cls, header, *lengths, max_packet_size=112):
    """The payload sizes, and the markers, of NAL units with these many bytes behind the header."""
    packetizer = cls(payload_type=96, ssrc=1, max_packet_size=max_packet_size)
    data = join_annex_b([header + b"\x01" * length for length in lengths])
    packets = [parse_rtp(packet) for packet in packetizer.push(data, 0)]
    return [len(p.payload) for p in packets], [p.marker for p in packets]


@pytest.mark.parametrize(("cls", "header"), KINDS)
def test_small_nal_units_share_a_packet_for_as_long_as_they_fit(cls, header):
    size = len(header)
    whole = size + 4 * (2 + size + 20)
    assert sizes(cls, header, 20, 20, 20, 20) == ([whole], [True])
    assert sizes(cls, header, 60, 60) == ([size + 60, size + 60], [False, True])


@pytest.mark.parametrize(("cls", "header"), KINDS)
def test_a_nal_unit_of_the_full_size_is_not_cut_and_one_byte_more_is(cls, header):
    size = len(header)
    assert sizes(cls, header, 100 - size) == ([100], [True])
    first = 100 - size - 1  # bytes of the NAL unit in a fragment, behind header and FU header
    assert sizes(cls, header, 101 - size) == ([100, size + 1 + 101 - size - first], [False, True])


@pytest.mark.parametrize(("cls", "header"), KINDS)
def test_nothing_makes_no_packets(cls, header):
    assert sizes(cls, header) == ([], [])

"""MPEG4-GENERIC as we send it: by the RFC, at any packet size."""

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.payload.aac_packetizer import AacPacketizer, format_parameters
from rtspkit.payload.au_header import AAC_HBR, parse_layout
from rtspkit.wire.format import parse_fmtp_parameters
from rtspkit.wire.rtp import parse_rtp


def packets(frame, **keywords):
    writer = AacPacketizer(payload_type=97, ssrc=1, **keywords)
    return [parse_rtp(one) for one in writer.push(frame, 7)]


def test_a_frame_that_fits_is_one_packet_with_the_marker():
    (one,) = packets(b"frame")
    assert bytes(one.payload) == b"\x00\x10\x00\x28frame"
    assert one.marker


def test_every_fragment_tells_the_size_of_the_whole_unit_and_the_last_has_the_marker():
    found = packets(bytes(30), max_packet_size=28)
    assert [bytes(one.payload[:4]) for one in found] == [b"\x00\x10\x00\xf0"] * 3
    assert [len(one.payload) for one in found] == [16, 16, 10]
    assert [one.marker for one in found] == [False, False, True]
    assert {one.timestamp for one in found} == {7}


def test_a_frame_that_fills_its_packets_leaves_no_empty_one():
    assert len(packets(bytes(24), max_packet_size=28)) == 2


def test_other_header_sizes_can_be_had():
    (one,) = packets(b"frame", size_length=6, index_length=2)
    assert bytes(one.payload) == b"\x00\x08\x14frame"


@pytest.mark.parametrize("frame", [b"", bytes(1 << 13)])
def test_a_frame_that_cannot_be_told_is_refused(frame):
    with pytest.raises(LocalProtocolError):
        packets(frame)


@pytest.mark.parametrize(
    "keywords", [{"size_length": 0}, {"size_length": 33}, {"index_length": -1}]
)
def test_header_sizes_that_cannot_be_are_refused(keywords):
    with pytest.raises(ValueError, match="size_length"):
        packets(b"frame", **keywords)


def test_the_format_parameters_read_back():
    parameters, deviations = parse_fmtp_parameters(format_parameters(b"\x11\x90"))
    assert parse_layout(parameters) == AAC_HBR
    assert parameters["config"] == "1190"
    assert parameters["streamtype"] == "5"
    assert deviations == []

"""One interleaved frame."""

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.interleaved import looks_like_rtp, serialize_frame, unpack_header


def test_a_frame_is_a_dollar_the_channel_the_length_and_the_payload():
    assert serialize_frame(2, b"abc") == b"$\x02\x00\x03abc"
    assert serialize_frame(255, memoryview(bytes(0xFFFF)))[:4] == b"$\xff\xff\xff"
    assert serialize_frame(0, bytearray()) == b"$\x00\x00\x00"


@pytest.mark.parametrize("channel", [-1, 256])
def test_a_channel_of_more_than_8_bits_is_refused(channel):
    with pytest.raises(LocalProtocolError):
        serialize_frame(channel, b"")


def test_a_payload_of_more_than_16_bits_of_length_is_refused():
    with pytest.raises(LocalProtocolError):
        serialize_frame(0, bytes(0x10000))


def test_a_header_reads_back():
    assert unpack_header(serialize_frame(7, b"abcd")) == (0x24, 7, 4)


@pytest.mark.parametrize(
    ("length", "first", "likely"),
    [(12, 0x80, True), (8, 0xBF, True), (7, 0x80, False), (12, 0x40, False), (12, 0xC0, False)],
)
def test_rtp_has_version_2_and_a_length_that_rtcp_can_have(length, first, likely):
    assert looks_like_rtp(length, first) is likely

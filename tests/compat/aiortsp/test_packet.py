"""Packets with dpkt's attributes; dpkt itself is the oracle."""

from __future__ import annotations

import dpkt.rtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.errors import MalformedPacket
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

NAMES = ("version", "p", "x", "cc", "m", "pt", "seq", "ts", "ssrc", "csrc", "data")
WORDS = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    serialize_rtp,
    st.binary(max_size=40),
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=WORDS,
    ssrc=WORDS,
    marker=st.booleans(),
    csrcs=st.lists(WORDS, max_size=15),
    extension=st.none() | st.tuples(st.integers(0, 0xFFFF), st.sampled_from([b"", bytes(8)])),
    padding=st.integers(0, 8),
)


@given(PACKETS)
def test_every_attribute_is_as_dpkt_has_it(data):
    ours, theirs = RTP(data), dpkt.rtp.RTP(data)
    assert [getattr(ours, name) for name in NAMES] == [getattr(theirs, name) for name in NAMES]
    assert (bytes(ours), len(ours)) == (bytes(theirs), len(theirs)) == (data, len(data))


@given(PACKETS, st.data())
def test_a_changed_field_is_written_as_dpkt_writes_it(data, draw):
    ours, theirs = RTP(data), dpkt.rtp.RTP(data)
    for name, largest in (("p", 1), ("x", 1), ("m", 1), ("pt", 127), ("version", 3), ("cc", 15)):
        value = draw.draw(st.integers(0, largest))
        setattr(ours, name, value)
        setattr(theirs, name, value)
    ours.seq = theirs.seq = 7
    ours.ts = theirs.ts = 8
    ours.ssrc = theirs.ssrc = 9
    ours.data = theirs.data = b"other"
    assert bytes(ours) == bytes(theirs)


def test_it_keeps_the_packet_it_was_made_of():
    data = serialize_rtp(b"abc", payload_type=96, sequence_number=1, timestamp=2, ssrc=3)
    packet = parse_rtp(data)
    assert RTP(packet).packet is packet
    assert RTP(packet).data == b"abc"
    assert "seq=1" in repr(RTP(packet))


def test_what_is_no_packet_is_refused():
    with pytest.raises(MalformedPacket):
        RTP(b"RTSP/1.0 200")

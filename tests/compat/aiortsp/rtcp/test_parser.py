from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.compat.aiortsp.rtcp.parser import (
    APP,
    BYE,
    RR,
    RTCP,
    SDES,
    SR,
    RTCPPacket,
    SRReport,
    ntp_to_ts,
    ts_to_ntp,
)
from rtspkit.wire.rtcp import RawRtcp, serialize_rtcp

REPORT = SRReport(ssrc=9, flost=3, clost=-2, hseq=70_000, jitter=4, lsr=5, dlsr=6)
PACKETS = [
    SR(1, 1_700_000_000.5, ts=2, pkt_count=3, byte_count=4, reports=[REPORT]),
    RR(1, reports=[REPORT]),
    SDES([(1, [(SDES.CNAME, b"me@here")])]),
    APP(3, 1, b"name", b"data"),
    BYE([1, 2], b"enough"),
]


def test_each_packet_comes_out_as_it_went_in():
    again = RTCP.unpack(bytes(RTCP(PACKETS)))
    assert again.packets == PACKETS
    assert [packet.pt for packet in again.packets] == [200, 201, 202, 204, 203]
    assert again.get(200) is again.packets[0]
    assert again.get(199) is None
    assert "SR(" in repr(again)


def test_one_of_another_type_is_a_packet_by_itself():
    data = serialize_rtcp([RawRtcp(205, 1, bytes(8))])
    (packet,) = RTCP.unpack(data).packets
    assert (type(packet), packet.pt, bytes(packet)) == (RTCPPacket, 205, data)
    assert "205" in repr(packet)


@given(st.binary(max_size=80))
def test_whatever_the_bytes_are_they_are_read_or_refused(data):
    assert isinstance(RTCP.salvage(memoryview(data)), RTCP)
    try:
        RTCP.unpack(data)
    except ValueError:
        assert len(RTCP.salvage(memoryview(data)).packets) <= len(data) // 4


def test_a_broken_part_does_not_spoil_the_others():
    whole = bytes(RTCP(PACKETS[:1]))
    with pytest.raises(ValueError, match="RTCP"):
        RTCP.unpack(whole + b"\x80")
    assert RTCP.salvage(memoryview(whole + b"\x80")).packets == PACKETS[:1]


def test_times_are_unix_seconds():
    assert ts_to_ntp(0.5) == (2_208_988_800, 1 << 31)
    assert ntp_to_ts(*ts_to_ntp(1_700_000_000.25)) == 1_700_000_000.25

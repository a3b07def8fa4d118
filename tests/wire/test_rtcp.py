"""RTCP, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, MalformedPacket
from rtspkit.wire.rtcp import (
    ApplicationDefined,
    Goodbye,
    RawRtcp,
    ReceiverReport,
    ReportBlock,
    SdesChunk,
    SenderReport,
    SourceDescription,
    is_rtcp,
    parse_rtcp,
    salvage_rtcp,
    serialize_rtcp,
)

U32 = st.integers(0, 0xFFFFFFFF)
WORDS = st.binary(max_size=32).map(lambda data: data[: len(data) // 4 * 4])
BLOCKS = st.lists(
    st.builds(ReportBlock, U32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1))
    | st.builds(ReportBlock, U32, st.just(0), st.just(0), U32, U32, U32, U32),
    max_size=3,
)
CHUNKS = st.builds(
    SdesChunk, U32, st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=9)), max_size=3)
)
PACKETS = st.lists(
    st.builds(SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, BLOCKS, WORDS)
    | st.builds(ReceiverReport, U32, BLOCKS, WORDS)
    | st.builds(SourceDescription, st.lists(CHUNKS, max_size=3))
    | st.builds(Goodbye, st.lists(U32, max_size=3), st.none() | st.binary(max_size=255))
    | st.builds(ApplicationDefined, st.integers(0, 31), U32, st.binary(min_size=4, max_size=4))
    | st.builds(RawRtcp, st.sampled_from([192, 205, 206, 207, 223]), st.integers(0, 31), WORDS),
    min_size=1,
    max_size=5,
)


class TestParse:
    def test_a_compound_packet_in_order(self):
        data = serialize_rtcp(
            [
                SenderReport(1, ntp=2, rtp_timestamp=3, packet_count=4, octet_count=5),
                SourceDescription([SdesChunk(1, [(1, b"name@host")])]),
                Goodbye([1], b"enough"),
            ]
        )
        report, description, goodbye = parse_rtcp(memoryview(data))
        assert report == SenderReport(1, 2, 3, 4, 5)
        assert description == SourceDescription([SdesChunk(1, [(1, b"name@host")])])
        assert goodbye == Goodbye([1], b"enough")

    def test_packets_lost_has_a_sign(self):
        data = serialize_rtcp([ReceiverReport(1, [ReportBlock(2, packets_lost=-3)])])
        assert data[13:16] == b"\xff\xff\xfd"
        (report,) = parse_rtcp(data)
        assert report == ReceiverReport(1, [ReportBlock(2, packets_lost=-3)])

    def test_an_unknown_type_passes_raw(self):
        (packet,) = parse_rtcp(b"\x81\xcd\x00\x02" + bytes(8))
        assert packet == RawRtcp(205, 1, bytes(8))

    def test_padding_is_taken_off(self):
        (packet,) = parse_rtcp(b"\xa1\xcb\x00\x02\x00\x00\x00\x07\x00\x00\x00\x04")
        assert packet == Goodbye([7], None)

    @pytest.mark.parametrize("count", [0, 3, 5, 255])
    def test_padding_that_cannot_be_is_malformed(self, count):
        with pytest.raises(MalformedPacket, match="padding"):
            parse_rtcp(b"\xa1\xcb\x00\x02\x00\x00\x00\x07\x00\x00\x00" + bytes([count]))

    def test_a_description_may_end_without_its_zero(self):
        (packet,) = parse_rtcp(b"\x81\xca\x00\x02\x00\x00\x00\x07\x01\x02ab")
        assert packet == SourceDescription([SdesChunk(7, [(1, b"ab")])])

    def test_a_reason_may_be_there_and_empty(self):
        (packet,) = parse_rtcp(b"\x80\xcb\x00\x01\x00\x00\x00\x00")
        assert packet == Goodbye([], b"")

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            ("", "here are 0"),
            ("80c8", "here are 2"),
            ("00c90000", "version 0"),
            ("80600000", "96 is no RTCP"),
            ("80c90002", "says 12 bytes, 4 are there"),
            ("80c90000", "receiver report needs 4"),
            ("80c8000100000001", "sender report needs 24"),
            ("81c9000100000001", "report with 1 blocks needs 28"),
            ("81ca0000", "chunk of a source description needs 4"),
            ("81ca0002000000010105", "says 12 bytes"),
            ("81ca0002000000010105aabb", "item of a source description needs 11"),
            ("81cb0000", "farewell of 1 sources"),
            ("80cb000105414141", "reason for leaving needs 6"),
            ("80cc000100000001", "application-defined packet needs 8"),
            ("80cb0000ff", "here are 1"),
        ],
    )
    def test_bytes_that_are_no_rtcp_are_malformed(self, data, why):
        with pytest.raises(MalformedPacket, match=why):
            parse_rtcp(bytes.fromhex(data))

    def test_values_own_their_bytes(self):
        data = bytearray(b"\x81\xcd\x00\x02" + bytes(8))
        (packet,) = parse_rtcp(data)
        data[4:] = b"12345678"
        assert packet == RawRtcp(205, 1, bytes(8))


class TestSalvage:
    GOOD = serialize_rtcp([Goodbye([1])])

    def test_a_broken_body_costs_only_itself(self):
        broken = b"\x80\xc9\x00\x00"
        packets, bad = salvage_rtcp(self.GOOD + broken + self.GOOD)
        assert packets == [Goodbye([1]), Goodbye([1])]
        assert bad == 1

    def test_a_broken_length_hides_what_follows(self):
        packets, bad = salvage_rtcp(self.GOOD + b"\x80\xc9\xff\xff" + self.GOOD)
        assert packets == [Goodbye([1])]
        assert bad == 1

    def test_nothing_good_at_all(self):
        assert salvage_rtcp(b"GET / HTTP/1.1") == ([], 1)
        assert salvage_rtcp(b"") == ([], 1)


class TestIsRtcp:
    @pytest.mark.parametrize("packet_type", [192, 200, 204, 223])
    def test_types_192_to_223_are_rtcp(self, packet_type):
        assert is_rtcp(bytes([0x80, packet_type, 0, 0]))

    @pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\xc8\x00", b"\x00\xc8\x00\x00"])
    def test_too_short_or_another_version_is_not(self, data):
        assert not is_rtcp(data)

    @pytest.mark.parametrize("second", [0, 96, 96 | 0x80, 63 | 0x80])
    def test_rtp_with_and_without_marker_is_not(self, second):
        assert not is_rtcp(bytes([0x80, second]) + bytes(10))


class TestSerialize:
    @pytest.mark.parametrize(
        "packet",
        [
            ReceiverReport(1 << 32),
            ReceiverReport(1, [ReportBlock(1)] * 32),
            ReceiverReport(1, [ReportBlock(1, packets_lost=1 << 23)]),
            ReceiverReport(1, [ReportBlock(1, packets_lost=-(1 << 23) - 1)]),
            ReceiverReport(1, [ReportBlock(1, fraction_lost=256)]),
            ReceiverReport(1, extension=b"odd"),
            SenderReport(1, ntp=1 << 64),
            SourceDescription([SdesChunk(1, [(0, b"")])]),
            SourceDescription([SdesChunk(1, [(1, bytes(256))])]),
            SourceDescription([SdesChunk(1)] * 32),
            Goodbye([1] * 32),
            Goodbye([], bytes(256)),
            ApplicationDefined(0, 1, b"longer"),
            ApplicationDefined(32, 1, b"name"),
            ApplicationDefined(0, 1, b"name", b"odd"),
            RawRtcp(191, 0),
            RawRtcp(205, 32),
            RawRtcp(205, 0, bytes(4 * 65_536)),
        ],
        ids=lambda packet: type(packet).__name__,
    )
    def test_a_value_that_its_field_cannot_hold_is_refused(self, packet):
        with pytest.raises(LocalProtocolError):
            serialize_rtcp([packet])

    def test_each_part_is_whole_words(self):
        assert len(serialize_rtcp([Goodbye([1], b"x")])) == 12
        assert len(serialize_rtcp([SourceDescription([SdesChunk(1, [(1, b"ab")])])])) == 16


@given(PACKETS)
def test_what_is_written_is_read_again(packets):
    data = serialize_rtcp(packets)
    assert is_rtcp(data)
    assert parse_rtcp(data) == packets
    assert salvage_rtcp(data) == (packets, 0)


ALMOST = PACKETS.map(serialize_rtcp).flatmap(
    lambda data: st.tuples(
        st.just(data), st.integers(0, len(data) - 1), st.integers(0, 255), st.integers(1, len(data))
    ).map(lambda t: (t[0][: t[1]] + bytes([t[2]]) + t[0][t[1] + 1 :])[: t[3]])
)


@given(st.binary(max_size=64) | ALMOST)
def test_any_bytes_give_packets_or_malformed_packet_and_stay_as_they_are(data):
    buffer = bytearray(data)
    salvaged, bad = salvage_rtcp(buffer)
    try:
        packets = parse_rtcp(buffer)
    except MalformedPacket:
        assert bad > 0
    else:
        assert bad == 0
        assert salvaged == packets
        assert parse_rtcp(serialize_rtcp(packets)) == packets
    assert buffer == data

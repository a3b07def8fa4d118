"""The RTP header, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, MalformedPacket
from rtspkit.wire.rtp import HeaderExtension, WallClock, parse_rtp, parse_rtp_at, serialize_rtp

PLAIN = bytes.fromhex("80e0 0001 00000002 00000003") + b"payload"


def build(**fields):
    values = {"payload_type": 96, "sequence_number": 1, "timestamp": 2, "ssrc": 3}
    payload = fields.pop("payload", b"payload")
    return serialize_rtp(payload, **{**values, **fields})


class TestParse:
    def test_the_fixed_header(self):
        packet = parse_rtp(PLAIN)
        assert packet.marker is True
        assert packet.payload_type == 96
        assert packet.sequence_number == 1
        assert packet.timestamp == 2
        assert packet.ssrc == 3
        assert packet.csrcs == ()
        assert packet.extension is None
        assert packet.padding_size == 0
        assert packet.payload == b"payload"

    @pytest.mark.parametrize("marker", [False, True])
    @pytest.mark.parametrize("payload_type", [0, 127])
    def test_marker_and_payload_type_share_a_byte(self, marker, payload_type):
        packet = parse_rtp(build(marker=marker, payload_type=payload_type))
        assert (packet.marker, packet.payload_type) == (marker, payload_type)

    def test_what_the_session_fills_in_has_defaults(self):
        packet = parse_rtp(PLAIN)
        assert packet.stream is None
        assert (packet.arrival, packet.media_time, packet.lost) == (0.0, 0.0, 0)
        assert packet.discontinuity is False
        assert (packet.wall_time, packet.wall_source) == (None, None)

    def test_the_payload_is_a_view_not_a_copy(self):
        data = bytearray(PLAIN)
        packet = parse_rtp(data)
        data[12:] = b"changed"
        assert packet.payload == b"changed"
        assert packet.payload.readonly

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_kind_of_bytes_is_taken(self, kind):
        assert bytes(parse_rtp(kind(PLAIN))) == PLAIN

    def test_csrcs_extension_and_padding_are_taken_off_the_payload(self):
        data = build(csrcs=[7, 8], extension=(0xBEDE, b"\x10\xaa\x00\x00"), padding=4)
        packet = parse_rtp(data)
        assert packet.csrcs == (7, 8)
        assert packet.extension is not None
        assert packet.extension.profile == 0xBEDE
        assert packet.extension.data == b"\x10\xaa\x00\x00"
        assert packet.padding_size == 4
        assert packet.payload == b"payload"
        assert len(packet) == len(data)

    def test_an_empty_payload_is_a_packet(self):
        assert parse_rtp(PLAIN[:12]).payload == b""
        assert parse_rtp(build(payload=b"", padding=8)).payload == b""

    @pytest.mark.parametrize("size", range(12))
    def test_less_than_a_header_is_malformed(self, size):
        with pytest.raises(MalformedPacket, match=f"this has {size}"):
            parse_rtp(PLAIN[:size])

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_another_version_is_malformed(self, version):
        with pytest.raises(MalformedPacket, match=f"version {version}"):
            parse_rtp(bytes([version << 6]) + PLAIN[1:])

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            pytest.param(b"\x8f" + PLAIN[1:], "header says 72", id="csrcs-cut-off"),
            pytest.param(b"\x90" + PLAIN[1:12], "extension begins past", id="no-extension"),
            pytest.param(
                b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00\x02\x00\x00\x00\x00",
                "header says 24",
                id="extension-cut-off",
            ),
            pytest.param(b"\xa0" + PLAIN[1:] + b"\x00", "0 bytes of padding", id="zero"),
            pytest.param(b"\xa0" + PLAIN[1:] + b"\x09", "9 bytes of padding", id="too-much"),
            pytest.param(b"\xa0" + PLAIN[1:12], "0 bytes of padding", id="nothing-to-pad"),
        ],
    )
    def test_lengths_that_the_packet_does_not_have_are_malformed(self, data, why):
        with pytest.raises(MalformedPacket, match=why):
            parse_rtp(data)

    def test_padding_may_fill_the_whole_payload(self):
        packet = parse_rtp(b"\xa0" + PLAIN[1:12] + b"\x00\x00\x00\x04")
        assert packet.payload == b""
        assert packet.padding_size == 4

    def test_repr_shows_numbers_and_no_payload(self):
        text = repr(parse_rtp(PLAIN))
        assert "sequence_number=1" in text
        assert "7 bytes" in text
        assert "payload'" not in text


class TestPlace:
    """A packet is a place in memory, and may be moved to another."""

    def test_it_may_lie_anywhere(self):
        data = build(csrcs=[7], extension=(0xBEDE, b"\x10\xaa\x00\x00"), padding=4)
        memory = memoryview(b"before" + data + b"behind")
        packet = parse_rtp_at(memory, 6, len(data))
        alone = parse_rtp(data)
        assert (bytes(packet), len(packet)) == (data, len(data))
        assert (packet.payload, packet.csrcs, packet.padding_size) == (b"payload", (7,), 4)
        assert packet.extension.elements() == alone.extension.elements()
        assert packet.payload.obj is memory.obj

    @pytest.mark.parametrize("size", [0, 11])
    def test_what_lies_behind_it_is_none_of_its_header(self, size):
        with pytest.raises(MalformedPacket, match="at least 12 bytes"):
            parse_rtp_at(memoryview(PLAIN), 0, size)

    @pytest.mark.parametrize(
        "data",
        [
            build(csrcs=[1, 2, 3])[:20],
            build(extension=(0xBEDE, bytes(8)), payload=b"")[:15],
            build(extension=(0xBEDE, bytes(8)), payload=b"")[:19],
            build(payload=b"abc", padding=9)[:15],
        ],
    )
    def test_lengths_end_with_the_packet_whatever_lies_behind_it(self, data):
        memory = memoryview(data + b"\x01" * 100)
        with pytest.raises(MalformedPacket):
            parse_rtp_at(memory, 0, len(data))

    def test_moved_it_is_the_same_and_views_of_it_stay(self):
        data = build(csrcs=[7, 8], extension=(0xBEDE, b"\x10\xaa\x00\x00"), padding=3)
        packet = parse_rtp_at(memoryview(b"--" + data), 2, len(data))
        held, before = packet.payload, repr(packet)
        place = memoryview(bytes(100) + data + bytes(9))
        original, packet = packet, packet.moved(place, 100)
        assert original.payload == b"payload"
        assert original.payload.obj is held.obj
        assert (packet.start, packet.size) == (100, len(data))
        assert packet.payload.obj is place.obj
        assert held.obj is not place.obj
        assert held == packet.payload == b"payload"
        assert (bytes(packet), repr(packet), packet.csrcs) == (data, before, (7, 8))


class TestWallTime:
    def test_it_follows_the_clock_of_the_packet(self):
        packet = parse_rtp(PLAIN)
        packet.media_time = 12.5
        packet.wall_clock = WallClock(media_time=10.0, wall=1_700_000_000.0, source="sr")
        assert packet.wall_time == 1_700_000_002.5
        assert packet.wall_source == "sr"


class TestHeaderExtension:
    def elements(self, profile, data):
        found = HeaderExtension(profile, memoryview(data)).elements()
        return found if found is None else [(i, bytes(d)) for i, d in found]

    def test_one_byte_elements_with_padding_between(self):
        data = b"\x10\xaa\x21\xbb\xbb\x00\x00\x33\xcc\xcc\xcc\xcc"
        expected = [(1, b"\xaa"), (2, b"\xbb\xbb"), (3, b"\xcc\xcc\xcc\xcc")]
        assert self.elements(0xBEDE, data) == expected

    def test_two_byte_elements_may_be_empty(self):
        data = b"\x01\x00\x00\x02\x01\xbb"
        assert self.elements(0x1000, data) == [(1, b""), (2, b"\xbb")]

    def test_the_low_bits_of_the_two_byte_profile_are_the_applications(self):
        assert self.elements(0x100F, b"\x05\x01\xaa\x00") == [(5, b"\xaa")]

    @pytest.mark.parametrize("first", [0xF0, 0x01])
    def test_identifiers_15_and_0_with_a_length_end_the_one_byte_list(self, first):
        assert self.elements(0xBEDE, bytes([first]) + b"\x10\xaa\x00") == []

    def test_an_element_that_does_not_fit_ends_the_list(self):
        assert self.elements(0xBEDE, b"\x10\xaa\x2f\xbb") == [(1, b"\xaa")]
        assert self.elements(0x1000, b"\x01\x01\xaa\x02") == [(1, b"\xaa")]

    def test_another_profile_has_no_elements(self):
        assert self.elements(1, b"\xff\xff\xff\xff") is None


class TestSerialize:
    @pytest.mark.parametrize(
        "fields",
        [
            {"payload_type": 128},
            {"payload_type": -1},
            {"sequence_number": 65_536},
            {"timestamp": 1 << 32},
            {"ssrc": -1},
            {"ssrc": 1 << 32},
            {"csrcs": range(16)},
            {"csrcs": [-1]},
            {"csrcs": [1 << 32]},
            {"padding": 256},
            {"extension": (0xBEDE, b"odd")},
            {"extension": (1 << 16, b"")},
            {"extension": (0, bytes(1 << 18))},
        ],
        ids=str,
    )
    def test_a_value_that_its_field_cannot_hold_is_refused(self, fields):
        with pytest.raises(LocalProtocolError):
            build(**fields)

    def test_the_bytes_of_a_plain_packet(self):
        assert build(marker=True) == PLAIN

    def test_one_byte_of_padding_is_its_own_count(self):
        assert build(padding=1)[-1:] == b"\x01"
        assert parse_rtp(build(padding=1)).payload == b"payload"


@given(
    payload=st.binary(max_size=64),
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15),
    words=st.none() | st.binary(max_size=32).map(lambda b: b[: len(b) // 4 * 4]),
    padding=st.integers(0, 255),
)
def test_what_is_written_is_read_again(payload, csrcs, words, padding, **fields):
    extension = None if words is None else (0xBEDE, words)
    data = serialize_rtp(payload, csrcs=csrcs, extension=extension, padding=padding, **fields)
    packet = parse_rtp(data)
    assert packet.payload == payload
    assert packet.csrcs == tuple(csrcs)
    assert packet.padding_size == padding
    assert {name: getattr(packet, name) for name in fields} == fields
    assert bytes(packet) == data
    if extension is None:
        assert packet.extension is None
    else:
        assert packet.extension is not None
        assert (packet.extension.profile, bytes(packet.extension.data)) == extension


HEADS = st.binary(min_size=0, max_size=80) | st.binary(min_size=12, max_size=80).map(
    lambda data: bytes([0x80 | data[0] & 0x3F]) + data[1:]
)


@given(HEADS)
def test_any_bytes_give_a_packet_or_malformed_packet_and_stay_as_they_are(data):
    buffer = bytearray(data)
    try:
        packet = parse_rtp(buffer)
    except MalformedPacket:
        packet = None
    assert buffer == data
    if packet is not None:
        assert len(packet.payload) + packet.padding_size <= len(data) - 12
        assert len(packet.csrcs) <= 15
        extension = packet.extension
        for _, element in (extension.elements() if extension else None) or []:
            assert len(element) <= len(data)

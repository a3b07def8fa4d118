"""The AU Header Section: what the SDP promises, what packets hold, and what they may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, MalformedPacket
from rtspkit.payload.au_header import (
    AAC_HBR,
    AAC_LBR,
    MAX_UNITS,
    AuHeader,
    AuLayout,
    parse_au_headers,
    parse_layout,
    serialize_au_headers,
)


def parse(data, layout=AAC_HBR):
    return parse_au_headers(memoryview(data), layout)


def section(text):
    """An AU Header Section of these bits."""
    digits = text.replace(" ", "")
    padded = digits + "0" * (-len(digits) % 8)
    return len(digits).to_bytes(2, "big") + int(padded, 2).to_bytes(len(padded) // 8, "big")


def test_the_parameters_of_the_sdp_make_the_layout():
    fmtp = {
        "mode": "AAC-hbr",
        "sizelength": "21",
        "indexlength": "3",
        "indexdeltalength": "4",
        "ctsdeltalength": "5",
        "dtsdeltalength": "6",
        "randomaccessindication": "1",
        "streamstateindication": "7",
        "auxiliarydatasizelength": "8",
        "constantduration": "960",
    }
    assert parse_layout(fmtp) == AuLayout(21, 3, 4, 5, 6, 1, 7, 8, 0, 960, "aac-hbr")


@pytest.mark.parametrize(
    ("fmtp", "expected"),
    [
        ({}, AAC_HBR),
        ({"mode": "AAC-hbr"}, AAC_HBR),
        ({"mode": "AAC-lbr"}, AAC_LBR),
        ({"sizelength": "0", "mode": "aac-HBR "}, AAC_HBR),
        ({"sizelength": "99999", "indexlength": "x"}, AAC_HBR),
        ({"indexlength": "0", "indexdeltalength": "1"}, AAC_HBR),
    ],
)
def test_what_the_sdp_does_not_say_is_taken_from_the_mode(fmtp, expected):
    layout = parse_layout(fmtp)
    assert layout.is_assumed
    assert (layout.size, layout.index, layout.index_delta) == (
        expected.size,
        expected.index,
        expected.index_delta,
    )


def test_index_fields_that_the_sdp_leaves_out_are_absent():
    assert parse_layout({"sizelength": "13", "mode": "AAC-hbr"}) == AuLayout(13, 0, 0)


def test_units_of_one_size_have_no_headers():
    layout = parse_layout({"mode": "CELP-cbr", "constantsize": "2"})
    assert layout.is_empty
    assert parse(b"aabbcc", layout) == ([AuHeader(2, i) for i in range(3)], 0)
    assert parse(b"a", layout) == ([AuHeader(2, 0)], 0)


def test_a_generic_stream_without_parameters_has_one_unit_a_packet():
    layout = parse_layout({"mode": "generic"})
    assert parse(b"whatever", layout) == ([AuHeader(None, 0)], 0)


def test_indexes_count_on_from_the_first_unit():
    data = section("0000000000001 101" + "0000000000010 000" + "0000000000011 010")
    headers, start = parse(data + b"abbccc")
    assert headers == [AuHeader(1, 0), AuHeader(2, 1), AuHeader(3, 4)]
    assert start == 8


def test_every_field_of_a_header_is_read_in_its_order():
    layout = AuLayout(6, 2, 3, cts_delta=4, dts_delta=5, random_access=1, stream_state=2)
    first = "000001 00" + "0" + "1 00011" + "1 10"
    second = "000010 001" + "1 1110" + "0" + "0 01"
    headers, start = parse(section(first + second) + b"abb", layout)
    assert headers == [AuHeader(1, 0), AuHeader(2, 2, cts_delta=-2)]
    assert start == 7


def test_the_auxiliary_section_is_skipped():
    layout = AuLayout(6, 2, 2, auxiliary=4)
    data = section("000001 00") + bytes([0x9A, 0xAA]) + b"a"  # 4 bits that tell of 9 more
    assert parse(data, layout) == ([AuHeader(1, 0)], 5)


@pytest.mark.parametrize("tail", [b"", b"\xf0"])
def test_an_auxiliary_section_past_the_end_is_malformed(tail):
    with pytest.raises(MalformedPacket):
        parse(section("000001 00") + tail, AuLayout(6, 2, 2, auxiliary=8))


def test_padding_within_the_section_is_no_header():
    assert parse(b"\x00\x13\x00\x08\x00" + b"a") == ([AuHeader(1, 0)], 5)


def test_sixteen_bits_a_header_are_read_though_the_sdp_says_thirteen():
    layout = parse_layout({"sizelength": "13", "mode": "AAC-hbr"})
    data = serialize_au_headers([4, 5])
    assert parse(data + b"aaaabbbbb", layout) == ([AuHeader(4, 0), AuHeader(5, 1)], 6)


def test_thirteen_bits_a_header_stay_thirteen_when_they_fit():
    layout = parse_layout({"sizelength": "13", "mode": "AAC-hbr"})
    data = serialize_au_headers([4], layout)
    assert parse(data + b"aaaa", layout) == ([AuHeader(4, 0)], 4)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x00", b"\x00\x00abc", b"\x00\x10\x00", b"\x00\x0f\xff\xff"]
)
def test_a_section_that_cannot_be_is_malformed(data):
    with pytest.raises(MalformedPacket):
        parse(data)


def test_more_units_than_any_packet_has_are_malformed():
    layout = AuLayout(1, 0, 0, mode="generic")
    assert len(parse(serialize_au_headers([1] * MAX_UNITS, layout), layout)[0]) == MAX_UNITS
    with pytest.raises(MalformedPacket):
        parse(serialize_au_headers([1] * (MAX_UNITS + 1), layout), layout)
    with pytest.raises(MalformedPacket):
        parse(bytes(MAX_UNITS + 1), AuLayout(0, 0, 0, constant_size=1, mode="celp-cbr"))


layouts = st.builds(
    AuLayout,
    *[st.integers(0, 32) for _ in range(5)],
    st.integers(0, 1),
    st.integers(0, 32),
    st.integers(0, 32),
    st.integers(0, 65_535),
    mode=st.sampled_from(["aac-hbr", "generic"]),
)


@given(st.binary(max_size=80), layouts)
def test_any_bytes_give_headers_or_the_documented_error(data, layout):
    before = bytes(data)
    try:
        headers, start = parse(data, layout)
    except MalformedPacket:
        pass
    else:
        assert 1 <= len(headers) <= MAX_UNITS
        assert 0 <= start <= len(data)
        indexes = [header.index for header in headers]
        assert indexes == sorted(set(indexes))
    assert data == before


@given(st.dictionaries(st.sampled_from(["mode", "sizelength", "constantsize"]), st.text()))
def test_any_parameters_give_a_layout(fmtp):
    assert 0 <= parse_layout(fmtp).size <= 32


@given(
    st.integers(1, 32), st.integers(0, 32), st.integers(0, 32),
    st.lists(st.integers(1, 70_000), min_size=1, max_size=20),
)  # fmt: skip
def test_what_is_written_reads_back(size, index, index_delta, sizes):
    layout = AuLayout(size, index, index_delta, mode="generic")
    sizes = [one & ((1 << size) - 1) for one in sizes]
    data = serialize_au_headers(sizes, layout)
    headers, start = parse(data, layout)
    assert headers == [AuHeader(one, i) for i, one in enumerate(sizes)]
    assert start == len(data)


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(LocalProtocolError):
        serialize_au_headers([1 << 13])
    with pytest.raises(LocalProtocolError):
        serialize_au_headers([1] * 4096)


@given(st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 7)), min_size=1, max_size=20))
def test_headers_of_one_word_say_what_those_of_the_same_fields_and_a_flag_say(fields):
    words = "".join(f"{size:013b}{delta:03b}" for size, delta in fields)
    flagged = "".join(f"{size:013b}{delta:03b}0" for size, delta in fields)
    plain, _ = parse(section(words))
    general, _ = parse(section(flagged), AuLayout(random_access=1))
    assert plain == general


@pytest.mark.parametrize("bits", range(16))
def test_less_than_one_word_is_no_header(bits):
    with pytest.raises(MalformedPacket, match="no AU header"):
        parse(bits.to_bytes(2, "big") + bytes(2))


def test_a_rest_behind_words_is_padding_and_their_number_is_bounded():
    assert len(parse(section("0" * 47))[0]) == 2
    assert len(parse(section("0" * 16 * MAX_UNITS + "0" * 15))[0]) == MAX_UNITS
    with pytest.raises(MalformedPacket, match="more than"):
        parse(section("0" * 16 * (MAX_UNITS + 1)))

"""H.264 parameter sets. The sets were made with x264 for this test."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.h264_parameters import (
    READER,
    parameter_set_key,
    parameter_sets_from_fmtp,
    parse_sequence_parameter_set,
    reads_as_slice,
)

BASELINE = "6742c00cd901419f9f011000000300100000030320f142a480"
INTERLACED = "67640028acd94078044fde022000007d20001d4c03e2c5b2c0"
HIGH_444 = "67f4001f919b281485fc7cf808800000030080000032078c18cb"
HIGH_422 = "677a000cb6cd941519e222f01b50101014000003000400000300603c50a658"
PPS = "68cb83cb20"


def bits(*codes):
    """An SPS of profile 100 whose fields are given as strings of bits."""
    text = "".join(codes) + "1"
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    payload = int(text, 2).to_bytes(len(text) // 8, "big")
    return b"\x67\x64\x00\x1e" + payload.replace(b"\0\0", b"\0\0\3")


def ue(value):
    code = bin(value + 1)[2:]
    return "0" * (len(code) - 1) + code


@pytest.mark.parametrize(
    ("sps", "codec", "size", "frame_rate"),
    [
        (BASELINE, "avc1.42C00C", (320, 180), 25),
        (INTERLACED, "avc1.640028", (1920, 1080), 30_000 / 1001),
        (HIGH_444, "avc1.F4001F", (642, 362), 50),
        (HIGH_422, "avc1.7A000C", (322, 182), 12),
    ],
)
def test_codec_cropped_size_and_frame_rate_are_read(sps, codec, size, frame_rate):
    found = parse_sequence_parameter_set(bytes.fromhex(sps))
    assert found.codec == codec
    assert (found.width, found.height) == size
    assert found.frame_rate == pytest.approx(frame_rate)
    assert (found.profile, found.level) == (int(codec[5:7], 16), int(codec[9:], 16))


def test_trailing_bytes_do_no_harm():
    sps = bytes.fromhex(BASELINE)
    assert parse_sequence_parameter_set(sps + bytes(9)) == parse_sequence_parameter_set(sps)


def test_a_cut_vui_costs_the_frame_rate_only():
    sps = bytes.fromhex(BASELINE)
    found = parse_sequence_parameter_set(sps[:-12])
    assert (found.width, found.height, found.frame_rate) == (320, 180, None)


def test_scaling_lists_and_an_order_count_of_type_1_are_skipped_over():
    lists = "1" + "1" * 16 + "0" * 5 + "1" + "1" * 64 + "0"  # the first and the seventh, flat
    sps = bits(
        ue(0), ue(1), ue(0), ue(0), "0", "1", lists, ue(0),
        ue(1), "0", ue(3), ue(0), ue(2), ue(1), ue(1),
        ue(1), "0", ue(19), ue(14), "1", "1", "0", "0",
    )  # fmt: skip
    found = parse_sequence_parameter_set(sps)
    assert (found.width, found.height, found.frame_rate) == (320, 240, None)


def test_a_scaling_list_that_stops_early_is_skipped_over():
    stop = "1" + ue(16)  # delta -8: the rest repeats the last
    sps = bits(
        ue(0), ue(1), ue(0), ue(0), "0", "1", stop, "0000000", ue(0), ue(2),
        ue(1), "0", ue(19), ue(14), "1", "1", "0", "0",
    )  # fmt: skip
    assert parse_sequence_parameter_set(sps).width == 320


@pytest.mark.parametrize("rate", [(0, 50), (1, 0), (1, 4_000_000_000)])
def test_an_absurd_frame_rate_is_none(rate):
    ticks, scale = rate
    sps = bits(
        ue(0), ue(1), ue(0), ue(0), "0", "0", ue(0), ue(2), ue(1), "0", ue(19), ue(14),
        "1", "1", "0", "1", "0000" + "1", f"{ticks:032b}{scale:032b}", "1000000",
    )  # fmt: skip
    found = parse_sequence_parameter_set(sps)
    assert (found.width, found.frame_rate) == (320, None)


@pytest.mark.parametrize(
    "sps",
    [
        "",
        "67",
        "6742c0",
        PPS,
        BASELINE[:12],
        "6764001e" + "00" * 40,
    ],
)
def test_what_is_no_sequence_parameter_set_is_refused(sps):
    with pytest.raises(RemoteProtocolError):
        parse_sequence_parameter_set(bytes.fromhex(sps))


def test_cropping_away_the_whole_picture_is_refused():
    sps = bits(
        ue(0), ue(1), ue(0), ue(0), "0", "0", ue(0), ue(2), ue(1), "0", ue(0), ue(0),
        "1", "1", "1", ue(4), ue(4), ue(0), ue(0), "0",
    )  # fmt: skip
    with pytest.raises(RemoteProtocolError, match="cropping"):
        parse_sequence_parameter_set(sps)


@given(st.binary(max_size=80))
def test_only_the_documented_error_escapes_and_the_input_is_unchanged(tail):
    for sps in (b"\x67\x64\x00\x1e" + tail, bytes.fromhex(INTERLACED)[:9] + tail, tail):
        before = bytes(bytearray(sps))
        try:
            found = parse_sequence_parameter_set(sps)
            assert found.width > 0
            assert found.height > 0
        except RemoteProtocolError:
            pass
        parameter_set_key(sps)
        assert sps == before


def test_keys_are_type_and_identifier():
    assert parameter_set_key(bytes.fromhex(BASELINE)) == (7, 0)
    assert parameter_set_key(bytes.fromhex(PPS)) == (8, 0)
    assert parameter_set_key(b"\x68\x40") == (8, 1)
    assert parameter_set_key(b"\x67\x64\x00\x1e" + b"\x28") == (7, 4)


@pytest.mark.parametrize("nal_unit", [b"", b"\x67", b"\x68", b"\x67\x64\x00\x1e\x00", b"\x68\x00"])
def test_a_set_without_a_readable_identifier_has_no_key(nal_unit):
    assert parameter_set_key(nal_unit) is None


def test_the_sdp_keeps_both_sets_in_one_parameter():
    value = ",".join(base64.b64encode(bytes.fromhex(s)).decode() for s in (BASELINE, PPS))
    found = parameter_sets_from_fmtp({"sprop-parameter-sets": value})
    assert [unit.hex() for unit in found.nal_units] == [BASELINE, PPS]


def test_sets_of_another_codec_are_left_out():
    value = base64.b64encode(bytes.fromhex("42010101600000")).decode()
    found = parameter_sets_from_fmtp({"sprop-parameter-sets": value})
    assert found.nal_units == ()
    assert found.deviations == ("parameter-sets-undecodable",)


@pytest.mark.parametrize("fmtp", [{}, {"sprop-parameter-sets": ""}, {"packetization-mode": "1"}])
def test_no_sets_in_the_sdp_are_no_deviation(fmtp):
    found = READER.from_fmtp(fmtp)
    assert (found.nal_units, found.deviations) == ((), ())


@pytest.mark.parametrize(
    ("nal_unit", "reads"),
    [
        ("6588840a", True),  # IDR, first_mb 0, I
        ("651e22", True),  # IDR, first_mb 14, I
        ("419a05", True),  # first_mb 0, P
        ("658d", False),  # IDR, but slice_type B
        ("654141414141", False),  # slice_type 19
        ("65" + 20 * "00", False),  # no Exp-Golomb code at all
        ("65", False),
    ],
)
def test_a_slice_header_is_told_from_what_cannot_be_one(nal_unit, reads):
    assert reads_as_slice(bytes.fromhex(nal_unit)) is reads

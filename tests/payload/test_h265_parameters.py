"""H.265 parameter sets. The sets were made with x265 for this test."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.h265_parameters import (
    parameter_set_key,
    parameter_sets_from_fmtp,
    parse_sequence_parameter_set,
)

MAIN = "42010101600000030090000003000003003fa005020171f265959a4932bc05a020000003002000000301e1"
SCALING_422 = (
    "4201010408000003009d0800000300005db00280802d9f3b65959a49395e02d4040808100000030010000003019080"
)
FULL_444 = "4201010408000003009e0800000300005a9000a2402e39e7cb2b349265780b4040000003004000000f02"
VPS = "40010c01ffff01600000030090000003000003003f959809"
PPS = "4401c172b44240"


def ue(value):
    code = bin(value + 1)[2:]
    return "0" * (len(code) - 1) + code


def sps(*fields, sub_layers=0):
    """An SPS of 64 x 48 pixels; ``fields`` follow the conformance window, as bits."""
    text = "0000" + f"{sub_layers:03b}" + "1"
    text += "00000001" + "0" * 32 + "0" * 48 + f"{30:08b}"
    if sub_layers:
        text += "11" * sub_layers + "00" * (8 - sub_layers) + "0" * 96 * sub_layers
    text += ue(0) + ue(1) + ue(64) + ue(48) + "0" + "".join(fields) + "1"
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    payload = int(text, 2).to_bytes(len(text) // 8, "big")
    guarded, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte < 4:
            guarded.append(3)
            zeros = 0
        guarded.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\x42\x01" + bytes(guarded)


HEAD = ue(0) * 2 + ue(4) + "1"  # bit depths, order count of 8 bits, ordering info for each layer
BLOCKS = ue(0) * 6
TIMING = "0" * 4 + "000" + "0" + "1" + f"{1:032b}{24:032b}"


@pytest.mark.parametrize(
    ("nal_unit", "codec", "size", "frame_rate"),
    [
        (MAIN, "hvc1.1.6.L63.90", (640, 362), 15),
        (SCALING_422, "hvc1.4.10.L93.9D.8", (1280, 722), 25),
        (FULL_444, "hvc1.4.10.L90.9E.8", (642, 362), 60),
    ],
)
def test_codec_cropped_size_and_frame_rate_are_read(nal_unit, codec, size, frame_rate):
    found = parse_sequence_parameter_set(bytes.fromhex(nal_unit))
    assert found.codec == codec
    assert (found.width, found.height) == size
    assert found.frame_rate == frame_rate
    assert f"{found.profile}." in codec
    assert f"L{found.level}." in codec


def test_trailing_bytes_do_no_harm():
    nal_unit = bytes.fromhex(MAIN)
    assert parse_sequence_parameter_set(nal_unit + bytes(9)) == parse_sequence_parameter_set(
        nal_unit
    )


def test_a_cut_vui_costs_the_frame_rate_only():
    found = parse_sequence_parameter_set(bytes.fromhex(MAIN)[:-8])
    assert (found.width, found.height, found.frame_rate) == (640, 362, None)


def test_sub_layers_pcm_and_long_term_pictures_are_skipped_over():
    pcm = "1" + "0" * 8 + ue(0) * 2 + "0"
    long_term = "1" + ue(2) + ("0" * 8 + "0") * 2
    nal_unit = sps(
        HEAD + ue(0) * 9, BLOCKS, "0", "00", pcm, ue(0), long_term, "00", "1", TIMING, sub_layers=2
    )
    found = parse_sequence_parameter_set(nal_unit)
    assert (found.width, found.height, found.frame_rate) == (64, 48, 24)


def test_predicted_and_explicit_reference_picture_sets_are_skipped_over():
    explicit = ue(2) + ue(1) + (ue(0) + "1") * 3
    predicted = "1" + "0" + ue(0) + "1" + "01" + "00" + "1"  # three of four pictures are kept
    again = "1" + "1" + ue(3) + "1111"
    nal_unit = sps(
        HEAD + ue(0) * 3, BLOCKS, "0", "00", "0", ue(3), explicit, predicted, again, "0", "00",
        "1", TIMING,
    )  # fmt: skip
    assert parse_sequence_parameter_set(nal_unit).frame_rate == 24


def test_explicit_scaling_lists_are_skipped_over():
    lists = ""
    for size, matrices in ((0, 6), (1, 6), (2, 6), (3, 2)):
        for matrix in range(matrices):
            if matrix == 1:
                lists += "0" + ue(0)  # as the one before
                continue
            lists += "1" + (ue(0) if size > 1 else "") + ue(0) * min(64, 1 << (4 + 2 * size))
    nal_unit = sps(HEAD + ue(0) * 3, BLOCKS, "11", lists, "00", "0", ue(0), "0", "00", "1", TIMING)
    assert parse_sequence_parameter_set(nal_unit).frame_rate == 24


@pytest.mark.parametrize("nal_unit", ["", "42", "4201", VPS, PPS, MAIN[:30], "4201" + "00" * 60])
def test_what_is_no_sequence_parameter_set_is_refused(nal_unit):
    with pytest.raises(RemoteProtocolError):
        parse_sequence_parameter_set(bytes.fromhex(nal_unit))


@given(st.binary(max_size=80), st.integers(0, 40))
def test_only_the_documented_error_escapes_and_the_input_is_unchanged(tail, kept):
    for nal_unit in (bytes.fromhex(MAIN)[:kept] + tail, bytes.fromhex(FULL_444)[:kept] + tail):
        before = bytes(bytearray(nal_unit))
        try:
            found = parse_sequence_parameter_set(nal_unit)
            assert found.width > 0
            assert found.height > 0
        except RemoteProtocolError:
            pass
        parameter_set_key(nal_unit)
        assert nal_unit == before


def test_keys_are_type_and_identifier():
    assert [parameter_set_key(bytes.fromhex(s)) for s in (VPS, MAIN, PPS)] == [
        (32, 0),
        (33, 0),
        (34, 0),
    ]
    assert parameter_set_key(b"\x44\x01\x40") == (34, 1)


@pytest.mark.parametrize("nal_unit", ["", "42", "4201", "440100", "4401000000000000", "420101"])
def test_a_set_without_a_readable_identifier_has_no_key(nal_unit):
    assert parameter_set_key(bytes.fromhex(nal_unit)) is None


def test_a_set_of_an_enhancement_layer_has_no_key():
    assert parameter_set_key(b"\x44\x09\x80") is None


def fmtp(**sets):
    return {
        f"sprop-{name}": base64.b64encode(bytes.fromhex(value)).decode()
        for name, value in sets.items()
    }


def test_the_sdp_keeps_the_sets_in_three_parameters():
    found = parameter_sets_from_fmtp(fmtp(pps=PPS, sps=MAIN, vps=VPS))
    assert [unit.hex() for unit in found.nal_units] == [VPS, MAIN, PPS]
    assert found.deviations == ()


def test_a_missing_vps_is_noted_and_the_others_are_kept():
    found = parameter_sets_from_fmtp(fmtp(sps=MAIN, pps=PPS))
    assert [unit.hex() for unit in found.nal_units] == [MAIN, PPS]
    assert found.deviations == ("parameter-sets-incomplete",)


def test_no_sets_in_the_sdp_are_no_deviation():
    assert parameter_sets_from_fmtp({}).deviations == ()

"""Parameter sets: out of the SDP, and those in force."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.parameter_sets import (
    MAX_SET_SIZE,
    MAX_SETS,
    ParameterSetReader,
    ParameterSets,
    SdpParameterSets,
    VideoParameters,
    decode_parameter_sets,
)

SPS = bytes.fromhex("6742c00cd901419f9f011000000300100000030320f142a480")
PPS = bytes.fromhex("68cb83cb20")


def is_set(nal_unit):
    return nal_unit[0] & 0x9F in (7, 8)


def encode(nal_unit):
    return base64.b64encode(nal_unit).decode()


def decode(*values):
    return decode_parameter_sets(values, is_set)


def test_base64_is_read_without_a_deviation():
    found = decode(f"{encode(SPS)},{encode(PPS)}")
    assert found.nal_units == (SPS, PPS)
    assert found.deviations == ()


def test_hexadecimal_where_base64_is_expected_is_read():
    found = decode(f"{SPS.hex()},{PPS.hex().upper()}")
    assert found.nal_units == (SPS, PPS)
    assert found.deviations == ("parameter-sets-hexadecimal",)


def test_missing_padding_and_blanks_do_no_harm():
    found = decode(f" {encode(SPS[:-1]).rstrip('=')} , {encode(PPS).rstrip('=')} ")
    assert found.nal_units == (SPS[:-1], PPS)


def test_start_codes_and_zeros_around_a_set_are_cut_off():
    found = decode(encode(b"\0\0\0\1" + SPS + b"\0"), encode(PPS + b"\0\0\0\1"))
    assert found.nal_units == (SPS, PPS)
    assert found.deviations == ("parameter-sets-not-bare",)


def test_several_sets_in_one_value_are_told_apart():
    assert decode(encode(b"\0\0\0\1" + SPS + b"\0\0\0\1" + PPS)).nal_units == (SPS, PPS)


@pytest.mark.parametrize("text", ["!", "A", "Zm9v", "zz", "é", "QgEB", "68ce3c8"])
def test_what_cannot_be_read_is_left_out_and_the_rest_is_kept(text):
    found = decode(text, encode(PPS))
    assert found.nal_units == (PPS,)
    assert found.deviations == ("parameter-sets-undecodable",)


def test_an_empty_value_holds_nothing_and_is_no_deviation():
    assert decode("", " , ").nal_units == ()
    assert decode("", " , ").deviations == ()


def test_the_number_and_the_size_of_sets_are_bounded():
    found = decode(",".join([encode(PPS)] * (2 * MAX_SETS)))
    assert len(found.nal_units) == MAX_SETS
    assert found.deviations == ("parameter-sets-too-many",)
    assert decode("A" * (2 * MAX_SET_SIZE + 1)).deviations == ("parameter-sets-too-many",)


@given(st.lists(st.text(max_size=60) | st.binary(max_size=40).map(encode), max_size=5))
def test_no_text_raises_and_all_that_is_found_is_a_parameter_set(values):
    assert all(is_set(nal_unit) for nal_unit in decode(*values).nal_units)


# Two bytes each: kind and identifier, then the content.
def key(nal_unit):
    return (nal_unit[0], nal_unit[1]) if len(nal_unit) > 2 else None


def parse(nal_unit):
    if nal_unit[0] != 7:
        raise RemoteProtocolError("no SPS")
    return VideoParameters("x", nal_unit[2], nal_unit[2], 0, 0)


def sets_of(*nal_units):
    reader = ParameterSetReader(lambda fmtp: SdpParameterSets(), key, parse)
    return ParameterSets(reader, nal_units)


def test_a_set_replaces_the_one_with_its_kind_and_identifier():
    sets = sets_of(b"\x08\x00a", b"\x07\x00a")
    assert sets.nal_units == (b"\x07\x00a", b"\x08\x00a")
    assert sets.put(b"\x07\x00b") == (7, 0)
    assert sets.put(b"\x07\x01c") == (7, 1)
    assert sets.nal_units == (b"\x07\x00b", b"\x07\x01c", b"\x08\x00a")
    assert set(sets.keys()) == {(7, 0), (7, 1), (8, 0)}


def test_zeros_behind_a_set_make_no_other_set():
    sets = sets_of(b"\x07\x00a")
    sets.put(b"\x07\x00a\0\0")
    assert not sets.announce()


def test_a_set_that_cannot_be_read_is_not_kept():
    sets = sets_of(b"\x07\x00a")
    assert sets.put(b"\x07\x00") is None
    assert sets.nal_units == (b"\x07\x00a",)


def test_a_change_is_announced_once():
    sets = sets_of(b"\x07\x00a", b"\x08\x00a")
    assert not sets.announce()
    sets.put(b"\x07\x00b")
    assert sets.announce()
    assert not sets.announce()


def test_sets_that_come_where_none_were_known_are_no_change():
    sets = sets_of()
    sets.put(b"\x07\x00a")
    assert not sets.announce()
    sets.put(b"\x06\x00v")  # a kind that the SDP lacked
    assert not sets.announce()


def test_another_set_of_a_known_kind_is_a_change():
    sets = sets_of(b"\x08\x00a")
    sets.put(b"\x08\x01a")
    assert sets.announce()


def test_the_number_and_the_size_of_sets_in_force_are_bounded():
    sets = sets_of()
    for identifier in range(MAX_SETS + 10):
        sets.put(bytes((8, identifier, 1)))
    assert len(sets.nal_units) == MAX_SETS
    assert bytes((8, MAX_SETS + 9, 1)) in sets.nal_units
    assert sets.put(b"\x07\x00" + b"x" * MAX_SET_SIZE) is None


def test_the_picture_is_described_by_the_first_set_that_can_be_read():
    sets = sets_of(b"\x06\x00v", b"\x08\x00p")
    assert sets.parameters is None
    sets.put(b"\x07\x00\x05")
    assert sets.parameters.width == 5
    sets.put(b"\x07\x00\x06")
    assert sets.parameters.width == 6
    assert sets.parameters is sets.parameters

"""NAL units, their byte stream, and the reader of bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.nal import (
    BitReader,
    join_annex_b,
    remove_emulation_prevention,
    split_annex_b,
)

# What a NAL unit may be: no start code inside, no zero at the end.
NAL_UNITS = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda b: b"\0\0\1" not in b and b[-1] != 0),
    max_size=8,
)


@given(NAL_UNITS)
def test_what_is_joined_is_split_again(nal_units):
    assert split_annex_b(join_annex_b(nal_units)) == nal_units


@given(NAL_UNITS.filter(len), st.data())
def test_start_codes_of_three_bytes_and_zeros_between_units_are_read_too(nal_units, data):
    stream = b""
    for nal_unit in nal_units:
        stream += bytes(data.draw(st.integers(0, 3))) + b"\0\0\1" + nal_unit
    assert split_annex_b(stream + bytes(3)) == nal_units


def test_bytes_before_the_first_start_code_are_a_nal_unit():
    assert split_annex_b(b"\x67\x42\0\0\0\1\x68\xce") == [b"\x67\x42", b"\x68\xce"]


@pytest.mark.parametrize("stream", [b"", b"\0", b"\0\0\1", b"\0\0\0\1\0\0\1\0\0"])
def test_a_stream_of_start_codes_and_zeros_holds_no_nal_unit(stream):
    assert split_annex_b(stream) == []


def test_a_view_of_memory_is_split_and_left_unchanged():
    memory = bytearray(b"\0\0\1\x67\0\0\1\x68")
    assert split_annex_b(memoryview(memory)) == [b"\x67", b"\x68"]
    assert memory == b"\0\0\1\x67\0\0\1\x68"


@pytest.mark.parametrize(
    ("nal_unit", "rbsp"),
    [
        (b"\0\0\3\1", b"\0\0\1"),
        (b"\0\0\3\0\0\3", b"\0\0\0\0"),
        (b"\0\0\3\3", b"\0\0\3"),
        (b"\0\0\3\0\3", b"\0\0\0\3"),
        (b"\0\3\0\3", b"\0\3\0\3"),
    ],
)
def test_emulation_prevention_bytes_are_removed(nal_unit, rbsp):
    assert remove_emulation_prevention(nal_unit) == rbsp


@given(st.lists(st.sampled_from(b"\0\1\3\xff"), max_size=60).map(bytes))
def test_emulation_prevention_is_removed_as_the_standard_says_byte_by_byte(nal_unit):
    rbsp, zeros = bytearray(), 0
    for byte in nal_unit:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        zeros = zeros + 1 if byte == 0 else 0
        rbsp.append(byte)
    assert remove_emulation_prevention(nal_unit) == rbsp


def test_bits_are_read_most_significant_first():
    bits = BitReader(b"\xa5\x0f")
    assert (bits.flag(), bits.unsigned(3), bits.unsigned(8), bits.left) == (True, 2, 0x50, 4)
    bits.skip(4)
    assert bits.left == 0


@pytest.mark.parametrize(
    ("code", "unsigned", "signed"),
    [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00101", 4, -2)],
)
def test_exp_golomb_codes_are_read_by_the_table_of_the_standard(code, unsigned, signed):
    data = int(code.ljust(8, "0"), 2).to_bytes(1, "big")
    assert BitReader(data).exp_golomb() == unsigned
    assert BitReader(data).signed_exp_golomb() == signed


def test_the_longest_exp_golomb_code_is_read_and_a_longer_one_refused():
    longest = (1 << 32).to_bytes(9, "big")  # 7 bits, then 32 zeros, the 1 and 32 bits
    bits = BitReader(longest)
    bits.skip(7)
    assert bits.exp_golomb() == (1 << 32) - 1
    with pytest.raises(RemoteProtocolError, match="32 leading zeros"):
        BitReader(bytes(20)).exp_golomb()


@pytest.mark.parametrize("method", ["flag", "exp_golomb", "signed_exp_golomb"])
def test_reading_past_the_end_is_a_remote_protocol_error(method):
    with pytest.raises(RemoteProtocolError, match="left"):
        getattr(BitReader(b""), method)()


def test_a_number_past_its_bound_is_named():
    with pytest.raises(RemoteProtocolError, match="chroma_format_idc is 4, at most 3"):
        BitReader(b"\x28").bounded(3, "chroma_format_idc")

"""Binary format parameters: what is wrong with them, and that nothing is raised."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.format import PayloadFormat
from rtspkit.wire.sprop import decode_base64, decode_hexadecimal, examine_parameters

SPS, PPS = "Z0IAHvQCgC3I", "aM48gA=="
VPS5, SPS5, PPS5 = "QAEMAf//AWA=", "QgEBAWAAAAM=", "RAHgdrAmQA=="


def h264(text):
    return PayloadFormat(96, "H264", 90000, fmtp={"sprop-parameter-sets": text})


def h265(**sets):
    fmtp = {f"sprop-{name}": text for name, text in sets.items()}
    return PayloadFormat(96, "H265", 90000, fmtp=fmtp)


def aac(**fmtp):
    return PayloadFormat(96, "MPEG4-GENERIC", 48000, fmtp=fmtp)


def text_of(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("payload_format", "deviations"),
    [
        (h264(f"{SPS},{PPS}"), []),
        (h264(""), []),
        (h264(f"{SPS},"), []),
        (PayloadFormat(96, "H264", 90000), []),
        (h264("!!!"), ["parameter-set-malformed"]),
        (h264(VPS5), ["parameter-set-malformed"]),
        (h264("6742001ef40280"), ["parameter-set-hexadecimal"]),
        (h264(text_of(b"\0\0\0\x01\x67\x42\x1e")), ["parameter-set-start-code"]),
        (h264(text_of(b"\0\0\x01\x67\x42\x1e")), ["parameter-set-start-code"]),
        (h264(text_of(b"\x67\x42\x1e\0")), ["parameter-set-trailing-bytes"]),
        (h264(text_of(b"\x67\x42\x1e\0\0\0\x01")), ["parameter-set-trailing-bytes"]),
        (h265(vps=VPS5, sps=SPS5, pps=PPS5), []),
        (h265(sps=SPS5, pps=PPS5), ["vps-missing"]),
        (h265(vps=SPS5, sps=SPS5), ["parameter-set-malformed"]),
        (PayloadFormat(96, "H265", 90000), []),
        (aac(config="1190"), []),
        (aac(), ["config-missing"]),
        (aac(config=""), ["config-missing"]),
        (aac(config="EZA="), ["config-base64"]),
        (aac(config="119"), ["config-base64"]),
        (aac(config="1_90"), ["config-malformed"]),
        (PayloadFormat(96, "MP4A-LATM", 48000), []),
        (PayloadFormat(96, "opus", 48000, fmtp={"config": "?"}), []),
    ],
)
def test_what_is_wrong_with_a_parameter_is_named(payload_format, deviations):
    assert examine_parameters(payload_format) == deviations


def test_base64_is_read_with_and_without_padding():
    assert decode_base64("aM48gA==") == decode_base64(" aM48gA ") == b"\x68\xce\x3c\x80"
    assert decode_base64("a") is None
    assert decode_base64("aM-8") is None
    assert decode_base64("aé") is None


def test_hexadecimal_takes_pairs_of_digits_only():
    assert decode_hexadecimal("11 90".replace(" ", "")) == b"\x11\x90"
    for text in ("", "1", "1 1", "0x11", "11 90", "٣٣"):
        assert decode_hexadecimal(text) is None


@given(st.binary(min_size=1))
def test_what_was_encoded_is_decoded(data):
    assert decode_base64(text_of(data)) == data
    assert decode_hexadecimal(data.hex()) == data


@given(
    st.sampled_from(["H264", "H265", "MPEG4-GENERIC", "MP4A-LATM", "x"]),
    st.dictionaries(
        st.sampled_from(
            ["sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps", "config", "mode"]
        ),
        st.text(),
    ),
)
def test_any_parameters_give_ids_and_nothing_is_raised(name, fmtp):
    found = examine_parameters(PayloadFormat(96, name, 90000, fmtp=fmtp))
    assert all(isinstance(one, str) for one in found)

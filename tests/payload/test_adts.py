"""ADTS: headers that read back, streams taken apart, and nothing but the documented errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.payload.adts import adts_header, split_adts, strip_adts
from rtspkit.payload.mpeg4_audio import SAMPLE_RATES, AudioSpecificConfig

CONFIG = AudioSpecificConfig(2, 48_000, 2, 2)


def test_a_header_as_encoders_write_it():
    assert adts_header(CONFIG, 93).hex() == "fff14c800c9ffc"


@given(
    st.integers(1, 4),
    st.sampled_from(SAMPLE_RATES),
    st.sampled_from([(1, 1), (2, 2), (8, 7)]),
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5),
)
def test_frames_behind_headers_come_apart_again(object_type, rate, channels, frames):
    config = AudioSpecificConfig(object_type, rate, *channels)
    stream = b"".join(adts_header(config, len(frame)) + frame for frame in frames)
    assert split_adts(stream) == (config, frames)


def test_a_frame_with_a_checksum_loses_it_with_its_header():
    header = bytearray(adts_header(CONFIG, 2 + 3))
    header[1] &= 0xFE  # protection_absent
    assert strip_adts(bytes(header) + b"\xcc\xccraw") == b"raw"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\xf1",
        adts_header(CONFIG, 0),
        adts_header(CONFIG, 4) + b"raw",
        adts_header(CONFIG, 2) + b"raw",
        b"\xff\xe1" + adts_header(CONFIG, 3)[2:] + b"raw",
        b"\x21" + adts_header(CONFIG, 3)[1:] + b"raw",
    ],
)
def test_what_is_no_whole_adts_frame_is_left_alone(frame):
    assert strip_adts(frame) is None


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (CONFIG, (1 << 13) - 7),
        (CONFIG, -1),
        (AudioSpecificConfig(5, 48_000, 2, 2), 1),
        (AudioSpecificConfig(2, 47_999, 2, 2), 1),
        (AudioSpecificConfig(2, 48_000, 7, 11), 1),
    ],
)
def test_what_a_header_cannot_tell_is_refused(config, size):
    with pytest.raises(LocalProtocolError):
        adts_header(config, size)


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_come_apart_or_give_the_documented_error(data, valid_start):
    stream = (adts_header(CONFIG, 3) + b"raw" if valid_start else b"") + data
    try:
        _, frames = split_adts(stream)
    except RemoteProtocolError:
        assert not valid_start or data
    else:
        assert sum(len(frame) + 7 for frame in frames) <= len(stream)


def test_a_reserved_sample_rate_is_refused():
    header = bytearray(adts_header(CONFIG, 3))
    header[2] |= 0x3C
    with pytest.raises(RemoteProtocolError, match="15"):
        split_adts(bytes(header) + b"raw")

"""AudioSpecificConfig: what it says, what it cannot be, and that it round-trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.payload.mpeg4_audio import (
    PLAIN_AAC,
    SAMPLE_RATES,
    AudioSpecificConfig,
    decode_config,
    make_config,
    parse_audio_specific_config,
    read_bits,
    serialize_audio_specific_config,
)


def bits(*fields):
    """Bytes of (value, width) fields, padded with zeros."""
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("1190", AudioSpecificConfig(2, 48_000, 2, 2)),
        ("1210", AudioSpecificConfig(2, 44_100, 2, 2)),
        ("1188", AudioSpecificConfig(2, 48_000, 1, 1)),
        ("1408", AudioSpecificConfig(2, 16_000, 1, 1)),
        ("11b8", AudioSpecificConfig(2, 48_000, 8, 7)),
        ("118c", AudioSpecificConfig(2, 48_000, 1, 1, 960)),
        ("eb098800", AudioSpecificConfig(2, 24_000, 1, 1, 1024, 29, 48_000)),
        ("139056e5a0", AudioSpecificConfig(2, 22_050, 2, 2, 1024, 5, 44_100)),
        ("139056e520", AudioSpecificConfig(2, 22_050, 2, 2)),
        ("131056e598", AudioSpecificConfig(2, 24_000, 2, 2, 1024, 5, 48_000)),
    ],
)
def test_known_configs(data, expected):
    assert parse_audio_specific_config(bytes.fromhex(data)) == expected


def test_a_sample_rate_without_index_is_read():
    data = bits((2, 5), (15, 4), (44_056, 24), (2, 4), (0, 3))
    assert parse_audio_specific_config(data) == AudioSpecificConfig(2, 44_056, 2, 2)


@pytest.mark.parametrize(("flag", "frame_length"), [(0, 512), (1, 480)])
def test_low_delay_frames_are_shorter(flag, frame_length):
    low_delay = bits((23, 5), (3, 4), (1, 4), (flag, 1), (0, 2))
    enhanced = bits((31, 5), (39 - 32, 6), (3, 4), (1, 4), (flag, 1))
    assert parse_audio_specific_config(low_delay).frame_length == frame_length
    assert parse_audio_specific_config(enhanced).frame_length == frame_length
    assert parse_audio_specific_config(enhanced).object_type == 39


def test_channels_are_counted_in_a_program_config_element():
    header = [(2, 5), (4, 4), (0, 4), (0, 1), (1, 1), (99, 14), (0, 1)]
    element = [(0, 4), (1, 2), (4, 4), (2, 4), (0, 4), (1, 4), (1, 2), (0, 3), (0, 4)]
    mixdown = [(0, 1), (1, 1), (3, 4), (0, 1)]
    channels = [(0, 1), (0, 4), (1, 1), (1, 4), (1, 1), (2, 4), (0, 4)]  # centre, pair, pair, LFE
    config = parse_audio_specific_config(bits(*header, *element, *mixdown, *channels))
    assert (config.channels, config.channel_configuration) == (6, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x11",
        bits((2, 5), (13, 4), (2, 4), (0, 3)),  # no such sample rate
        bits((2, 5), (15, 4), (0, 24), (2, 4), (0, 3)),  # none at all
        bits((2, 5), (3, 4), (8, 4), (0, 3)),  # reserved channels
        bits((2, 5), (3, 4), (0, 4), (0, 3)),  # program_config_element missing
    ],
)
def test_what_is_no_config_is_refused(data):
    with pytest.raises(RemoteProtocolError):
        parse_audio_specific_config(data)


@given(st.binary(max_size=24))
def test_any_bytes_give_a_config_or_the_documented_error(data):
    before = bytes(data)
    try:
        config = parse_audio_specific_config(data)
    except RemoteProtocolError:
        pass
    else:
        assert config.sample_rate > 0
        assert config.frame_length in (1024, 960, 512, 480)
        try:
            written = serialize_audio_specific_config(config)
        except LocalProtocolError:
            assert config.object_type not in PLAIN_AAC or config.channel_configuration == 0
        else:
            assert parse_audio_specific_config(written) == config
    assert data == before


@given(
    st.sampled_from(sorted(PLAIN_AAC)),
    st.one_of(st.sampled_from(SAMPLE_RATES), st.integers(1, (1 << 24) - 1)),
    st.sampled_from([(1, 1), (2, 2), (6, 6), (8, 7), (7, 11), (8, 12)]),
    st.sampled_from([1024, 960]),
    st.one_of(st.just((None, None)), st.tuples(st.sampled_from([5, 29]), st.integers(1, 96_000))),
)
def test_what_is_written_reads_back(object_type, sample_rate, channels, frame_length, extension):
    config = AudioSpecificConfig(object_type, sample_rate, *channels, frame_length, *extension)
    assert parse_audio_specific_config(serialize_audio_specific_config(config)) == config


@pytest.mark.parametrize(
    "config",
    [
        AudioSpecificConfig(23, 48_000, 1, 1, 512),
        AudioSpecificConfig(2, 48_000, 6, 0),
        AudioSpecificConfig(2, 48_000, 1, 1, 512),
        AudioSpecificConfig(2, 0, 1, 1),
        AudioSpecificConfig(2, 1 << 24, 1, 1),
        AudioSpecificConfig(2, 24_000, 1, 1, 1024, 5, None),
        AudioSpecificConfig(2, 24_000, 1, 1, 1024, 32, 48_000),
    ],
)
def test_what_cannot_be_written_is_refused(config):
    with pytest.raises(LocalProtocolError):
        serialize_audio_specific_config(config)


def test_bits_are_read_anywhere():
    data = bytes.fromhex("0f3c55")
    assert read_bits(data, 4, 4) == 0xF
    assert read_bits(data, 6, 9) == 0b110011110
    assert read_bits(memoryview(data), 0, 24) == 0x0F3C55
    assert read_bits(data, 24, 0) == 0


@pytest.mark.parametrize("text", ["1190", " 1190 ", '"1190"', "EZA=", "EZA"])
def test_the_config_of_an_sdp_is_hexadecimal_or_wrongly_base64(text):
    assert decode_config(text) == (b"\x11\x90", AudioSpecificConfig(2, 48_000, 2, 2))


@pytest.mark.parametrize("text", ["", "119", "????", "ffff", "1190" * 5_000, "١١٩٠"])
def test_a_config_that_says_nothing_is_none(text):
    assert decode_config(text) is None


@given(st.text(max_size=40))
def test_any_text_of_a_config_is_survived(text):
    found = decode_config(text)
    assert found is None or parse_audio_specific_config(found[0]) == found[1]


def test_a_config_is_made_where_devices_send_none():
    assert make_config(16_000, 1) == (b"\x14\x08", AudioSpecificConfig(2, 16_000, 1, 1))
    assert make_config(48_000, 8) == (b"\x11\xb8", AudioSpecificConfig(2, 48_000, 8, 7))


@pytest.mark.parametrize(("rate", "channels"), [(90_000, 1), (0, 1), (48_000, 7), (48_000, 0)])
def test_no_config_is_made_of_numbers_without_an_index(rate, channels):
    assert make_config(rate, channels) is None

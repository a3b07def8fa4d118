"""rtpmap, fmtp and the static payload types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.format import (
    PayloadFormat,
    canonical_encoding_name,
    default_clock_rate,
    first_word,
    is_static,
    parse_fmtp_parameters,
    parse_payload_format,
)


@pytest.mark.parametrize(
    ("spelt", "canonical"),
    [
        ("h264", "H264"),
        ("h265", "H265"),
        ("mpeg4-generic", "MPEG4-GENERIC"),
        ("pcmu", "PCMU"),
        ("Pcma", "PCMA"),
        ("l16", "L16"),
        ("OPUS", "opus"),
        ("jpeg", "JPEG"),
        ("vp8", "VP8"),
        ("av1", "AV1"),
        ("mp2t", "MP2T"),
        ("g722", "G722"),
        ("VND.ONVIF.METADATA", "vnd.onvif.metadata"),
        ("SMPTE336M", "smpte336m"),
        ("X-vendor-Thing", "X-vendor-Thing"),
        ("", ""),
    ],
)
def test_known_encoding_names_come_out_in_their_registered_spelling(spelt, canonical):
    assert canonical_encoding_name(spelt) == canonical


@pytest.mark.parametrize(
    ("payload_type", "name", "clock_rate", "channels"),
    [
        ("0", "PCMU", 8000, 1),
        ("8", "PCMA", 8000, 1),
        ("9", "G722", 8000, 1),
        ("10", "L16", 44100, 2),
        ("11", "L16", 44100, 1),
        ("14", "MPA", 90000, None),
        ("26", "JPEG", 90000, None),
        ("32", "MPV", 90000, None),
        ("33", "MP2T", 90000, None),
    ],
)
def test_a_static_payload_type_needs_no_rtpmap(payload_type, name, clock_rate, channels):
    found, deviations = parse_payload_format("audio", payload_type, None, None)
    assert found == PayloadFormat(int(payload_type), name, clock_rate, channels)
    assert deviations == []
    assert is_static(found)


def test_an_rtpmap_wins_over_the_static_table():
    found, _ = parse_payload_format("audio", "0", "PCMA/16000/2", None)
    assert found == PayloadFormat(0, "PCMA", 16000, 2, from_rtpmap=True)
    assert not is_static(found)


def test_channels_are_none_when_the_rtpmap_gives_none():
    assert parse_payload_format("audio", "0", "PCMU/8000", None)[0].channels is None


@pytest.mark.parametrize(
    "rtpmap",
    ["H264/90000 ", "H264 /90000", "H264/ 90000", "H264 / 90000", "H264 90000", "H264\t/90000"],
)
def test_blanks_in_an_rtpmap_are_put_up_with_and_reported(rtpmap):
    found, deviations = parse_payload_format("video", "96", rtpmap, None)
    assert found == PayloadFormat(96, "H264", 90000, from_rtpmap=True)
    assert deviations == ["rtpmap-blanks"]


@pytest.mark.parametrize(
    ("media", "payload_type", "rtpmap", "clock_rate", "deviation"),
    [
        ("video", "96", None, 90000, "rtpmap-missing"),
        ("audio", "96", None, 8000, "rtpmap-missing"),
        ("application", "96", None, 90000, "rtpmap-missing"),
        ("application", "96", "custom", 90000, "clock-rate-missing"),
        ("audio", "96", "custom/fast", 8000, "clock-rate-malformed"),
        ("audio", "96", "OPUS", 48000, "clock-rate-missing"),
        ("audio", "10", "L16", 44100, "clock-rate-missing"),
        ("video", "96", "META/0", 0, "clock-rate-zero"),
        ("audio", "96", "L16/8000/x", 8000, "channels-malformed"),
        ("audio", "96", "L16/8000/0", 8000, "channels-malformed"),
        ("video", "smart/1", None, 90000, "payload-type-malformed"),
    ],
)
def test_what_is_missing_is_filled_in_and_reported(
    media, payload_type, rtpmap, clock_rate, deviation
):
    found, deviations = parse_payload_format(media, payload_type, rtpmap, None)
    assert found.clock_rate == clock_rate
    assert deviations == [deviation]


def test_the_default_clock_rate_depends_on_the_media():
    assert default_clock_rate("Audio") == 8000
    assert default_clock_rate("video") == 90000
    assert default_clock_rate("audio", "opus") == 48000


def test_fmtp_names_are_lower_case_and_values_as_sent():
    text = " Mode=AAC-hbr; SizeLength=13 ;config=1190;"
    assert parse_fmtp_parameters(text) == (
        {"mode": "AAC-hbr", "sizelength": "13", "config": "1190"},
        [],
    )


def test_fmtp_values_keep_their_equals_signs_and_a_name_alone_has_an_empty_value():
    text = "sprop-parameter-sets=Z0I=,aM4=; x; 0-15"
    assert parse_fmtp_parameters(text)[0] == {
        "sprop-parameter-sets": "Z0I=,aM4=",
        "x": "",
        "0-15": "",
    }


def test_of_a_repeated_fmtp_parameter_the_first_counts():
    found = parse_fmtp_parameters("a=1;A=2;=3")
    assert found == ({"a": "1"}, ["fmtp-parameter-repeated", "fmtp-malformed"])


def test_fmtp_parameters_parted_by_blanks_are_told_apart():
    found = parse_fmtp_parameters("DecoderTag=h3c-v3 RTCP=0")
    assert found == ({"decodertag": "h3c-v3", "rtcp": "0"}, ["fmtp-blank-separated"])
    assert parse_fmtp_parameters("a=b c")[0] == {"a": "b c"}


@pytest.mark.parametrize(
    ("value", "word"), [("96 H264/90000", "96"), ("\t96\tx", "96"), ("", ""), (None, ""), (" ", "")]
)
def test_the_first_word_is_the_payload_type(value, word):
    assert first_word(value) == word


@given(st.sampled_from(["audio", "video", ""]), st.text(), st.none() | st.text(), st.text())
def test_any_text_gives_a_format_with_a_usable_range(media, text, rtpmap, fmtp):
    found, deviations = parse_payload_format(media, text, rtpmap, fmtp)
    assert found.payload_type is None or 0 <= found.payload_type <= 127
    assert 0 <= found.clock_rate < 2**32
    assert found.channels is None or 1 <= found.channels <= 255
    assert found.clock_rate > 0 or "clock-rate-zero" in deviations
    assert all(name == name.lower() for name in found.fmtp)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9+/=,.-]{0,12}", fullmatch=True),
    )
)
def test_parameters_written_by_the_rfc_are_read_back(parameters):
    text = "; ".join(f"{name}={value}" for name, value in parameters.items())
    assert parse_fmtp_parameters(text) == (parameters, [])

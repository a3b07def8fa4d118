"""Encoding names, and what stands behind them."""

import pytest

import rtspkit.payload
from rtspkit.errors import UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.payload.aac import AacDepacketizer, AacPacketizer
from rtspkit.payload.base import AccessUnit
from rtspkit.payload.pcm import L16Depacketizer, L16Packetizer
from rtspkit.payload.registry import depacketizer, packetizer, supported

NAMES = {"H264", "H265", "MPEG4-GENERIC", "PCMU", "PCMA", "L8", "L16", "L24"}


def test_these_encodings_are_supported():
    assert supported() == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_has_both_ways_and_they_bear_its_name(name):
    assert depacketizer(name, 90_000).encoding_name == name
    assert packetizer(name, payload_type=96, ssrc=1).encoding_name == name


@pytest.mark.parametrize(
    "name", ["mpeg4-generic", "MPEG4-GENERIC", "Mpeg4-Generic", " mpeg4-generic "]
)
def test_names_are_taken_in_any_case(name):
    assert type(depacketizer(name, 48_000)) is AacDepacketizer
    assert type(packetizer(name, payload_type=96, ssrc=1)) is AacPacketizer


@pytest.mark.parametrize(
    "fmtp",
    [
        "mode=AAC-hbr; Config=1190;SizeLength=13",
        "97 mode=AAC-hbr; config=1190;sizelength=13",
        {"mode": "AAC-hbr", "Config": "1190", "SizeLength": "13"},
    ],
)
def test_format_parameters_are_text_or_a_mapping(fmtp):
    reader = depacketizer("mpeg4-generic", 48_000, fmtp, 2)
    assert reader.parameter_sets == (b"\x11\x90",)
    assert reader.fmtp == {"mode": "AAC-hbr", "config": "1190", "sizelength": "13"}
    assert (reader.clock_rate, reader.channels) == (48_000, 2)


def test_limits_are_handed_on_and_have_defaults():
    limits = Limits(audio_access_unit=5)
    assert depacketizer("PCMU", 8000, limits=limits).limits is limits
    assert depacketizer("PCMU", 8000).limits == Limits()


def test_keywords_are_handed_on():
    writer = packetizer("l16", payload_type=96, ssrc=9, sequence_number=3, channels=2)
    assert type(writer) is L16Packetizer
    assert (writer.payload_type, writer.ssrc, writer.sequence_number) == (96, 9, 3)
    assert type(depacketizer("l16", 44_100, None, 2)) is L16Depacketizer
    with pytest.raises(TypeError):
        packetizer("l16", payload_type=96, ssrc=9, colour="red")


@pytest.mark.parametrize("name", ["", "vnd.onvif.metadata", "H264-SVC", "G726-32"])
def test_an_encoding_that_is_unknown_is_told_by_name(name):
    with pytest.raises(UnsupportedPayload) as caught:
        depacketizer(name, 90_000)
    assert caught.value.encoding_name == name
    with pytest.raises(UnsupportedPayload):
        packetizer(name, payload_type=96, ssrc=1)


def test_the_package_gives_the_three_names_of_the_contract():
    assert rtspkit.payload.depacketizer is depacketizer
    assert rtspkit.payload.packetizer is packetizer
    assert rtspkit.payload.AccessUnit is AccessUnit
    assert sorted(rtspkit.payload.__all__) == ["AccessUnit", "depacketizer", "packetizer"]

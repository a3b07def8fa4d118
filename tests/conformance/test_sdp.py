"""Session descriptions of real devices: the shared vectors, each case one test."""

import pytest
from rtspkit_vectors import cases, load, path, read

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.sdp import parse_sdp, serialize_sdp
from rtspkit.wire.stream import streams_from
from rtspkit.wire.url import join_control

# What the source repairs or invents, and a reader of the text does not have.
ADDED_BY_THE_SOURCE = {
    "streamtype",  # RFC 3640 wants it; the source writes it always
    "indexlength",
    "sprop-maxcapturerate",
    "object",
    "profile-level-id",  # 30 is RFC 6416's default, written out
}
# The source decodes H.265 parameter sets and writes them again without their start codes.
REWRITTEN_BY_THE_SOURCE = {"sprop-vps", "sprop-sps", "sprop-pps"}


def expected_format(entry):
    return (
        entry["payload_type"],
        entry.get("encoding_name", ""),
        entry.get("fmtp") or "",
        entry.get("from_rtpmap", False),
    )


def check_media(media, expect):
    assert media.media == expect["media"]
    assert media.port == expect["port"]
    assert media.protocol == expect["proto"]
    assert list(media.formats) == expect["formats"]
    assert media.control == expect["control"]
    assert media.direction == expect["direction"]
    assert [f"{name}:{value}" for name, value in media.bandwidth.items()] == expect["bandwidth"]
    assert [list(attribute) for attribute in media.attributes] == expect["attributes"]
    assert [
        (f.payload_type, f.encoding_name.lower(), f.fmtp_raw, f.from_rtpmap)
        for f in media.payload_formats
    ] == [expected_format(entry) for entry in expect["payload_formats"]]
    for found, entry in zip(media.payload_formats, expect["payload_formats"], strict=True):
        assert found.channels == entry.get("channels")
        if "clock_rate" in entry:
            assert found.clock_rate == entry["clock_rate"]


@pytest.mark.parametrize("case", cases("sdp/index.json", "files", label="file"))
def test_a_description_of_a_real_device_is_read(case):
    expect = case["expect"]
    description = parse_sdp(read(f"sdp/{case['file']}"))

    assert (description.session_name or None) == (expect["session_name"] or None)
    assert description.information == expect["information"]
    assert description.control == expect["session_control"]
    assert [list(times) for times in description.timing] == expect["timing"]
    assert [list(pair) for pair in description.attributes] == expect["session_attributes"]
    assert len(description.media) == expect["media_count"]
    for media, entry in zip(description.media, expect["media"], strict=True):
        check_media(media, entry)


@pytest.mark.parametrize("case", cases("sdp/index.json", "files", label="file"))
def test_a_damaged_origin_comes_out_as_the_source_repairs_it(case):
    expect = case["expect"]["origin"]
    origin = parse_sdp(read(f"sdp/{case['file']}")).origin
    if expect is None:
        assert origin is None
        return
    assert origin is not None
    assert {name: getattr(origin, name) for name in expect} == expect


@pytest.mark.parametrize("case", cases("sdp/index.json", "files", label="file"))
def test_deviations_are_reported_exactly_where_there_are_some(case):
    description = parse_sdp(read(f"sdp/{case['file']}"))
    assert bool(description.deviations) is not case["strict"]


@pytest.mark.parametrize("case", cases("sdp/index.json", "files", label="file"))
def test_a_description_of_a_real_device_survives_writing_and_reading(case):
    description = parse_sdp(read(f"sdp/{case['file']}"))
    again = parse_sdp(serialize_sdp(description))
    assert again.media == description.media
    assert again.attributes == description.attributes
    assert parse_sdp(serialize_sdp(again)) == again


@pytest.mark.parametrize("case", cases("sdp/index.json", "files", label="file"))
def test_every_media_becomes_a_stream_and_the_receivable_ones_are_no_back_channels(case):
    streams = streams_from(parse_sdp(read(f"sdp/{case['file']}")), "rtsp://192.0.2.1/live")
    assert len(streams) == case["expect"]["media_count"]
    for stream, entry in zip(streams, case["expect"]["media"], strict=True):
        assert stream.clock_rate > 0
        assert stream.control_url.startswith("rtsp://")
        if "receivable" in entry:
            assert stream.back_channel is not entry["receivable"]


def described():
    """The files that hold a description; the folder has other responses too."""
    found = cases("rtsp/index.json", "files", label="file")
    return [p for p in found if p.values[0] is None or "streams" in p.values[0]["expect"]]


@pytest.mark.parametrize("case", described())
def test_the_streams_of_a_real_device_have_the_control_urls_that_it_expects(case):
    expect = case["expect"]
    data = read(f"rtsp/{case['file']}")
    body = data if case["kind"] == "sdp" else data.partition(b"\r\n\r\n")[2]
    description = parse_sdp(body)
    base = expect["base_url"]

    assert description.session_name == expect["session_name"]
    assert description.control == expect["session_control"]
    assert description.range == expect["session_range"]
    assert join_control(base, description.control) == expect["presentation_url"]
    streams = streams_from(description, base)
    assert len(streams) == expect["media_count"]
    for entry in expect["streams"]:
        stream, media = streams[entry["index"]], description.media[entry["index"]]
        assert stream.media == entry["media"]
        assert media.protocol == entry["proto"]
        assert stream.payload_type == entry["payload_type"]
        assert stream.encoding_name.lower() == entry["encoding_name"]
        assert stream.clock_rate == entry["clock_rate"]
        assert stream.channels == entry["channels"]
        assert media.control == entry["control"]
        assert stream.control_url == entry["control_url"]
        assert (media.payload_formats[0].fmtp_raw or None) == entry["fmtp"]
        assert stream.framerate == entry["framerate"]
        assert stream.direction == entry["direction"]
        assert stream.fmtp.get("config") == entry.get("config")
    for entry in expect["unusable_media"]:
        stream = streams[entry["index"]]
        assert (stream.media, stream.payload_type) == (entry["media"], None)


@pytest.mark.parametrize("case", cases("sdp/formats.json"))
def test_a_format_comes_out_as_its_rtpmap_and_fmtp_say(case):
    expect = case["expect"]
    (media,) = parse_sdp(case["sdp"]).media
    (found,) = media.payload_formats
    assert found.payload_type == expect["payload_type"]
    name, _, numbers = expect["rtpmap"].partition("/")
    if name:
        assert found.encoding_name.lower() == name.lower()
    clock_rate, _, _ = numbers.partition("/")
    if clock_rate:
        assert found.clock_rate == int(clock_rate)
    parameters = expect["parameters"]
    if "SampleRate" in parameters:
        assert found.clock_rate == parameters["SampleRate"]
    if "ChannelCount" in parameters and found.channels is not None:
        assert found.channels == parameters["ChannelCount"]
    for key, value in (expect["fmtp"] or {}).items():
        if key.lower() in REWRITTEN_BY_THE_SOURCE:
            assert found.fmtp[key.lower()]
        elif key.lower() in found.fmtp:
            assert found.fmtp[key.lower()].lower() == value.lower()
        else:
            assert key.lower() in ADDED_BY_THE_SOURCE


def seeds():
    found = [
        argument["file"]
        for seed in load("seeds/index.json").get("seeds", [])
        if seed["group"].startswith("sdpunmarshaler_")
        for argument in seed["args"]
    ]
    if not found:
        reason = "test vectors not present: seeds/index.json"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(name, id=name.rpartition("/")[2][:16]) for name in found]


@pytest.mark.parametrize("name", seeds())
def test_a_seed_gives_a_description_or_the_documented_error(name):
    data = read(f"seeds/{name}")
    try:
        description = parse_sdp(data)
    except RemoteProtocolError:
        assert not any(line[:2] in (b"v=", b"o=", b"s=", b"m=") for line in data.splitlines())
    else:
        assert streams_from(description, "rtsp://192.0.2.1/") is not None


def test_all_files_of_the_folder_are_listed_in_its_index():
    folder = path("sdp")
    if folder is None:
        pytest.skip("test vectors not present: sdp")
    listed = {entry["file"] for entry in load("sdp/index.json")["files"]}
    assert {file.name for file in folder.glob("*.sdp")} == listed

"""H.264 and H.265 payloads and parameter sets: the shared vectors, each case one test."""

import pytest
from rtspkit_vectors import cases, read

from rtspkit.payload import depacketizer
from rtspkit.payload.nal import split_annex_b
from rtspkit.wire.rtp import parse_rtp, serialize_rtp
from rtspkit.wire.sdp import parse_sdp

H264 = cases("payload/h264.json")
H265 = cases("payload/h265.json")
FILES = ["aiortc_h264_0000.bin", "aiortc_h264_0001.bin", "aiortc_h264_0002.bin"]
FILES += ["aiortc_h264_0003.bin"]
STREAMS = [
    pytest.param(stream, id=f"{case.id}-{stream['index']}")
    for case in cases("rtsp/index.json", "files", label="file")
    if case.values[0] is not None
    for stream in case.values[0]["expect"].get("streams", ())
    if stream["encoding_name"] in ("h264", "h265")
] or [pytest.param(None, marks=pytest.mark.skip("test vectors not present: rtsp/index.json"))]
FORMATS = [
    case
    for case in cases("sdp/formats.json")
    if case.values[0] is None or case.values[0]["name"].startswith("video h26")
]
SEEDS = [
    case
    for case in cases("seeds/index.json", "seeds")
    if case.values[0] is None
    or case.values[0]["group"]
    in (
        "format_rtph264_FuzzDecoder",
        "format_rtph265_FuzzDecoder",
        "format_FuzzH264PTSEqualsDTS",
        "format_FuzzH265PTSEqualsDTS",
    )
]

# Cases that we read otherwise than their source, and why.
REFUSED = {
    "single NAL unit": "the forbidden bit is set; the vector's notes allow to refuse that",
}
# QUIRKS: devices send it, and the vector calls it lenient. The NAL unit that we take from it.
TAKEN = {"fragment: start and end both set": ["2601616263"]}


def payloads_of(case):
    for packet in case["packets"]:
        yield bytes.fromhex(packet["payload"])


def units_of(encoding_name, payloads, fmtp=None, *, step=None):
    """The NAL units that come out, and the depacketizer."""
    reader = depacketizer(encoding_name, 90_000, fmtp)
    payloads = list(payloads)
    units = []
    for index, payload in enumerate(payloads):
        packet = serialize_rtp(
            payload,
            payload_type=96,
            sequence_number=index,
            timestamp=0,
            ssrc=1,
            marker=index == len(payloads) - 1,
        )
        units += reader.push(parse_rtp(packet))
    units += reader.flush()
    return [nal for unit in units for nal in split_annex_b(unit.data)], reader


def check(encoding_name, case):
    fmtp = {"sprop-max-don-diff": "1"} if case.get("params", {}).get("donl") else {}
    found, reader = units_of(encoding_name, payloads_of(case), fmtp)
    counters = reader.counters
    name = case["name"]
    if (case["valid"] and name not in REFUSED) or name in TAKEN:
        wanted = TAKEN.get(name) or case["expect"]["nal_units"]
        assert [nal_unit.hex() for nal_unit in found] == wanted
        assert counters.malformed == 0
        return
    assert found == []
    assert counters.malformed or counters.dropped_units


@pytest.mark.parametrize("case", H264)
def test_h264_payloads_give_the_stated_nal_units(case):
    check("H264", case)


@pytest.mark.parametrize("case", H265)
def test_h265_payloads_give_the_stated_nal_units(case):
    check("H265", case)


@pytest.mark.parametrize("name", FILES)
def test_h264_payload_files_are_read(name):
    found, reader = units_of("H264", [read(f"payload/{name}")])
    assert reader.counters.malformed == 0
    if name in FILES[1:3]:  # half of a fragmented NAL unit
        assert found == []
        assert reader.counters.dropped_units == 1
    else:
        assert [nal[0] & 0x1F for nal in found] == ([7, 8] if name == FILES[0] else [1])


def test_the_two_halves_of_a_fragmented_nal_unit_are_one():
    halves = [read(f"payload/{name}") for name in FILES[1:3]]
    (nal_unit,), _ = units_of("H264", halves)
    assert nal_unit == b"\x65" + halves[0][2:] + halves[1][2:].rstrip(b"\0")


@pytest.mark.parametrize("stream", STREAMS)
def test_parameter_sets_in_the_sdp_of_a_real_device_are_read(stream):
    reader = depacketizer(stream["encoding_name"], stream["clock_rate"], stream["fmtp"])
    sets = [stream[name] for name in ("vps", "sps", "pps") if name in stream]
    assert [nal_unit.hex() for nal_unit in reader.parameter_sets] == sets
    assert "parameter-sets-undecodable" not in reader.deviations
    parameters = reader.parameters
    assert (parameters is not None) == bool(sets)
    for name, value in stream.get("video", {}).items():
        assert getattr(parameters, name) == value


@pytest.mark.parametrize("case", FORMATS)
def test_parameter_sets_in_an_sdp_are_those_that_the_source_gets(case):
    (media,) = parse_sdp(case["sdp"]).media
    (payload_format,) = media.payload_formats
    reader = depacketizer(
        payload_format.encoding_name, payload_format.clock_rate, payload_format.fmtp
    )
    wanted = case["expect"]["parameters"]
    sets = [wanted[name] for name in ("VPS", "SPS", "PPS") if wanted.get(name)]
    assert [nal_unit.hex() for nal_unit in reader.parameter_sets] == sets


@pytest.mark.parametrize("case", SEEDS)
def test_seeds_give_units_or_counts_and_nothing_else(case):
    data = read(f"seeds/{case['args'][0]['file']}")
    # The seed itself, and what is behind its length and RTP header if it has those.
    payloads = [data, data[4:], data[16:]]
    for encoding_name in ("H264", "H265"):
        for sent in (payloads, *([payload] for payload in payloads)):
            found, _ = units_of(encoding_name, sent)
            assert all(found)
        pieces = [data[: size + 1] for size in range(len(data))]
        assert sum(map(len, units_of(encoding_name, pieces)[0])) <= sum(map(len, pieces))

"""The embedded clip: what it holds, that it can be repeated, and that it decodes."""

import math
from importlib.resources import files
from itertools import pairwise

import pytest

from rtspkit.payload.adts import adts_header
from rtspkit.payload.mpeg4_audio import parse_audio_specific_config
from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.payload.registry import depacketizer, packetizer
from rtspkit.testing.clip import Clip, load_clip
from rtspkit.wire.rtp import parse_rtp

SPS = bytes.fromhex("6742c01f")
PPS = bytes.fromhex("68c8")
KEY_FIRST, KEY_SECOND = b"\x65\x88first", b"\x65\x48second"
SLICE_FIRST, SLICE_SECOND = b"\x41\x9afirst", b"\x41\x5asecond"
SEI = b"\x06sei"
DELIMITER = b"\x09\xf0"


@pytest.fixture
def clip():
    return load_clip()


def kinds(picture):
    return [nal_unit[0] & 0x1F for nal_unit in split_annex_b(picture.data)]


def test_the_clip_is_read_once(clip):
    assert load_clip() is clip


def test_the_files_are_small():
    here = files("rtspkit.testing")
    sizes = [len(here.joinpath(name).read_bytes()) for name in ("clip.264", "clip.aac")]
    assert sum(sizes) <= 400_000


def test_video_has_a_keyframe_with_its_parameter_sets_at_least_every_second(clip):
    places = [place for place, picture in enumerate(clip.video) if picture.keyframe]
    assert places == [0, 24, 48, 72]
    assert all(kinds(clip.video[place]) == [7, 8, 5] for place in places)
    assert all(kinds(p) == [1] for p in clip.video if not p.keyframe)
    assert max(len(p.data) for p in clip.video) > 4 * 1400  # some have to be fragmented


def test_every_turn_lasts_equally_long_in_every_track(clip):
    assert clip.duration == 96 / 25 == 3.84
    assert [track.encoding_name for track in clip] == ["H264", "MPEG4-GENERIC", "PCMU"]
    for track in clip.tracks():
        assert track.duration_ticks / track.clock_rate == clip.duration
        steps = {b.ticks - a.ticks for a, b in zip(track.units, track.units[1:], strict=False)}
        assert steps == {track.duration_ticks - track.units[-1].ticks}


def test_the_parameters_say_what_the_clip_is(clip):
    assert (clip.frame_rate, clip.sample_rate, clip.channels) == (25.0, 48_000, 1)
    assert [one[0] & 0x1F for one in clip.parameter_sets] == [7, 8]
    config = parse_audio_specific_config(clip.audio_config)
    assert (config.object_type, config.sample_rate, config.channels) == (2, 48_000, 1)


def test_tracks_survive_packets_of_any_size(clip):
    for track in clip:
        writer = packetizer(track.encoding_name, payload_type=96, ssrc=1, max_packet_size=700)
        reader = depacketizer(track.encoding_name, track.clock_rate, track.fmtp, track.channels)
        assert reader.parameter_sets == {
            "H264": clip.parameter_sets,
            "MPEG4-GENERIC": (clip.audio_config,),
        }.get(track.encoding_name, ())
        found = []
        for unit in track.units:
            for one in writer.push(unit.data, unit.ticks):
                found += reader.push(parse_rtp(one))
        found += reader.flush()
        assert [(unit.data, unit.timestamp, unit.keyframe) for unit in found] == [
            (unit.data, unit.ticks, unit.keyframe) for unit in track.units
        ]


def test_the_tone_begins_where_it_ends_and_is_a_sine_in_mu_law(clip):
    def linear(byte):  # ITU-T G.711, decoded by its formula
        byte = ~byte & 0xFF
        value = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 7)) - 0x84
        return -value if byte & 0x80 else value

    samples = [linear(byte) for byte in clip.pcmu]
    assert len(samples) == 30_720
    for place in range(2 * 8000 // 500):
        expected = 8000 * math.sin(2 * math.pi * 500 * place / 8000)
        assert samples[place] == pytest.approx(expected, abs=260)
        assert samples[place - 16] == samples[place]  # the end goes on at the beginning
    assert clip.pcmu is clip.pcmu


def test_an_access_unit_begins_at_a_first_slice_or_at_what_stands_before_it():
    units = [DELIMITER, SPS, PPS, SEI, KEY_FIRST, KEY_SECOND, SLICE_FIRST, SLICE_SECOND]
    units += [SEI, SLICE_FIRST, SLICE_FIRST]
    clip = Clip.from_annex_b(join_annex_b(units), 30)
    assert [kinds(picture) for picture in clip.video] == [[9, 7, 8, 6, 5, 5], [1, 1], [6, 1], [1]]
    assert [picture.keyframe for picture in clip.video] == [True, False, False, False]
    assert clip.parameter_sets == (SPS, PPS)
    assert clip.duration == 4 / 30


def test_a_clip_of_ones_own_begins_at_its_first_keyframe_and_has_a_tone():
    units = [SLICE_FIRST, SPS, PPS, KEY_FIRST, SLICE_FIRST]
    clip = Clip.from_annex_b(join_annex_b(units), 25)
    assert [picture.keyframe for picture in clip.video] == [True, False]
    assert [track.encoding_name for track in clip] == ["H264", "PCMU"]
    assert len(clip.pcmu) == 640


@pytest.mark.parametrize(
    "units", [[], [SPS, PPS, SLICE_FIRST], [KEY_FIRST, SLICE_FIRST], [SPS, KEY_FIRST]]
)
def test_a_byte_stream_that_cannot_be_played_is_refused(units):
    with pytest.raises(ValueError, match="no keyframe"):
        Clip.from_annex_b(join_annex_b(units), 25)


@pytest.mark.parametrize("frame_rate", [0, -1, math.nan, math.inf])
def test_a_frame_rate_that_is_none_is_refused(frame_rate):
    with pytest.raises(ValueError, match="frame_rate"):
        Clip.from_annex_b(join_annex_b([SPS, PPS, KEY_FIRST]), frame_rate)


def test_every_picture_decodes_even_over_the_seam(clip):
    av = pytest.importorskip("av", reason="PyAV is not installed: the clip cannot be decoded")
    decoder = av.CodecContext.create("h264", "r")
    frames = []
    for picture in (*clip.video, *clip.video[:2]):
        frames += decoder.decode(av.Packet(picture.data))
    frames += decoder.decode(None)
    assert len(frames) == 98
    assert {(frame.width, frame.height) for frame in frames} == {(640, 360)}
    assert bytes(frames[96].planes[0]) == bytes(frames[0].planes[0])
    assert bytes(frames[95].planes[0]) != bytes(frames[0].planes[0])


def test_every_aac_frame_decodes_to_the_tone(clip):
    av = pytest.importorskip("av", reason="PyAV is not installed: the clip cannot be decoded")
    config = parse_audio_specific_config(clip.audio_config)
    decoder = av.CodecContext.create("aac", "r")
    samples = []
    for frame in clip.audio:
        for decoded in decoder.decode(av.Packet(adts_header(config, len(frame)) + frame)):
            assert (decoded.samples, decoded.sample_rate) == (1024, 48_000)
            samples += memoryview(bytes(decoded.planes[0])[: 4 * 1024]).cast("f")
    steady = samples[-48_000:]
    crossings = sum(a < 0 <= b for a, b in pairwise(steady))
    assert crossings == pytest.approx(500, abs=1)

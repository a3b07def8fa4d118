"""Files of one's own: H.264 as it is, containers through PyAV, and what cannot be served."""

from __future__ import annotations

import sys
from importlib.resources import files

import pytest

from rtspkit.cli.exits import CommandError
from rtspkit.cli.source import load_file
from rtspkit.errors import MissingExtra
from rtspkit.payload.nal import join_annex_b, split_annex_b

CLIP = files("rtspkit.testing").joinpath("clip.264").read_bytes()
B_SLICE = bytes((0x01, 0b1_010_0000))  # first_mb_in_slice 0, slice_type 1


@pytest.fixture
def file(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


def test_serves_a_byte_stream_at_the_rate_it_tells(file):
    (track,) = load_file(file("a.264", CLIP))
    assert (track.encoding_name, len(track.units)) == ("H264", 96)
    assert track.duration_ticks == 96 * 3600


def test_serves_a_byte_stream_at_another_rate(file):
    (track,) = load_file(file("a.264", CLIP), 50.0)
    assert track.duration_ticks == 96 * 1800


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x00\x00\x01", "no keyframe"),
        (join_annex_b([*split_annex_b(CLIP), B_SLICE]), "B-frames"),
    ],
)
def test_a_byte_stream_that_cannot_be_served_says_why(file, data, words):
    with pytest.raises(CommandError, match=words) as caught:
        load_file(file("a.264", data))
    assert caught.value.code == 2
    assert "ffmpeg -i" in str(caught.value)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(CommandError, match=r"cannot read .*: No such file") as caught:
        load_file(str(tmp_path / "nothing"))
    assert caught.value.code == 2


def test_a_container_without_pyav_names_the_extra(cli, file, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = file("a.mp4", b"\x00\x00\x00\x18ftypmp42")
    with pytest.raises(MissingExtra):
        load_file(path)
    ended = cli("serve", "--port", "0", "--file", path)
    assert (ended.code, ended.out) == (9, "")
    assert ended.err.endswith("needs: pip install 'rtspkit[av]'\n")


class TestContainers:
    @pytest.fixture(autouse=True)
    def _av(self):
        self.av = pytest.importorskip("av", reason="needs rtspkit[av]")

    def make(self, tmp_path, name, codec="libx264", audio=None, **options):
        """Ten pictures, and as long a silence."""
        path = str(tmp_path / name)
        with self.av.open(path, "w") as container:
            video = container.add_stream(codec, rate=25, options=options)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            sound = container.add_stream(audio, rate=48_000) if audio else None
            if sound is not None:
                sound.layout = "mono"
            for number in range(10):
                frame = self.av.VideoFrame(64, 48, "yuv420p")
                for place, plane in enumerate(frame.planes):
                    plane.update(bytes([number * 20 + place]) * plane.buffer_size)
                frame.pts = number
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if sound is not None:
                for number in range(20):
                    frame = self.av.AudioFrame("fltp", "mono", 1024)
                    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
                    frame.sample_rate, frame.pts = 48_000, number * 1024
                    container.mux(sound.encode(frame))
                container.mux(sound.encode(None))
        return path

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
    def test_serves_video_and_audio_of_the_same_length(self, tmp_path, name):
        video, audio = load_file(self.make(tmp_path, name, audio="aac", bf="0"))
        assert (video.encoding_name, len(video.units)) == ("H264", 10)
        assert (audio.encoding_name, audio.clock_rate, audio.channels) == (
            "MPEG4-GENERIC",
            48_000,
            1,
        )
        assert 20 <= len(audio.units) <= 22
        assert video.duration_ticks / 90_000 == pytest.approx(
            audio.duration_ticks / 48_000, abs=1e-4
        )

    def test_serves_video_alone(self, tmp_path):
        (video,) = load_file(self.make(tmp_path, "a.mp4", bf="0"))
        assert video.duration_ticks == 10 * 3600

    def test_refuses_b_frames(self, tmp_path):
        path = self.make(tmp_path, "a.mp4", bf="2", **{"x264-params": "b-adapt=0"})
        with pytest.raises(CommandError, match="B-frames"):
            load_file(path)

    def test_refuses_other_video(self, tmp_path):
        with pytest.raises(CommandError, match=r"no H\.264 video"):
            load_file(self.make(tmp_path, "a.mp4", codec="mpeg4"))

    def test_refuses_what_is_no_media(self, file):
        with pytest.raises(CommandError, match="PyAV cannot read it"):
            load_file(file("a.mp4", b"hello"))

"""A file of one's own for the camera: an H.264 byte stream, or a container through PyAV.

Layer:  cli
In:     a path
Out:    tracks for a ``Camera``, looped
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtspkit.cli.exits import CommandError
from rtspkit.errors import MissingExtra, RemoteProtocolError
from rtspkit.payload.adts import split_adts
from rtspkit.payload.h264_parameters import parse_sequence_parameter_set
from rtspkit.payload.mpeg4_audio import (
    parse_audio_specific_config,
    serialize_audio_specific_config,
)
from rtspkit.payload.nal import BitReader, remove_emulation_prevention, split_annex_b
from rtspkit.testing.clip import FRAME_RATE, NON_IDR, Clip
from rtspkit.testing.presentation import Track

__all__ = ["load_file"]

MAX_SIZE = 512 * 1024 * 1024  # bytes of a file; all of it is held
START_CODES = (b"\x00\x00\x01", b"\x00\x00\x00\x01")
MAX_FRAME_RATE = 240.0  # per second; a stream that says more is not believed
B_SLICE_TYPES = (1, 6)  # ITU-T H.264 table 7-6
SLICE_HEAD = 16  # bytes of a slice that hold its first two numbers
B_FRAMES = "it has B-frames, which the camera does not send"
RE_ENCODE = "make one with: ffmpeg -i FILE -c:v libx264 -bf 0 -c:a aac NEW.mp4"


def load_file(path: str, frame_rate: float | None = None) -> tuple[Track, ...]:
    """The tracks of a file.

    Args:
        path: An H.264 byte stream (Annex B) without B-frames; or, with PyAV, a container such as
            MP4 with H.264 and perhaps AAC in it.
        frame_rate: Pictures per second of a byte stream; None for what it says itself, else 25.

    Raises:
        CommandError: The file cannot be read, or not be used.
        MissingExtra: It is a container, and PyAV is not installed.
    """
    try:
        size = Path(path).stat().st_size
        if size > MAX_SIZE:
            raise CommandError(f"{path} has {size:,} bytes, at most {MAX_SIZE:,} can be served", 2)
        data = Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}", 2) from None
    try:
        if data.startswith(START_CODES):
            return _byte_stream(data, frame_rate)
        return _container(path)
    except (ValueError, RemoteProtocolError) as error:
        raise CommandError(f"cannot serve {path}: {error}; {RE_ENCODE}", 2) from None


def _byte_stream(data: bytes, frame_rate: float | None) -> tuple[Track, ...]:
    clip = Clip.from_annex_b(data, frame_rate or FRAME_RATE)
    if any(_has_b_slice(picture.data) for picture in clip.video):
        raise ValueError(B_FRAMES)
    if frame_rate is None:
        told = _told_frame_rate(clip.parameter_sets[0])
        if told is not None:
            clip = replace(clip, frame_rate=told)
    return (clip.tracks()[0],)


def _has_b_slice(picture: bytes) -> bool:
    """Whether a picture is sent before one that is shown earlier (ITU-T H.264 §7.3.3, 7.4.3)."""
    for nal_unit in split_annex_b(picture):
        if nal_unit[0] & 0x1F == NON_IDR:
            bits = BitReader(remove_emulation_prevention(nal_unit[1:SLICE_HEAD]))
            try:
                bits.exp_golomb()  # first_mb_in_slice
                if bits.exp_golomb() in B_SLICE_TYPES:
                    return True
            except RemoteProtocolError:
                continue  # no slice that a decoder can use either
    return False


def _told_frame_rate(sequence_parameter_set: bytes) -> float | None:
    try:
        told = parse_sequence_parameter_set(sequence_parameter_set).frame_rate
    except RemoteProtocolError:
        return None
    return told if told is not None and 1 <= told <= MAX_FRAME_RATE else None


def _container(path: str) -> tuple[Track, ...]:
    """The first H.264 and the first AAC of a container; both turns get the same length."""
    try:
        av: Any = importlib.import_module("av")
    except ImportError:
        raise MissingExtra("av", f"{path} is no H.264 byte stream: a container") from None
    try:
        with av.open(path) as container:
            video = next(iter(container.streams.video), None)
            audio = next(iter(container.streams.audio), None)
            if video is None or video.codec_context.name != "h264":
                raise ValueError("it has no H.264 video")
            if audio is not None and audio.codec_context.name != "aac":
                audio = None
            pictures, frames, config = _packets(av, container, video, audio)
            rate = float(video.average_rate or FRAME_RATE)
    except av.FFmpegError as error:
        raise ValueError(f"PyAV cannot read it ({error.strerror})") from None
    clip = Clip.from_annex_b(pictures, rate)
    if any(_has_b_slice(picture.data) for picture in clip.video):
        raise ValueError(B_FRAMES)
    if not frames:
        return (clip.tracks()[0],)
    told = parse_audio_specific_config(config)
    clip = replace(
        clip,
        audio=tuple(frames),
        sample_rate=told.sample_rate,
        channels=told.channels,
        audio_config=config,
    )
    tracks = clip.tracks()[:2]
    seconds = max(track.duration_ticks / track.clock_rate for track in tracks)
    for track in tracks:
        track.duration_ticks = round(seconds * track.clock_rate)
    return tracks


def _packets(av: Any, container: Any, video: Any, audio: Any) -> tuple[bytes, list[bytes], bytes]:
    """The byte stream, the raw AAC frames, and their AudioSpecificConfig."""
    to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", video)
    pictures: list[bytes] = []
    frames: list[bytes] = []
    for packet in container.demux([one for one in (video, audio) if one is not None]):
        if packet.size and packet.stream is audio:
            frames.append(bytes(packet))
        elif packet.size:
            pictures += [bytes(one) for one in to_annex_b.filter(packet)]
    pictures += [bytes(one) for one in to_annex_b.filter(None)]
    config = b""
    if frames:
        config = bytes(audio.codec_context.extradata or b"")
    if frames and not config:  # a transport stream: each frame has its own header
        told, frames = split_adts(b"".join(frames))
        config = serialize_audio_specific_config(told)
    return b"".join(pictures), frames, config

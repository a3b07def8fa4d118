"""A real clip of 3.84 s, ready to be packetized: H.264, AAC, and a tone in PCMU.

Layer:  testing
In:     clip.264 and clip.aac beside this file; or an H.264 byte stream of your own
Out:    Clip: access units, raw frames, samples, and tracks for a camera

Facts the code leans on
- 96 pictures at 25 per second, 180 AAC frames of 1,024 samples at 48 kHz and 30,720 samples at
  8 kHz last equally long, and the tone has whole periods in that time: the clip can be played
  round and round, timestamps and sound going on without a seam.
- Pictures are coded in the order of their display; every 24th is a keyframe (0.96 s) and has its
  parameter sets in front.

How the files were made, with FFmpeg 5.1:

    ffmpeg -f lavfi -i testsrc2=size=640x360:rate=25 -frames:v 96 -pix_fmt yuv420p \\
        -c:v libx264 -profile:v baseline -preset veryslow -crf 26 -g 24 -keyint_min 24 \\
        -sc_threshold 0 -bsf:v filter_units=remove_types=6 clip.264
    ffmpeg -f lavfi -i sine=frequency=500:sample_rate=48000 -c:a aac -b:a 48k \\
        -bsf:a 'noise=drop=lt(n\\,2)' -frames:a 180 clip.aac
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from rtspkit.payload.aac import format_parameters
from rtspkit.payload.adts import split_adts
from rtspkit.payload.mpeg4_audio import serialize_audio_specific_config
from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.testing.presentation import Track, Unit

__all__ = ["Clip", "Picture", "load_clip"]

FRAME_RATE = 25.0
VIDEO_CLOCK_RATE = 90_000  # RFC 6184 §8.2.1
AAC_FRAME_LENGTH = 1024  # samples
PCMU_CLOCK_RATE = 8000
PCMU_UNIT = 160  # samples: 20 ms, RFC 3551 §4.2
TONE = 500  # Hz
TONE_AMPLITUDE = 8000  # of 32,767
MU_LAW_BIAS = 0x84
MU_LAW_CLIP = 32_635

# nal_unit_type, ITU-T H.264 table 7-1
NON_IDR = 1
IDR = 5
SPS = 7
PPS = 8
BEFORE_SLICES = frozenset({6, 7, 8, 9, 14, 15, 16, 17, 18})  # behind a slice: a new access unit


class Picture(NamedTuple):
    """One video access unit.

    Attributes:
        data: An Annex B byte stream.
        keyframe: Whether decoding can begin here.
    """

    data: bytes
    keyframe: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """Some seconds of video and audio that can be repeated without a seam.

    Attributes:
        video: H.264 access units, the first one a keyframe; no B-frames.
        frame_rate: Of the video, per second.
        parameter_sets: SPS and PPS, without start codes.
        audio: Raw AAC frames of 1,024 samples; may be empty.
        sample_rate: Of ``audio``, per second; 0 without.
        channels: Of ``audio``; 0 without.
        audio_config: AudioSpecificConfig of ``audio``; empty without.
    """

    video: tuple[Picture, ...]
    frame_rate: float
    parameter_sets: tuple[bytes, ...]
    audio: tuple[bytes, ...] = ()
    sample_rate: int = 0
    channels: int = 0
    audio_config: bytes = b""

    @classmethod
    def from_annex_b(cls, data: bytes, frame_rate: float) -> Clip:
        """A clip, without AAC, of an H.264 byte stream that has no B-frames.

        Args:
            data: From its first keyframe on it is used.
            frame_rate: Pictures per second.

        Raises:
            ValueError: There is no keyframe with parameter sets in it, or ``frame_rate`` is no
                positive number.
        """
        if not 0 < frame_rate <= VIDEO_CLOCK_RATE:
            raise ValueError(f"frame_rate must be above 0, to {VIDEO_CLOCK_RATE}, not {frame_rate}")
        nal_units = split_annex_b(data)
        pictures = list(_pictures(nal_units))
        while pictures and not pictures[0].keyframe:
            del pictures[0]
        found = {nal_unit[0] & 0x1F: nal_unit for nal_unit in reversed(nal_units)}
        if not pictures or SPS not in found or PPS not in found:
            raise ValueError("the H.264 byte stream has no keyframe with parameter sets")
        return cls(tuple(pictures), float(frame_rate), (found[SPS], found[PPS]))

    @property
    def duration(self) -> float:
        """Seconds of one turn."""
        return len(self.video) / self.frame_rate

    @property
    def pcmu(self) -> bytes:
        """A tone in G.711 µ-law, 8 kHz, one channel, as long as the video."""
        return _tone(round(self.duration * PCMU_CLOCK_RATE), round(self.duration * TONE))

    def tracks(self) -> tuple[Track, ...]:
        """What a ``Camera`` can play: H264, MPEG4-GENERIC (when there is AAC) and PCMU."""
        audio = (self._aac_track(),) if self.audio else ()
        return (self._h264_track(), *audio, self._pcmu_track())

    def __iter__(self) -> Iterator[Track]:
        """The tracks."""
        return iter(self.tracks())

    def _h264_track(self) -> Track:
        ticks = VIDEO_CLOCK_RATE / self.frame_rate
        sets = ",".join(b64encode(one).decode("ascii") for one in self.parameter_sets)
        level = self.parameter_sets[0][1:4].hex()
        return Track(
            "video",
            "H264",
            96,
            VIDEO_CLOCK_RATE,
            [Unit(p.data, round(i * ticks), p.keyframe) for i, p in enumerate(self.video)],
            round(len(self.video) * ticks),
            fmtp=f"packetization-mode=1;profile-level-id={level};sprop-parameter-sets={sets}",
            framerate=self.frame_rate,
        )

    def _aac_track(self) -> Track:
        return Track(
            "audio",
            "MPEG4-GENERIC",
            97,
            self.sample_rate,
            [Unit(frame, i * AAC_FRAME_LENGTH) for i, frame in enumerate(self.audio)],
            len(self.audio) * AAC_FRAME_LENGTH,
            channels=self.channels,
            fmtp=format_parameters(self.audio_config),
        )

    def _pcmu_track(self) -> Track:
        samples = self.pcmu
        starts = range(0, len(samples), PCMU_UNIT)
        units = [Unit(samples[start : start + PCMU_UNIT], start) for start in starts]
        return Track("audio", "PCMU", 0, PCMU_CLOCK_RATE, units, len(samples), channels=1)


@cache
def load_clip() -> Clip:
    """The clip that comes with the package, read once."""
    here = files("rtspkit.testing")
    clip = Clip.from_annex_b(here.joinpath("clip.264").read_bytes(), FRAME_RATE)
    config, frames = split_adts(here.joinpath("clip.aac").read_bytes())
    return Clip(
        clip.video,
        clip.frame_rate,
        clip.parameter_sets,
        tuple(frames),
        config.sample_rate,
        config.channels,
        serialize_audio_specific_config(config),
    )


def _pictures(nal_units: list[bytes]) -> Iterator[Picture]:
    """NAL units, put together as access units.

    Source: ITU-T H.264 §7.4.1.2.3 (order), §7.4.1.2.4 (first slice, for streams whose slices
    are in order: first_mb_in_slice is 0).
    """
    unit: list[bytes] = []
    has_slice = keyframe = False
    for nal_unit in nal_units:
        kind = nal_unit[0] & 0x1F
        is_slice = kind in (NON_IDR, IDR)
        first = is_slice and len(nal_unit) > 1 and nal_unit[1] & 0x80  # ue(v) of 0 is one bit: 1
        if has_slice and (kind in BEFORE_SLICES or first):
            yield Picture(join_annex_b(unit), keyframe)
            unit, has_slice, keyframe = [], False, False
        unit.append(nal_unit)
        has_slice = has_slice or is_slice
        keyframe = keyframe or kind == IDR
    if has_slice:
        yield Picture(join_annex_b(unit), keyframe)


@cache
def _tone(samples: int, periods: int) -> bytes:
    """A sine of whole periods in G.711 µ-law."""
    turn = 2 * math.pi * periods / samples if samples else 0.0
    return bytes(_mu_law(round(TONE_AMPLITUDE * math.sin(turn * i))) for i in range(samples))


def _mu_law(sample: int) -> int:
    """One sample of 16 bits in G.711 µ-law: sign, exponent, mantissa, all inverted.

    Source: ITU-T G.711, table 2a.
    """
    magnitude = min(abs(sample), MU_LAW_CLIP) + MU_LAW_BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = magnitude >> (exponent + 3) & 0x0F
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | mantissa) & 0xFF

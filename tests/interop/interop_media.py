"""Is what was received what was sent? Pictures against their source, sound against its tone."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

STRIDE = 31  # samples looked at when searching; odd, so that columns do not line up


def decode_pictures(form: str, units: Iterable[bytes]) -> bytes:
    """Decode an Annex B stream (``"h264"``, ``"hevc"``) to raw I420, picture after picture."""
    return _decode(
        *("-f", form, "-i", "pipe:0", "-fps_mode", "passthrough"),
        *("-f", "rawvideo", "-pix_fmt", "yuv420p"),
        data=b"".join(units),
    )


def decode_sound(*form: str, units: Iterable[bytes]) -> list[int]:
    """Decode mono sound to 16-bit samples; ``form`` is what FFmpeg is told of the input."""
    raw = _decode(*form, "-i", "pipe:0", "-f", "s16le", "-ac", "1", data=b"".join(units))
    return list(memoryview(raw).cast("h"))


def _decode(*arguments: str, data: bytes) -> bytes:
    command = ["ffmpeg", "-nostdin", "-v", "error", *arguments, "pipe:1"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stderr == b"", done.stderr.decode(errors="replace")
    return done.stdout


def cut(raw: bytes, size: int) -> list[bytes]:
    assert len(raw) % size == 0
    return [raw[i : i + size] for i in range(0, len(raw), size)]


def read_pictures(path: Path, size: int) -> list[bytes]:
    return cut(path.read_bytes(), size)


def _error(one: bytes, other: bytes, step: int = 1) -> float:
    """Mean squared error."""
    differences = [a - b for a, b in zip(one[::step], other[::step], strict=True)]
    return sum(d * d for d in differences) / len(differences)


def psnr(one: bytes, other: bytes) -> float:
    """Peak signal-to-noise ratio of two pictures, in dB, over all three planes."""
    error = _error(one, other)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def place_of(picture: bytes, source: Sequence[bytes]) -> int:
    """The number of the source's picture that looks most like this one."""
    return min(range(len(source)), key=lambda i: _error(picture, source[i], STRIDE))


def tone_share(samples: Sequence[int], rate: int, frequency: float) -> float:
    """How much of the sound's power one unbroken sine of that frequency explains, 0 to 1."""
    step = 2 * math.pi * frequency / rate
    sine = sum(s * math.sin(step * n) for n, s in enumerate(samples))
    cosine = sum(s * math.cos(step * n) for n, s in enumerate(samples))
    power = sum(s * s for s in samples)
    return 2 * (sine**2 + cosine**2) / (len(samples) * power) if power else 0.0


def nal_unit_types(annex_b: bytes, encoding_name: str) -> list[int]:
    """The types of the NAL units of one access unit, in order."""
    units = annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    assert units[0] == b"", "an Annex B stream begins with a start code"
    if encoding_name == "H265":
        return [unit[0] >> 1 & 0x3F for unit in units[1:]]
    return [unit[0] & 0x1F for unit in units[1:]]


def adts(frame: bytes, config: bytes) -> bytes:
    """One raw AAC frame with the header that FFmpeg reads (ISO/IEC 14496-3 1.A.2.2)."""
    object_type, rest = config[0] >> 3, int.from_bytes(config[:2]) & 0x7FF
    frequency_index, channels = rest >> 7, rest >> 3 & 0xF
    bits = 0xFFF1 << 40 | object_type - 1 << 38 | frequency_index << 34 | channels << 30
    bits |= len(frame) + 7 << 13 | 0x7FF << 2
    return bits.to_bytes(7) + frame

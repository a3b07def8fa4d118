"""The format parameters that hold binary data: are they what their RFC says?

Layer:  wire
In:     PayloadFormat
Out:    bytes where they can be had, and ids of the deviations; nothing is ever raised
Source: RFC 6184 §8.1 (sprop-parameter-sets), RFC 7798 §7.1 (sprop-vps, -sps, -pps),
        RFC 3640 §4.1 and RFC 6416 §7.3 (config)

Facts the code leans on
- These parameters are hints: the stream is set up whatever is in them, and parameter sets that
  come in band win. All that is done here is to say what is wrong with them.
"""

from __future__ import annotations

import base64
import re

from rtspkit.wire.format import PayloadFormat

__all__ = ["decode_base64", "decode_hexadecimal", "examine_parameters"]

_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_H264_TYPES = {7, 8, 13, 15}  # RFC 6184 §8.1: SPS, PPS, SPS extension, subset SPS
_H265_TYPES = {"sprop-vps": 32, "sprop-sps": 33, "sprop-pps": 34}  # nal_unit_type
START_CODES = (b"\0\0\0\x01", b"\0\0\x01")


def decode_base64(text: str) -> bytes | None:
    """The bytes, padding optional; None when it is no base64."""
    text = text.strip().rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None


def decode_hexadecimal(text: str) -> bytes | None:
    """The bytes of pairs of hexadecimal digits; None when it is anything else."""
    text = text.strip()
    return bytes.fromhex(text) if _HEXADECIMAL.fullmatch(text) else None


def examine_parameters(payload_format: PayloadFormat) -> list[str]:
    """What is wrong with the binary parameters of one format: ids of deviations."""
    fmtp = payload_format.fmtp
    name = payload_format.encoding_name
    found: list[str] = []
    if name == "H264":
        for text in fmtp.get("sprop-parameter-sets", "").split(","):
            found += _examine_set(text, None)
    elif name == "H265":
        present = [parameter for parameter in _H265_TYPES if fmtp.get(parameter)]
        for parameter in present:
            for text in fmtp[parameter].split(","):
                found += _examine_set(text, _H265_TYPES[parameter])
        if present and "sprop-vps" not in present:
            found.append("vps-missing")
    elif name in ("MPEG4-GENERIC", "MP4V-ES", "MP4A-LATM"):
        config = fmtp.get("config", "")
        if config and decode_hexadecimal(config) is None:
            usable = decode_base64(config) is not None
            found.append("config-base64" if usable else "config-malformed")
        elif not config and name == "MPEG4-GENERIC":
            found.append("config-missing")
    return found


def _examine_set(text: str, h265_type: int | None) -> list[str]:
    """One parameter set: H.265 of that type, or H.264 when there is none."""
    text = text.strip()
    if not text:
        return []
    found = []
    data = decode_base64(text)
    if len(text) >= 8 and (octets := decode_hexadecimal(text)) is not None:
        found.append("parameter-set-hexadecimal")
        data = octets
    for start_code in START_CODES:
        if data is not None and data.startswith(start_code):
            found.append("parameter-set-start-code")
            data = data[len(start_code) :]
    if not data or not _is_parameter_set(data[0], h265_type):
        return [*found, "parameter-set-malformed"]
    if data.endswith((b"\0", *START_CODES)):
        found.append("parameter-set-trailing-bytes")
    return found


def _is_parameter_set(header: int, h265_type: int | None) -> bool:
    if header & 0x80:
        return False  # forbidden_zero_bit
    if h265_type is None:
        return header & 0x1F in _H264_TYPES
    return header >> 1 & 0x3F == h265_type

"""ADTS: raw AAC frames in a byte stream, each behind a header that says what it is.

Layer:  payload (pure functions)
In:     raw frames and their AudioSpecificConfig; or the byte stream
Out:    headers; or the frames
Source: ISO/IEC 14496-3 §1.A.2
"""

from __future__ import annotations

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.payload.mpeg4_audio import (
    CHANNELS,
    PLAIN_AAC,
    SAMPLE_RATES,
    AudioSpecificConfig,
    read_bits,
)

__all__ = ["adts_header", "split_adts", "strip_adts"]

HEADER_SIZE = 7  # bytes, without CRC
CRC_SIZE = 2
MAX_FRAME_SIZE = (1 << 13) - 1  # bytes, header included


def adts_header(config: AudioSpecificConfig, size: int) -> bytes:
    """The seven bytes that make one raw AAC frame a frame of an ADTS stream.

    Args:
        config: Of the stream; object types 1 to 4, one of the 13 indexed sample rates, and
            channel configurations 0 to 7 can be told.
        size: Bytes of the raw frame, at most 8,184.

    Raises:
        LocalProtocolError: ADTS has no room for it.

    Source: ISO/IEC 14496-3 §1.A.2.2.
    """
    whole = HEADER_SIZE + size
    fits = (
        config.object_type in PLAIN_AAC
        and config.sample_rate in SAMPLE_RATES
        and 0 <= config.channel_configuration <= 7
        and HEADER_SIZE <= whole <= MAX_FRAME_SIZE
    )
    if not fits:
        raise LocalProtocolError(f"ADTS cannot tell {config} with a frame of {size} bytes")
    # syncword 12, ID 1, layer 2, protection_absent 1, profile 2, sampling_frequency_index 4,
    # private 1, channel_configuration 3, original, home, copyright 2: 4, frame length 13,
    # buffer fullness 11 (all ones: variable), raw_data_blocks - 1: 2
    value = 0xFFF << 4 | 1
    value = value << 2 | (config.object_type - 1)
    value = value << 4 | SAMPLE_RATES.index(config.sample_rate)
    value = value << 4 | config.channel_configuration
    value = value << 4 << 13 | whole
    value = value << 11 | 0x7FF
    return (value << 2).to_bytes(HEADER_SIZE, "big")


def strip_adts(frame: bytes | memoryview) -> bytes | memoryview | None:
    """The raw frame inside one whole ADTS frame; None when ``frame`` is no such thing."""
    if len(frame) <= HEADER_SIZE or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0:
        return None
    size = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    header = HEADER_SIZE if frame[1] & 1 else HEADER_SIZE + CRC_SIZE
    if size != len(frame) or size <= header:
        return None
    return frame[header:]


def split_adts(data: bytes) -> tuple[AudioSpecificConfig, list[bytes]]:
    """Take an ADTS byte stream apart.

    Returns:
        The configuration of its first frame, and the raw frames.

    Raises:
        RemoteProtocolError: It is no sequence of whole ADTS frames, one raw frame in each.
    """
    frames: list[bytes] = []
    position = 0
    while position < len(data):
        head = data[position : position + HEADER_SIZE]
        size = read_bits(head, 30, 13) if len(head) == HEADER_SIZE else 0
        raw = strip_adts(data[position : position + size])
        if raw is None:
            raise RemoteProtocolError(f"no ADTS frame at byte {position} of {len(data)}")
        frames.append(bytes(raw))
        position += size
    if not frames:
        raise RemoteProtocolError("no ADTS frame in 0 bytes")
    index, configuration = read_bits(data, 18, 4), read_bits(data, 23, 3)
    if index >= len(SAMPLE_RATES):
        raise RemoteProtocolError(f"no sample rate in sampling_frequency_index {index}")
    object_type = read_bits(data, 16, 2) + 1
    channels = CHANNELS.get(configuration, 0)
    return AudioSpecificConfig(object_type, SAMPLE_RATES[index], channels, configuration), frames

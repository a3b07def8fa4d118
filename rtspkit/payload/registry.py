"""Which payload format an encoding name stands for.

Layer:  payload
In:     encoding name, clock rate, format parameters and channels of an SDP, as it spells them
Out:    a depacketizer or a packetizer
Source: RFC 4855 §3 (encoding names are compared without regard to case)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rtspkit.errors import UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.payload.aac import AacDepacketizer, AacPacketizer
from rtspkit.payload.base import Depacketizer, Packetizer
from rtspkit.payload.h264 import H264Depacketizer, H264Packetizer
from rtspkit.payload.h265 import H265Depacketizer, H265Packetizer
from rtspkit.payload.pcm import (
    L8Depacketizer,
    L8Packetizer,
    L16Depacketizer,
    L16Packetizer,
    L24Depacketizer,
    L24Packetizer,
    PcmaDepacketizer,
    PcmaPacketizer,
    PcmuDepacketizer,
    PcmuPacketizer,
)
from rtspkit.wire.format import parse_fmtp_parameters

__all__ = ["depacketizer", "packetizer", "supported"]

_FORMATS: tuple[tuple[type[Depacketizer], type[Packetizer]], ...] = (
    (H264Depacketizer, H264Packetizer),
    (H265Depacketizer, H265Packetizer),
    (AacDepacketizer, AacPacketizer),
    (PcmuDepacketizer, PcmuPacketizer),
    (PcmaDepacketizer, PcmaPacketizer),
    (L8Depacketizer, L8Packetizer),
    (L16Depacketizer, L16Packetizer),
    (L24Depacketizer, L24Packetizer),
)
_PAYLOAD_TYPE = re.compile(r"^\s*[0-9]{1,3}\s+")
_DEPACKETIZERS = {reader.encoding_name: reader for reader, _ in _FORMATS}
_PACKETIZERS: dict[str, Callable[..., Packetizer]] = {
    writer.encoding_name: writer for _, writer in _FORMATS
}


def depacketizer(
    encoding_name: str,
    clock_rate: int,
    fmtp: str | Mapping[str, str] | None = None,
    channels: int | None = None,
    *,
    limits: Limits | None = None,
) -> Depacketizer:
    """What makes access units out of the packets of one stream.

    Args:
        encoding_name: As the SDP spells it, in any case: ``"H264"``, ``"mpeg4-generic"``.
        clock_rate: RTP ticks per second.
        fmtp: Format parameters: the text of ``a=fmtp:``, with its payload type or without; or
            names and values.
        channels: Audio channels; None when the SDP does not say.
        limits: Bounds on what is kept; None for the defaults.

    Raises:
        UnsupportedPayload: There is none for this encoding.
    """
    found = _DEPACKETIZERS.get(encoding_name.strip().upper())
    if found is None:
        raise UnsupportedPayload(encoding_name)
    if isinstance(fmtp, str):
        parameters, _ = parse_fmtp_parameters(_PAYLOAD_TYPE.sub("", fmtp))
    else:
        parameters = {name.lower(): value for name, value in (fmtp or {}).items()}
    return found(clock_rate, parameters, channels, limits or Limits())


def packetizer(encoding_name: str, **keywords: object) -> Packetizer:
    """What cuts access units into RTP packets.

    Args:
        encoding_name: In any case.
        keywords: Those of ``base.Packetizer`` (``payload_type``, ``ssrc``, ``sequence_number``,
            ``max_packet_size``), and of the class for this encoding.

    Raises:
        UnsupportedPayload: There is none for this encoding.
    """
    found = _PACKETIZERS.get(encoding_name.strip().upper())
    if found is None:
        raise UnsupportedPayload(encoding_name)
    return found(**keywords)


def supported() -> frozenset[str]:
    """The encoding names that have a depacketizer, in the IANA spelling."""
    return frozenset(_DEPACKETIZERS)

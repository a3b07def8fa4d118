"""One SDP media as the user holds it: ``Stream``.

Layer:  wire (a plain value; the session fills in ``transport``, ``ssrc`` and in-band parameter sets)
Source: RFC 8866 §5.14, §6.6, §6.15; RFC 2326 C.1.1 (control URLs)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtspkit.wire.header import Transport

__all__ = ["Stream"]


@dataclass(slots=True, eq=False)
class Stream:
    """One SDP media of the presentation.

    Attributes:
        index: Place in the description, from 0.
        media: ``"video"``, ``"audio"``, ``"application"`` …, as the SDP spells it.
        encoding_name: Of the first format, in the IANA spelling where it has one: ``"H264"``,
            ``"MPEG4-GENERIC"``, ``"PCMU"``; empty when nothing tells.
        payload_type: 0 to 127; None when the format is no number.
        clock_rate: RTP ticks per second.
        channels: Audio channels; None for other media.
        fmtp: Format parameters, names in lower case.
        control_url: What SETUP is sent to; request text, never an address to connect to.
        direction: ``"recvonly"``, ``"sendonly"``, ``"sendrecv"``, ``"inactive"`` or None.
        framerate: Frames per second when the SDP tells, else None.
        parameter_sets: What a decoder needs first; from the SDP until in-band ones come.
        transport: What the server agreed to in SETUP; None before.
        ssrc: Its RTP source, once known.
    """

    index: int
    media: str
    encoding_name: str
    payload_type: int | None
    clock_rate: int
    channels: int | None = None
    fmtp: Mapping[str, str] = field(default_factory=dict)
    control_url: str = ""
    direction: str | None = None
    framerate: float | None = None
    parameter_sets: tuple[bytes, ...] = ()
    transport: Transport | None = None
    ssrc: int | None = None

    def matches(self, select: str | int | Stream) -> bool:
        """Whether ``select`` names this stream: a media, an encoding, an index or the stream."""
        if isinstance(select, Stream):
            return select is self
        if isinstance(select, int):
            return select == self.index
        wanted = select.casefold()
        return wanted in (self.media.casefold(), self.encoding_name.casefold())

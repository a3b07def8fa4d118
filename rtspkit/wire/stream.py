"""One SDP media as the user holds it: ``Stream``.

Layer:  wire (a value; the session fills in ``transport``, ``ssrc``, in-band parameter sets)
Source: RFC 8866 §5.14, §6.6, §6.15; RFC 2326 C.1.1 (control URLs)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtspkit.wire.format import PayloadFormat, default_clock_rate
from rtspkit.wire.header import Transport
from rtspkit.wire.sdp_description import MediaDescription, SessionDescription
from rtspkit.wire.url import join_control

__all__ = ["Stream", "streams_from"]


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
        back_channel: Whether its media goes from us to the server (``sendonly`` audio beside
            something to receive); not set up unless asked for.
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
    back_channel: bool = False

    def matches(self, select: str | int | Stream) -> bool:
        """Whether ``select`` names this stream: a media, an encoding, an index or the stream."""
        if isinstance(select, Stream):
            return select is self
        if isinstance(select, int):
            return select == self.index
        wanted = select.casefold()
        return wanted in (self.media.casefold(), self.encoding_name.casefold())


def streams_from(description: SessionDescription, base: str) -> tuple[Stream, ...]:
    """The streams of a presentation, one for each ``m=`` line, none left out.

    Args:
        description: What DESCRIBE gave.
        base: What its control URLs are relative to: Content-Base, Content-Location or the
            request URL, as ``url.choose_base`` finds it.

    Returns:
        The streams, in order, without parameter sets, transport and SSRC. ``clock_rate`` is
        greater than 0 whatever the description says.

    Source: RFC 2326 C.1.1.
    """
    presentation = join_control(base, description.control)
    streams = []
    pairs = zip(description.media, description.back_channels(), strict=True)
    for index, (media, back_channel) in enumerate(pairs):
        payload_format = _first_format(media)
        control = media.control
        streams.append(
            Stream(
                index,
                media.media,
                payload_format.encoding_name,
                payload_format.payload_type,
                payload_format.clock_rate
                or default_clock_rate(media.media, payload_format.encoding_name),
                channels=payload_format.channels,
                fmtp=payload_format.fmtp,
                control_url=presentation if control is None else join_control(base, control),
                direction=media.direction or description.direction,
                framerate=media.framerate,
                back_channel=back_channel,
            )
        )
    return tuple(streams)


def _first_format(media: MediaDescription) -> PayloadFormat:
    """The first format that has a name, else the first, else an empty one."""
    formats = media.payload_formats or (PayloadFormat(None),)
    return next((one for one in formats if one.encoding_name), formats[0])

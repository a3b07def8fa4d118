"""What a session description says, as plain values.

Layer:  wire
In/Out: values only; ``sdp`` reads them, ``sdp_writer`` writes them
Source: RFC 8866 §5; RFC 2326 appendix C (control, range)

Facts the code leans on
- The attributes are kept as they came, all of them, in their order; the other fields repeat what
  most callers ask for. Attributes may hold keys (crypto, key-mgmt), so they are never printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtspkit.wire.format import PayloadFormat
from rtspkit.wire.sdp_address import Connection, Origin
from rtspkit.wire.sdp_attributes import (
    Crypto,
    KeyManagement,
    RtcpFeedback,
    SourceFilter,
    parse_crypto,
    parse_extmap,
    parse_key_management,
    parse_rtcp_feedback,
    parse_source_filter,
    parse_ssrc,
)

__all__ = ["Connection", "MediaDescription", "Origin", "SessionDescription"]

DIRECTIONS = ("recvonly", "sendonly", "sendrecv", "inactive")  # RFC 8866 §6.7


class AttributeLookup:
    """Access to attributes by name, in any case of letters, for a media and for the session."""

    __slots__ = ()

    attributes: list[tuple[str, str | None]]

    def get(self, name: str) -> str | None:
        """Value of the first attribute of that name: ``""`` for one without; None for none."""
        name = name.lower()
        for key, value in self.attributes:
            if key.lower() == name:
                return value or ""
        return None

    def get_all(self, name: str) -> list[str]:
        """Values of all attributes of that name, in order; ``""`` for one without."""
        name = name.lower()
        return [value or "" for key, value in self.attributes if key.lower() == name]

    def extmap(self) -> dict[int, str]:
        """Header extensions: id to URI (RFC 8285 §5)."""
        found: dict[int, str] = {}
        for value in self.get_all("extmap"):
            if (entry := parse_extmap(value)) is not None:
                found.setdefault(*entry)
        return found

    def key_management(self) -> list[KeyManagement]:
        """Key management messages that can be decoded (RFC 4567 §3.1)."""
        found = (parse_key_management(value) for value in self.get_all("key-mgmt"))
        return [entry for entry in found if entry is not None]

    def source_filters(self) -> list[SourceFilter]:
        """Source filters (RFC 4570 §3)."""
        found = (parse_source_filter(value) for value in self.get_all("source-filter"))
        return [entry for entry in found if entry is not None]


@dataclass(slots=True)
class MediaDescription(AttributeLookup):
    """One ``m=`` line with what follows it.

    Attributes:
        media: ``"video"``, ``"audio"``, ``"application"`` …, as spelt.
        port: 0 to 65,535; mostly 0 in RTSP, and of no use to us otherwise.
        protocol: ``"RTP/AVP"`` and the like.
        formats: The words after the protocol: payload types, mostly.
        payload_formats: One for each of ``formats``, in order.
        attributes: Name and value of every ``a=`` line; a value of None had no colon.
        control: First control attribute, user info removed; None without one.
        connection: First usable ``c=`` of this media.
        bandwidth: Modifier to number: ``{"AS": 5000}`` is kbit/s.
        direction: Its own direction attribute; None without one.
        framerate: Frames per second, greater than 0; None when nothing usable tells.
        title: Its ``i=`` line.
        port_count: Number of port pairs, for layered encodings.
    """

    media: str
    port: int = 0
    protocol: str = "RTP/AVP"
    formats: tuple[str, ...] = ()
    payload_formats: tuple[PayloadFormat, ...] = ()
    attributes: list[tuple[str, str | None]] = field(default_factory=list, repr=False)
    control: str | None = None
    connection: Connection | None = None
    bandwidth: dict[str, int] = field(default_factory=dict)
    direction: str | None = None
    framerate: float | None = None
    title: str | None = None
    port_count: int = 1

    @property
    def range(self) -> str | None:
        """The range attribute, for ``header.parse_range``; None without one."""
        return self.get("range")

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP may share a port (RFC 5761 §5.1.1)."""
        return self.get("rtcp-mux") is not None

    def crypto(self) -> list[Crypto]:
        """SDES keys that can be read (RFC 4568 §4)."""
        found = (parse_crypto(value) for value in self.get_all("crypto"))
        return [entry for entry in found if entry is not None]

    def rtcp_feedback(self) -> list[RtcpFeedback]:
        """Feedback messages the sender takes (RFC 4585 §4.2)."""
        found = (parse_rtcp_feedback(value) for value in self.get_all("rtcp-fb"))
        return [entry for entry in found if entry is not None]

    def ssrcs(self) -> dict[int, dict[str, str]]:
        """Sources: SSRC to its attributes, such as ``cname`` (RFC 5576 §4.1)."""
        found: dict[int, dict[str, str]] = {}
        for value in self.get_all("ssrc"):
            if (entry := parse_ssrc(value)) is not None:
                ssrc, name, text = entry
                attributes = found.setdefault(ssrc, {})
                if name:
                    attributes.setdefault(name, text)
        return found


@dataclass(slots=True)
class SessionDescription(AttributeLookup):
    """A presentation and its media.

    Attributes:
        version: 0, also when the line is missing.
        origin: None when missing or unreadable.
        session_name: ``s=``; empty for none.
        information: ``i=``.
        connection: ``c=`` for media without their own.
        bandwidth: Modifier to number, as in ``MediaDescription``.
        timing: Start and stop of each ``t=``, seconds since 1900; 0 for unbounded.
        attributes: The session's own ``a=`` lines.
        control: Aggregate control, user info removed; None without one.
        range: The range attribute, for ``header.parse_range``.
        media: One for each ``m=`` line, in order.
        deviations: Ids of what was put up with, each once.
    """

    version: int = 0
    origin: Origin | None = None
    session_name: str = ""
    information: str | None = None
    connection: Connection | None = None
    bandwidth: dict[str, int] = field(default_factory=dict)
    timing: tuple[tuple[int, int], ...] = ()
    attributes: list[tuple[str, str | None]] = field(default_factory=list, repr=False)
    control: str | None = None
    range: str | None = None
    media: tuple[MediaDescription, ...] = ()
    deviations: tuple[str, ...] = field(default=(), compare=False)

    @property
    def direction(self) -> str | None:
        """The direction of media without their own; None when the session has none."""
        for name, value in self.attributes:
            if value is None and name.lower() in DIRECTIONS:
                return name.lower()
        return None

    def back_channels(self) -> tuple[bool, ...]:
        """Whether each media goes from us to the server, in order.

        A camera marks its loudspeaker ``sendonly``. Some mark what they send themselves so: video
        and metadata never go to a camera, and a presentation of nothing but back channels
        would be none.
        """
        session = self.direction
        marked = tuple(
            media.media.lower() == "audio" and (media.direction or session) == "sendonly"
            for media in self.media
        )
        return (False,) * len(marked) if all(marked) else marked

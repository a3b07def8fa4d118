"""A session description as aiortsp gives it: nested dictionaries.

Layer:  compat (the text is read by ``wire.sdp``)
In:     the text, or what ``wire.sdp`` made of it
Out:    ``SDP``

Where it differs from aiortsp
- Of several formats of one media the first one counts, not the last.
- An rtpmap with channels and an fmtp with a lone word are read. E-mail, phone and URI lines, time
  zones and repeats are left out: they say nothing of the media.
"""

from __future__ import annotations

from typing import Any

from rtspkit.compat.aiortsp.rtsp.errors import RTSPError
from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.number import parse_decimal, parse_seconds
from rtspkit.wire.sdp import SessionDescription, parse_sdp
from rtspkit.wire.sdp_description import Connection, MediaDescription, Origin
from rtspkit.wire.url import join_control

__all__ = ["SDP"]

MAXIMUM = 2**32 - 1


class SDP(dict[str, Any]):
    """A description: ``sdp["medias"][0]["attributes"]["rtpmap"]["clockRate"]``.

    Args:
        data: The text, or a description that was read already.

    Raises:
        RTSPError: It is no description.
    """

    def __init__(self, data: str | bytes | SessionDescription) -> None:
        super().__init__()
        if not isinstance(data, SessionDescription):
            try:
                data = parse_sdp(data)
            except RemoteProtocolError as error:
                raise RTSPError(str(error)) from error
        self["version"] = data.version
        if data.origin is not None:
            self["origin"] = _origin(data.origin)
        self["sessionName"] = data.session_name
        if data.information is not None:
            self["information"] = data.information
        if data.timing:
            self["time"] = data.timing[0]
        _put_common(self, data)
        if data.media:
            self["medias"] = [_media(media) for media in data.media]

    @staticmethod
    def mix_url_control(base: str, ctrl: str | None) -> str:
        """The URL that a control attribute means; user info in it is left out."""
        return join_control(base, ctrl)

    def get_media(self, media_type: str = "video", media_idx: int = 0) -> dict[str, Any] | None:
        """The media of this type and place among its like, or None."""
        found = [media for media in self.get("medias", []) if media["type"] == media_type]
        return found[media_idx] if 0 <= media_idx < len(found) else None

    def setup_url(self, base_url: str, media_type: str = "video", media_idx: int = 0) -> str:
        """What SETUP of a media is sent to; the presentation's own URL without such a media."""
        media = self.get_media(media_type, media_idx)
        control = _attribute(media, "control")
        if control is None:
            return join_control(base_url, _attribute(self, "control"))
        return join_control(base_url, control)

    def media_clock_rate(self, media_type: str = "video", media_idx: int = 0) -> int | None:
        """Ticks per second of a media, or None."""
        rate: int | None = self._rtpmap(media_type, media_idx).get("clockRate")
        return rate

    def media_payload_type(self, media_type: str = "video", media_idx: int = 0) -> int | None:
        """The payload type of a media's first rtpmap, or None."""
        payload_type: int | None = self._rtpmap(media_type, media_idx).get("pt")
        return payload_type

    def guess_h264_props(self, media_idx: int = 0) -> str | None:
        """``sprop-parameter-sets`` of a video, or None."""
        parameters = _attribute(self.get_media("video", media_idx), "fmtp") or {}
        text: str | None = parameters.get("sprop-parameter-sets")
        return text

    def _rtpmap(self, media_type: str, media_idx: int) -> dict[str, Any]:
        return _attribute(self.get_media(media_type, media_idx), "rtpmap") or {}


def _attribute(element: dict[str, Any] | None, name: str) -> Any:
    return (element or {}).get("attributes", {}).get(name)


def _media(media: MediaDescription) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": media.media,
        "port": media.port,
        "numPorts": media.port_count,
        "protocol": media.protocol,
        "format": " ".join(media.formats),
    }
    if media.title is not None:
        element["information"] = media.title
    _put_common(element, media)
    return element


def _put_common(element: dict[str, Any], source: SessionDescription | MediaDescription) -> None:
    """What the session and each media may have."""
    if source.connection is not None:
        element["connection"] = _connection(source.connection)
    for name, number in source.bandwidth.items():
        element.setdefault("bandwidth", (name, number * 1000))
    attributes: dict[str, Any] = {}
    for name, value in source.attributes:
        attributes.setdefault(name, _value(name, value))
    if attributes:
        element["attributes"] = attributes


def _value(name: str, value: str | None) -> Any:
    """An attribute's value, taken apart where aiortsp does so; as it came when it is odd."""
    if value is None:
        return None
    found: Any = None
    if name == "framerate":
        found = parse_seconds(value.strip())
    elif name == "framesize":
        found = _framesize(value)
    elif name == "rtpmap":
        found = _rtpmap(value)
    elif name == "fmtp":
        found = _fmtp(value)
    return value if found is None else found


def _rtpmap(value: str) -> dict[str, Any] | None:
    number, _, rest = value.strip().partition(" ")
    encoding, _, clock = rest.strip().partition("/")
    payload_type = parse_decimal(number, maximum=127)
    rate = parse_decimal(clock.partition("/")[0].strip(), maximum=MAXIMUM)
    if payload_type is None or rate is None:
        return None
    return {"pt": payload_type, "encoding": encoding, "clockRate": rate}


def _fmtp(value: str) -> dict[str, Any] | None:
    number, _, rest = value.strip().partition(" ")
    payload_type = parse_decimal(number, maximum=127)
    if payload_type is None:
        return None
    parameters: dict[str, Any] = {"pt": payload_type}
    for part in filter(str.strip, rest.split(";")):
        name, _, text = part.partition("=")
        parameters[name.strip()] = text.strip()
    return parameters


def _framesize(value: str) -> dict[str, int] | None:
    number, _, size = value.strip().partition(" ")
    texts = number, *size.strip().split("-")
    numbers = [parse_decimal(text, maximum=MAXIMUM) for text in texts]
    if len(numbers) != 3 or None in numbers:
        return None
    return dict(zip(("pt", "width", "height"), (n for n in numbers if n is not None), strict=True))


def _origin(origin: Origin) -> str:
    numbers = origin.session_id or 0, origin.session_version or 0
    words = origin.username, *numbers, origin.network_type, origin.address_type, origin.address
    return " ".join(map(str, words)).strip()


def _connection(connection: Connection) -> str:
    text = f"{connection.network_type} {connection.address_type} {connection.address}"
    return text if connection.ttl is None else f"{text}/{connection.ttl}"

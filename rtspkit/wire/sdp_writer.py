"""Session descriptions: ``SessionDescription`` to bytes, by the RFC.

Layer:  wire
In:     a description as ``parse_sdp`` gives it, or as one is made by hand
Out:    bytes; what the attributes do not say yet is added from the other fields
Source: RFC 8866 §5, §9; RFC 2326 appendix C
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.format import PayloadFormat, first_word, is_static
from rtspkit.wire.sdp_address import Connection, Origin
from rtspkit.wire.sdp_description import DIRECTIONS, MediaDescription, SessionDescription

__all__ = ["serialize_sdp"]

FORBIDDEN = re.compile("[\r\n\0]")
TOKEN = re.compile(r"[^\s:]+")


def serialize_sdp(description: SessionDescription) -> bytes:
    """Write a description, lines in the order of the RFC, each ended by CR LF.

    What a description must have and this one lacks is filled in: ``o=- 0 0 IN IP4 0.0.0.0``,
    ``s=`` with a blank, ``t=0 0``.

    Raises:
        LocalProtocolError: A field that its line cannot hold: CR, LF or NUL in it, an empty
            word, a media without a format.
    """
    lines = list(_session_lines(description))
    for media in description.media:
        lines += _media_lines(media)
    if any(FORBIDDEN.search(line) for line in lines):
        raise LocalProtocolError("CR, LF or NUL in a field of a session description")
    try:
        return "".join(line + "\r\n" for line in lines).encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("a field of a session description is no Unicode text") from None


def _session_lines(description: SessionDescription) -> Iterator[str]:
    yield "v=0"
    yield _origin_line(description.origin or Origin())
    yield f"s={description.session_name or ' '}"
    if description.information:
        yield f"i={description.information}"
    if description.connection:
        yield _connection_line(description.connection)
    yield from _bandwidth_lines(description.bandwidth)
    for start, stop in description.timing or ((0, 0),):
        yield f"t={start} {stop}"
    attributes = list(description.attributes)
    names = {name.lower() for name, _ in attributes}
    if description.control is not None and "control" not in names:
        attributes.append(("control", description.control))
    if description.range is not None and "range" not in names:
        attributes.append(("range", description.range))
    yield from map(_attribute_line, attributes)


def _media_lines(media: MediaDescription) -> Iterator[str]:
    formats = media.formats or tuple(str(one.payload_type) for one in media.payload_formats)
    if not formats:
        raise LocalProtocolError("a media of a session description needs a format")
    port = f"{media.port}/{media.port_count}" if media.port_count != 1 else f"{media.port}"
    yield "m=" + _words(media.media, port, media.protocol, *formats)
    if media.title:
        yield f"i={media.title}"
    if media.connection:
        yield _connection_line(media.connection)
    yield from _bandwidth_lines(media.bandwidth)
    yield from map(_attribute_line, [*media.attributes, *_missing_attributes(media)])


def _missing_attributes(media: MediaDescription) -> Iterator[tuple[str, str | None]]:
    """What the fields of a media say and its attributes do not."""
    names = {name.lower() for name, _ in media.attributes}
    mapped = {(name.lower(), first_word(value)) for name, value in media.attributes}
    texts = media.formats or tuple(str(one.payload_type) for one in media.payload_formats)
    for text, one in zip(texts, media.payload_formats, strict=False):
        if one.encoding_name and not is_static(one) and ("rtpmap", text) not in mapped:
            yield "rtpmap", f"{text} {_rtpmap(one)}"
        if (one.fmtp_raw or one.fmtp) and ("fmtp", text) not in mapped:
            yield "fmtp", f"{text} {one.fmtp_raw or _fmtp(one)}"
    if media.framerate is not None and "framerate" not in names:
        yield "framerate", f"{media.framerate:f}".rstrip("0").rstrip(".")
    if media.direction is not None and names.isdisjoint(DIRECTIONS):
        yield media.direction, None
    if media.control is not None and "control" not in names:
        yield "control", media.control


def _rtpmap(payload_format: PayloadFormat) -> str:
    channels = f"/{payload_format.channels}" if payload_format.channels is not None else ""
    return f"{payload_format.encoding_name}/{payload_format.clock_rate}{channels}"


def _fmtp(payload_format: PayloadFormat) -> str:
    return "; ".join(
        f"{name}={value}" if value else name for name, value in payload_format.fmtp.items()
    )


def _origin_line(origin: Origin) -> str:
    username = "_".join(origin.username.split()) or "-"
    return "o=" + _words(
        username,
        str(origin.session_id or 0),
        str(origin.session_version or 0),
        origin.network_type,
        origin.address_type,
        origin.address or ("::" if origin.address_type == "IP6" else "0.0.0.0"),
    )


def _connection_line(connection: Connection) -> str:
    address = connection.address
    if connection.ttl is not None:
        address += f"/{connection.ttl}"
    if connection.count != 1:
        address += f"/{connection.count}"
    return "c=" + _words(connection.network_type, connection.address_type, address)


def _words(*words: str) -> str:
    """The words of one line with a blank between; none of them may be empty or hold one."""
    for word in words:
        if word.split() != [word]:
            raise LocalProtocolError(f"{word!r} is no word of a session description")
    return " ".join(words)


def _bandwidth_lines(bandwidth: dict[str, int]) -> Iterator[str]:
    for name, number in bandwidth.items():
        if not TOKEN.fullmatch(name):
            raise LocalProtocolError("a bandwidth modifier is one word")
        yield f"b={name}:{number}"


def _attribute_line(attribute: tuple[str, str | None]) -> str:
    name, value = attribute
    if not TOKEN.fullmatch(name):
        raise LocalProtocolError("an attribute name is one word without a colon")
    return f"a={name}" if value is None else f"a={name}:{value}"

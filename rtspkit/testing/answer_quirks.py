"""How the quirks change texts: headers, heads and descriptions.

Layer:  testing
In/Out: a header's value, the bytes of an answer, or an SDP; changed
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from rtspkit.testing.actions import EditHeaders, Exchange
from rtspkit.testing.answer import path_of

if TYPE_CHECKING:
    from rtspkit.testing.camera_core import CameraCore

__all__ = [
    "Exchange",
    "absurd_info",
    "blanks",
    "changing_session",
    "folded",
    "framerate_text",
    "latin_1",
    "length_twice",
    "line_feeds",
    "lower_names",
    "no_parameter_sets",
    "no_reason",
    "no_timeout",
    "path_of",
    "plain_port",
    "relative_urls",
    "rename_header",
    "rtpmap_blanks",
    "server_port_zero",
    "short_origin",
    "ssrc_blank",
    "ssrc_first",
    "ssrc_short",
    "ssrc_swapped",
    "ssrc_zero",
    "tcp_for_udp",
    "timeout_zero",
    "trailing_blanks",
    "udp_for_tcp",
    "unknown_media",
    "without",
    "without_line",
    "wrong_info",
]

_SSRC = re.compile(r";ssrc=([0-9A-Fa-f]{8})")
_HEAD = re.compile(rb"(?s)(.*?\r\n\r\n)(.*)")


def _in_head(data: bytes, function: Callable[[bytes], bytes]) -> bytes:
    """Change the head of a message, not its body."""
    match = _HEAD.fullmatch(data)
    return data if match is None else function(match[1]) + match[2]


def rename_header(exchange: Exchange, old: str, new: str) -> None:
    """Give a header field another name."""
    if exchange.response is not None:
        headers = exchange.response.headers
        value = headers.get(old)
        if value is not None:
            headers.remove(old)
            headers.add(new, value)


# Session


def blanks(value: str) -> str:
    """Blanks around, and another parameter."""
    return " ; ".join((value.partition(";")[0], "mode=live", *value.split(";")[1:])) + " "


def no_timeout(value: str) -> str:
    """The id alone."""
    return value.partition(";")[0]


def timeout_zero(value: str) -> str:
    """A timeout of nothing."""
    return f"{no_timeout(value)};timeout=0"


def changing_session(camera: CameraCore) -> None:
    """Another id in each answer; the camera knows them all."""
    numbers = count(1)

    def change(value: str) -> str:
        name, semicolon, rest = value.partition(";")
        return f"{name}.{next(numbers)}{semicolon}{rest}"

    camera.rules.add(None, (EditHeaders(change={"Session": change}),))


# the head


def no_reason(data: bytes) -> bytes:
    """A status line that ends with the status."""
    return re.sub(rb"^(RTSP/1\.0 \d{3})[^\r\n]*", rb"\1", data, count=1)


def lower_names(data: bytes) -> bytes:
    """Header names in lower case."""
    return _in_head(data, lambda head: re.sub(rb"(?m)^[\w-]+:", lambda m: m[0].lower(), head))


def folded(data: bytes) -> bytes:
    """Headers folded after each comma."""
    return _in_head(data, lambda head: head.replace(b", ", b",\r\n\t"))


def latin_1(data: bytes) -> bytes:
    """A header that is not UTF-8."""
    return data.replace(b"\r\n", b"\r\nX-Place: Stra\xdfe\r\n", 1)


def line_feeds(data: bytes) -> bytes:
    """LF for CR LF."""
    return _in_head(data, lambda head: head.replace(b"\r\n", b"\n"))


def length_twice(data: bytes) -> bytes:
    """Content-Length twice, with the same value."""
    return _in_head(data, lambda head: re.sub(rb"(Content-Length: \d+\r\n)", rb"\1\1", head))


def trailing_blanks(data: bytes) -> bytes:
    """Blanks after each challenge."""
    return _in_head(data, lambda head: re.sub(rb"(WWW-Authenticate:[^\r]*)", rb"\1  \t", head))


# RTP-Info


def relative_urls(value: str) -> str:
    """The last part of each URL."""
    return re.sub(r"url=[^;,]*/([^;,/]*)", r"url=\1", value)


def absurd_info(value: str) -> str:
    """Numbers that cannot be."""
    return re.sub(r"seq=\d+;rtptime=\d+", "seq=0;rtptime=-1", value)


def wrong_info(value: str) -> str:
    """Numbers that have nothing to do with the packets."""
    return re.sub(r"seq=\d+;rtptime=\d+", "seq=1;rtptime=4242", value)


# Transport


def without(name: str) -> Callable[[str], str]:
    """Leave a parameter out."""
    return lambda value: re.sub(rf";{name}=[^;]*", "", value)


def ssrc_short(value: str) -> str:
    """Six digits, the leading ones lost."""
    return _SSRC.sub(lambda match: f";ssrc={match[1][2:]}", value)


def ssrc_zero(value: str) -> str:
    """An SSRC that says nothing."""
    return _SSRC.sub(";ssrc=00000000", value)


def ssrc_blank(value: str) -> str:
    """A blank where none belongs."""
    return _SSRC.sub(r";ssrc= \1", value)


def ssrc_swapped(value: str) -> str:
    """The bytes the other way round."""
    return _SSRC.sub(lambda m: f";ssrc={bytes.fromhex(m[1])[::-1].hex().upper()}", value)


def ssrc_first(value: str) -> str:
    """The SSRC before the protocol."""
    match = _SSRC.search(value)
    return value if match is None else f"ssrc={match[1]};{_SSRC.sub('', value)}"


def plain_port(value: str) -> str:
    """``port`` for ``client_port``."""
    return value.replace("client_port=", "port=")


def server_port_zero(value: str) -> str:
    """No port of the server."""
    return re.sub(r"server_port=[^;]*", "server_port=0-0", value)


def udp_for_tcp(value: str) -> str:
    """UDP, where interleaved channels were asked for."""
    if "interleaved=" not in value:
        return value
    return "RTP/AVP;unicast;client_port=50000-50001;server_port=50002-50003"


def tcp_for_udp(value: str) -> str:
    """Interleaved channels, where UDP was asked for."""
    return value if "client_port=" not in value else "RTP/AVP/TCP;unicast;interleaved=0-1"


# SDP


def without_line(prefix: bytes) -> Callable[[bytes], bytes]:
    """Leave lines out."""
    pattern = re.compile(rb"(?m)^" + re.escape(prefix) + rb".*\r\n")
    return lambda body: pattern.sub(b"", body)


def short_origin(body: bytes) -> bytes:
    """``o=`` without its last two fields."""
    return re.sub(rb"(?m)^(o=\S+ \S+ \S+ \S+) [^\r\n]*", rb"\1", body)


def framerate_text(body: bytes) -> bytes:
    """A frame rate that is no number."""
    body = re.sub(rb"(?m)^a=framerate:.*\r\n", b"", body)
    return re.sub(rb"(?m)^(m=video.*\r\n)", rb"\1a=framerate:0S\r\n", body)


def unknown_media(body: bytes) -> bytes:
    """Metadata in a format without a number."""
    return body + (
        b"m=application 0 RTP/AVP smart/1/90000\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
        b"a=control:metadata\r\n"
    )


def rtpmap_blanks(body: bytes) -> bytes:
    """Blanks around the parts of an rtpmap."""
    return re.sub(rb"(?m)^(a=rtpmap:\d+ [^/\r]+)/", rb"\1 / ", body)


def no_parameter_sets(body: bytes) -> bytes:
    """``sprop-`` parameters left out."""
    return re.sub(rb"; ?sprop-[a-z-]+=[^;\r\n]*", b"", body)

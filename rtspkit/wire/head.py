"""Requests and responses as values: their start line and body length read, the whole written.

Layer:  wire
In:     parse_start_line, body_length; Request and Response to be written
Out:    Request, Response; the bytes of one message
Source: RFC 2326 §4 to §7, §12.14 (Content-Length), §12.17 (CSeq)

Where we leave the RFC
- The reason phrase may be missing, the protocol in lower case, blanks doubled.
- Content-Length is written by the serializer alone, and only when there is a body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rtspkit.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.headers import Headers, decode_text, redact_userinfo
from rtspkit.wire.number import parse_decimal

__all__ = [
    "Request",
    "Response",
    "body_length",
    "parse_start_line",
    "serialize_request",
    "serialize_response",
]

MAX_CSEQ = 2**32 - 1  # the RFC has no bound; a 32-bit counter is the widest that is met
MAX_CONTENT_LENGTH = 9_999_999  # seven digits

_STATUS_LINE = re.compile(rb"(?i:(RTSP))/(\d\.\d)[ \t]+(\d{3})(?!\d)[ \t]*(.*)", re.DOTALL)
_REQUEST_LINE = re.compile(
    rb"([A-Z][A-Z_-]{1,31})[ \t]+([^\x00-\x20\x7f]+)[ \t]+(?i:(RTSP))/(\d\.\d)[ \t]*"
)
_METHOD = re.compile(r"[A-Z][A-Z_-]{1,31}")
_VERSION = re.compile(r"[0-9]\.[0-9]")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_URI = re.compile(r"[^\x00-\x20\x7f]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(slots=True)
class Request:
    """One request, ours or the server's.

    Attributes:
        method: In upper case: ``"PLAY"``.
        uri: ``"*"`` or the request URL.
        headers: Without Content-Length when it is to be written.
        body: Empty unless Content-Length gave it a length.
        version: ``"1.0"`` or ``"2.0"``.
        deviations: What the reader put up with, as stable identifiers.
    """

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = "1.0"
    deviations: tuple[str, ...] = field(default=(), compare=False)

    @property
    def cseq(self) -> int | None:
        """The sequence number of the exchange; None when it is missing or no number."""
        return _cseq(self.headers)

    def __repr__(self) -> str:
        return (
            f"Request({self.method!r}, {redact_userinfo(self.uri)!r}, {self.headers!r}, "
            f"{len(self.body)} bytes)"
        )


@dataclass(slots=True)
class Response:
    """One response.

    Attributes:
        status_code: 100 to 999.
        reason_phrase: For people only; may be empty.
        headers: As in ``Request``.
        body: Empty unless Content-Length gave it a length.
        version: ``"1.0"`` or ``"2.0"``.
        deviations: What the reader put up with, as stable identifiers.
    """

    status_code: int
    reason_phrase: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = "1.0"
    deviations: tuple[str, ...] = field(default=(), compare=False)

    @property
    def cseq(self) -> int | None:
        """The sequence number of the exchange; None when it is missing or no number."""
        return _cseq(self.headers)

    def __repr__(self) -> str:
        return (
            f"Response({self.status_code}, {redact_userinfo(self.reason_phrase)!r}, "
            f"{self.headers!r}, {len(self.body)} bytes)"
        )


def _cseq(headers: Headers) -> int | None:
    value = headers.get("CSeq")
    return None if value is None else parse_decimal(value.strip(" \t"), maximum=MAX_CSEQ)


def parse_start_line(line: bytes) -> Request | Response:
    """Read the first line of a message; headers and body are left empty.

    Args:
        line: Without its line end.

    Raises:
        RemoteProtocolError: It is neither a request line nor a status line. Nothing else.

    Source: RFC 2326 §6.1, §7.1.
    """
    deviations: list[str] = []
    if status := _STATUS_LINE.fullmatch(line):
        protocol, version, code, words = status.groups()
        status_code = int(code)  # three ASCII digits, by the pattern
        if status_code < 100:
            raise RemoteProtocolError(f"the status code is {code.decode()}, not 100 to 999")
        reason_phrase, met = decode_text(words.rstrip(b" \t"))
        deviations.extend(met)
        if not reason_phrase:
            deviations.append("reason-phrase-missing")
        if protocol != b"RTSP":
            deviations.append("protocol-in-lower-case")
        return Response(
            status_code, reason_phrase, version=version.decode(), deviations=tuple(deviations)
        )
    if request := _REQUEST_LINE.fullmatch(line):
        method, raw_uri, protocol, version = request.groups()
        uri, met = decode_text(raw_uri)
        deviations.extend(met)
        if protocol != b"RTSP":
            deviations.append("protocol-in-lower-case")
        return Request(method.decode(), uri, version=version.decode(), deviations=tuple(deviations))
    raise RemoteProtocolError(f"neither a request line nor a status line: {line[:64]!r}")


def body_length(headers: Headers, *, limits: Limits) -> tuple[int, tuple[str, ...]]:
    """How many bytes of body follow the head: none without Content-Length.

    Returns:
        The length, and the deviations that were met.

    Raises:
        LimitExceeded: More than ``limits.body``.
        RemoteProtocolError: No number, more than seven digits, or two that differ.

    Source: RFC 2326 §12.14.
    """
    values = [v.strip(" \t") for text in headers.get_all("Content-Length") for v in text.split(",")]
    if not values:
        return 0, ()
    if len(set(values)) > 1:
        raise RemoteProtocolError(f"two different Content-Length: {values[:4]!r}"[:120])
    deviations = ("duplicate-content-length",) if len(values) > 1 else ()
    if not values[0]:
        return 0, (*deviations, "content-length-empty")
    length = parse_decimal(values[0], maximum=MAX_CONTENT_LENGTH)
    if length is None:
        raise RemoteProtocolError(
            f"Content-Length is no number of up to 7 digits: {values[0][:32]!r}"
        )
    if length > limits.body:
        raise LimitExceeded("body", limits.body, length)
    return length, deviations


def serialize_request(request: Request) -> bytes:
    """Write one request.

    Raises:
        LocalProtocolError: CR, LF, NUL or another control character anywhere in the head, a
            blank in the method or the URI, a header name that is no token.

    Source: RFC 2326 §6.
    """
    if not _METHOD.fullmatch(request.method):
        raise LocalProtocolError(f"no RTSP method: {request.method!r}")
    if not _URI.fullmatch(request.uri):
        raise LocalProtocolError("a request URL holds neither blanks nor control characters")
    start = f"{request.method} {request.uri} RTSP/{_version(request.version)}"
    return _serialize(start, request.headers, request.body)


def serialize_response(response: Response) -> bytes:
    """Write one response.

    Raises:
        LocalProtocolError: As ``serialize_request``, or a status code outside 100 to 999.

    Source: RFC 2326 §7.
    """
    if not 100 <= response.status_code <= 999:
        raise LocalProtocolError(f"a status code is 100 to 999, not {response.status_code}")
    if _CONTROLS.search(response.reason_phrase):
        raise LocalProtocolError("a control character in the reason phrase")
    start = f"RTSP/{_version(response.version)} {response.status_code} {response.reason_phrase}"
    return _serialize(start, response.headers, response.body)


def _version(version: str) -> str:
    if not _VERSION.fullmatch(version):
        raise LocalProtocolError(f"no RTSP version: {version!r}")
    return version


def _serialize(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [start]
    length = f"Content-Length: {len(body)}"
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise LocalProtocolError(f"no header name: {name!r}")
        if _CONTROLS.search(value):
            raise LocalProtocolError(f"a control character in the header {name}")
        lines.append(length if name.lower() == "content-length" else f"{name}: {value}")
    lines = list(dict.fromkeys(lines)) if lines.count(length) > 1 else lines
    if body and length not in lines:
        lines.append(length)
    try:
        return "\r\n".join((*lines, "", "")).encode("utf-8") + body
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a lone surrogate in the head of a message") from error

"""The headers of RTSP that hold more than text: Session, RTP-Info, Public, Content-Type.

Layer:  wire
In:     the value of a header, as the reader of messages gave it
Out:    plain values; Transport and Range come from modules of their own
Source: RFC 2326 §12.37 (Session), §12.33 (RTP-Info), §12.28 (Public), §12.16 (Content-Type)

Facts the code leans on
- URLs in RTP-Info may hold commas and semicolons: an entry begins where a known name does.
- They are request text, for telling streams apart, and keep no user info.
- Numbers in RTP-Info are hints: what is out of range is left out, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.number import parse_decimal
from rtspkit.wire.range import Range, SmpteTime, parse_range, serialize_range
from rtspkit.wire.transport import (
    Transport,
    parse_transport,
    parse_transports,
    serialize_transport,
)
from rtspkit.wire.url import remove_userinfo

__all__ = [
    "Range",
    "RtpInfo",
    "SessionHeader",
    "SmpteTime",
    "Transport",
    "parse_content_type",
    "parse_public",
    "parse_range",
    "parse_rtp_info",
    "parse_session",
    "parse_transport",
    "parse_transports",
    "serialize_range",
    "serialize_rtp_info",
    "serialize_session",
    "serialize_transport",
]

MAXIMUM_TIMEOUT = 2**31 - 1  # seconds
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SESSION_ID = re.compile(r"[!-:<-~]+")  # visible ASCII but the semicolon
_ENTRY = re.compile(r",\s*(?=(?:url|seq|rtptime)\s*=)", re.IGNORECASE)
_PARAMETER = re.compile(r"\s*(url|seq|rtptime|ssrc)\s*=(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class SessionHeader:
    """The value of a Session header.

    Attributes:
        id: The session id; sent back exactly so.
        timeout: Seconds without a sign of life after which the server ends the session, 0 or
            more, as it says; None when it does not (then 60).
        deviations: What the reader put up with.
    """

    id: str
    timeout: int | None = None
    deviations: tuple[str, ...] = field(default=(), compare=False)


def parse_session(value: str) -> SessionHeader:
    """Read the value of a Session header.

    Raises:
        RemoteProtocolError: It has no id, or one with characters that cannot be sent back.

    Source: RFC 2326 §12.37.
    """
    deviations: list[str] = []
    first, *parameters = value.split(";")
    words = first.split()
    if not words or not _SESSION_ID.fullmatch(words[0]):
        raise RemoteProtocolError(f"no session id in {value[:80]!r}")
    if len(words) > 1:
        deviations.append("session-blank-for-semicolon")
    timeout: int | None = None
    for parameter in (*words[1:], *parameters):
        name, _, text = parameter.partition("=")
        if name.strip().lower() != "timeout" or timeout is not None:
            continue
        timeout = _timeout(text.strip().strip('"'), deviations)
    return SessionHeader(words[0], timeout, tuple(deviations))


def _timeout(text: str, deviations: list[str]) -> int | None:
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    timeout = parse_decimal(digits, maximum=MAXIMUM_TIMEOUT)
    if timeout is None or digits != text:
        deviations.append("session-timeout-unusable" if timeout is None else "session-timeout-odd")
    elif timeout == 0:
        deviations.append("session-timeout-zero")
    return timeout


def serialize_session(session: SessionHeader) -> str:
    """Write the value of a Session header, as a server does.

    Raises:
        LocalProtocolError: An id or a timeout that the header cannot hold.
    """
    if not _SESSION_ID.fullmatch(session.id):
        raise LocalProtocolError("a session id is visible ASCII without a semicolon")
    if session.timeout is None:
        return session.id
    if not 0 <= session.timeout <= MAXIMUM_TIMEOUT:
        raise LocalProtocolError(f"a timeout is 0 to {MAXIMUM_TIMEOUT} s, not {session.timeout}")
    return f"{session.id};timeout={session.timeout}"


@dataclass(slots=True)
class RtpInfo:
    """Where one stream begins, as the response to PLAY says.

    Attributes:
        url: Of the stream, absolute or not, without user info; empty when not given.
        sequence_number: Of the first packet, 0 to 65,535; None when absent or absurd.
        rtptime: RTP time of the start of the range, 32 bits; None when absent or absurd.
        deviations: What the reader put up with.
    """

    url: str
    sequence_number: int | None = None
    rtptime: int | None = None
    deviations: tuple[str, ...] = field(default=(), compare=False)


def parse_rtp_info(value: str) -> list[RtpInfo]:
    """Read the value of an RTP-Info header; empty text gives no entries, nothing is raised.

    Source: RFC 2326 §12.33.
    """
    entries = (entry.strip().rstrip(",") for entry in _ENTRY.split(value))
    return [_rtp_info(entry) for entry in entries if entry.strip(";, \t")]


def _rtp_info(entry: str) -> RtpInfo:
    deviations: list[str] = []
    url: list[str] = []
    numbers: dict[str, str] = {}
    named = False
    for part in entry.split(";"):
        match = _PARAMETER.fullmatch(part)
        if match is None:
            if part.strip() and not numbers:
                url.append(part)
            continue
        name = match[1].lower()
        if name == "url" and not url:
            named = True
            url.append(match[2])
        else:
            numbers.setdefault(name, match[2].strip())
    if entry.rstrip().endswith(";"):
        deviations.append("rtp-info-trailing-semicolon")
    text = ";".join(url).strip().strip('"').strip()
    if not text:
        deviations.append("rtp-info-url-missing")
    elif not named:
        deviations.append("rtp-info-url-unnamed")
    return RtpInfo(
        remove_userinfo(text),
        _number(numbers, "seq", 0xFFFF, deviations),
        _number(numbers, "rtptime", 0xFFFFFFFF, deviations),
        tuple(deviations),
    )


def _number(numbers: dict[str, str], name: str, maximum: int, deviations: list[str]) -> int | None:
    text = numbers.get(name)
    if text is None:
        return None
    number = parse_decimal(text, maximum=maximum)
    if number is None:
        deviations.append(f"rtp-info-{name}-unusable")
    return number


def serialize_rtp_info(entries: Iterable[RtpInfo]) -> str:
    """Write the value of an RTP-Info header, as a server does.

    Raises:
        LocalProtocolError: A URL or a number that the header cannot hold.
    """
    return ",".join(_written(entry) for entry in entries)


def _written(entry: RtpInfo) -> str:
    if not entry.url or not all("!" <= c <= "~" for c in entry.url):
        raise LocalProtocolError("a URL in RTP-Info is visible ASCII and not empty")
    text = f"url={entry.url}"
    if entry.sequence_number is not None:
        if not 0 <= entry.sequence_number <= 0xFFFF:
            raise LocalProtocolError(f"no sequence number: {entry.sequence_number}")
        text += f";seq={entry.sequence_number}"
    if entry.rtptime is not None:
        if not 0 <= entry.rtptime <= 0xFFFFFFFF:
            raise LocalProtocolError(f"no RTP time: {entry.rtptime}")
        text += f";rtptime={entry.rtptime}"
    return text


def parse_public(value: str | Iterable[str]) -> frozenset[str]:
    """The methods in Public or Allow headers, in upper case; what is no token is left out.

    Args:
        value: One value, or one for each header of that name.

    Source: RFC 2326 §12.28, §12.4.
    """
    values = (value,) if isinstance(value, str) else value
    words = (word for text in values for word in re.split(r"[,;\s]+", text))
    return frozenset(word.upper() for word in words if _TOKEN.fullmatch(word))


def parse_content_type(value: str) -> str:
    """The media type of a Content-Type header in lower case, without its parameters."""
    return value.partition(";")[0].strip().lower()

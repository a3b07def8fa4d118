"""RTSP URLs: one reader, and the joining of control URLs.

Layer:  wire
In:     the URL a user gave; base URLs and controls as the server wrote them
Out:    RtspUrl; request text that holds no credentials
Source: RFC 3986 §3.2; RFC 2326 §3.2, §12.14, C.1.1; RFC 6874 §2 (scope of an IPv6 address)

Facts the code leans on
- What a server calls its URLs is request text, never a new address (control URLs, Content-Base,
  RTP-Info): these functions return text, and take user info out of it.
- ``%`` with two hexadecimal digits is decoded in user name and password; any other ``%`` stands
  for itself.
- Devices expect a control to be appended as text; RFC 3986 §5.2 breaks bases with a query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote_to_bytes

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.authority import (
    cut_authority,
    is_bare_ipv6,
    is_host_and_port,
    is_ipv4,
    refused_url,
    split_authority,
    split_host_and_port,
)

__all__ = [
    "RtspUrl",
    "choose_base",
    "join_control",
    "parse_url",
    "redact_url",
    "remove_userinfo",
]

DEFAULT_PORTS = {"rtsp": 554, "rtspt": 554, "rtspu": 554, "rtsps": 322, "rtsph": 80}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PREFIX = re.compile(r"\s*(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)+")
_SECRET = re.compile(r"((?:password|passwd|pass|pwd|token|auth|secret)=)[^&;/?#\s]+", re.IGNORECASE)
_KEPT = "".join(map(chr, range(0x21, 0x7F)))  # visible ASCII, the percent sign included


@dataclass(frozen=True, slots=True)
class RtspUrl:
    """One RTSP URL, read once. ``str()`` and ``repr()`` show no password.

    Attributes:
        scheme: ``"rtsp"``, ``"rtsps"``, or an alias that also chooses the transport:
            ``"rtspt"`` (TCP), ``"rtspu"`` (UDP), ``"rtsph"`` (HTTP tunnel).
        host: Name or address, without brackets; the scope of an IPv6 address is kept.
        port: 1 to 65,535.
        target: Path and query as text; empty, or begins with ``/`` or ``?``.
        username: Percent-decoded; None when the URL has none.
        password: Percent-decoded; None when the URL has none.
    """

    scheme: str
    host: str
    port: int
    target: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def request_uri(self) -> str:
        """What goes on the request line: no credentials, no fragment, no alias, no scope."""
        scheme = _wire_scheme(self.scheme)
        host = self.host.partition("%")[0]
        return f"{scheme}://{_authority(scheme, host, self.port)}{self.target}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are bound to: scheme (rtsp or rtsps), host in lower case, port."""
        return _wire_scheme(self.scheme), self.host.lower(), self.port

    def userinfo_removed(self) -> RtspUrl:
        """The same URL without user name and password."""
        return replace(self, username=None, password=None)

    def __str__(self) -> str:
        user = "" if self.username is None else quote(self.username, safe="")
        if self.password is not None:
            user += ":***"
        authority = _authority(self.scheme, self.host, self.port)
        target = _SECRET.sub(r"\1***", self.target)
        return f"{self.scheme}://{user}{'@' if user else ''}{authority}{target}"

    def __repr__(self) -> str:
        return f"RtspUrl({str(self)!r})"


def parse_url(text: str) -> RtspUrl:
    """Read the URL that a user gave.

    Args:
        text: ``rtsp://[user[:password]@]host[:port][/path][?query]``.

    Returns:
        The URL; characters outside ASCII are percent-encoded in ``target``.

    Raises:
        LocalProtocolError: Not such a URL; says what to change and quotes no secret.

    Source: RFC 3986 §3; RFC 2326 §3.2.
    """
    if not all(c.isprintable() and c != " " for c in text):
        raise refused_url("a blank or control character in the URL: write a blank as %20")
    match = _SCHEME.match(text)
    if match is None:
        raise refused_url("the URL has no scheme: begin with rtsp://")
    scheme = match[1].lower()
    if scheme not in DEFAULT_PORTS:
        known = ", ".join(DEFAULT_PORTS)
        raise refused_url(f"unknown URL scheme {scheme[:32]!r}: use one of {known}")
    if _SCHEME.match(text, match.end()):
        raise refused_url("the URL has its scheme twice")
    user_info, hostport, rest = split_authority(text[match.end() :])
    host, port = split_host_and_port(hostport)
    username, password = _credentials(user_info)
    target = _encoded(rest.partition("#")[0])
    return RtspUrl(scheme, host, port or DEFAULT_PORTS[scheme], target, username, password)


def _wire_scheme(scheme: str) -> str:
    return "rtsps" if scheme == "rtsps" else "rtsp"


def _authority(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}"


def _encoded(text: str) -> str:
    """The text with all but visible ASCII percent-encoded, as UTF-8."""
    return quote(text, safe=_KEPT, errors="replace")


def _credentials(user_info: str | None) -> tuple[str | None, str | None]:
    if not user_info:
        return None, None
    username, colon, password = user_info.partition(":")
    return _decoded(username), _decoded(password) if colon else None


def _decoded(text: str) -> str:
    raw = unquote_to_bytes(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def remove_userinfo(url_text: str) -> str:
    """The text without the user info of its URL, otherwise unchanged; never raises.

    Where the URL can be read in two ways, the longest user info goes.
    """
    match = _PREFIX.match(url_text)
    if match is None or "@" not in url_text:
        return url_text
    following = url_text[match.end() :]
    try:
        _, hostport, rest = split_authority(following)
    except LocalProtocolError:
        return url_text[: match.end()] + following.rpartition("@")[2]
    return f"{url_text[: match.end()]}{hostport}{rest}"


def redact_url(url_text: str) -> str:
    """The text as it may be shown: no user info, ``***`` for passwords in path and query."""
    return _SECRET.sub(r"\1***", remove_userinfo(url_text))


def join_control(base: str, control: str | None) -> str:
    """The URL that ``a=control`` means, as text for the request line.

    Args:
        base: What ``choose_base`` gave, or the session's own control URL.
        control: Value of the attribute; None when there is none.

    Returns:
        ``base`` for ``*``, an empty control and none; an absolute URL without its user info;
        else the control appended to the base, with one ``/`` between (none before a ``?``).

    Source: RFC 2326 C.1.1; appended as text because devices expect it.
    """
    control = (control or "").strip()
    if control in ("", "*"):
        return base
    control = _encoded(control)
    if _SCHEME.match(control):
        return remove_userinfo(control)
    if control.startswith("?"):
        return base + control
    return f"{base.removesuffix('/')}/{control.removeprefix('/')}"


def choose_base(
    content_base: str | None, content_location: str | None, request_uri: str
) -> tuple[str, tuple[str, ...]]:
    """The base URL of a description, as text, and what was odd about it.

    Args:
        content_base: Value of Content-Base, or None.
        content_location: Value of Content-Location, or None.
        request_uri: What DESCRIBE was sent to, without user info.

    Returns:
        The base, and the deviations met: each id begins with ``content-base-`` or
        ``content-location-``. What cannot be used at all is passed over.

    Source: RFC 2326 C.1.1.
    """
    deviations: list[str] = []
    for header, value in (("content-base", content_base), ("content-location", content_location)):
        if value is None:
            continue
        base, found = _repaired(value.strip(), request_uri)
        deviations += [f"{header}-{name}" for name in found]
        if base is not None:
            return base, tuple(deviations)
    return request_uri, tuple(deviations)


def _repaired(value: str, request_uri: str) -> tuple[str | None, list[str]]:
    """One base URL in usable form, or None, and the deviations met on the way."""
    found: list[str] = []
    value = _encoded(value)
    if value in ("", "*"):
        return None, ["unusable"]
    match = _SCHEME.match(value)
    if match is None and value.partition(":")[0].lower() in DEFAULT_PORTS:
        return None, ["unusable"]
    if match is None:
        value, kind = _absolute(value, request_uri)
        found.append(kind)
        match = _SCHEME.match(value)
    while match and (second := _SCHEME.match(value, match.end())):
        match = second
        found = ["scheme-doubled"]
    if match is None or match[1].lower() not in DEFAULT_PORTS:
        return None, ["unusable"]
    value = value[match.start() :]
    if (stripped := remove_userinfo(value)) != value:
        found.append("user-info")
    prefix = match[0]
    hostport, target = cut_authority(stripped[len(prefix) :])
    if is_bare_ipv6(hostport):
        hostport = f"[{hostport}]"
        found.append("ipv6-unbracketed")
    if not is_host_and_port(hostport):
        return None, ["unusable"]
    if _address(f"{prefix}{hostport}") != _address(request_uri):
        found.append("other-host")
    return f"{prefix}{hostport}{target}", found


def _address(url_text: str) -> tuple[str, int] | None:
    """Host in lower case and port of a URL without user info; None when it has none."""
    scheme, _, rest = url_text.partition("://")
    try:
        host, port = split_host_and_port(cut_authority(rest)[0])
    except LocalProtocolError:
        return None
    return host.lower(), port or DEFAULT_PORTS.get(scheme.lower(), 0)


def _absolute(value: str, request_uri: str) -> tuple[str, str]:
    """An absolute URL made of one without a scheme, and which kind that was."""
    scheme, _, rest = request_uri.partition("://")
    authority, target = cut_authority(rest)
    if value.startswith("//"):
        return f"{scheme}:{value}", "scheme-missing"
    first, _ = cut_authority(value)
    name = first.partition(":")[0].lower()
    if first and (":" in first or is_ipv4(name) or name == authority.partition(":")[0].lower()):
        return f"{scheme}://{value}", "scheme-missing"
    if value.startswith("/"):
        return f"{scheme}://{authority}{value}", "relative"
    path = target.partition("?")[0]
    folder = path[: path.rfind("/") + 1] or "/"
    return f"{scheme}://{authority}{folder}{value}", "relative"

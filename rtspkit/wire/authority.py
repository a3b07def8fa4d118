"""The authority of a URL: user info, host and port; one reading, or none.

Layer:  wire
In:     what follows ``://``
Out:    user info, host with port, the rest; host and port apart
Source: RFC 3986 §3.2; RFC 6874 §2 (scope of an IPv6 address)

How a password with ``/``, ``?``, ``#`` or ``@`` in it is read
1. By the RFC the authority ends at the first ``/``, ``?`` or ``#``; the user info in it ends at
   its last ``@``. When ``host[:port]`` is left, that is the one reading.
2. When it is not (``admin:pa/ss`` has no port), the user info reaches to the last ``@`` of the
   part in which the next ``@`` lies. Another ``@`` after it makes two readings: refused.

Where there are two readings nothing is chosen: a password sent to the wrong host is lost.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.number import parse_decimal

__all__ = [
    "cut_authority",
    "is_bare_ipv6",
    "is_host_and_port",
    "is_ipv4",
    "refused_url",
    "split_authority",
    "split_host_and_port",
]

_HOST = re.compile(r"[A-Za-z0-9_.~-]+")
_DELIMITER = re.compile(r"[/?#]")


def refused_url(message: str) -> LocalProtocolError:
    """The error for a URL that a user gave; ``message`` says what to change."""
    return LocalProtocolError(message, phase="url")


def cut_authority(text: str) -> tuple[str, str]:
    """The text before the first ``/``, ``?`` or ``#``, and what begins there."""
    match = _DELIMITER.search(text)
    stop = match.start() if match else len(text)
    return text[:stop], text[stop:]


def split_authority(text: str) -> tuple[str | None, str, str]:
    """User info, host with port, and the rest of what follows ``://``: the one reading.

    Raises:
        LocalProtocolError: Two readings, or none.
    """
    authority, rest = cut_authority(text)
    user_info, at, hostport = authority.rpartition("@")
    if "@" not in rest:
        return user_info if at else None, hostport, rest
    if is_host_and_port(hostport):
        if not at and rest.startswith("#"):
            raise refused_url("'#' before an '@': write '#' in a password as %23")
        return user_info if at else None, hostport, rest
    before, _, after = text[len(authority) :].partition("@")
    authority_after, rest = cut_authority(after)
    middle, at, hostport = authority_after.rpartition("@")
    if "@" in rest:
        raise refused_url("the URL can be read in two ways: percent-encode '@', '/', '?' in it")
    return f"{authority}{before}{'@' if at else ''}{middle}", hostport, rest


def is_host_and_port(text: str) -> bool:
    """Whether ``split_host_and_port`` takes it."""
    try:
        split_host_and_port(text)
    except LocalProtocolError:
        return False
    return True


def split_host_and_port(text: str) -> tuple[str, int | None]:
    """Host without brackets, and port or None.

    Raises:
        LocalProtocolError: Not exactly that; an empty host and port 0 included.
    """
    if text.startswith("["):
        inside, bracket, after = text[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise refused_url("an IPv6 address is written in brackets: [2001:db8::1]:554")
        host, port_text = _ipv6(inside), after[1:]
    else:
        name, _, port_text = text.partition(":")
        if ":" in port_text:
            raise refused_url("more than one ':' in the host: write an IPv6 address in brackets")
        host = _name(name)
    if not port_text:
        return host, None
    port = parse_decimal(port_text, maximum=65_535)
    if not port:
        raise refused_url("the port is no number from 1 to 65535")
    return host, port


def is_ipv4(text: str) -> bool:
    """Whether the text is four numbers of an IPv4 address."""
    parts = text.split(".")
    return len(parts) == 4 and all(parse_decimal(p, maximum=255) is not None for p in parts)


def is_bare_ipv6(text: str) -> bool:
    """Whether the text is an IPv6 address without brackets."""
    try:
        return text.count(":") > 1 and bool(IPv6Address(text))
    except AddressValueError:
        return False


def _ipv6(text: str) -> str:
    """The address with its scope; ``%25`` before the scope is one percent sign (RFC 6874)."""
    address, percent, scope = text.partition("%")
    if scope.startswith("25") and len(scope) > 2:
        scope = scope[2:]
    try:
        IPv6Address(address)
    except AddressValueError:
        raise refused_url("what is in brackets is no IPv6 address") from None
    if percent and not _HOST.fullmatch(scope):
        raise refused_url("the scope of the IPv6 address is empty or has odd characters")
    return f"{address}{percent}{scope}"


def _name(text: str) -> str:
    """A host name in ASCII: names in other scripts are put into their IDNA form."""
    if not text:
        raise refused_url("the URL has no host: write rtsp://camera/stream")
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            raise refused_url("the host name cannot be put into IDNA form") from None
    if not _HOST.fullmatch(text):
        raise refused_url("a character that no host name has: percent-encode those of the password")
    return text

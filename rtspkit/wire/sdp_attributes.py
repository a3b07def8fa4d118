"""The attributes that have a structure of their own: keys, extensions, feedback, sources.

Layer:  wire
In:     the value of one attribute
Out:    a value, or None when it cannot be read: one broken attribute never costs the description
Source: RFC 4567 §3.1 (key-mgmt), RFC 4568 §4 (crypto), RFC 4570 §3 (source-filter),
        RFC 4585 §4.2 (rtcp-fb), RFC 5576 §4.1 (ssrc), RFC 8285 §5 (extmap)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtspkit.wire.number import parse_decimal
from rtspkit.wire.sprop import decode_base64

__all__ = [
    "Crypto",
    "KeyManagement",
    "RtcpFeedback",
    "SourceFilter",
    "parse_crypto",
    "parse_extmap",
    "parse_key_management",
    "parse_rtcp_feedback",
    "parse_source_filter",
    "parse_ssrc",
]

MAX_EXTENSION_ID = 4351  # RFC 8285 §5: 1 to 255, and 4096 to 4351 in an offer


@dataclass(slots=True)
class Crypto:
    """One SDES line; the key never prints.

    Attributes:
        tag: Number of the line within its media.
        suite: ``"AES_CM_128_HMAC_SHA1_80"`` and the like.
        key_params: ``inline:`` and the key, as sent.
        session_params: What follows, word by word.
    """

    tag: int
    suite: str
    key_params: str = field(repr=False)
    session_params: tuple[str, ...] = ()


@dataclass(slots=True)
class KeyManagement:
    """One key management message; it never prints.

    Attributes:
        protocol: ``"mikey"``.
        data: The message.
    """

    protocol: str
    data: bytes = field(repr=False)


@dataclass(slots=True)
class RtcpFeedback:
    """One kind of feedback.

    Attributes:
        payload_type: 0 to 127; None for all of the media.
        kind: ``"nack"``, ``"nack pli"``, ``"ccm fir"`` …, one blank between words.
    """

    payload_type: int | None
    kind: str


@dataclass(slots=True)
class SourceFilter:
    """Who may send to an address.

    Attributes:
        mode: ``"incl"`` or ``"excl"``.
        address_type: ``"IP4"``, ``"IP6"`` or ``"*"``.
        destination: The address that the filter is for, or ``"*"``.
        sources: The addresses that it lists.
    """

    mode: str
    address_type: str
    destination: str
    sources: tuple[str, ...]


def parse_crypto(value: str) -> Crypto | None:
    """Read the value of ``a=crypto``."""
    words = value.split()
    tag = parse_decimal(words[0], maximum=999_999_999) if words else None
    if tag is None or len(words) < 3 or not words[2].lower().startswith("inline:"):
        return None
    return Crypto(tag, words[1], words[2], tuple(words[3:]))


def parse_key_management(value: str) -> KeyManagement | None:
    """Read the value of ``a=key-mgmt``: the protocol and a message in base64."""
    words = value.split()
    if len(words) != 2:
        return None
    data = decode_base64(words[1])
    return KeyManagement(words[0].lower(), data) if data else None


def parse_extmap(value: str) -> tuple[int, str] | None:
    """Read the value of ``a=extmap``: id and URI; direction and attributes are left out."""
    words = value.split()
    if len(words) < 2:
        return None
    identifier = parse_decimal(words[0].partition("/")[0], maximum=MAX_EXTENSION_ID)
    return (identifier, words[1]) if identifier else None


def parse_rtcp_feedback(value: str) -> RtcpFeedback | None:
    """Read the value of ``a=rtcp-fb``."""
    words = value.split()
    if len(words) < 2:
        return None
    payload_type = parse_decimal(words[0], maximum=127)
    if payload_type is None and words[0] != "*":
        return None
    return RtcpFeedback(payload_type, " ".join(words[1:]))


def parse_source_filter(value: str) -> SourceFilter | None:
    """Read the value of ``a=source-filter``."""
    words = value.split()
    if len(words) < 5 or words[0].lower() not in ("incl", "excl") or words[1].upper() != "IN":
        return None
    return SourceFilter(words[0].lower(), words[2].upper(), words[3], tuple(words[4:]))


def parse_ssrc(value: str) -> tuple[int, str, str] | None:
    """Read the value of ``a=ssrc``: the source, and name and value of one attribute of it."""
    number, _, attribute = value.strip().partition(" ")
    ssrc = parse_decimal(number, maximum=2**32 - 1)
    if ssrc is None:
        return None
    name, _, text = attribute.strip().partition(":")
    return ssrc, name.lower(), text

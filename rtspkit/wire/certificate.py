"""What an X.509 certificate says of itself: names and dates, for a person to look at.

Layer:  wire
In:     DER, as a TLS server sends it
Out:    Certificate
Source: RFC 5280 §4.1 (fields), §4.1.2.4 (names), §4.1.2.5 (dates); ITU-T X.690 (DER)

Nothing is verified here: that is the affair of TLS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from rtspkit.errors import RemoteProtocolError

__all__ = ["Certificate", "parse_certificate"]

SEQUENCE, SET, INTEGER, IDENTIFIER = 0x30, 0x31, 0x02, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION = 0xA0  # [0] EXPLICIT
COMMON_NAME, ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
MAX_NAMES = 64  # attributes of one name that are looked at
LONGEST_NAME = 200  # characters

Element = tuple[int, memoryview]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The parts of a certificate that a person compares.

    Attributes:
        subject: Whom it is for: its common name, else its organization, else empty.
        issuer: Who signed it.
        not_before: Unix seconds from which it is valid.
        not_after: Unix seconds until which it is.
        fingerprint: SHA-256 of the whole, in hexadecimal.
        self_issued: Whether subject and issuer are the same name.
    """

    subject: str
    issuer: str
    not_before: float
    not_after: float
    fingerprint: str
    self_issued: bool


def parse_certificate(data: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        RemoteProtocolError: It is none. Nothing else, whatever the bytes are.
    """
    certificate = _only(data, SEQUENCE)
    to_be_signed = _first(certificate, SEQUENCE)
    fields = list(_elements(to_be_signed, 8))
    if fields and fields[0][0] == VERSION:
        del fields[0]
    tags = [tag for tag, _ in fields[:5]]
    if tags != [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE]:
        raise RemoteProtocolError("the fields of a certificate are not there")
    issuer, validity, subject = (content for _, content in fields[2:5])
    dates = [_date(tag, content) for tag, content in _elements(validity, 2)]
    if len(dates) != 2:
        raise RemoteProtocolError("a certificate has two dates")
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        not_before=dates[0],
        not_after=dates[1],
        fingerprint=hashlib.sha256(data).hexdigest(),
        self_issued=bytes(subject) == bytes(issuer),
    )


def _elements(data: memoryview, maximum: int) -> Iterator[Element]:
    """The elements that lie behind each other, at most so many: tag and content."""
    while len(data) and maximum:
        tag, content, rest = _element(data)
        yield tag, content
        data, maximum = rest, maximum - 1


def _element(data: memoryview) -> tuple[int, memoryview, memoryview]:
    """The first element: tag, content, and what lies behind it (X.690 §8.1)."""
    if len(data) < 2:
        raise RemoteProtocolError("an element of a certificate is cut off")
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            raise RemoteProtocolError(f"a length of {count} bytes in a certificate")
        size, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < start + size:
        raise RemoteProtocolError(f"an element of {size} bytes, {len(data) - start} are there")
    return tag, data[start : start + size], data[start + size :]


def _only(data: bytes, tag: int) -> memoryview:
    return _first(memoryview(data), tag)


def _first(data: memoryview, tag: int) -> memoryview:
    found, content, _ = _element(data)
    if found != tag:
        raise RemoteProtocolError(f"tag {found:#04x} in a certificate instead of {tag:#04x}")
    return content


def _name(data: memoryview) -> str:
    """The common name of a distinguished name, else its organization."""
    found: dict[bytes, str] = {}
    for tag, attributes in _elements(data, MAX_NAMES):
        if tag != SET:
            raise RemoteProtocolError("a name in a certificate is no set of attributes")
        for _, attribute in _elements(attributes, MAX_NAMES):
            parts = list(_elements(attribute, 2))
            if len(parts) == 2 and parts[0][0] == IDENTIFIER:
                found.setdefault(bytes(parts[0][1]), _text(*parts[1]))
    return found.get(COMMON_NAME) or found.get(ORGANIZATION) or ""


def _text(tag: int, content: memoryview) -> str:
    """A string of any of the kinds that names have; what is no text is shown as such."""
    encoding = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}.get(tag, "utf-8")
    text = bytes(content[: 4 * LONGEST_NAME]).decode(encoding, "replace")[:LONGEST_NAME]
    return "".join(c if c.isprintable() else "?" for c in text)


def _date(tag: int, content: memoryview) -> float:
    """``YYMMDDHHMMSSZ``, years from 1950 to 2049, or ``YYYYMMDDHHMMSSZ`` (RFC 5280 §4.1.2.5)."""
    text = bytes(content[:20]).decode("latin-1")
    digits = text[:-1]
    if tag == UTC_TIME and digits[:2].isascii():
        digits = ("20" if digits[:2] < "50" else "19") + digits
    elif tag != GENERALIZED_TIME:
        raise RemoteProtocolError(f"tag {tag:#04x} in a certificate instead of a date")
    if not (text.endswith("Z") and digits.isascii() and digits.isdigit() and len(digits) == 14):
        raise RemoteProtocolError("a date in a certificate cannot be read")
    bounds = (0, 4, 6, 8, 10, 12, 14)
    numbers = [int(digits[a:b]) for a, b in pairwise(bounds)]
    try:
        return datetime(*numbers, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        raise RemoteProtocolError("a date in a certificate is none") from None

"""Certificates as a person reads them; whatever the bytes are, one error."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_certificate import DER, FINGERPRINT

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.certificate import Certificate, parse_certificate


def element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + content


def attribute(identifier: bytes, text: bytes, tag: int = 0x0C) -> bytes:
    return element(0x31, element(0x30, element(0x06, identifier), element(tag, text)))


CN, O = b"\x55\x04\x03", b"\x55\x04\x0a"  # noqa: E741 - its name
DATES = element(0x17, b"200101000000Z") + element(0x18, b"21200101000000Z")
NAME = attribute(CN, b"camera")


def certificate(
    subject: bytes = NAME, issuer: bytes = NAME, dates: bytes = DATES, version: bytes | None = None
) -> bytes:
    fields = [
        version if version is not None else element(0xA0, element(0x02, b"\x02")),
        element(0x02, b"\x01"),
        element(0x30),
        element(0x30, issuer),
        element(0x30, dates),
        element(0x30, subject),
    ]
    return element(0x30, element(0x30, *fields), element(0x30), element(0x03, b"\0"))


def unix(year: int, month: int = 1, day: int = 1) -> float:
    return datetime(year, month, day, tzinfo=UTC).timestamp()


def test_a_certificate_as_it_is_made():
    before = bytes(DER)
    assert parse_certificate(DER) == Certificate(
        subject="camera",
        issuer="camera",
        not_before=unix(2020),
        not_after=unix(2120),
        fingerprint=FINGERPRINT,
        self_issued=True,
    )
    assert before == DER


def test_one_of_the_first_version_has_no_version():
    assert parse_certificate(certificate(version=b"")).subject == "camera"


def test_who_signed_another_is_told():
    found = parse_certificate(certificate(issuer=attribute(O, b"Maker")))
    assert (found.issuer, found.self_issued) == ("Maker", False)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (attribute(O, b"Maker") + attribute(CN, b"camera"), "camera"),
        (attribute(O, b"Maker"), "Maker"),
        (b"", ""),
        (attribute(b"\x55\x04\x06", b"CH"), ""),
        (attribute(CN, "Käse".encode()), "Käse"),
        (attribute(CN, "Käse".encode("utf-16-be"), 0x1E), "Käse"),
        (attribute(CN, "Käse".encode("latin-1"), 0x14), "Käse"),
        (attribute(CN, b"\xff"), "\ufffd"),
        (attribute(CN, b"a\x1b[2Jb\n"), "a?[2Jb?"),
        (attribute(CN, b"x" * 900), "x" * 200),
    ],
)
def test_names_are_safe_to_print(name, told):
    assert parse_certificate(certificate(subject=name)).subject == told


@pytest.mark.parametrize(
    ("date", "when"),
    [
        (element(0x17, b"490101000000Z"), unix(2049)),
        (element(0x17, b"500101000000Z"), unix(1950)),
        (element(0x18, b"20500203000000Z"), unix(2050, 2, 3)),
        (element(0x18, b"99991231235959Z"), unix(9999, 12, 31) + 86_399),
    ],
)
def test_dates_of_both_kinds(date, when):
    assert parse_certificate(certificate(dates=date + date)).not_after == when


@pytest.mark.parametrize(
    "dates",
    [
        b"",
        element(0x17, b"200101000000Z"),
        element(0x17, b"200101000000+0100") * 2,
        element(0x17, b"2001010000Z") * 2,
        element(0x17, b"20_101000000Z") * 2,
        element(0x17, "\uff1200101000000Z".encode()) * 2,
        element(0x17, b"") * 2,
        element(0x18, b"20201301000000Z") * 2,
        element(0x18, b"00000101000000Z") * 2,
        element(0x04, b"200101000000Z") * 2,
    ],
)
def test_dates_that_are_none_are_an_error(dates):
    with pytest.raises(RemoteProtocolError):
        parse_certificate(certificate(dates=dates))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x85\0\0\0\0\0",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x31\0",
        element(0x30, element(0x31)),
        element(0x30, element(0x30)),
        element(0x30, element(0x30, element(0x02, b"\x01"))),
        certificate(subject=element(0x30)),
    ],
)
def test_what_is_no_certificate_is_an_error(data):
    with pytest.raises(RemoteProtocolError):
        parse_certificate(data)


def test_one_that_is_cut_off_anywhere_is_an_error():
    for size in range(len(DER)):
        with pytest.raises(RemoteProtocolError):
            parse_certificate(DER[:size])


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.binary(max_size=40))
def test_whatever_the_bytes_are_one_error(place, value, junk):
    """parse_certificate gives a certificate or raises RemoteProtocolError."""
    changed = DER[:place] + bytes([value]) + DER[place + 1 :]
    for data in (changed, junk, DER[:place] + junk + DER[place:]):
        with contextlib.suppress(RemoteProtocolError):
            assert parse_certificate(data).fingerprint

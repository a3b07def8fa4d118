"""Basic and Digest: the Authorization header for one request, and its verification.

Layer:  wire (chance comes in: the caller brings ``cnonce`` and counts ``nonce_count``)
In:     Challenge, Credentials, the request's method and URI
Out:    the value of an Authorization header
Source: RFC 7616 §3.4 (Digest); RFC 2617 §3.2.2; RFC 2069 §2.1 (no qop); RFC 7617 §2 (Basic)

Facts the code leans on
- User name, password and realm are hashed as UTF-8, whatever the charset parameter says.
- ``uri`` is hashed as it stands on the request line: both must be the same text.
- The algorithm is named only when the server named it: old devices refuse what they do not know.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Literal

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.challenge import (
    ALGORITHMS,
    Challenge,
    format_challenge,
    parse_challenges,
    parse_parameters,
    quoted,
)
from rtspkit.wire.number import parse_hexadecimal

__all__ = [
    "Challenge",
    "Credentials",
    "authorize",
    "format_challenge",
    "parse_challenges",
    "strongest",
    "verify_authorization",
]

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_CONTROL_OR_SURROGATE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password; ``repr()`` shows no password.

    Attributes:
        username: May be empty; without a colon for Basic.
        password: May be empty.
    """

    username: str
    password: str = field(default="", repr=False)


def strongest(
    challenges: Iterable[Challenge],
    *,
    allow_basic: Literal["always", "only-alternative", "never"] = "only-alternative",
) -> Challenge | None:
    """The challenge to answer, or None when there is none that we can or may.

    Digest goes before Basic, SHA-512-256 before SHA-256 before MD5; among equals the first.

    Args:
        challenges: What the server offered.
        allow_basic: ``"only-alternative"``: Basic when no Digest is offered at all;
            ``"always"``: also beside a Digest that we cannot do; ``"never"``.

    Source: RFC 7616 §3.7.
    """
    offered = list(challenges)
    digests = [c for c in offered if c.scheme == "digest"]
    usable = [c for c in digests if c.nonce and c.algorithm in ALGORITHMS and _has_known_qop(c)]
    if usable:
        return min(usable, key=lambda c: ALGORITHMS.index(c.algorithm))
    if allow_basic == "never" or (digests and allow_basic == "only-alternative"):
        return None
    return next((c for c in offered if c.scheme == "basic"), None)


def _has_known_qop(challenge: Challenge) -> bool:
    return not challenge.qop or "auth" in challenge.qop or "auth-int" in challenge.qop


def authorize(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    *,
    cnonce: str | None = None,
    nonce_count: int = 1,
    body: bytes = b"",
) -> str:
    """The value of the Authorization header for one request.

    Args:
        challenge: What ``strongest`` chose.
        credentials: User name and password.
        method: The request's method.
        uri: The request's URI, exactly as on its first line.
        cnonce: A fresh random text; needed with qop and with the ``-sess`` algorithms only.
        nonce_count: Requests sent with this nonce, this one included; from 1.
        body: The request's body; only looked at for qop ``auth-int``, which is only used
            when the server offers no other.

    Raises:
        LocalProtocolError: A scheme, algorithm or qop that we do not have, no ``cnonce`` where
            one is needed, or credentials that the header cannot hold.

    Source: RFC 7616 §3.4; RFC 7617 §2.
    """
    if challenge.scheme == "basic":
        return f"Basic {_basic_token(credentials)}"
    if challenge.scheme != "digest":
        raise _refused(f"no authentication scheme {challenge.scheme[:32]!r}: only basic, digest")
    if not _has_known_qop(challenge):
        raise _refused(f"no digest qop of {', '.join(challenge.qop)[:64]!r}: only auth, auth-int")
    if not 0 < nonce_count < 1 << 32:
        raise _refused(f"the nonce count is 1 to 4294967295, not {nonce_count}")
    qop = next((name for name in ("auth", "auth-int") if name in challenge.qop), "")
    needs_cnonce = bool(qop) or challenge.algorithm.endswith("-sess")
    if cnonce is None and needs_cnonce:
        raise _refused("this challenge needs a cnonce: a fresh random text")
    cnonce = cnonce or ""
    count = f"{nonce_count:08x}"
    response = _response(challenge, credentials, method, uri, qop, count, cnonce, body)
    parts = [
        f"username={quoted(credentials.username)}",
        f"realm={quoted(challenge.realm)}",
        f"nonce={quoted(challenge.nonce)}",
        f"uri={quoted(uri)}",
        f'response="{response}"',
    ]
    if challenge.algorithm_named or challenge.algorithm != "MD5":
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        parts.append(f"opaque={quoted(challenge.opaque)}")
    if qop:
        parts += [f"qop={qop}", f"nc={count}"]
    if needs_cnonce:
        parts.append(f"cnonce={quoted(cnonce)}")
    return f"Digest {', '.join(parts)}"


def _refused(message: str) -> LocalProtocolError:
    return LocalProtocolError(message, phase="authentication")


def _basic_token(credentials: Credentials) -> str:
    if ":" in credentials.username:
        raise _refused("a user name with ':' cannot be sent by Basic")
    text = f"{credentials.username}:{credentials.password}"
    if not all(c >= " " and c != "\x7f" for c in text):
        raise _refused("a control character in the user name or password")
    return b64encode(_utf8(text)).decode("ascii")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("a character that UTF-8 does not have") from None


def _response(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    qop: str,
    count: str,
    cnonce: str,
    body: bytes,
) -> str:
    """The digest itself.

    Source: RFC 7616 §3.4.1 to §3.4.3.
    """
    name = challenge.algorithm.removesuffix("-sess")
    if name not in HASHES:
        raise _refused(f"no digest algorithm {name[:32]!r}")

    def digest(data: bytes) -> str:
        try:
            return hashlib.new(HASHES[name], data, usedforsecurity=False).hexdigest()
        except ValueError:
            raise _refused(f"this Python's hashlib has no {name}") from None

    ha1 = digest(_utf8(f"{credentials.username}:{challenge.realm}:{credentials.password}"))
    if name != challenge.algorithm:
        ha1 = digest(_utf8(f"{ha1}:{challenge.nonce}:{cnonce}"))
    a2 = f"{method}:{uri}:{digest(body)}" if qop == "auth-int" else f"{method}:{uri}"
    middle = f"{count}:{cnonce}:{qop}:" if qop else ""
    return digest(_utf8(f"{ha1}:{challenge.nonce}:{middle}{digest(_utf8(a2))}"))


def verify_authorization(
    value: str,
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    *,
    uri: str | None = None,
    body: bytes = b"",
) -> bool:
    """Whether this Authorization header answers that challenge rightly, as a server asks.

    Args:
        value: Value of the header, whatever it is; never raises for what is in it.
        challenge: What was sent to the client.
        credentials: What is right.
        method: The request's method.
        uri: The request's URI, to be the same as the header's; None takes any.
        body: The request's body, for qop ``auth-int``.
    """
    scheme, _, token = value.strip().partition(" ")
    if _CONTROL_OR_SURROGATE.search(value) or scheme.lower() != challenge.scheme:
        return False
    if challenge.scheme == "basic":
        return _is_basic_token(token.strip(), credentials)
    answers = parse_parameters(value)
    if len(answers) != 1:
        return False
    _, fields, _ = answers[0]
    qop = fields.get("qop", "").lower()
    count = fields.get("nc", "")
    expected = {
        "username": credentials.username,
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "opaque": challenge.opaque or "",
    }
    if any(fields.get(name, "") != text for name, text in expected.items()):
        return False
    if fields.get("algorithm", challenge.algorithm).lower() != challenge.algorithm.lower():
        return False
    if qop not in (challenge.qop or ("",)) or (qop and not _is_count(count)):
        return False
    if "uri" not in fields or (uri is not None and fields["uri"] != uri):
        return False
    cnonce = fields.get("cnonce", "")
    right = _response(challenge, credentials, method, fields["uri"], qop, count, cnonce, body)
    return compare_digest(right.encode(), fields.get("response", "").lower().encode())


def _is_basic_token(token: str, credentials: Credentials) -> bool:
    try:
        given = b64decode(token, validate=True)
    except ValueError:
        return False
    return compare_digest(given, f"{credentials.username}:{credentials.password}".encode())


def _is_count(text: str) -> bool:
    return len(text) == 8 and parse_hexadecimal(text, maximum=0xFFFFFFFF) not in (None, 0)

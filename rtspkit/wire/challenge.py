"""WWW-Authenticate: what a server wants to be shown, read tolerantly.

Layer:  wire
In:     the values of WWW-Authenticate (or Proxy-Authenticate) headers
Out:    Challenge, one for each scheme that was offered; and back
Source: RFC 9110 §11.2, §11.6.1 (grammar); RFC 7616 §3.3 (Digest); RFC 7617 §2 (Basic)

Facts the code leans on
- Several challenges may stand on one line, with the same comma between them as inside them: a
  word without ``=`` begins the next one.
- Devices leave quotes and commas out, in realms with blanks too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rtspkit.errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "ALGORITHMS",
    "Challenge",
    "format_challenge",
    "parse_challenges",
    "parse_parameters",
    "quoted",
]

KNOWN_SCHEMES = ("basic", "digest")
ALGORITHMS = (  # the strongest first
    "SHA-512-256",
    "SHA-512-256-sess",
    "SHA-256",
    "SHA-256-sess",
    "MD5",
    "MD5-sess",
)
MUST_BE_QUOTED = ("realm", "nonce", "opaque")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SEPARATOR = re.compile(r"[\s,;]*")
_BLANK = re.compile(r"\s*")
_EQUALS = re.compile(r"\s*=\s*")
_NAME = re.compile(r"[^\s,;=\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BARE_WORD = re.compile(r"[^\s,]+")
_NAMED_WORD = re.compile(r"[A-Za-z][A-Za-z0-9*-]*=(?=.)")


@dataclass(slots=True)
class Challenge:
    """One way in that the server offers. ``repr()`` shows no nonce.

    Attributes:
        scheme: In lower case: ``"digest"``, ``"basic"`` or one that we do not know.
        realm: What the credentials are for; hashed exactly so.
        nonce: Of Digest; empty when missing, which makes the challenge useless.
        algorithm: In the RFC's spelling: ``"MD5"``, ``"SHA-256-sess"`` …; as sent when unknown.
        algorithm_named: Whether the server named it; we only name it then.
        qop: Qualities of protection offered, in lower case; empty in the form of RFC 2069.
        opaque: To be sent back; None when there is none.
        stale: Whether the credentials were right and only the nonce was too old.
        charset: ``"UTF-8"`` or None.
        deviations: What the reader put up with.
    """

    scheme: str
    realm: str = ""
    nonce: str = field(default="", repr=False)
    algorithm: str = "MD5"
    algorithm_named: bool = field(default=False, compare=False)
    qop: tuple[str, ...] = ()
    opaque: str | None = field(default=None, repr=False)
    stale: bool = False
    charset: str | None = None
    deviations: tuple[str, ...] = field(default=(), compare=False)


def quoted(text: str) -> str:
    """The text as a quoted string, with its quotes and backslashes escaped.

    Raises:
        LocalProtocolError: A control character in it.

    Source: RFC 9110 §5.6.4.
    """
    if _CONTROL.search(text):
        raise LocalProtocolError("a control character in a user name, realm or URL")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_challenges(values: str | Iterable[str]) -> list[Challenge]:
    """Every challenge in these headers, in order; of unknown schemes too.

    Args:
        values: One value, or one for each header of that name.

    Raises:
        RemoteProtocolError: A control character, or no challenge at all. Nothing else, whatever
            the text is.

    Source: RFC 9110 §11.6.1; RFC 7616 §3.3.
    """
    found: list[Challenge] = []
    for value in (values,) if isinstance(values, str) else values:
        found += [_challenge(*each) for each in parse_parameters(value)]
    if not found:
        raise RemoteProtocolError("no challenge in WWW-Authenticate")
    return found


def parse_parameters(value: str) -> list[tuple[str, dict[str, str], list[str]]]:
    """Schemes in lower case, each with its parameters (names in lower case) and deviations.

    Raises:
        RemoteProtocolError: A control character.
    """
    if _CONTROL.search(value):
        raise RemoteProtocolError("a control character in an authentication header")
    found: list[tuple[str, dict[str, str], list[str]]] = []
    position, begins = 0, True
    while position < len(value):
        word = _NAME.match(value, position)
        equals = _EQUALS.match(value, word.end()) if word else None
        if word is None:
            position += 1
        elif equals is None:
            if begins or word[0].lower() in KNOWN_SCHEMES:
                found.append((word[0].lower(), {}, []))
            position = word.end()
        else:
            text, position, deviation = _value(value, equals.end())
            if found:
                _add(found[-1], word[0].lower(), text, deviation)
        if separator := _SEPARATOR.match(value, position):
            begins = "," in separator[0]
            position = separator.end()
    return found


def _add(
    challenge: tuple[str, dict[str, str], list[str]], name: str, text: str, deviation: str | None
) -> None:
    _, parameters, deviations = challenge
    if name in parameters:
        deviations.append("challenge-parameter-repeated")
        return
    parameters[name] = text
    if deviation == "challenge-quote-unclosed" or (deviation and name in MUST_BE_QUOTED):
        deviations.append(deviation)


def _value(text: str, position: int) -> tuple[str, int, str | None]:
    """The value that begins here, where it stops, and the deviation it is."""
    if text[position : position + 1] == '"':
        match = _QUOTED.match(text, position)
        if match is None:
            return text[position + 1 :].rstrip(), len(text), "challenge-quote-unclosed"
        return _ESCAPED.sub(r"\1", match[1]), match.end(), None
    # Up to the comma, or to a word that begins something else: "realm=IP Camera, nonce=…".
    stop = start = position
    while word := _BARE_WORD.match(text, start):
        if stop > position and (_NAMED_WORD.match(word[0]) or word[0].lower() in KNOWN_SCHEMES):
            break
        stop = word.end()
        blank = _BLANK.match(text, stop)
        start = blank.end() if blank else stop
    return text[position:stop], stop, "challenge-value-unquoted"


def _challenge(scheme: str, parameters: dict[str, str], deviations: list[str]) -> Challenge:
    algorithm = parameters.get("algorithm", "").strip()
    if "realm" not in parameters and scheme in KNOWN_SCHEMES:
        deviations.append("challenge-realm-missing")
    if scheme == "digest" and not parameters.get("nonce"):
        deviations.append("challenge-nonce-missing")
    spelled = {name.lower(): name for name in ALGORITHMS}.get(algorithm.lower())
    if scheme == "digest" and algorithm and spelled is None:
        deviations.append("challenge-algorithm-unknown")
    return Challenge(
        scheme,
        parameters.get("realm", ""),
        parameters.get("nonce", ""),
        spelled or algorithm or "MD5",
        bool(algorithm),
        tuple(word.lower() for word in re.split(r"[\s,]+", parameters.get("qop", "")) if word),
        parameters.get("opaque"),
        parameters.get("stale", "").strip().lower() == "true",
        "UTF-8" if parameters.get("charset", "").strip().lower() == "utf-8" else None,
        tuple(dict.fromkeys(deviations)),
    )


def format_challenge(challenge: Challenge) -> str:
    """Write one challenge, as a server does.

    Raises:
        LocalProtocolError: A character that the header cannot hold.

    Source: RFC 7616 §3.3; RFC 7617 §2.
    """
    parts = [f"realm={quoted(challenge.realm)}"]
    if challenge.scheme == "digest":
        parts.append(f"nonce={quoted(challenge.nonce)}")
        if challenge.algorithm_named or challenge.algorithm != "MD5":
            parts.append(f"algorithm={_token(challenge.algorithm)}")
        if challenge.qop:
            parts.append(f'qop="{", ".join(map(_token, challenge.qop))}"')
        if challenge.opaque is not None:
            parts.append(f"opaque={quoted(challenge.opaque)}")
        if challenge.stale:
            parts.append("stale=true")
    if challenge.charset is not None:
        parts.append(f"charset={_token(challenge.charset)}")
    return f"{_token(challenge.scheme).capitalize()} {', '.join(parts)}"


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise LocalProtocolError("a scheme, algorithm or qop is a token of RFC 9110")
    return text

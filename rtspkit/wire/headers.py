"""The header of one RTSP message: an ordered multi-dict whose names have no case.

Layer:  wire
In:     parse_headers(lines of one head, line ends removed)
Out:    Headers, and the deviations that were put up with
Source: RFC 2326 §4 (text, UTF-8), §12; RFC 822 §3.1.1 (folding), RFC 7230 §3.2.6 (token)

Where we leave the RFC
- A value that is not UTF-8 is read as Latin-1; a line that is no header at all is left out.
  Control characters are taken out of values; in names they are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits

__all__ = ["Headers", "parse_headers"]

_BLANKS = b" \t"
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_SECRET = frozenset({"authorization", "proxy-authorization", "keymgmt", "cookie", "set-cookie"})
_NONCE = re.compile(r'(nonce|opaque|rspauth)(\s*=\s*)("[^"]*"?|[^\s,;]*)', re.IGNORECASE)
_USERINFO = re.compile(r"//[^/\s]*@")


class Headers:
    """Header fields in the order of the wire; names compare without regard to case.

    Args:
        items: Pairs of name and value, or a mapping.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items: list[tuple[str, str]] = [(name, value) for name, value in pairs]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of that name."""
        wanted = name.lower()
        for key, value in self._items:
            if key.lower() == wanted:
                return value
        return default

    def __getitem__(self, name: str) -> str:
        """The first value of that name; KeyError without one."""
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get_all(self, name: str) -> list[str]:
        """Every value of that name, in order."""
        wanted = name.lower()
        return [value for key, value in self._items if key.lower() == wanted]

    def add(self, name: str, value: str) -> None:
        """Append one field; others of that name stay."""
        self._items.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Put one field in the place of the first of that name, and drop the others."""
        wanted = name.lower()
        for index, (key, _) in enumerate(self._items):
            if key.lower() == wanted:
                rest = [item for item in self._items[index + 1 :] if item[0].lower() != wanted]
                self._items[index:] = [(name, value), *rest]
                return
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop every field of that name, if there is one."""
        wanted = name.lower()
        self._items = [item for item in self._items if item[0].lower() != wanted]

    def copy(self) -> Headers:
        """The same fields, to be changed apart."""
        return Headers(self._items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        mine = [(name.lower(), value) for name, value in self._items]
        return mine == [(name.lower(), value) for name, value in other._items]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """The fields, without what authenticates."""
        return f"Headers({[(name, _redact(name, value)) for name, value in self._items]!r})"


def _redact(name: str, value: str) -> str:
    if name.lower() in _SECRET:
        return "***"
    return redact_userinfo(_NONCE.sub(r"\1\2***", value))


def redact_userinfo(text: str) -> str:
    """``text`` with the user info of every URL in it made unreadable."""
    return _USERINFO.sub("//***@", text)


def decode_text(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Text of the wire, control characters removed; UTF-8, else Latin-1."""
    deviations: tuple[str, ...] = ()
    if _CONTROLS.search(raw):
        raw = _CONTROLS.sub(b"", raw).strip(_BLANKS)
        deviations = ("control-character-in-header",)
    try:
        return raw.decode("utf-8"), deviations
    except UnicodeDecodeError:
        text = "".join(c for c in raw.decode("latin-1") if not "\x80" <= c <= "\x9f")
        return text, (*deviations, "latin-1-header")


def parse_headers(
    lines: Iterable[bytes], *, limits: Limits | None = None
) -> tuple[Headers, tuple[str, ...]]:
    """Read the header lines of one head.

    Args:
        lines: Without their line ends and without the empty line at the end.
        limits: Bounds on lines, names and values.

    Returns:
        The headers, and the deviations that were met, each once.

    Raises:
        LimitExceeded: Too many lines, a name or a value too long.
        RemoteProtocolError: A control character in a name. Nothing else.

    Source: RFC 2326 §4, §12; RFC 822 §3.1.1.
    """
    limits = limits or Limits()
    deviations: dict[str, None] = {}
    fields: list[tuple[bytes, list[bytes], int]] = []
    for count, line in enumerate(lines, 1):
        if count > limits.header_lines:
            raise LimitExceeded("header_lines", limits.header_lines, count)
        if line[:1] in (b" ", b"\t"):
            _unfold(fields, line, deviations, limits)
        else:
            _take(fields, line, deviations, limits)
    headers = Headers()
    for name, parts, _ in fields:
        value, met = decode_text(b" ".join(part for part in parts if part))
        deviations.update(dict.fromkeys(met))
        if name:
            headers.add(name.decode("ascii"), value)
    return headers, tuple(deviations)


def _take(
    fields: list[tuple[bytes, list[bytes], int]],
    line: bytes,
    deviations: dict[str, None],
    limits: Limits,
) -> None:
    """One line that begins a field; one that is none is kept nameless, for what folds onto it."""
    name, colon, value = line.partition(b":")
    if colon and name[-1:] in (b" ", b"\t"):
        deviations["blank-before-colon"] = None
        name = name.rstrip(_BLANKS)
    if _CONTROLS.search(name):
        raise RemoteProtocolError(f"a control character in a header name: {name[:32]!r}")
    if not colon or not _TOKEN.fullmatch(name):
        deviations["malformed-header-line"] = None
        name, value = b"", b""
    if len(name) > limits.header_name:
        raise LimitExceeded("header_name", limits.header_name, len(name))
    value = value.strip(_BLANKS)
    if len(value) > limits.header_value:
        raise LimitExceeded("header_value", limits.header_value, len(value))
    fields.append((name, [value], len(value)))


def _unfold(
    fields: list[tuple[bytes, list[bytes], int]],
    line: bytes,
    deviations: dict[str, None],
    limits: Limits,
) -> None:
    """One line that goes on with the field before it."""
    if not fields:
        deviations["malformed-header-line"] = None
        return
    deviations["folded-header"] = None
    name, parts, size = fields[-1]
    part = line.strip(_BLANKS)
    size += 1 + len(part)
    if size > limits.header_value:
        raise LimitExceeded("header_value", limits.header_value, size)
    parts.append(part)
    fields[-1] = (name, parts, size)

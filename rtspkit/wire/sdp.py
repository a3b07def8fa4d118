"""Session descriptions: bytes to ``SessionDescription``, however a camera wrote them.

Layer:  wire
In:     parse_sdp(the body of a DESCRIBE response)
Out:    SessionDescription; ``serialize_sdp`` writes one
Source: RFC 8866 §5, §9 (RFC 4566 before it); RFC 2326 appendix C

Facts the code leans on
- Each line is read by itself: one that is broken is left out, and its kind is reported once.
- Everything is bounded by ``Limits``, and each byte is looked at a fixed number of times.

Where we leave the RFC
- Order, presence and number of the lines are not required: what is a description at all has
  one ``v=``, ``o=``, ``s=`` or ``m=`` line.
- Text that is not UTF-8 is read as Latin-1, line by line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.format import PayloadFormat, first_word, parse_payload_format
from rtspkit.wire.number import parse_decimal, parse_seconds
from rtspkit.wire.sdp_address import Connection, Origin, parse_connection, parse_origin
from rtspkit.wire.sdp_attributes import parse_crypto, parse_extmap, parse_key_management
from rtspkit.wire.sdp_description import DIRECTIONS, MediaDescription, SessionDescription
from rtspkit.wire.sdp_writer import serialize_sdp
from rtspkit.wire.sprop import examine_parameters
from rtspkit.wire.url import remove_userinfo

__all__ = [
    "Connection",
    "MediaDescription",
    "Origin",
    "PayloadFormat",
    "SessionDescription",
    "parse_sdp",
    "serialize_sdp",
]

MAX_NUMBER = 2**64 - 1  # of times, versions and bandwidths
MAX_FRAMERATE = 1000.0  # frames per second
ORDER = {"session": "vosiuepcbtrzka", "media": "micbka"}  # RFC 8866 §9
LINE_END = re.compile(rb"\r\n|\n|\r")
DEFAULT_LIMITS = Limits()
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_sdp(
    data: bytes | bytearray | memoryview | str, *, limits: Limits = DEFAULT_LIMITS
) -> SessionDescription:
    """Read a session description.

    Args:
        data: The whole description.
        limits: Bounds on what is taken: body, line, media, attributes.

    Returns:
        The description; ``deviations`` names what was put up with. It may have no media.

    Raises:
        LimitExceeded: It goes past one of ``limits``.
        RemoteProtocolError: It is no description: empty, binary, something else. Nothing else
            is raised, whatever the text is.
    """
    raw = (
        data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(memoryview(data))
    )
    if len(raw) > limits.body:
        raise LimitExceeded("body", limits.body, len(raw), phase="describe")
    return _Reader(limits).read(raw)


class _Reader:
    """State of reading one description: the media that the lines belong to, and deviations."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.session = SessionDescription()
        self.media: list[MediaDescription] = []
        self.timing: list[tuple[int, int]] = []
        self.deviations: dict[str, None] = {}
        self.seen: set[str] = set()
        self.rank = 0

    @property
    def place(self) -> MediaDescription | SessionDescription:
        return self.media[-1] if self.media else self.session

    def note(self, *identifiers: str) -> None:
        self.deviations.update(dict.fromkeys(identifiers))

    def read(self, data: bytes) -> SessionDescription:
        for line in self._lines(data):
            self._read_line(line)
        if self.seen.isdisjoint("vosm"):
            start = data[:16].decode("latin-1")
            what = f"begins with {start!r}" if data.strip() else "is empty"
            raise RemoteProtocolError(f"no session description: it {what}", phase="describe")
        self.note(*(name for kind, name in _REQUIRED.items() if kind not in self.seen))
        self._adopt_strays()
        for media in self.media:
            self._finish(media)
            self._finish_media(media)
        self._finish(self.session)
        session = self.session
        session.media = tuple(self.media)
        session.timing = tuple(self.timing)
        session.range = session.get("range")
        if len(self.media) > 1 and any(media.control is None for media in self.media):
            self.note("control-missing")
        direction = session.direction
        for media, back_channel in zip(self.media, session.back_channels(), strict=True):
            if (media.direction or direction) == "sendonly" and not back_channel:
                self.note("sendonly-from-server")
        session.deviations = tuple(self.deviations)
        return session

    def _lines(self, data: bytes) -> list[str]:
        """The lines, decoded; blank ones left out."""
        if data.startswith(BYTE_ORDER_MARK):
            self.note("byte-order-mark")
            data = data[len(BYTE_ORDER_MARK) :]
        text = data.rstrip(b"\0")
        if len(text) < len(data):
            self.note("trailing-nul")
        if b"\n" in text.replace(b"\r\n", b""):
            self.note("line-feed-only")
        if b"\r" in text.replace(b"\r\n", b""):
            self.note("carriage-return-only")
        lines = LINE_END.split(text)
        if lines[-1]:
            self.note("last-line-unfinished")
        else:
            lines.pop()
        return [line for raw in lines if (line := self._decode(raw))]

    def _decode(self, raw: bytes) -> str:
        if len(raw) > self.limits.sdp_line:
            raise LimitExceeded("sdp_line", self.limits.sdp_line, len(raw), phase="describe")
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            self.note("not-utf-8")
            line = raw.decode("latin-1")
        stripped = line.strip(" \t")
        if not stripped:
            self.note("blank-line")
        elif stripped != line and line != "s= ":  # RFC 8866 §5.3: a session without a name
            self.note("blanks-around-line")
        return stripped

    def _read_line(self, line: str) -> None:
        kind, equals, value = line[0], line[1:2], line[2:]
        handler = self.HANDLERS.get(kind)
        if equals != "=" or handler is None or "\0" in line:
            self.note("line-malformed")
            return
        self.seen.add(kind)
        order = ORDER["media" if self.media else "session"]
        if kind != "m":
            rank = order.find("t" if kind in "trz" else kind)
            if rank < self.rank:
                self.note("line-order")
            self.rank = rank
        handler(self, value.strip(" \t") if kind != "a" else value)

    def _read_version(self, value: str) -> None:
        if value != "0":
            self.note("version-unknown")

    def _read_origin(self, value: str) -> None:
        if self.session.origin is not None:
            self.note("origin-repeated")
            return
        self.session.origin, deviations = parse_origin(value)
        self.note(*deviations)

    def _read_session_name(self, value: str) -> None:
        if self.media or self.session.session_name:
            self.note("session-name-repeated")
        self.session.session_name = self.session.session_name or value

    def _read_information(self, value: str) -> None:
        place = self.place
        if isinstance(place, MediaDescription):
            place.title = place.title or value or None
        else:
            place.information = place.information or value or None

    def _read_connection(self, value: str) -> None:
        connection, deviations = parse_connection(value)
        self.note(*deviations)
        place = self.place
        if connection is not None and place.connection is not None:
            if connection != place.connection:
                self.note("connection-repeated")
            return
        place.connection = connection or place.connection

    def _read_bandwidth(self, value: str) -> None:
        name, _, text = value.partition(":")
        name = name.strip()
        number = parse_decimal(text.strip(), maximum=MAX_NUMBER)
        if number is None or name.split() != [name]:
            self.note("bandwidth-malformed")
        else:
            self.place.bandwidth.setdefault(name, number)

    def _read_timing(self, value: str) -> None:
        numbers = [parse_decimal(word, maximum=MAX_NUMBER) for word in value.split()]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            self.note("timing-malformed")
        else:
            self.timing.append((numbers[0], numbers[1]))

    def _read_unused(self, value: str) -> None:
        """Lines that say nothing to us: they are taken and left out."""

    def _read_attribute(self, value: str) -> None:
        name, colon, text = value.partition(":")
        name = name.strip(" \t")
        if not name:
            self.note("attribute-malformed")
            return
        if len(name.split()) != 1:
            self.note("attribute-malformed")
        attributes = self.place.attributes
        if len(attributes) >= self.limits.sdp_attributes:
            maximum = self.limits.sdp_attributes
            raise LimitExceeded("sdp_attributes", maximum, maximum + 1, phase="describe")
        attributes.append((name, text if colon else None))

    def _read_media(self, value: str) -> None:
        if len(self.media) >= self.limits.sdp_media:
            maximum = self.limits.sdp_media
            raise LimitExceeded("sdp_media", maximum, maximum + 1, phase="describe")
        words = value.split()
        media = MediaDescription(words[0] if words else "")
        if len(words) < 4:
            self.note("media-line-malformed")
        if len(words) > 1:
            port, slash, count = words[1].partition("/")
            media.port = self._number(port, 65535, 0)
            media.port_count = self._number(count, 65535, 1) if slash else 1
        if len(words) > 2:
            media.protocol = words[2]
        media.formats = tuple(words[3:])
        self.media.append(media)
        self.rank = 0

    def _number(self, text: str, maximum: int, default: int) -> int:
        number = parse_decimal(text, maximum=maximum)
        if number is None:
            self.note("media-port-malformed")
            return default
        return number

    HANDLERS: ClassVar[dict[str, Callable[[_Reader, str], None]]] = {
        "v": _read_version,
        "o": _read_origin,
        "s": _read_session_name,
        "i": _read_information,
        "c": _read_connection,
        "b": _read_bandwidth,
        "t": _read_timing,
        "a": _read_attribute,
        "m": _read_media,
        **dict.fromkeys("ueprzk", _read_unused),
    }

    def _adopt_strays(self) -> None:
        """Give an rtpmap or fmtp under the wrong media to the one media that lists its format."""
        listed = Counter(text for media in self.media for text in set(media.formats))
        strays: dict[tuple[str, str], str] = {}
        for place in (self.session, *self.media):
            formats = set(place.formats) if isinstance(place, MediaDescription) else set()
            for name, value in place.attributes:
                key = (name.lower(), first_word(value))
                if key[0] in _FORMAT_ATTRIBUTES and key[1] not in formats:
                    self.note(f"{key[0]}-misplaced")
                    if listed[key[1]] == 1:
                        strays.setdefault(key, value or "")
        if not strays:
            return
        for media in self.media:
            own = {(n.lower(), first_word(v)) for n, v in media.attributes}
            for text in dict.fromkeys(media.formats):
                for name in _FORMAT_ATTRIBUTES:
                    key = (name, text)
                    room = len(media.attributes) < self.limits.sdp_attributes
                    if key in strays and key not in own and room:
                        media.attributes.append((name, strays[key]))

    def _finish(self, place: MediaDescription | SessionDescription) -> None:
        """Fill in what the attributes say."""
        control = place.get("control")
        if control is not None:
            place.control = remove_userinfo(control.strip())
            if place.control != control.strip():
                self.note("control-userinfo")
        for name, parse in _STRUCTURED.items():
            if any(parse(value) is None for value in place.get_all(name)):
                self.note(f"{name}-malformed")

    def _finish_media(self, media: MediaDescription) -> None:
        maps: dict[tuple[str, str], list[str]] = {}
        for name, value in media.attributes:
            lower = name.lower()
            if lower in _FORMAT_ATTRIBUTES:
                _, *rest = (value or "").split(None, 1) or [""]
                maps.setdefault((lower, first_word(value)), []).append(rest[0] if rest else "")
            elif lower in DIRECTIONS and value is None:
                media.direction = media.direction or lower
            elif lower == "framerate" and media.framerate is None:
                media.framerate = self._parse_framerate(value or "")
        found = {
            text: self._parse_format(media, text, maps) for text in dict.fromkeys(media.formats)
        }
        media.payload_formats = tuple(found[text] for text in media.formats)

    def _parse_format(
        self, media: MediaDescription, text: str, maps: dict[tuple[str, str], list[str]]
    ) -> PayloadFormat:
        rtpmap = maps.get(("rtpmap", text), [])
        fmtp = maps.get(("fmtp", text), [])
        if len(rtpmap) > 1:
            self.note("rtpmap-repeated")
        if len(fmtp) > 1:
            self.note("fmtp-repeated")
        payload_format, deviations = parse_payload_format(
            media.media,
            text,
            rtpmap[0] if rtpmap else None,
            "; ".join(dict.fromkeys(fmtp)) if fmtp else None,
        )
        self.note(*deviations, *examine_parameters(payload_format))
        return payload_format

    def _parse_framerate(self, text: str) -> float | None:
        framerate = parse_seconds(text.strip())
        if framerate is None or not 0 < framerate <= MAX_FRAMERATE:
            self.note("framerate-malformed")
            return None
        return framerate


_REQUIRED = {
    "v": "version-missing",
    "o": "origin-missing",
    "s": "session-name-missing",
    "t": "timing-missing",
}
_FORMAT_ATTRIBUTES = ("rtpmap", "fmtp")
_STRUCTURED: dict[str, Callable[[str], object]] = {
    "crypto": parse_crypto,
    "extmap": parse_extmap,
    "key-mgmt": parse_key_management,
}

"""Where the next message or frame begins, in bytes that may be anything.

Layer:  wire
In:     a view, and the channels that were set up
Out:    begins(): what may begin at one place; find_start(): the first place that is plausible
Source: RFC 2326 §10.12 (frames), §6.1, §7.1 (start lines)

Facts the code leans on
- In order, a boundary is followed by "$", a start line or an empty line, and nothing else.
- Out of order, "$" alone says nothing: one byte of media in 256 is one. A header counts when
  its channel was set up and its payload has the version of RTP; more so when what follows
  the frame may begin something too.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum

from rtspkit.errors import LimitExceeded
from rtspkit.options import Limits
from rtspkit.wire.interleaved import DOLLAR, HEADER_SIZE, looks_like_rtp, unpack_header

__all__ = ["FIRST", "Beginning", "Garbage", "Skipped", "begins", "find_reply", "find_start"]

METHODS = (
    b"ANNOUNCE|DESCRIBE|GET_PARAMETER|OPTIONS|PAUSE|PLAY|PLAY_NOTIFY|RECORD|REDIRECT|SETUP"
    b"|SET_PARAMETER|TEARDOWN"
)
LONGEST_METHOD = 32
FIRST = 32  # bytes of garbage that are kept as evidence

_TOKEN = re.compile(rb"[A-Z][A-Z_-]{0,32}")
_PROTOCOL = re.compile(rb"RTSP/\d\.\d[ \t]", re.IGNORECASE)
_KNOWN_METHOD = re.compile(rb"(?:" + METHODS + rb")[ \t]")
_CANDIDATE = re.compile(rb"\$|RTSP/\d\.\d \d\d\d|(?:" + METHODS + rb") (?:rtsps?://|\*)")
_REPLY = re.compile(rb"RTSP/\d\.\d \d\d\d[ \r\n]")
HOLD = len(b"SET_PARAMETER rtsps://") - 1  # bytes: the longest candidate, less one


@dataclass(slots=True)
class Skipped:
    """Bytes that were no message and no frame.

    Attributes:
        size: How many.
        first: The first of them, 32 at most.
        reason: Where they were met.
    """

    size: int
    first: bytes
    reason: str


class Garbage:
    """What is being skipped, counted and bounded.

    Attributes:
        total: Bytes skipped so far, reported or not.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.total = 0
        self._size = 0
        self._first = b""

    def add(self, data: bytes) -> None:
        """Count ``data``; raise LimitExceeded when this run of garbage is too long."""
        self._first += data[: FIRST - len(self._first)]
        self._size += len(data)
        self.total += len(data)
        if self._size > self.limits.garbage:
            raise LimitExceeded("garbage", self.limits.garbage, self._size)

    def report(self, reason: str) -> Skipped:
        """The run of garbage is over: say what it was."""
        skipped = Skipped(self._size, self._first, reason)
        self._size, self._first = 0, b""
        return skipped


class Beginning(Enum):
    """What the bytes at one place may be."""

    FRAME = "frame"
    MESSAGE = "message"
    BLANK = "blank"
    UNKNOWN = "unknown"  # too few bytes to tell
    NOTHING = "nothing"


def begins(view: memoryview, position: int, end: int, channels: AbstractSet[int]) -> Beginning:
    """What may begin at ``position``, where the stream is in order.

    Once channels are known, media flows, and a start line has to have a method of RTSP:
    whatever else looks like text is more likely to be media.
    """
    if position == end:
        return Beginning.UNKNOWN
    first = view[position]
    if first == DOLLAR:
        return _frame_begins(view, position, end, channels)
    if first in b"\r\n":
        return Beginning.BLANK
    if first == 0x72:  # "r": the protocol in lower case
        return _protocol_begins(view, position, end)
    token = _TOKEN.match(view, position, end)
    if token is None:
        return Beginning.NOTHING
    stop = token.end()
    if stop - position > LONGEST_METHOD:
        return Beginning.NOTHING
    if stop == end:
        return Beginning.UNKNOWN
    if token[0] == b"RTSP" and view[stop] == 0x2F:
        return _protocol_begins(view, position, end)
    if view[stop] not in b" \t" or stop - position < 2:
        return Beginning.NOTHING
    if channels and not _KNOWN_METHOD.match(view, position, end):
        return Beginning.NOTHING
    return Beginning.MESSAGE


def _protocol_begins(view: memoryview, position: int, end: int) -> Beginning:
    if _PROTOCOL.match(view, position, end):
        return Beginning.MESSAGE
    few = bytes(view[position:end]) if end - position < len(b"RTSP/1.0 ") else b""
    unknown = few and few.upper().startswith(b"RTSP/"[: len(few)])
    return Beginning.UNKNOWN if unknown else Beginning.NOTHING


def _frame_begins(
    view: memoryview, position: int, end: int, channels: AbstractSet[int]
) -> Beginning:
    """A frame on a channel that was set up, or one that at least carries RTP."""
    if end - position < HEADER_SIZE:
        return Beginning.UNKNOWN
    _, channel, length = unpack_header(view, position)
    if not channels or channel in channels:
        return Beginning.FRAME
    if length and end - position == HEADER_SIZE:
        return Beginning.UNKNOWN
    likely = length and looks_like_rtp(length, view[position + HEADER_SIZE])
    return Beginning.FRAME if likely else Beginning.NOTHING


def find_start(
    view: memoryview, position: int, end: int, channels: AbstractSet[int]
) -> tuple[int, bool]:
    """The first plausible beginning at or after ``position``.

    A frame with nonsense behind it, or with an end that is not here yet, gives way to a better
    beginning inside it.

    Returns:
        Its place and True; or the place before which there is none for certain, and False:
        what is left from there on has to be looked at again with more bytes behind it.
    """
    doubtful, doubtful_stop = -1, end
    for candidate in _CANDIDATE.finditer(view, position, end):
        start = candidate.start()
        if start >= doubtful_stop:
            break
        if view[start] != DOLLAR:
            return start, True
        if end - start <= HEADER_SIZE:
            return (doubtful, True) if doubtful >= 0 else (start, False)
        _, channel, length = unpack_header(view, start)
        if channel not in channels or not looks_like_rtp(length, view[start + HEADER_SIZE]):
            continue
        stop = start + HEADER_SIZE + length
        if stop == end or (
            stop < end and begins(view, stop, end, channels) is not Beginning.NOTHING
        ):
            return start, True
        if doubtful < 0:
            doubtful, doubtful_stop = start, min(stop, end)
    return (doubtful, True) if doubtful >= 0 else (max(position, end - HOLD), False)


def find_reply(view: memoryview) -> int:
    """Where a status line stands inside a frame; -1 when there is none."""
    found = _REPLY.search(view)
    return found.start() if found else -1

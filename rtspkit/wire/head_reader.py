"""The head of one message, line by line: ``HeadReader``.

Layer:  wire
In:     read(view, position, end): as much of the head as is here
Out:    message (without its body) and body_size, once the empty line has come
Source: RFC 2326 §4 (line ends), §6, §7

Facts the code leans on
- Every byte is looked at once, and every limit is checked before a byte is kept for long.
"""

from __future__ import annotations

import re

from rtspkit.errors import LimitExceeded
from rtspkit.options import Limits
from rtspkit.wire.head import Request, Response, body_length, parse_start_line
from rtspkit.wire.headers import parse_headers

__all__ = ["HeadReader"]

SLACK = 16  # bytes of colon, blanks and line end that no limit counts
_LINE_FEED = re.compile(rb"\n")


class HeadReader:
    """Reads one head after another.

    Attributes:
        start: The message as far as its start line tells; None before that.
        start_line: The start line as it came, line end included.
        message: The message with its headers, when the head is complete; None before.
        body_size: Bytes of body that follow it.
        position: Where the last line taken ends; tells after an error what it was about.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.position = 0
        self.reset()

    def reset(self) -> None:
        """Be ready for the next head."""
        self.start: Request | Response | None = None
        self.start_line = b""
        self.message: Request | Response | None = None
        self.body_size = 0
        self._line = bytearray()
        self._lines: list[bytes] = []
        self._size = 0
        self._line_feed_only = False

    def read(self, view: memoryview, position: int, end: int) -> int:
        """Take lines from ``view`` up to the end of the head, or of the piece.

        Returns:
            The position after what was taken; ``end`` when the head is not complete.

        Raises:
            LimitExceeded: A line, their number or their sum goes past a limit.
            RemoteProtocolError: The start line or the headers are none. Nothing else.
        """
        limits = self.limits
        longest = limits.header_name + limits.header_value + SLACK
        while self.message is None and position < end:
            stop = min(end, position + longest + 1 - len(self._line))
            found = _LINE_FEED.search(view, position, stop)
            if found:
                stop = found.end()
            self._line += view[position:stop]
            self._size += stop - position
            position = self.position = stop
            if len(self._line) > longest:
                raise LimitExceeded("header_value", limits.header_value, len(self._line))
            if self._size > limits.message:
                raise LimitExceeded("message", limits.message, self._size)
            if found:
                self._take_line()
        return position

    def _take_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            self._line_feed_only = True
        if self.start is None:
            self.start_line = line
        line = line.rstrip(b"\r\n")
        if self.start is None:
            self.start = parse_start_line(line)
        elif not line:
            self._finish(self.start)
        else:
            self._lines.append(line)
            if len(self._lines) > self.limits.header_lines:
                raise LimitExceeded("header_lines", self.limits.header_lines, len(self._lines))

    def _finish(self, message: Request | Response) -> None:
        message.headers, deviations = parse_headers(self._lines, limits=self.limits)
        self.body_size, more = body_length(message.headers, limits=self.limits)
        deviations = message.deviations + deviations + more
        if self._line_feed_only:
            deviations += ("line-feed-only",)
        if message.cseq is None:
            given = "CSeq" in message.headers
            deviations += ("cseq-damaged" if given else "cseq-missing",)
        message.deviations = tuple(dict.fromkeys(deviations))
        self.message = message

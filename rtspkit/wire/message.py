"""One incremental reader for all that a control connection carries: ``MessageReader``.

Layer:  wire
In:     receive_data(bytes of the connection, cut anywhere)
Out:    next_event(): Request, Response, InterleavedFrame, Skipped, in the order of the wire
Source: RFC 2326 §4 to §7, §10.12

Facts the code leans on
- Almost all events are frames that lie whole in one piece: ``next_event`` tries just that, and
  leaves everything else to a table of states.
- Whatever is incomplete when a piece ends is copied: one frame per piece at most.

Where we leave the RFC
- Line ends may be LF alone; empty lines before a message are skipped.
- Out of order, bounded garbage is skipped up to a plausible beginning, once channels are known.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.frame_run import FrameRun, read_frames
from rtspkit.wire.head import Request, Response, serialize_request, serialize_response
from rtspkit.wire.head_reader import HeadReader
from rtspkit.wire.headers import Headers
from rtspkit.wire.interleaved import (
    DOLLAR,
    HEADER_SIZE,
    InterleavedFrame,
    serialize_frame,
    unpack_header,
)
from rtspkit.wire.pieces import Pieces
from rtspkit.wire.resync import FIRST, Beginning, Garbage, Skipped, begins, find_reply, find_start

__all__ = [
    "Event",
    "Headers",
    "InterleavedFrame",
    "MessageReader",
    "Request",
    "Response",
    "Skipped",
    "serialize_frame",
    "serialize_request",
    "serialize_response",
]

LARGEST_AGAIN = 16 * 1024  # bytes of a frame that may be given again; larger ones are collected
JOIN = 64  # bytes: more than any question about a beginning needs
_BLANKS = re.compile(rb"[\r\n]*")
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e\x80-\xff]*")


Event = Request | Response | InterleavedFrame | Skipped


class _Again(Enum):
    AGAIN = "again"  # the state has changed, and there is more to look at


_AGAIN = _Again.AGAIN
_State = Callable[["MessageReader"], Event | _Again | None]


class MessageReader(Pieces):
    """Messages and frames out of the bytes of one control connection.

    Args:
        limits: Bounds on messages and garbage.
        channels: Channel numbers that are set up already.

    Attributes:
        channels: Channel numbers that were set up; may grow at any time. Empty means that none is
            known yet: frames of any channel pass then, and garbage is an error.
        resynchronizing: Whether a plausible beginning is being looked for.
    """

    def __init__(self, *, limits: Limits | None = None, channels: Iterable[int] = ()) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self.channels: set[int] = set(channels)
        self.resynchronizing = False
        self._ready: deque[Event] = deque()
        self._state: _State = MessageReader._boundary
        self._error: RemoteProtocolError | None = None
        self._head_reader = HeadReader(self.limits)
        self._blank = 0  # bytes of empty lines since the last message
        self._after_text = False  # the last message may have a body of unknown length
        self._garbage = Garbage(self.limits)

    @property
    def skipped_bytes(self) -> int:
        """Garbage skipped so far."""
        return self._garbage.total

    def next_event(self) -> Event | None:
        """The next message, frame or report of garbage; None until more bytes have come.

        Raises:
            RemoteProtocolError: The bytes are not RTSP. The reader is dead then, and raises the
                same again.
            LimitExceeded: The same, past one of the limits.
        """
        position = self._position
        if self._end - position >= HEADER_SIZE:
            view = self._view
            dollar, channel, length = unpack_header(view, position)
            stop = position + HEADER_SIZE + length
            if (
                dollar == DOLLAR
                and channel in self.channels
                and stop <= self._end
                and (stop == self._end or view[stop] == DOLLAR)
                and self._in_order
            ):
                self._position = stop
                self._blank = 0
                return InterleavedFrame(channel, view[position + HEADER_SIZE : stop])
        return self._next()

    def read_frames(self, view: memoryview, now: float) -> tuple[list[FrameRun], int]:
        """Read the frames at the front of a piece, without taking the piece.

        Args:
            view: Read-only. What is not read of it is to be given to ``receive_data``, or to be
                given again when ``is_beginning`` says that only the rest of a frame is missing.
            now: When it arrived.

        Returns:
            The frames, and how far the piece was read; nothing while something is half read.
        """
        idle = self._in_order and self._position == self._end and not self._waiting
        if not idle or not self.channels or self._ready or self._error is not None:
            return [], 0
        runs, position = read_frames(view, self.channels, now)
        if position:
            self._blank = 0
        return runs, position

    def is_beginning(self, rest: memoryview) -> bool:
        """Whether ``rest``, which ``read_frames`` has left, is a frame that is not whole yet."""
        if not self._in_order or rest[0] != DOLLAR:
            return False
        if len(rest) < HEADER_SIZE:
            return len(rest) < 2 or rest[1] in self.channels
        _, channel, length = unpack_header(rest)
        return channel in self.channels and len(rest) < HEADER_SIZE + length <= LARGEST_AGAIN

    def next_events(self) -> list[Event]:
        """All that is complete. An error comes with the call after the one that ends before it."""
        events: list[Event] = []
        append = events.append
        while True:
            if self._in_order and self.channels and self._position < self._end:
                piece = self._view[self._position : self._end]
                runs, size = read_frames(piece, self.channels, 0.0)
                self._position += size
                self._blank = 0 if size else self._blank
                for run in runs:
                    places = zip(run.datagrams.starts, run.datagrams.lengths, strict=True)
                    events += [InterleavedFrame(run.channel, piece[a : a + n]) for a, n in places]
            try:
                event = self._next()
            except RemoteProtocolError:
                if events:
                    return events
                raise
            if event is None:
                return events
            append(event)

    def receive_eof(self) -> None:
        """The peer will send no more; what was complete is still given by ``next_event``.

        Raises:
            RemoteProtocolError: It has stopped in the middle of a message or a frame.
        """
        self._ready.extend(self.next_events())
        if self._state is MessageReader._frame:
            self._find_reply_at_eof()
        if self._error is None and self.resynchronizing:
            self._garbage.add(bytes(self._carry))
            self._ready.append(self._garbage.report("at the end"))
            self._carry.clear()
            self.resynchronizing = False
        elif self._error is None and (what := self._unfinished()):
            self._error = RemoteProtocolError(f"the connection ended in the middle of {what}")
        if self._error is not None:
            self._stop()
            raise self._error

    def _unfinished(self) -> str:
        if self._state is MessageReader._frame:
            return "an interleaved frame"
        if self._state is MessageReader._body:
            return "the body of a message"
        return "a message" if self._carry or self._state is MessageReader._head else ""

    def _find_reply_at_eof(self) -> None:
        """A frame that never ended may hold the server's last words."""
        payload = memoryview(bytes(self._carry))[HEADER_SIZE:]
        reply = find_reply(payload)
        if reply >= 0:
            channel = self._carry[1]
            self._carry.clear()
            self._state = MessageReader._boundary
            self._ready.append(self._cut_frame(channel, payload, reply))
            self._ready.extend(self.next_events())

    # --- the states: each gives an event, _AGAIN, or None when the piece in hand is used up

    def _next(self) -> Event | None:
        if self._ready:
            return self._ready.popleft()
        if self._error is not None:
            raise self._error.with_traceback(None)
        try:
            while True:
                event = self._state(self) if self._position < self._end else None
                if event is None:
                    if not self._load(join=self._open_question()):
                        break
                elif event is not _AGAIN:
                    break
        except RemoteProtocolError as error:
            self._error = error
            self._stop()
            raise
        self._in_order = (
            self._state is MessageReader._boundary and not self._carry and not self.resynchronizing
        )
        return event

    def _open_question(self) -> int:
        """How much of the next piece has to be looked at together with the carry."""
        if self._state is not MessageReader._boundary:
            return 0
        return sys.maxsize if self.resynchronizing else JOIN

    def _boundary(self) -> Event | _Again | None:
        """Between two messages or frames."""
        if self.resynchronizing:
            return self._skip_garbage()
        view, position, end = self._view, self._position, self._end
        beginning = begins(view, position, end, self.channels)
        if beginning is Beginning.FRAME:
            return self._take_frame()
        if beginning is Beginning.MESSAGE:
            self._state = MessageReader._head
            return _AGAIN
        if beginning is Beginning.BLANK:
            found = _BLANKS.match(view, position, end)
            assert found is not None
            self._position = found.end()
            self._blank += self._position - position
            if self._blank > self.limits.garbage:
                raise LimitExceeded("garbage", self.limits.garbage, self._blank)
            return _AGAIN
        if beginning is Beginning.UNKNOWN:
            self._hold(position)
            return None
        return self._lose_order()

    def _take_frame(self) -> Event | _Again | None:
        view, position = self._view, self._position
        _, channel, length = unpack_header(view, position)
        start = position + HEADER_SIZE
        stop = start + length
        if stop > self._end:
            self._missing = stop - self._end
            self._hold(position)
            self._state = MessageReader._frame
            return None
        self._position = stop
        return self._give_frame(channel, view[start:stop])

    def _frame(self) -> Event | _Again | None:
        """The rest of a frame that straddles pieces."""
        if not self._collect():
            return None
        frame = memoryview(bytes(self._carry))
        self._carry.clear()
        self._state = MessageReader._boundary
        return self._give_frame(frame[1], frame[HEADER_SIZE:])

    def _give_frame(self, channel: int, payload: memoryview) -> Event:
        """A whole frame, unless a reply was written into it and the length covers both.

        What follows a sound frame may begin something; when it may not, and a status line stands
        inside the frame, the frame was cut short there.
        """
        view, stop, end = self._view, self._position, self._end
        if (
            stop < end
            and view[stop] != DOLLAR
            and begins(view, stop, end, self.channels) is Beginning.NOTHING
        ):
            reply = find_reply(payload)
            if reply >= 0:
                self._waiting.appendleft(view[stop:end])
                return self._cut_frame(channel, payload, reply)
        self._blank = 0
        return InterleavedFrame(channel, payload)

    def _cut_frame(self, channel: int, payload: memoryview, reply: int) -> Skipped:
        """Give up a frame before the reply inside it, and go on reading at the reply."""
        header = bytes((DOLLAR, channel)) + len(payload).to_bytes(2, "big")
        self._garbage.add(header + bytes(payload[:reply]))
        self._view, self._position, self._end = payload, reply, len(payload)
        return self._garbage.report("a frame cut short by a message")

    def _head(self) -> Event | _Again | None:
        """The head of a message. A start line that is none is garbage once media flows."""
        reader = self._head_reader
        try:
            self._position = reader.read(self._view, self._position, self._end)
        except LimitExceeded:
            raise
        except RemoteProtocolError:
            if reader.start is not None or not (self.channels or self._after_text):
                raise
            self._position = reader.position
            self._garbage.add(reader.start_line)
            reader.reset()
            self._state = MessageReader._boundary
            self.resynchronizing = True
            return _AGAIN
        if reader.message is None:
            return None
        self._missing = reader.body_size
        if not self._missing:
            return self._give_message(b"")
        self._state = MessageReader._body
        return _AGAIN

    def _body(self) -> Event | _Again | None:
        """The rest of a body."""
        if not self._collect():
            return None
        body = bytes(self._carry)
        self._carry.clear()
        return self._give_message(body)

    def _give_message(self, body: bytes) -> Event:
        message = self._head_reader.message
        assert message is not None
        message.body = body
        if self._blank:
            message.deviations += ("blank-line-before-message",)
            self._blank = 0
        self._after_text = "Content-Length" not in message.headers and (
            "Content-Type" in message.headers
            or (isinstance(message, Response) and message.status_code >= 300)
        )
        self._head_reader.reset()
        self._state = MessageReader._boundary
        return message

    # --- out of order

    def _lose_order(self) -> _Again:
        """Something stands at a boundary that begins nothing."""
        if not self.channels and not self._after_text:
            raise _not_rtsp(bytes(self._view[self._position : self._end][:FIRST]))
        self.resynchronizing = True
        return _AGAIN

    def _skip_garbage(self) -> Event | None:
        """Skip to the next plausible beginning.

        Without channels, only text is skipped: a body whose Content-Length was left out.
        """
        view, position, end = self._view, self._position, self._end
        place, found = find_start(view, position, end, self.channels)
        garbage = bytes(view[position:place])
        if not self.channels and not _TEXT.fullmatch(garbage):
            raise _not_rtsp(garbage)
        self._garbage.add(garbage)
        self._position = place
        if not found:
            self._hold(place)
            return None
        self.resynchronizing = False
        return self._garbage.report("between messages" if self.channels else "text after a message")


def _not_rtsp(data: bytes) -> RemoteProtocolError:
    return RemoteProtocolError(f"not RTSP: the peer sent {data[:FIRST]!r}")

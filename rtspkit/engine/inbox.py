"""What comes in on a control connection: frames, and messages between them.

Layer:  engine (``now`` comes in)
In:     receive_data(a piece of the connection), receive_eof()
Out:    interleaved frames; each message to ``on_message``; the error that ends the connection

Facts the code leans on
- Almost every piece is frames and the beginning of one more: they are read together, and the
  beginning is left to whoever can give it again with its rest behind it.
"""

from __future__ import annotations

from collections.abc import Callable

from rtspkit.engine.garbage import GarbageWatch
from rtspkit.errors import RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.datagrams import lone_datagrams
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.message import InterleavedFrame, MessageReader, Request, Response, Skipped

__all__ = ["Inbox"]


class Inbox:
    """The reading end of one connection.

    Args:
        limits: Bounds on messages and garbage.
        on_message: Takes a message, or a report of garbage, and when it came.

    Attributes:
        reader: What takes it apart.
        garbage: The watch over its being out of step.
        unread: Bytes at the end of the last piece that are to be given again.
        stirred: Whether anything but whole frames has come; the owner sets it back.
    """

    def __init__(
        self, limits: Limits, on_message: Callable[[Request | Response | Skipped, float], None]
    ) -> None:
        self.reader = MessageReader(limits=limits)
        self.garbage = GarbageWatch(limits.garbage_time)
        self.unread = 0
        self.stirred = False
        self._on_message = on_message
        self._rest: memoryview | None = None  # what is unread

    def receive_data(
        self, data: memoryview, now: float, *, again: bool
    ) -> tuple[list[FrameRun], RemoteProtocolError | None]:
        """Take a piece: the frames in it, and the error that it ends with."""
        self.unread, self._rest = 0, None
        frames, position = self.reader.read_frames(data, now)
        if position == len(data):
            return frames, None
        rest = data[position:]
        if again and self.reader.is_beginning(rest):
            self.unread, self._rest = len(rest), rest
            return frames, None
        self.stirred = True
        self.reader.receive_data(rest)
        error = self._read(frames, now) or self.look(now)
        return frames, error

    def receive_eof(self, now: float) -> RemoteProtocolError | None:
        """No more will come; the error when something was in the middle."""
        if self._rest is not None:
            self.reader.receive_data(self._rest)
            self.unread, self._rest = 0, None
        error = None
        try:
            self.reader.receive_eof()
        except RemoteProtocolError as broken:
            error = broken
        self._read([], now)  # the last that was complete
        return error

    def look(self, now: float) -> RemoteProtocolError | None:
        """The error when the connection has been out of step for too long."""
        return self.garbage.look(self.reader.resynchronizing, now)

    def _read(self, frames: list[FrameRun], now: float) -> RemoteProtocolError | None:
        """Take all that the reader has; gives what ended it."""
        try:
            while events := self.reader.next_events():
                for event in events:
                    if isinstance(event, InterleavedFrame):
                        alone = lone_datagrams([event.payload], now)
                        frames.append(FrameRun(event.channel, alone))
                    else:
                        self._on_message(event, now)
        except RemoteProtocolError as error:
            return error
        return None

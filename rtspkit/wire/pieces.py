"""The bytes of one connection in the pieces they came in: ``Pieces``.

Layer:  wire (what ``MessageReader`` reads from; knows nothing of RTSP)
In:     receive_data(one piece)
Out:    the piece in hand, and a carry: the copied beginning of what no piece holds whole

Facts the code leans on
- A piece is read in place and let go when it is used up: what is incomplete then moves to the
  carry, so that no piece is held longer than the views that were given out.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Pieces"]

_EMPTY = memoryview(b"")


class Pieces:
    """Bytes to be read in order, once. Its attributes are for the reader built on it."""

    def __init__(self) -> None:
        self._view = _EMPTY  # the piece in hand
        self._position = 0  # how far it is read
        self._end = 0
        self._waiting: deque[memoryview] = deque()  # the pieces after it
        self._carry = bytearray()
        self._missing = 0  # bytes still to come of what the carry holds
        self._stopped = False
        self._in_order = True  # nothing is carried or half read: a piece may be taken in hand

    @property
    def at_rest(self) -> bool:
        """Whether all that came was read, and none of it is the beginning of something."""
        return self._in_order and self._position == self._end and not self._waiting

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the connection.

        Args:
            data: Read in place: frames are views of it, so it must not be written again while
                one of them is held.
        """
        view = memoryview(data).toreadonly()
        if view.format != "B" or view.ndim != 1 or not view.contiguous:
            view = view.cast("B")
        if self._stopped or not len(view):
            return
        if self._in_order and self._position == self._end and not self._waiting:
            self._view, self._position, self._end = view, 0, len(view)
        else:
            self._waiting.append(view)

    def _stop(self) -> None:
        """Let go of every piece, and take no more."""
        self._stopped = True
        self._view, self._position, self._end = _EMPTY, 0, 0
        self._waiting.clear()

    def _load(self, *, join: int) -> bool:
        """Take the next piece in hand; whether there was one.

        Args:
            join: Bytes of it that are copied behind the carry, to be looked at together; the
                rest is the piece after that. With 0 the carry stays as it is.
        """
        self._view, self._position, self._end = _EMPTY, 0, 0
        if not self._waiting:
            return False
        view = self._waiting.popleft()
        if join and self._carry:
            if len(view) > join:
                self._waiting.appendleft(view[join:])
            view = memoryview(bytes(self._carry) + view[:join])
            self._carry.clear()
        self._view, self._end = view, len(view)
        return True

    def _hold(self, position: int) -> None:
        """Copy the piece from ``position`` to its end to the carry; the piece is used up."""
        self._carry += self._view[position : self._end]
        self._position = self._end

    def _collect(self) -> bool:
        """Copy what is missing from the piece in hand to the carry; whether it is all there."""
        stop = min(self._end, self._position + self._missing)
        self._carry += self._view[self._position : stop]
        self._missing -= stop - self._position
        self._position = stop
        return not self._missing

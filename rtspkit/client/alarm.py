"""The one timer of a session: armed at the earliest deadline, whoever it belongs to.

Layer:  client

Facts the code leans on
- A stalled loop runs timers late, and uvloop runs them before it reads sockets: a deadline that
  is met late is looked at once more after the sockets have been read.
- Deadlines mostly move back: a timer that fires too early arms itself again, which is cheaper
  than to cancel it for each packet.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["Alarm"]

LATE = 0.05  # seconds after its deadline that a timer counts as late
READ_FIRST = 0.001  # seconds that the sockets are given then


class Alarm:
    """A timer that follows a deadline.

    Args:
        loop: The running loop.
        now: Gives monotonic seconds, on the base of ``loop.call_at``.
        deadline: Gives when to ring next, in monotonic seconds; None or infinity for never.
        ring: Called with ``now`` when the time has come, or somewhat earlier; it arms again.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        deadline: Callable[[], float | None],
        ring: Callable[[float], None],
    ) -> None:
        self._loop = loop
        self._now = now
        self._deadline = deadline
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0
        self._second_look = False

    def arm(self) -> None:
        """Look at the deadline, and be there in time."""
        deadline = self._deadline()
        if deadline is None or deadline == math.inf:
            return
        if self._handle is not None:
            if self._at <= deadline:
                return
            self._handle.cancel()
        self._set(deadline)

    def cancel(self) -> None:
        """Ring no more, until armed again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _set(self, at: float) -> None:
        self._at = at
        self._handle = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = self._now()
        deadline = self._deadline()
        late = deadline is not None and now > deadline + LATE
        if late and not self._second_look:
            self._second_look = True
            self._set(now + READ_FIRST)
            return
        self._second_look = False
        self._ring(now)

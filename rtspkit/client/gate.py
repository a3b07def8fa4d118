"""How many sessions of a loop are asked for again at the same time.

Layer:  client

Facts the code leans on
- A thousand sessions that lose one server lose it in one moment. All their attempts at once take
  each other's time, until each has lasted too long; some at a time are done one after the other.
- A server that hangs must not stand in the way of others: an attempt keeps its place for a quarter
  of a second at most, so that two hundred a second begin whatever becomes of them.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque

__all__ = ["Gate", "gate_of"]

PLACES = 50
LONGEST = 0.25  # seconds that an attempt keeps its place


class Gate:
    """Places for attempts; whoever finds none waits in line. Use it with ``async with place()``."""

    def __init__(self, places: int = PLACES, longest: float = LONGEST) -> None:
        self.free = places
        self.longest = longest
        self._waiting: deque[asyncio.Future[None]] = deque()

    def place(self) -> _Place:
        """A place, for one attempt."""
        return _Place(self)

    async def take(self) -> None:
        """Wait for a place; no longer than those before us keep theirs."""
        if self.free and not self._waiting:
            self.free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()  # it was ours already
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def give(self) -> None:
        """A place is free: the next in line has it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class _Place:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._gate.take()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._gate.longest, self._leave)

    def _leave(self) -> None:
        self._timer = None
        self._gate.give()

    async def __aexit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._leave()


_gates: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gate] = weakref.WeakKeyDictionary()


def gate_of(loop: asyncio.AbstractEventLoop) -> Gate:
    """The one of a loop."""
    if loop not in _gates:
        _gates[loop] = Gate()
    return _gates[loop]

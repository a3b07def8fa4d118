"""An event loop whose clock does not wait: with nothing to do, it goes on to the next timer.

Real sockets of the loopback work: what was sent is there when the system call returns, but for
the moment that the kernel may take; that moment is waited for before time goes on.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

START = 1000.0  # virtual seconds
A_MOMENT = 0.0005  # real seconds
A_REAL_HANG = 5.0  # real seconds without a timer, a task or a byte
A_VIRTUAL_HANG = 200.0  # virtual seconds


class _ImpatientSelector(selectors.DefaultSelector):
    """Tells the loop at once how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.pass_time: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None):
        if timeout is None:
            events = super().select(A_REAL_HANG)
            if not events:
                raise RuntimeError("the test hangs: nothing happens any more")
            return events
        if timeout <= 0:
            return super().select(0)
        events = super().select(A_MOMENT)
        if not events:
            self.pass_time(timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a virtual clock."""

    def __init__(self) -> None:
        selector = _ImpatientSelector()
        super().__init__(selector)
        self._virtual = START
        selector.pass_time = self._pass

    def time(self) -> float:
        return self._virtual

    def _pass(self, seconds: float) -> None:
        self._virtual += seconds
        if self._virtual > START + A_VIRTUAL_HANG:
            raise RuntimeError("the test hangs: it waits for what does not happen")

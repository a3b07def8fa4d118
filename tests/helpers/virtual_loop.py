"""An event loop whose clock does not wait: with nothing to do, it goes on to the next timer.

Real sockets of the loopback work: what was sent is there when the system call returns, but for
the moment that the kernel may take; that moment is waited for before time goes on. While a
thread works (a host name is looked up), time stands still.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
from collections.abc import Callable
from typing import Any

START = 1000.0  # virtual seconds
A_MOMENT = 0.0005  # real seconds
A_REAL_HANG = 5.0  # real seconds without a timer, a task or a byte
A_VIRTUAL_HANG = 200.0  # virtual seconds


class _ImpatientSelector(selectors.DefaultSelector):
    """Tells the loop at once how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.pass_time: Callable[[float], None] = lambda seconds: None
        self.threads = 0
        self.moment = A_MOMENT

    def select(self, timeout: float | None = None):
        if timeout is None or (timeout > 0 and self.threads):
            events = super().select(A_REAL_HANG)
            if not events:
                raise RuntimeError("the test hangs: nothing happens any more")
            return events
        if timeout > 0:
            self._wait_a_moment()
        events = super().select(0)
        if not events and timeout > 0:
            self.pass_time(timeout)
        return events

    def _wait_a_moment(self) -> None:
        """Until something can be read: an epoll itself waits for whole milliseconds."""
        if hasattr(self, "fileno"):
            select.select([self.fileno()], [], [], self.moment)
        else:
            super().select(self.moment)


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a virtual clock.

    Attributes:
        patience: Virtual seconds after which a test counts as hanging.
    """

    def __init__(self) -> None:
        self.patience = A_VIRTUAL_HANG
        self._impatient = _ImpatientSelector()
        super().__init__(self._impatient)
        self._virtual = START
        self._impatient.pass_time = self.pass_time

    def hurry(self, patience: float, moment: float = A_MOMENT / 5) -> None:
        """Make much time pass quickly, where it does not matter that a byte comes a timer late."""
        self.patience, self._impatient.moment = patience, moment

    def time(self) -> float:
        return self._virtual

    def pass_time(self, seconds: float) -> None:
        """Let time pass; called in a callback, it is a loop that was stalled."""
        self._virtual += seconds
        if self._virtual > START + self.patience:
            raise RuntimeError("the test hangs: it waits for what does not happen")

    async def create_server(self, *args: Any, **keywords: Any) -> asyncio.Server:
        """Let no byte wait in the kernel for an acknowledgement: time would overtake it."""
        server = await super().create_server(*args, **keywords)
        for one in server.sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._impatient.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, future: asyncio.Future[Any]) -> None:
        self._impatient.threads -= 1

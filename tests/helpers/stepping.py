"""Cancellation at a chosen suspension of a coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Generator
from typing import Any


class Stepped:
    """Awaits a coroutine and cancels the task that does at some of its suspensions.

    Args:
        coroutine: What runs.
        at: Suspensions, from 1, at which the task is cancelled.
        late: Cancel when what is waited for is there, just before the coroutine sees it.

    Attributes:
        suspensions: How often it was suspended so far.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], at: Collection[int] = (), *, late: bool = False
    ) -> None:
        self._coroutine = coroutine
        self._at = at
        self._late = late
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        resume = self._coroutine.send
        value: Any = None
        while True:
            try:
                waited_for = resume(value)
            except StopIteration as stop:
                return stop.value
            self.suspensions += 1
            if self.suspensions in self._at:
                if self._late and waited_for is not None:
                    waited_for.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            try:
                value = yield waited_for
                resume = self._coroutine.send
            except BaseException as error:
                value = error
                resume = self._coroutine.throw

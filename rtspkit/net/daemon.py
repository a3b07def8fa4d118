"""Blocking work in a daemon thread, that tasks of any loop may wait for, as long as they like.

Layer:  net

Fact the code leans on
- A disk that hangs cannot be cancelled. In the loop's executor it would keep ``asyncio.run`` from
  returning, and in a common thread the interpreter from ending; a daemon thread keeps nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

__all__ = ["DaemonWork"]


class DaemonWork:
    """One piece of work that is begun at most once.

    Args:
        work: Runs in the thread; what it raises goes to ``threading.excepthook``.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._begun = False
        self._done = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def done(self) -> bool:
        """Whether the work has ended, in whatever way."""
        return self._done

    def begin(self) -> None:
        """Start the thread, unless it was started. Without one to be had, the work is over."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is ending
            self._finish()

    async def wait(self, seconds: float) -> bool:
        """Wait for the end of the work; whether it has come within so many seconds."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not ended.done():
                ended.set_result(None)

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle)

        with self._lock:
            if self._done:
                return True
            self._callbacks.append(tell)
        try:
            async with asyncio.timeout(seconds):
                await ended
        except TimeoutError:
            return self._done
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._callbacks.remove(tell)
        return True

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._finish()

    def _finish(self) -> None:
        with self._lock:
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
        for tell in callbacks:
            tell()

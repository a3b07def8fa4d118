"""Work that blocks, off the loop, and never in the way of the program's end.

Layer:  net

Fact the code leans on
- What blocks cannot be cancelled. In the loop's executor it would keep ``asyncio.run`` from
  returning; in a daemon thread of its own it keeps nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["off_loop"]

T = TypeVar("T")


def off_loop(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Begin to do ``work`` in a thread.

    Args:
        work: What blocks.
        name: Of the thread.

    Returns:
        Its result, or its exception; an ``OSError`` when no thread is to be had. When the future
        is cancelled, whatever comes is dropped.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(settle_it: Callable[[], None]) -> None:
        if not answer.done():  # else, nobody waits any more
            settle_it()

    def run() -> None:
        settle_it: Callable[[], None]
        try:
            result = work()
            settle_it = lambda: answer.set_result(result)  # noqa: E731
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failure = error
            settle_it = lambda: answer.set_exception(failure)  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, settle_it)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:
        answer.set_exception(OSError(errno.EAGAIN, str(error)))
    return answer

"""The monotonic clock of an event loop, at its full resolution.

Layer:  net

Fact the code leans on
- uvloop's ``time()`` has whole milliseconds and stands still while callbacks run; arrival times
  and jitter want more. Its base is that of ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["monotonic_clock", "wall_clock"]


def monotonic_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """What gives ``now``, in monotonic seconds on the base that ``loop.call_at`` uses."""
    if type(loop).__module__.partition(".")[0] == "uvloop":
        return time.monotonic
    return loop.time


def wall_clock() -> float:
    """Seconds since 1970, for what outlives the program."""
    return time.time()

"""The kernel's times of arrival, on the loop's clock.

Layer:  net
In:     Unix seconds and nanoseconds, as the kernel stamps datagrams
Out:    monotonic seconds, never less than before and never after the moment of reading

Facts the code leans on
- The kernel stamps with the wall clock, which may be set at any time: an age that makes no sense is
  taken for none.
- The two clocks are read one after the other, and a process may be put aside in between: the wall
  clock is read between two looks at ours, once more when these are far apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

__all__ = ["ArrivalClock"]

NEAR = 0.00002  # seconds between two looks that are as good as one
ATTEMPTS = 3
TRUST = 5.0  # seconds; what is older than that is a clock that was set
NANOSECOND = 1e-9
SECOND = 1_000_000_000  # nanoseconds


class ArrivalClock:
    """The clock of one socket.

    Args:
        clock: Gives monotonic seconds.
    """

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = -1.0

    def read(self) -> tuple[float, int]:
        """Now: in monotonic seconds, and in Unix nanoseconds at the same moment."""
        clock = self._clock
        before, wall, now = clock(), time.time_ns(), clock()
        if now - before > NEAR:
            for _ in range(ATTEMPTS - 1):
                before, wall, now = now, time.time_ns(), clock()
                if now - before <= NEAR:
                    break
        return now, wall

    def one(self, seconds: int, nanoseconds: int, now: float, wall: int) -> float:
        """When something arrived; ``now`` and ``wall`` are of ``read``."""
        age = (wall - seconds * SECOND - nanoseconds) * NANOSECOND
        arrival = now - age if 0 <= age < TRUST else now
        if arrival < self._last:
            return self._last
        self._last = arrival
        return arrival

    def many(
        self, seconds: Sequence[int], nanoseconds: Sequence[int], now: float, wall: int
    ) -> list[float]:
        """When several things arrived, one after the other."""
        whole = seconds[-1]
        offset = now - (wall - whole * SECOND) * NANOSECOND
        if seconds[0] == whole:
            arrivals = [offset + part * NANOSECOND for part in nanoseconds]
        else:
            arrivals = [
                offset + (second - whole) + part * NANOSECOND
                for second, part in zip(seconds, nanoseconds, strict=True)
            ]
        if arrivals[-1] > now or arrivals[0] < now - TRUST:
            arrivals = [now] * len(arrivals)
        if arrivals[0] < self._last:
            arrivals = [max(arrival, self._last) for arrival in arrivals]
        self._last = arrivals[-1]
        return arrivals

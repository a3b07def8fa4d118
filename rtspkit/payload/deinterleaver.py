"""Interleaved access units, put back in their order.

Layer:  payload (state of one stream)
In/Out: the access units of one packet after the other
Source: RFC 3640 §3.2.3.2
"""

from __future__ import annotations

from bisect import insort

from rtspkit.payload.base import AccessUnit
from rtspkit.wire.serial import unwrap_32

__all__ = ["Deinterleaver"]

MAX_WAITING = 128  # units that wait for those before them


class Deinterleaver:
    """Puts interleaved units back in their order.

    The first units of packets are in order (§3.2.3.2): whatever is not later than the first unit
    of a packet can go.

    Args:
        max_size: Bytes that may wait; past them the earliest go.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._size = 0
        self._now = 0  # unwrapped timestamp of the last packet, while units wait
        self._waiting: list[tuple[int, AccessUnit]] = []

    def push(
        self, units: list[AccessUnit], timestamp: int, *, interleaved: bool
    ) -> list[AccessUnit]:
        """The units that can go, now that a packet of this timestamp has come with ``units``."""
        if not interleaved and not self._waiting:
            return units
        before = self._now if self._waiting else timestamp
        self._now = now = unwrap_32(timestamp, before)
        ready = self.flush() if now < before else []
        for unit in units:
            insort(self._waiting, (unwrap_32(unit.timestamp, now), unit), key=_by_timestamp)
            self._size += len(unit.data)
        while self._waiting and (
            self._waiting[0][0] <= now
            or len(self._waiting) > MAX_WAITING
            or self._size > self._max_size
        ):
            unit = self._waiting.pop(0)[1]
            self._size -= len(unit.data)
            ready.append(unit)
        return ready

    def flush(self) -> list[AccessUnit]:
        """Whatever waits, in order."""
        ready = [unit for _, unit in self._waiting]
        self._waiting, self._size = [], 0
        return ready


def _by_timestamp(entry: tuple[int, AccessUnit]) -> int:
    return entry[0]

"""What waits for one consumer, with a bound and a policy for what does not fit.

Layer:  client
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sized
from typing import Generic, TypeVar

from rtspkit.errors import RtspError

__all__ = ["BoundedQueue"]

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Items on their way to one consumer; what does not fit is dropped and counted.

    Args:
        maximum_items: How many may wait.
        maximum_bytes: How many bytes of memory the waiting items may keep alive.
        memory_of: The memory that an item keeps alive, which is more than the item where many
            share one slab: it counts once, and whole. None when only their number counts.
        policy: ``"drop_oldest"``, ``"drop_newest"``, or ``"latest"`` (one item waits).

    Attributes:
        items: What waits, oldest first.
        dropped: Items that did not fit.
    """

    def __init__(
        self,
        maximum_items: int,
        maximum_bytes: float = float("inf"),
        *,
        memory_of: Callable[[T], Sized] | None = None,
        policy: str = "drop_oldest",
    ) -> None:
        self.items: deque[T] = deque()
        self.dropped = 0
        self._bytes = 0
        self._maximum_items = 1 if policy == "latest" else maximum_items
        self._maximum_bytes = maximum_bytes
        self._memory_of = memory_of
        self._held: dict[int, int] = {}  # how many waiting items keep a memory alive, by its id
        self._drop_newest = policy == "drop_newest"
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: RtspError | None = None

    def put(self, items: Iterable[T]) -> None:
        """Add items, drop what does not fit, and wake the consumer."""
        queue = self.items
        for item in items:
            if self._drop_newest and not self._fits(item):
                self.dropped += 1
                continue
            queue.append(item)
            if self._memory_of is not None:
                memory = self._memory_of(item)
                holders = self._held.get(id(memory), 0)
                self._held[id(memory)] = holders + 1
                if not holders:
                    self._bytes += len(memory)
        while len(queue) > self._maximum_items or self._bytes > self._maximum_bytes:
            if len(queue) == 1:
                break  # one item may be larger than the bound
            self.pop()
            self.dropped += 1
        if queue:
            self._wake()

    def _fits(self, item: T) -> bool:
        if not self.items:
            return True
        size = 0
        if self._memory_of is not None:
            memory = self._memory_of(item)
            size = 0 if id(memory) in self._held else len(memory)
        return len(self.items) < self._maximum_items and self._bytes + size <= self._maximum_bytes

    def pop(self) -> T:
        """Take the oldest item."""
        item = self.items.popleft()
        if self._memory_of is not None:
            memory = self._memory_of(item)
            holders = self._held[id(memory)] - 1
            if holders:
                self._held[id(memory)] = holders
            else:
                del self._held[id(memory)]
                self._bytes -= len(memory)
        return item

    def take_all(self) -> list[T]:
        """Take all that waits."""
        items = list(self.items)
        self.items.clear()
        self._held.clear()
        self._bytes = 0
        return items

    def end(self, error: RtspError | None) -> None:
        """Nothing more will come; the consumer meets the error after the last item."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    async def wait(self) -> bool:
        """Wait until there is an item; False when there never will be.

        Raises:
            RtspError: The end was not in order.
        """
        while not self.items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return False
            if self._waiter is not None:
                raise RuntimeError("an iterator has one consumer; make another iterator")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

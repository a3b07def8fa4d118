"""What waits for one consumer, with a bound and a policy for what does not fit.

Layer:  client
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from rtspkit.errors import RtspError

__all__ = ["BoundedQueue"]

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Items on their way to one consumer; what does not fit is dropped and counted.

    Args:
        maximum: How many may wait.
        policy: ``"drop_oldest"``, ``"drop_newest"``, ``"latest"`` (one item waits), or
            ``"block"`` (the source is held; what comes all the same is dropped, but for what came
            with the item that filled the queue).
        spare: With ``"drop_oldest"``: items that a full queue drops at once, beyond what it must.
        on_hold: Told under ``"block"`` whether the source shall be held.
        gaps: Whether the consumer wants to know where items are missing; it uses ``take`` then.

    Attributes:
        items: What waits, oldest first.
        dropped: Items that did not fit.
        holding: Whether the source is held because of this queue.
    """

    def __init__(
        self,
        maximum: int,
        *,
        policy: str = "drop_oldest",
        spare: int = 0,
        on_hold: Callable[[bool], None] | None = None,
        gaps: bool = False,
    ) -> None:
        self.items: deque[T] = deque()
        self.dropped = 0
        self.holding = False
        self._maximum = 1 if policy == "latest" else maximum
        self._spare = spare if policy == "drop_oldest" else 0
        self._gaps: deque[int] | None = deque() if gaps else None
        self._taken = 0  # items that have left at the front; gaps are counted from there
        self._newest_go = policy in ("drop_newest", "block")
        self._on_hold = on_hold if policy == "block" else None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: RtspError | None = None

    def put(self, items: Sequence[T]) -> int:
        """Add items, drop what does not fit, and wake the consumer; how many of them wait now."""
        queue = self.items
        count = len(items)
        if len(queue) + count > self._maximum:
            count = self._put_what_fits(items)
        else:
            queue.extend(items)
        waiter = self._waiter
        if waiter is not None and queue and not waiter.done():
            waiter.set_result(None)
        return count

    def _put_what_fits(self, items: Sequence[T]) -> int:
        queue = self.items
        if self._on_hold is not None and not self.holding and not self._ended:
            queue.extend(items)
            self.holding = True
            self._on_hold(True)
            return len(items)
        if self._newest_go:
            room = max(self._maximum - len(queue), 0)
            queue.extend(islice(items, room))
            self.dropped += len(items) - room
            self._mark_gap(len(queue))
            return room
        queue.extend(items)
        self.drop_oldest(len(queue) - self._maximum + self._spare)
        return min(len(items), len(queue))

    def drop_oldest(self, count: int) -> None:
        """Drop so many items from the front, or all there are."""
        count = min(count, len(self.items))
        for _ in range(count):
            self.items.popleft()
        self._taken += count
        self.dropped += count
        self._mark_gap(0)

    def interrupt(self) -> None:
        """What comes now does not follow what came before."""
        self._mark_gap(len(self.items))

    def _mark_gap(self, behind: int) -> None:
        """Items are missing behind so many of those that wait."""
        gaps, place = self._gaps, self._taken + behind
        if gaps is None:
            return
        if not gaps or gaps[-1] < place:
            gaps.append(place)
        elif gaps[0] > place:  # dropped at the front, before one that was there already
            gaps.appendleft(place)

    def pass_gap(self) -> bool:
        """Whether items are missing before the next one; told once."""
        gaps, found = self._gaps, False
        while gaps and gaps[0] <= self._taken:
            gaps.popleft()
            found = True
        return found

    def pop(self) -> T:
        """Take the oldest item."""
        item = self.items.popleft()
        if self.holding:
            self.relax()
        return item

    def take(self, most: int) -> list[T]:
        """Take so many of the oldest items, or those up to a gap, or all there are."""
        if self._gaps and self._gaps[0] > self._taken:
            most = min(most, self._gaps[0] - self._taken)
        if len(self.items) <= most:
            return self.take_all()
        popleft = self.items.popleft
        items = [popleft() for _ in range(most)]
        self._taken += most
        if self.holding:
            self.relax()
        return items

    def take_all(self) -> list[T]:
        """Take all that waits."""
        items = list(self.items)
        self.items.clear()
        self._taken += len(items)
        if self.holding:
            self.relax()
        return items

    def relax(self) -> None:
        """Let a held source go on, once half of the room is free again."""
        if self.holding and len(self.items) <= self._maximum // 2:
            self.release()

    def release(self) -> None:
        """Hold the source no more."""
        if self.holding and self._on_hold is not None:
            self.holding = False
            self._on_hold(False)

    def end(self, error: RtspError | None) -> None:
        """Nothing more will come; the consumer meets the error after the last item."""
        if not self._ended:
            self._ended, self._error = True, error
            self.release()
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

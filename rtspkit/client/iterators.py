"""The doors out of a session: packets, batches and events; ``access_units`` has the fourth.

Layer:  client
Rules
- Every iterator has its own bounded queue; a packet goes to each by reference.
- An iterator ends by itself only when its streams have ended in order; any other end raises.
- An iterator that nobody holds any more costs nothing: the session knows it weakly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from rtspkit.client.packet_source import PacketSource
from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event
from rtspkit.wire.rtp import RtpPacket

__all__ = ["BatchIterator", "EventIterator", "PacketIterator"]


class PacketIterator(AsyncIterator[RtpPacket]):
    """``session.packets()``: one packet at a time, in the order of its stream."""

    def __init__(self, source: PacketSource) -> None:
        self._source = source
        self._queue = source.queue
        self._items = source.queue.items

    def __aiter__(self) -> PacketIterator:
        return self

    async def __anext__(self) -> RtpPacket:
        items = self._items
        if not items and not await self._queue.wait():
            raise StopAsyncIteration
        if self._queue.holding:
            return self._queue.pop()
        return items.popleft()

    @property
    def dropped(self) -> int:
        """Packets that this consumer was too slow for."""
        return self._queue.dropped


class BatchIterator(AsyncIterator[list[RtpPacket]]):
    """``session.batches()``: all that has arrived since the last time, at least one packet."""

    def __init__(self, source: PacketSource) -> None:
        self._source = source
        self._queue = source.queue

    def __aiter__(self) -> BatchIterator:
        return self

    async def __anext__(self) -> list[RtpPacket]:
        queue = self._queue
        if not queue.items and not await queue.wait():
            raise StopAsyncIteration
        return queue.take_all()

    @property
    def dropped(self) -> int:
        """Packets that this consumer was too slow for."""
        return self._queue.dropped


class EventIterator(AsyncIterator[Event]):
    """``session.events()``: what happened so far, then what happens.

    Attributes:
        owner: What is not to be let go of while somebody reads.
    """

    def __init__(self, queue: BoundedQueue[Event]) -> None:
        self._queue = queue
        self.owner: object = None

    def __aiter__(self) -> EventIterator:
        return self

    async def __anext__(self) -> Event:
        if not self._queue.items and not await self._queue.wait():
            raise StopAsyncIteration
        return self._queue.pop()

"""Packets and events to every iterator of a session; without one, they wait for the first.

Layer:  client
"""

from __future__ import annotations

import weakref
from collections import deque

from rtspkit.client.iterators import EventIterator, PacketSource
from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event, SessionEnded, StreamEnded
from rtspkit.errors import RtspError
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Fanout"]


class Fanout:
    """The iterators of one session, known weakly: one that nobody holds is gone.

    Args:
        limits: Bounds of every queue.
        policy: What a full queue of packets does.

    Attributes:
        ended: Whether everything was told.
        error: The end's reason; None when it was in order.
    """

    def __init__(self, limits: Limits, policy: str) -> None:
        self.ended = False
        self.error: RtspError | None = None
        self._limits = limits
        self._policy = policy
        self._sources: dict[int, PacketSource] = {}
        self._backlog: PacketSource | None = self.new_source(None)
        self._over: list[Stream] = []  # streams that have ended
        self._history: deque[Event] = deque(maxlen=limits.events)
        self._event_queues: weakref.WeakSet[BoundedQueue[Event]] = weakref.WeakSet()
        self._dropped_before = 0

    @property
    def dropped(self) -> int:
        """Packets that consumers were too slow for, or came too late for."""
        return self._dropped_before + sum(s.queue.dropped for s in self._sources.values())

    def new_source(self, streams: tuple[Stream, ...] | None) -> PacketSource:
        """The queue for a new iterator over these streams; None takes all."""
        return PacketSource(streams, self._limits, self._policy)

    def attach(self, iterator: object, source: PacketSource) -> None:
        """Feed an iterator for as long as somebody holds it, beginning with what has waited."""
        if self._backlog is not None:
            queue = self._backlog.queue
            source.put(list(queue.items))
            self._dropped_before, queue.dropped = self._dropped_before + queue.dropped, 0
        for stream in self._over:
            source.stream_ended(stream)
        if self.ended:
            source.end(self.error)
            self._backlog = None
            return
        key = id(source)
        self._sources[key] = source
        weakref.finalize(iterator, self._detach, key).atexit = False

    def _detach(self, key: int) -> None:
        """An iterator is gone; what the last one left unread waits for the next."""
        source = self._sources.pop(key, None)
        if source is None:
            return
        self._dropped_before += source.queue.dropped
        if self._sources or self.ended:
            return
        unread = source.queue.take_all()
        if self._backlog is not None:  # what this one has read is not to be read again
            streams, kept = source.streams, set(map(id, unread))
            waiting = self._backlog.queue.take_all()
            if streams is not None:
                unread = [p for p in waiting if p.stream not in streams or id(p) in kept]
        self._backlog = self.new_source(None)
        self._backlog.put(unread)

    def events(self) -> EventIterator:
        """A new iterator over what happened so far, and what happens."""
        queue: BoundedQueue[Event] = BoundedQueue(self._limits.events)
        queue.put(self._history)
        if self.ended:
            queue.end(None)
        self._event_queues.add(queue)
        return EventIterator(queue)

    def put_packets(self, packets: list[RtpPacket]) -> None:
        """Give packets to every iterator."""
        if self._backlog is not None:
            if self._sources:
                self._backlog = None
            else:
                self._backlog.put(packets)
        for source in list(self._sources.values()):
            source.put(packets)

    def put_event(self, event: Event) -> None:
        """Give an event to every iterator of events; the end of a stream ends its packets."""
        self._history.append(event)
        for queue in list(self._event_queues):
            queue.put([event])
        if isinstance(event, StreamEnded):
            self._over.append(event.stream)
            for source in list(self._sources.values()):
                source.stream_ended(event.stream)

    def restart(self) -> None:
        """PLAY is sent again: streams that have ended may go on."""
        self._over.clear()
        for source in self._sources.values():
            source.restart()

    def end(self, error: RtspError | None, now: float) -> None:
        """Tell every iterator that this was all; the first end counts."""
        if self.ended:
            return
        self.ended, self.error = True, error
        self.put_event(SessionEnded(now, error))
        for source in list(self._sources.values()):
            source.end(error)
        for queue in list(self._event_queues):
            queue.end(None)

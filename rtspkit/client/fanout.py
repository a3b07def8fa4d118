"""Packets and events to every iterator of a session; without one, they wait for the first.

Layer:  client
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Iterable

from rtspkit.client.iterators import EventIterator
from rtspkit.client.packet_source import Backlog, PacketSource
from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event, PacketsDropped, SessionEnded, StreamEnded
from rtspkit.errors import RtspError
from rtspkit.net.slab import SlabPool
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Fanout"]

DROPS_INTERVAL = 1.0  # seconds between two events about packets that were dropped


class Fanout:
    """The iterators of one session, known weakly: one that nobody holds is gone.

    Args:
        limits: Bounds of every queue.
        policy: What a full queue of packets does, unless its iterator says otherwise.

    Attributes:
        on_hold: Told whether a full queue under ``"block"`` wants nothing more to be read.
        ended: Whether everything was told.
        parting: Whether an iterator ends with the last of its streams; else, with the session.
        error: The end's reason; None when it was in order.
    """

    def __init__(self, limits: Limits, policy: str) -> None:
        self.on_hold: Callable[[bool], None] = lambda held: None
        self.ended = False
        self.parting = True
        self.error: RtspError | None = None
        self._limits = limits
        self._policy = policy
        self._holding = 0  # queues that want nothing to be read
        self._told = 0  # packets dropped, when that was last told
        self._told_at = -math.inf
        self._pool: SlabPool | None = None
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

    @property
    def holding(self) -> bool:
        """Whether a full queue under ``"block"`` wants nothing more to be read."""
        return self._holding > 0

    @property
    def pool(self) -> SlabPool | None:
        """The memory that packets lie in; None until it is known."""
        return self._pool

    @pool.setter
    def pool(self, pool: SlabPool) -> None:
        self._pool = pool
        if self._backlog is not None:
            self._backlog.pool = pool

    def follow(self, other: Fanout) -> None:
        """Know what another one was told so far, but for its packets."""
        self.parting = other.parting
        if other.pool is not None:
            self.pool = other.pool
        self._history.extend(other._history)
        self._over.extend(other._over)

    def new_source(
        self,
        streams: tuple[Stream, ...] | None,
        *,
        policy: str | None = None,
        whole_units: bool = False,
    ) -> PacketSource:
        """The queue for a new iterator over these streams; None takes all."""
        policy = policy or self._policy
        backlog = Backlog(self._limits.queue_packets, policy, self._pool, self._hold)
        return PacketSource(streams, backlog, whole_units=whole_units)

    def _hold(self, held: bool) -> None:
        before = self._holding
        self._holding += 1 if held else -1
        if (before > 0) != (self._holding > 0):
            self.on_hold(self._holding > 0)

    def attach(self, iterator: object, source: PacketSource) -> None:
        """Feed an iterator for as long as somebody holds it, beginning with what has waited."""
        if self._backlog is not None:
            queue = self._backlog.queue
            source.put(list(queue.items))
            queue.release()  # if it is too much, it is the iterator's queue that says so now
            self._dropped_before, queue.dropped = self._dropped_before + queue.dropped, 0
        for stream in self._over:
            source.stream_ended(stream)
        if self.ended:
            source.end(self.error)
            self._backlog = None
            return
        key = id(source)
        self._sources[key] = source
        # weakly: an error that a consumer met holds, by its traceback, the iterator and so us
        weakref.finalize(iterator, _detach, weakref.ref(self), key).atexit = False

    def _detach(self, key: int) -> None:
        """An iterator is gone; what the last one left unread waits for the next."""
        source = self._sources.pop(key, None)
        if source is None:
            return
        self._dropped_before += source.queue.dropped
        source.queue.release()
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
            if not self._sources:
                self._backlog.put(packets)
                return
            self._backlog.queue.release()
            self._backlog = None
        dropped = self._dropped_before
        for source in tuple(self._sources.values()):
            source.put(packets)
            dropped += source.queue.dropped
        if dropped > self._told:
            self._tell_drops(dropped, packets[-1].arrival)

    def _tell_drops(self, dropped: int, now: float, *, last: bool = False) -> None:
        if last or now - self._told_at >= DROPS_INTERVAL:
            count, self._told, self._told_at = dropped - self._told, dropped, now
            self.put_event(PacketsDropped(now, count))

    def put_event(self, event: Event) -> None:
        """Give an event to every iterator of events; the end of a stream ends its packets."""
        self._history.append(event)
        for queue in list(self._event_queues):
            queue.put([event])
        if isinstance(event, StreamEnded) and self.parting:
            self._over.append(event.stream)
            for source in list(self._sources.values()):
                source.stream_ended(event.stream)

    def interrupt(self, changes: Iterable[tuple[Stream, Stream]]) -> None:
        """What comes now is from another connection.

        Args:
            changes: Streams of before that have come back as others.
        """
        self.restart()
        for source in self._sources.values():
            for before, stream in changes:
                source.change(before, stream)
            source.queue.interrupt()

    def restart(self) -> None:
        """PLAY is sent again: streams that have ended may go on."""
        self._over.clear()
        for source in self._sources.values():
            source.restart()

    def end(self, error: RtspError | None, now: float) -> None:
        """Tell every iterator that this was all; the first end counts."""
        if self.ended:
            return
        if self.dropped > self._told:
            self._tell_drops(self.dropped, now, last=True)
        self.ended, self.error = True, error
        self.put_event(SessionEnded(now, error))
        for source in list(self._sources.values()):
            source.end(error)
        for queue in list(self._event_queues):
            queue.end(None)


def _detach(fanout: weakref.ref[Fanout], key: int) -> None:
    alive = fanout()
    if alive is not None:
        alive._detach(key)

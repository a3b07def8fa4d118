"""The doors out of a session: packets, batches, access units and events.

Layer:  client
Rules
- Every iterator has its own bounded queue; a packet goes to each by reference.
- An iterator ends by itself only when its streams have ended in order; any other end raises.
- An iterator that nobody holds any more costs nothing: the session knows it weakly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from operator import attrgetter

from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event
from rtspkit.errors import RtspError, UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.payload.base import AccessUnit, Depacketizer
from rtspkit.payload.nal_units import NalUnitDepacketizer
from rtspkit.payload.registry import depacketizer
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = [
    "AccessUnitIterator",
    "BatchIterator",
    "EventIterator",
    "PacketIterator",
    "PacketSource",
    "UnitCounters",
    "make_depacketizers",
]


memory_of = attrgetter("memory")


class PacketSource:
    """The queue of one iterator, and the streams that go into it.

    Attributes:
        queue: What waits.
        streams: The streams it takes; None takes all.
    """

    def __init__(self, streams: tuple[Stream, ...] | None, limits: Limits, policy: str) -> None:
        self.streams = streams
        self.queue: BoundedQueue[RtpPacket] = BoundedQueue(
            limits.queue_packets, limits.queue_memory, memory_of=memory_of, policy=policy
        )
        self._open: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """None of its streams has ended."""
        self._open = {stream.index for stream in self.streams or ()}

    def put(self, packets: list[RtpPacket]) -> None:
        """Take the packets of its streams."""
        if self.streams is not None:
            streams = self.streams
            packets = [packet for packet in packets if packet.stream in streams]
        if packets:
            self.queue.put(packets)

    def stream_ended(self, stream: Stream) -> None:
        """One stream has ended in order; when none is left, so has the iterator."""
        if self.streams is not None:
            self._open.discard(stream.index)
            if not self._open:
                self.queue.end(None)

    def end(self, error: RtspError | None) -> None:
        """The session has ended."""
        self.queue.end(error)


class PacketIterator(AsyncIterator[RtpPacket]):
    """``session.packets()``: one packet at a time, in the order of its stream."""

    def __init__(self, source: PacketSource) -> None:
        self._source = source
        self._queue = source.queue

    def __aiter__(self) -> PacketIterator:
        return self

    async def __anext__(self) -> RtpPacket:
        queue = self._queue
        if not queue.items and not await queue.wait():
            raise StopAsyncIteration
        return queue.pop()

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


@dataclass(slots=True)
class UnitCounters:
    """Access units of one stream, as one iterator made them.

    ``before_keyframe`` counts the pictures that came before the first keyframe and were left out.
    """

    access_units: int = 0
    before_keyframe: int = 0
    keyframes: int = 0
    first_keyframe: float | None = None
    dropped_units: int = 0
    incomplete_units: int = 0
    malformed_payloads: int = 0


KEYFRAME_WAIT = 10.0  # seconds; a stream without keyframes (intra refresh) begins then


class AccessUnitIterator(AsyncIterator[AccessUnit]):
    """``session.access_units()``: what a decoder takes, one at a time.

    Each stream of pictures begins with a complete keyframe; when none has come for
    ``KEYFRAME_WAIT`` seconds, with whatever comes.

    Args:
        source: The packets.
        depacketizers: One for each stream in it, by index.
        note: Told what a sender does against its RFC, each kind once a stream.
    """

    def __init__(
        self,
        source: PacketSource,
        depacketizers: dict[int, Depacketizer],
        note: Callable[[str, str], None] = lambda identifier, detail: None,
    ) -> None:
        self._source = source
        self._queue = source.queue
        self._depacketizers = depacketizers
        self._ready: deque[AccessUnit] = deque()
        self._flushed = False
        self._note = note
        self._noted = dict.fromkeys(depacketizers, 0)
        self._before_keyframe: dict[int, float | None] = {
            index: None
            for index, maker in depacketizers.items()
            if isinstance(maker, NalUnitDepacketizer)
        }
        self.counters = {index: UnitCounters() for index in depacketizers}

    def __aiter__(self) -> AccessUnitIterator:
        return self

    async def __anext__(self) -> AccessUnit:
        ready, queue = self._ready, self._queue
        while not ready:
            if queue.items or await self._wait():
                self._push(queue.pop())
            elif not ready:
                raise StopAsyncIteration
        return ready.popleft()

    async def _wait(self) -> bool:
        """Wait for a packet; at the end, what the depacketizers still hold comes first."""
        try:
            if await self._queue.wait():
                return True
        except RtspError:
            self._flush()
            if not self._ready:
                raise
            return False
        self._flush()
        return False

    def _push(self, packet: RtpPacket) -> None:
        stream = packet.stream
        assert stream is not None
        maker = self._depacketizers[stream.index]
        units = maker.push(packet)
        if units:
            self._count(stream, maker, units)

    def _flush(self) -> None:
        if self._flushed:
            return
        self._flushed = True
        for stream in self._source.streams or ():
            maker = self._depacketizers[stream.index]
            self._count(stream, maker, maker.flush())

    def _count(self, stream: Stream, maker: Depacketizer, units: list[AccessUnit]) -> None:
        counters = self.counters[stream.index]
        for unit in units:
            unit.stream = stream
            if stream.index in self._before_keyframe and not self._begins(stream.index, unit):
                counters.before_keyframe += 1
                continue
            self._ready.append(unit)
            counters.access_units += 1
            if unit.keyframe:
                counters.keyframes += 1
                if counters.first_keyframe is None:
                    counters.first_keyframe = unit.arrival
            if unit.parameter_sets_changed or not stream.parameter_sets:
                stream.parameter_sets = maker.parameter_sets
        counters.dropped_units = maker.counters.dropped_units
        counters.incomplete_units = maker.counters.incomplete_units
        counters.malformed_payloads = maker.counters.malformed
        deviations = maker.deviations
        if len(deviations) > self._noted[stream.index]:
            for identifier in deviations[self._noted[stream.index] :]:
                self._note(identifier, f"{stream.media} {stream.encoding_name}")
            self._noted[stream.index] = len(deviations)

    def _begins(self, index: int, unit: AccessUnit) -> bool:
        """Whether a stream that has not begun yet begins with this unit."""
        since = self._before_keyframe[index]
        if since is None:
            since = self._before_keyframe[index] = unit.arrival
        if (unit.keyframe and unit.complete) or unit.arrival - since >= KEYFRAME_WAIT:
            del self._before_keyframe[index]
            return True
        return False

    @property
    def dropped(self) -> int:
        """Packets that this consumer was too slow for."""
        return self._queue.dropped


class EventIterator(AsyncIterator[Event]):
    """``session.events()``: what happened so far, then what happens."""

    def __init__(self, queue: BoundedQueue[Event]) -> None:
        self._queue = queue

    def __aiter__(self) -> EventIterator:
        return self

    async def __anext__(self) -> Event:
        if not self._queue.items and not await self._queue.wait():
            raise StopAsyncIteration
        return self._queue.pop()


def make_depacketizers(
    streams: tuple[Stream, ...], limits: Limits, *, required: bool
) -> dict[int, Depacketizer]:
    """A fresh depacketizer for each stream that has one.

    Args:
        streams: The streams.
        limits: Bounds on what they keep.
        required: Whether a stream without one is an error; else it is left out.

    Raises:
        UnsupportedPayload: As ``required`` says; or none of the streams has one.
    """
    made: dict[int, Depacketizer] = {}
    failure: UnsupportedPayload | None = None
    for stream in streams:
        try:
            made[stream.index] = depacketizer(
                stream.encoding_name,
                stream.clock_rate,
                stream.fmtp,
                stream.channels,
                limits=limits,
            )
        except UnsupportedPayload as error:
            if required:
                raise
            failure = error
    if not made and failure is not None:
        raise failure
    return made

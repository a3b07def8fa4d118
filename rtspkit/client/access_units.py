"""``session.access_units()``: packets in, what a decoder takes out.

Layer:  client
Rules
- Each stream of pictures begins with a complete keyframe, and begins again with one when the
  consumer was too slow and packets were dropped: no decoder is fed with what it cannot decode.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from rtspkit.client.packet_source import PacketSource
from rtspkit.errors import RtspError, UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.payload.base import AccessUnit, Depacketizer
from rtspkit.payload.nal_units import NalUnitDepacketizer
from rtspkit.payload.registry import depacketizer
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["AccessUnitIterator", "UnitCounters", "make_depacketizers"]


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


AT_ONCE = 64  # packets that are taken together; units of them may be ready before their turn
stream_of = attrgetter("stream")
KEYFRAME_WAIT = 10.0  # seconds; a stream without keyframes (intra refresh) begins then


class AccessUnitIterator(AsyncIterator[AccessUnit]):
    """``session.access_units()``: what a decoder takes, one at a time.

    Each stream of pictures begins with a complete keyframe; when none has come for
    ``KEYFRAME_WAIT`` seconds, with whatever comes.

    Args:
        source: The packets.
        depacketizers: One for each stream in it, by index.
        note: Told what a sender does against its RFC, each kind once a stream.
        make: Makes one for a stream that has come back in another format; None when it is to be
            left out.
    """

    def __init__(
        self,
        source: PacketSource,
        depacketizers: dict[int, Depacketizer],
        note: Callable[[str, str], None] = lambda identifier, detail: None,
        make: Callable[[Stream], Depacketizer | None] = lambda stream: None,
    ) -> None:
        self._source = source
        self._queue = source.queue
        self._depacketizers = depacketizers
        self._make = make
        self._made_for = {stream.index: stream for stream in source.streams or ()}
        self._ready: deque[AccessUnit] = deque()
        self._flushed = False
        self._interrupted: set[int] = set()  # streams whose next unit does not follow the last
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
                if queue.pass_gap():
                    self._begin_again()
                self._push(queue.take(AT_ONCE))
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

    def _push(self, packets: list[RtpPacket]) -> None:
        if len(self._depacketizers) == 1 and packets[0].stream is packets[-1].stream:
            self._push_together(packets)
            return
        for _, group in groupby(packets, stream_of):
            self._push_together(list(group))

    def _push_together(self, packets: list[RtpPacket]) -> None:
        """Take packets of one stream."""
        stream = packets[0].stream
        assert stream is not None
        if self._made_for.get(stream.index) is not stream and not self._change(stream):
            return
        maker = self._depacketizers[stream.index]
        units = maker.push_many(packets) if len(packets) > 1 else maker.push(packets[0])
        if units:
            self._count(stream, maker, units)

    def _change(self, stream: Stream) -> bool:
        """A stream has come back in another format; whether there is a depacketizer for it.

        Raises:
            UnsupportedPayload: There is none, and the stream was asked for by name.
        """
        maker = self._make(stream)
        if maker is None:
            return False
        index = stream.index
        if index in self._depacketizers:
            maker.counters = self._depacketizers[index].counters
        self._made_for[index] = stream
        self._depacketizers[index] = maker
        self._noted[index] = 0
        self._before_keyframe.pop(index, None)
        if isinstance(maker, NalUnitDepacketizer):
            self._before_keyframe[index] = None
        self._interrupted.add(index)
        self.counters.setdefault(index, UnitCounters())
        return True

    def _begin_again(self) -> None:
        """What comes does not follow what came: that is of no use, up to the next keyframe."""
        for index, maker in self._depacketizers.items():
            given_up = maker.flush()
            self._interrupted.add(index)
            if isinstance(maker, NalUnitDepacketizer):
                self.counters[index].before_keyframe += len(given_up)
                self._before_keyframe[index] = None

    def _flush(self) -> None:
        if self._flushed:
            return
        self._flushed = True
        for index, stream in self._made_for.items():
            if stream.index == index:  # else it has another place now, and nothing came there
                maker = self._depacketizers[index]
                self._count(stream, maker, maker.flush())

    def _count(self, stream: Stream, maker: Depacketizer, units: list[AccessUnit]) -> None:
        counters = self.counters[stream.index]
        for unit in units:
            unit.stream = stream
            if stream.index in self._before_keyframe and not self._begins(stream.index, unit):
                counters.before_keyframe += 1
                continue
            if stream.index in self._interrupted:
                self._interrupted.remove(stream.index)
                unit.discontinuity = True
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

"""The queue of packets of one iterator, and what happens to them while they wait.

Layer:  client

Rules
- A packet that waits keeps its slab from being used again. While there is memory that is right;
  when the pool is pressed, a consumer that lags behind has its packets copied, each by itself, and
  when there is no room for that either, it loses the oldest ones: others are not to pay for it.
  Another consumer of the same packet keeps the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtspkit.client.queue import BoundedQueue
from rtspkit.errors import RtspError
from rtspkit.net.slab import SlabPool
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Backlog", "PacketSource"]

FEW = 64  # packets that may wait in their slabs whatever the pool has left


@dataclass(frozen=True, slots=True)
class Backlog:
    """How packets wait for a consumer.

    Attributes:
        maximum: Packets that may wait.
        policy: What a full queue does: see ``BoundedQueue``.
        pool: The memory that the packets lie in; None when it is nobody's concern.
        on_hold: Told under ``"block"`` whether the source shall be held.
    """

    maximum: int
    policy: str = "drop_oldest"
    pool: SlabPool | None = None
    on_hold: Callable[[bool], None] | None = None


class PacketSource:
    """The queue of one iterator, and the streams that go into it.

    Args:
        streams: The streams it takes; None takes all.
        backlog: How packets wait.
        whole_units: Whether a full queue makes room for whole access units, by dropping half of
            what waits, under ``"latest"`` all of it: one gap instead of many.

    Attributes:
        queue: What waits.
        streams: As given.
        pool: The memory that the packets lie in.
        owner: What is not to be let go of while somebody reads.
    """

    def __init__(
        self, streams: tuple[Stream, ...] | None, backlog: Backlog, *, whole_units: bool = False
    ) -> None:
        self.streams = streams
        self.owner: object = None
        policy, spare = backlog.policy, 0
        if whole_units:
            spare = backlog.maximum - 1 if policy == "latest" else backlog.maximum // 2
            policy = "drop_oldest" if policy == "latest" else policy
        self.queue: BoundedQueue[RtpPacket] = BoundedQueue(
            backlog.maximum,
            policy=policy,
            spare=spare,
            on_hold=backlog.on_hold,
            gaps=whole_units,
        )
        self.pool = backlog.pool
        self._unmoved = 0  # of what waits, so many at the end lie where they came
        self._open: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """None of its streams has ended."""
        self._open = {stream.index for stream in self.streams or ()}

    def put(self, packets: list[RtpPacket]) -> None:
        """Take the packets of its streams."""
        streams, pool = self.streams, self.pool
        if streams is not None:
            packets = [packet for packet in packets if packet.stream in streams]
        if packets:
            self._unmoved += self.queue.put(packets)
            if pool is not None and pool.pressed:
                self._move_together(pool)

    def _move_together(self, pool: SlabPool) -> None:
        """Copy what waits to where it takes no more memory than it must."""
        items = self.queue.items
        if len(items) <= FEW:
            return
        tail = [items.pop() for _ in range(min(self._unmoved, len(items)))]
        self._unmoved = 0
        while tail:
            packet = tail.pop()
            memory = pool.copy(packet.memory[packet.start : packet.start + packet.size])
            if memory is None:
                items.append(packet)
                items.extend(reversed(tail))
                self.queue.drop_oldest(len(items) - FEW)
                self._unmoved = len(items)
                return
            items.append(packet.moved(memory, 0))

    def change(self, before: Stream, stream: Stream) -> None:
        """A stream has come back as another: whoever took the one takes the other."""
        if self.streams is not None and before in self.streams:
            self.streams = tuple(stream if one is before else one for one in self.streams)
            self.restart()

    def stream_ended(self, stream: Stream) -> None:
        """One stream has ended in order; when none is left, so has the iterator."""
        if self.streams is not None:
            self._open.discard(stream.index)
            if not self._open:
                self.queue.end(None)

    def end(self, error: RtspError | None) -> None:
        """The session has ended."""
        self.queue.end(error)

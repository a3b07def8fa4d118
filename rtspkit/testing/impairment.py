"""What a lossy network does to datagrams and to byte streams, drawn from a seed.

Layer:  testing
In:     packets or chunks with ``now``
Out:    the same, later, in another order, twice or not at all

The fate of the n-th packet of a lane depends on the seed, the lane's name and n alone, not on
the time: every packet takes the same number of draws from the lane's own generator.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, fields

__all__ = ["DatagramLane", "Impairment", "LaneCounters", "StreamLane"]

HOLD = 0.05  # seconds that a packet taken out of order waits at most for others to overtake it
SEGMENT = 1448  # bytes of a TCP segment: 1500 - 20 - 20 - 12
RETRANSMISSION = 0.2  # seconds: the least retransmission time-out of common TCP stacks


@dataclass(slots=True)
class Impairment:
    """What one direction of a link does. All of it may be changed while the link runs.

    Attributes:
        loss: Share of the packets that are lost, 0 to 1.
        every: Lose the n-th, 2n-th … packet of each lane; 0 for none.
        delay: Seconds that each packet takes.
        jitter: Up to so many seconds more, uniformly; the order is kept.
        reorder: Share of the packets that are overtaken, 0 to 1.
        overtaken_by: By how many packets that follow, at most.
        duplicate: Share of the packets that come twice, 0 to 1.
        rate: Bytes per second; 0 for no bound.
        queue: Bytes that wait for the rate before more are lost.
        blocked: Lose everything: a firewall.
    """

    loss: float = 0.0
    every: int = 0
    delay: float = 0.0
    jitter: float = 0.0
    reorder: float = 0.0
    overtaken_by: int = 3
    duplicate: float = 0.0
    rate: float = 0.0
    queue: int = 256 * 1024
    blocked: bool = False

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 0:
                raise ValueError(f"Impairment.{item.name} must not be negative")
        for name in ("loss", "reorder", "duplicate"):
            if getattr(self, name) > 1:
                raise ValueError(f"Impairment.{name} is a share, 0 to 1")


@dataclass(slots=True)
class LaneCounters:
    """What one lane did; packets, exact.

    Attributes:
        received: Came in.
        delivered: Went out, duplicates included.
        bytes: Of those that went out.
        dropped: Lost, for whatever reason.
        overflowed: Of these, lost because the queue before the rate was full.
        duplicated: Came out twice.
        reordered: Were overtaken by at least one packet that came in later.
    """

    received: int = 0
    delivered: int = 0
    bytes: int = 0
    dropped: int = 0
    overflowed: int = 0
    duplicated: int = 0
    reordered: int = 0

    def __add__(self, other: LaneCounters) -> LaneCounters:
        """The sum, field by field."""
        return LaneCounters(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(slots=True)
class _Held:
    """A packet that waits to be overtaken."""

    data: bytes
    overtaken_by: int
    passed: int
    until: float


class DatagramLane:
    """One direction of one flow of datagrams.

    Args:
        impairment: What happens; read afresh for each packet.
        seed: Of the link.
        name: Of the lane, for the seed: ``"down rtp 0"``.
    """

    def __init__(self, impairment: Impairment, seed: int, name: str) -> None:
        self.impairment = impairment
        self.counters = LaneCounters()
        self._random = random.Random(f"{seed} {name}")
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued = 0
        self._held: list[_Held] = []
        self._free = float("-inf")  # when the line has sent what it was given
        self._last = float("-inf")  # due time of the packet before

    @property
    def deadline(self) -> float | None:
        """When ``due()`` has something to give, or None."""
        times = [held.until for held in self._held]
        if self._queue:
            times.append(self._queue[0][0])
        return min(times, default=None)

    def push(self, data: bytes, now: float) -> None:
        """Take one packet in."""
        what, counters = self.impairment, self.counters
        draw = self._random.random
        lost, twice, held, places, late = draw(), draw(), draw(), draw(), draw()
        counters.received += 1
        nth = what.every > 0 and counters.received % what.every == 0
        if what.blocked or nth or lost < what.loss:
            counters.dropped += 1
            return
        if held < what.reorder and what.overtaken_by > 0:
            overtaken_by = 1 + int(places * what.overtaken_by)
            until = now + what.delay + HOLD
            self._held.append(_Held(data, overtaken_by, 0, until))
            return
        if not self._enqueue(data, now, late):
            return
        if twice < what.duplicate and self._has_room(data):
            counters.duplicated += self._enqueue(data, now, late)
        self._overtake(now)

    def due(self, now: float) -> list[bytes]:
        """The packets that arrive by ``now``, in order."""
        for held in [held for held in self._held if held.until <= now]:
            self._release(held, now)
        queue, out = self._queue, []
        while queue and queue[0][0] <= now:
            _, data = queue.popleft()
            self._queued -= len(data)
            out.append(data)
            self.counters.delivered += 1
            self.counters.bytes += len(data)
        return out

    def clear(self) -> None:
        """Forget what is under way: nobody waits for it any more, so it is not counted as lost."""
        self._queue.clear()
        self._held.clear()
        self._queued = 0

    def _overtake(self, now: float) -> None:
        """One packet has passed those that are held; release those that had enough."""
        for held in self._held:
            held.passed += 1
        for held in [held for held in self._held if held.passed >= held.overtaken_by]:
            self._release(held, now)

    def _release(self, held: _Held, now: float) -> None:
        self._held.remove(held)
        if self._enqueue(held.data, now, 0.0):
            self.counters.reordered += held.passed > 0

    def _has_room(self, data: bytes) -> bool:
        what = self.impairment
        return not what.rate or self._queued + len(data) <= what.queue

    def _enqueue(self, data: bytes, now: float, late: float) -> bool:
        """Put a packet on the line; False when there is no room for it."""
        what = self.impairment
        if not self._has_room(data):
            self.counters.dropped += 1
            self.counters.overflowed += 1
            return False
        sent = now
        if what.rate:
            sent = self._free = max(now, self._free) + len(data) / what.rate
        self._last = max(self._last, sent + what.delay + late * what.jitter)
        self._queue.append((self._last, data))
        self._queued += len(data)
        return True


class StreamLane:
    """One direction of one TCP connection: bytes are late, never lost nor out of order.

    Loss delays the segment, and with it all that follow, by a retransmission time-out.

    Args:
        impairment: What happens; ``reorder`` and ``duplicate`` mean nothing here.
        seed: Of the link.
        name: Of the lane, for the seed.
    """

    def __init__(self, impairment: Impairment, seed: int, name: str) -> None:
        self.impairment = impairment
        self.counters = LaneCounters()
        self.stalled = False
        self._random = random.Random(f"{seed} {name}")
        self._queue: deque[tuple[float, bytes]] = deque()
        self._free = float("-inf")
        self._last = float("-inf")
        self.queued = 0

    @property
    def full(self) -> bool:
        """Whether the sender must wait: more is queued than ``Impairment.queue``."""
        return self.queued > self.impairment.queue

    @property
    def deadline(self) -> float | None:
        """When ``due()`` has something to give, or None."""
        return None if self.stalled or not self._queue else self._queue[0][0]

    def push(self, data: bytes, now: float) -> None:
        """Take some bytes in."""
        what = self.impairment
        if not (what.rate or what.loss or what.delay or what.jitter):
            self._enqueue(data, now)
            return
        for begin in range(0, len(data), SEGMENT):
            segment = data[begin : begin + SEGMENT]
            lost, late = self._random.random(), self._random.random()
            sent = now
            if what.rate:
                sent = self._free = max(now, self._free) + len(segment) / what.rate
            due = sent + what.delay + late * what.jitter
            if lost < what.loss:
                self.counters.dropped += 1
                due += max(RETRANSMISSION, 2 * what.delay)
            self._enqueue(segment, due)

    def due(self, now: float) -> bytes:
        """The bytes that arrive by ``now``."""
        if self.stalled:
            return b""
        queue, out = self._queue, []
        while queue and queue[0][0] <= now:
            out.append(queue.popleft()[1])
        data = b"".join(out)
        self.queued -= len(data)
        self.counters.delivered += len(out)
        self.counters.bytes += len(data)
        return data

    def _enqueue(self, data: bytes, due: float) -> None:
        self.counters.received += 1
        self._last = max(self._last, due)
        self._queue.append((self._last, data))
        self.queued += len(data)

"""Packets put back in order, within a bound of time and of number.

Layer:  engine (state, but no clock and no I/O: the caller brings ``now``)
In:     push(extended sequence number, packet, now)
Out:    packets in order, each with ``lost``: how many are missing just before it

Facts the code leans on
- A packet in order passes at once; the caller may skip ``push`` for it, when it has
  ``extended == next`` and nothing is ``waiting``, by counting ``next`` up itself.
- No packet waits longer than ``max_delay``: when its time has come, what is missing before it is
  given up. More than ``max_packets`` never wait.
- Numbers given up are remembered as far back as a packet may come late at all, so that late and
  double are told apart exactly.
- Most sources lose nothing, so the sets are made when they are needed: they are a third of the
  memory of a stream.
- When nothing but late packets comes for a second, the source has begun anew just behind.
"""

from __future__ import annotations

from rtspkit.engine.reception import MAX_MISORDER
from rtspkit.wire.rtp import RtpPacket

__all__ = ["Reorder"]

STUCK_PACKETS = 64  # late in a row, at least, and
STUCK_TIME = 1.0  # seconds that this must go on
FEW_MISSING = 64  # numbers given up that are remembered without looking for old ones


class Reorder:
    """The waiting room of one source.

    Args:
        max_packets: Packets that may wait.
        max_delay: Seconds that one may wait; 0 lets none wait.

    Attributes:
        next: The extended number that is due; None before the first packet.
        waiting: Packets that wait, by extended number, in the order of arrival.
        duplicates: Packets dropped: they had come already.
        late: Packets dropped: they had been given up.
        reordered: Packets that came behind a later one, in time.
        skipped: Numbers given up.
    """

    __slots__ = (
        "_early",
        "_first",
        "_late_next",
        "_late_run",
        "_late_since",
        "_missing",
        "_prune_at",
        "_top",
        "duplicates",
        "late",
        "max_delay",
        "max_packets",
        "next",
        "reordered",
        "skipped",
        "waiting",
    )

    def __init__(self, max_packets: int, max_delay: float) -> None:
        self.max_packets = max_packets
        self.max_delay = max_delay
        self.next: int | None = None
        self.waiting: dict[int, RtpPacket] = {}
        self.duplicates = 0
        self.late = 0
        self.reordered = 0
        self.skipped = 0
        self._top = 0  # the highest number that waits, while any does
        self._first = 0  # numbers before this one were sent before we began
        self._early: set[int] | None = None  # those of them that came all the same
        self._missing: set[int] | None = None  # given up, and not come since
        self._prune_at = FEW_MISSING
        self._late_next: int | None = None  # ``next`` when the late run began
        self._late_run = 0
        self._late_since = 0.0

    @property
    def deadline(self) -> float | None:
        """When the first packet has waited long enough, in monotonic seconds; None without one."""
        if not self.waiting:
            return None
        return next(iter(self.waiting.values())).arrival + self.max_delay

    def push(self, extended: int, packet: RtpPacket, now: float) -> list[RtpPacket]:
        """Take one packet, its ``arrival`` set; give those whose turn it is, in order."""
        if self.next is None:
            self.restart(extended)
        due = self.next
        assert due is not None
        if extended == due:
            self.next = extended + 1
            if not self.waiting:
                return [packet]
            self.reordered += 1
            return [packet, *self._drain(), *self.handle_deadline(now)]
        if extended < due:
            self._behind(extended, now)
        elif extended in self.waiting:
            self.duplicates += 1
        else:
            self._wait(extended, packet)
            if len(self.waiting) > self.max_packets:
                return self._release(min(self.waiting)) + self.handle_deadline(now)
        return self.handle_deadline(now)

    def handle_deadline(self, now: float) -> list[RtpPacket]:
        """Give up what those packets lack that have waited long enough; give them."""
        deadline = self.deadline
        if deadline is None or deadline > now:
            return []
        delay = self.max_delay
        return self._release(
            max(n for n, packet in self.waiting.items() if packet.arrival + delay <= now)
        )

    def flush(self) -> list[RtpPacket]:
        """Give everything that waits; what is missing between is given up."""
        return self._release(self._top) if self.waiting else []

    def restart(self, extended: int) -> list[RtpPacket]:
        """Begin anew with this number; gives what waited for earlier ones."""
        packets = self.flush()
        self.next = self._first = extended
        self._late_next = None
        self._early = self._missing = None
        return packets

    def stuck(self, now: float) -> bool:
        """Whether nothing but late packets has come for a while: time for ``restart``."""
        return (
            self._late_next == self.next
            and self._late_run >= STUCK_PACKETS
            and now - self._late_since >= STUCK_TIME
        )

    def _wait(self, extended: int, packet: RtpPacket) -> None:
        """Keep a packet until what is missing before it comes, or is given up."""
        if self.waiting and extended < self._top:
            self.reordered += 1
        else:
            self._top = extended
        self.waiting[extended] = packet

    def _behind(self, extended: int, now: float) -> None:
        """Count a packet whose turn has passed."""
        if self._late_next != self.next:
            self._late_next, self._late_run, self._late_since = self.next, 0, now
        self._late_run += 1
        if extended < self._first and extended not in (self._early or ()):
            self._early = self._early or set()
            self._early.add(extended)
            self.late += 1
        elif self._missing is not None and extended in self._missing:
            self._missing.discard(extended)
            self.late += 1
        else:
            self.duplicates += 1

    def _drain(self) -> list[RtpPacket]:
        """The packets whose turn it is, up to the next one missing."""
        packets = []
        assert self.next is not None
        while (packet := self.waiting.pop(self.next, None)) is not None:
            packets.append(packet)
            self.next += 1
        return packets

    def _release(self, last: int) -> list[RtpPacket]:
        """Give what waits up to ``last`` and what follows it without a gap."""
        assert self.next is not None
        packets = []
        for extended in sorted(n for n in self.waiting if n <= last):
            packet = self.waiting.pop(extended)
            missing = extended - self.next
            if missing:
                packet.lost = missing
                self._give_up(extended, missing)
            self.next = extended + 1
            packets.append(packet)
        return packets + self._drain()

    def _give_up(self, extended: int, missing: int) -> None:
        """Remember the numbers just before ``extended`` as missing, and forget very old ones."""
        self.skipped += missing
        horizon = extended - MAX_MISORDER
        self._missing = self._missing or set()
        self._missing.update(range(max(extended - missing, horizon), extended))
        if len(self._missing) > self._prune_at:
            self._missing = {n for n in self._missing if n >= horizon}
            self._prune_at = FEW_MISSING + 2 * len(self._missing)

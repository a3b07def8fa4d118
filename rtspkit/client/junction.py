"""What comes from one session, to several that share it.

Layer:  client
In:     what a supervisor tells its ``Fanout``
Out:    the same to the ``Fanout`` of each sharer, who has iterators, queues and an end of its own
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.client.fanout import Fanout
from rtspkit.engine.events import Event
from rtspkit.errors import RtspError
from rtspkit.net.slab import SlabPool
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Junction"]


class Junction(Fanout):
    """A fanout whose consumers are fanouts. One that wants nothing to be read holds up all."""

    def __init__(self, limits: Limits) -> None:
        self._members: list[Fanout] = []
        super().__init__(limits, "drop_oldest")

    def join(self, member: Fanout) -> None:
        """Tell a sharer what has happened, and give it what comes."""
        member.follow(self)
        member.on_hold = self._hold
        self._members.append(member)

    def part(self, member: Fanout) -> None:
        """Nothing more for this one."""
        if member in self._members:
            self._members.remove(member)
        member.on_hold = lambda held: None
        if member.holding:
            self._hold(False)

    @property
    def parting(self) -> bool:
        """Whether an iterator ends with the last of its streams; else, with the session."""
        return self._parting

    @parting.setter
    def parting(self, parting: bool) -> None:
        self._parting = parting
        for member in self._members:
            member.parting = parting

    @property
    def pool(self) -> SlabPool | None:
        """The memory that packets lie in; None until it is known."""
        return self._pool

    @pool.setter
    def pool(self, pool: SlabPool) -> None:
        self._pool = pool
        for member in self._members:
            member.pool = pool

    def put_packets(self, packets: list[RtpPacket]) -> None:
        """Give packets to every sharer, by reference."""
        for member in tuple(self._members):
            member.put_packets(packets)

    def put_event(self, event: Event) -> None:
        """Give an event to every sharer."""
        super().put_event(event)
        for member in tuple(self._members):
            member.put_event(event)

    def interrupt(self, changes: Iterable[tuple[Stream, Stream]]) -> None:
        """What comes now is from another connection."""
        changes = list(changes)
        super().interrupt(changes)
        for member in self._members:
            member.interrupt(changes)

    def restart(self) -> None:
        """PLAY is sent again."""
        super().restart()
        for member in self._members:
            member.restart()

    def end(self, error: RtspError | None, now: float) -> None:
        """The session is over, for all of them."""
        members = tuple(self._members)
        self._members.clear()
        super().end(error, now)
        for member in members:
            member.end(error, now)

"""What is held is never written over, whatever comes in; what does not fit is counted."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from flood_server import FloodServer, number_in

import rtspkit
from rtspkit import Limits
from rtspkit.client.iterators import BatchIterator, PacketIterator
from rtspkit.net.batch import recvmmsg_works

MEBIBYTE = 1024 * 1024
SOON = 60.0  # seconds before a test fails
MOST_HELD = 5000  # packets, where no pool says that it is enough
LARGEST_BURST = 1400  # two that are lost whole are not yet taken for a new beginning
WAYS = {
    "recvmmsg": ("sendmmsg", "sendmsg"),
    "recvmmsg-joined": ("gso", "gso", "sendmmsg"),
    "recv_into": ("gso", "sendmmsg"),
    "datagram": ("gso", "sendmmsg"),
    "tcp": (),
}


@dataclass
class Holder:
    """A consumer that holds what it likes, and looks whether it is still the same.

    Attributes:
        forever: How many packets it holds to the end.
        all: Whether it holds everything at the moment.
        seen: Packets taken.
        last: The number of the last one.
    """

    forever: int
    generator: random.Random
    all: bool = False
    seen: int = 0
    last: int = -1
    held: deque[tuple[int, rtspkit.RtpPacket | memoryview]] = field(default_factory=deque)
    kept: list[tuple[int, rtspkit.RtpPacket | memoryview]] = field(default_factory=list)

    def take(self, packets: list[rtspkit.RtpPacket]) -> None:
        chance = self.generator.random
        for packet in packets:
            number = number_in(packet.payload)
            assert number > self.last, "in order, and none twice"
            assert packet.sequence_number == number & 0xFFFF
            self.last = number
            one = packet if chance() < 0.5 else packet.payload
            if len(self.kept) < self.forever and number > 250 * len(self.kept):
                self.kept.append((number, one))
            elif self.all or chance() < 0.1:
                self.held.append((number, one))
        self.seen += len(packets)

    def hold_or_release(self, *, full: bool) -> None:
        """Hold everything until there is no room for more; then let go of all of it."""
        if self.all:
            self.all = not full and len(self.held) < MOST_HELD
            self.release(0.0 if self.all else 1.0)
        else:
            self.release(1.0 if full else self.generator.random())
            self.all = self.generator.random() < 0.3

    def release(self, share: float) -> None:
        """Let go of so much of it, after a last look."""
        self.look(self.held)
        self.held = deque(one for one in self.held if self.generator.random() >= share)

    @staticmethod
    def look(held: deque[tuple[int, object]] | list[tuple[int, object]]) -> None:
        for number, one in held:
            payload = one if isinstance(one, memoryview) else one.payload
            assert payload.readonly
            assert number_in(payload) == number


async def drain(iterator: BatchIterator, holder: Holder) -> None:
    async for batch in iterator:
        holder.take(batch)


async def lag(iterator: PacketIterator, holder: Holder, count: int) -> None:
    """Take some of what waits."""
    waiting = len(iterator._queue.items)
    holder.take([await anext(iterator) for _ in range(min(count, waiting))])


async def catch_up(holder: Holder) -> None:
    """Until nothing more comes: what the kernel keeps is read, turn by turn."""
    quiet = 0
    while quiet < 10:
        before = holder.seen
        await asyncio.sleep(0)
        quiet = quiet + 1 if holder.seen == before else 0


async def settle(session: rtspkit.Session, server: FloodServer, holder: Holder) -> None:
    """Ask until the last packet has come; one that found the kernel's queue full is followed."""
    await catch_up(holder)
    while holder.last != server.sent - 1:
        server.burst = 1
        await session.get_parameter()
        await catch_up(holder)


async def hold_what_comes(way: str, *, packets: int, slab_memory: int) -> None:
    """Play so many packets to a consumer that holds some, others and now and then all of them."""
    if way.startswith("recvmmsg") and not recvmmsg_works():
        pytest.skip("this system has no recvmmsg")
    generator = random.Random(packets)
    options = {"transport": "tcp" if way == "tcp" else "udp", "reorder": 0.0, "play": False}
    if way != "tcp":
        options["receiver"] = way.partition("-")[0]
    limits = Limits(slab_memory=slab_memory, queue_packets=1000)
    forever = slab_memory // MEBIBYTE
    with FloodServer(WAYS[way], seed=packets) as server:
        async with (
            asyncio.timeout(SOON),
            rtspkit.connect(server.url, limits=limits, **options) as session,
        ):
            quick, slow = Holder(forever, generator), Holder(0, generator)
            batches, lagging = session.batches(), session.packets()
            pool = session.stats().pool
            await session.play()
            draining = asyncio.ensure_future(drain(batches, quick))
            while server.sent < packets and not draining.done():
                server.burst = generator.randrange(1, LARGEST_BURST)
                await session.get_parameter()
                await catch_up(quick)
                await lag(lagging, slow, generator.randrange(1500))
                slow.release(1.0)
                before, pool = pool, session.stats().pool
                assert pool.allocated <= slab_memory
                quick.hold_or_release(full=pool.drops > before.drops)
            quick.release(1.0)
            quick.all = False
            await settle(session, server, quick)
            stats = session.stats()
            await lag(lagging, slow, 1000)
            quick.release(0.0)
        await draining
        quick.look(quick.kept)
    assert server.failure is None
    assert len(quick.kept) == forever
    account(way, stats, server.sent)
    assert quick.seen + batches.dropped == stats.packets
    assert slow.seen + lagging.dropped == stats.packets
    assert stats.consumer_dropped == batches.dropped + lagging.dropped


def account(way: str, stats: rtspkit.SessionStats, sent: int) -> None:
    """Every packet that was sent has come, or is counted where it was lost."""
    (stream,) = stats.streams
    assert (stream.expected, stream.packets + stream.lost) == (sent, sent)
    assert stream.malformed == stream.duplicates == stream.late == stream.strays == 0
    dropped = stats.kernel_dropped + stats.pool.drops
    if way == "recvmmsg-joined":  # the kernel counts a drop of many datagrams as one
        assert min(stream.lost, 1) <= dropped <= stream.lost
        assert stats.joined > 0
    else:
        assert dropped == stream.lost
    if way == "datagram":  # the loop's own datagrams are in nobody's pool
        assert (stats.pool.drops, stats.zero_copy) == (0, 1.0)
    else:
        assert stats.pool.copies + stats.pool.drops > 0
        assert stats.pool.reuses > 0
    assert stream.packets > sent // 10


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_held_is_never_written_over_and_every_packet_is_accounted_for(way):
    await hold_what_comes(way, packets=6_000, slab_memory=2 * MEBIBYTE)


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
async def test_so_it_is_for_millions(way):
    await hold_what_comes(way, packets=200_000, slab_memory=4 * MEBIBYTE)

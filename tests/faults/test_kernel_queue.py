"""FAULTS.md, 25: the loop stands still, and the kernel's queue overflows."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest
from faulty import open_plainly
from raw_server import Peer, RawServer, rtp

from rtspkit.wire.header import parse_transport
from rtspkit.wire.message import Request

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what its queue dropped"),
]

PAYLOAD = bytes(1200)
TRUTH = 0.01  # share that the kernel's count may be off
FURTHEST = 2900  # packets missing at once that are not yet a jump (RFC 3550 A.1: 3000)


class UdpSource:
    """Media for one client of a ``RawServer``, sent at once and by hand."""

    def __init__(self, server: RawServer) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.sent = 0
        own = self.socket.getsockname()[1]
        server.server_port = f";server_port={own}-{own + 1}"
        server.answers["SETUP"] = self._set_up

    def _set_up(self, request: Request, peer: Peer) -> bytes | None:
        ports = parse_transport(request.headers.get("Transport")).client_port
        self.address = ("127.0.0.1", ports[0])
        return peer.server.plain(request, peer)

    def send(self, number: int) -> None:
        """The loop stands still meanwhile: nothing of it is read before all of it is sent."""
        for _ in range(number):
            packet = rtp(self.sent & 0xFFFF, payload=PAYLOAD)
            self.socket.sendto(packet, self.address)
            self.sent += 1


def flood_of(session) -> int:
    """Packets that are too many for the queue, by less than what would look like a jump."""
    return min(session.stats().receive_buffer // len(PAYLOAD), 2 * FURTHEST)


async def received(session) -> None:
    """Until nothing has come for some turns of the loop."""
    packets = -1
    while packets != session.stats().packets:
        packets = session.stats().packets
        for _ in range(20):
            await session.get_parameter()


@pytest.mark.parametrize("receiver", ["recvmmsg", "recv_into"])
@pytest.mark.parametrize("floods", [1, 3])
async def test_what_the_kernel_dropped_is_told_within_one_percent(receiver, floods):
    async with RawServer() as server:
        source = UdpSource(server)
        with source.socket:
            options = {"transport": "udp", "receiver": receiver, "reorder": 0.0}
            async with open_plainly(server.url, **options) as session:
                source.send(10)
                number = flood_of(session)
                for _ in range(floods):
                    source.send(number)
                    await received(session)
                    source.send(5)  # the next one tells of the drops before it
                    await received(session)
                stats = session.stats()
                assert session.state == "playing"
        await server.until(lambda: server.peers[0].closed.done())
    truth = source.sent - stats.packets
    assert number / 10 < truth / floods < FURTHEST
    assert stats.lost == truth
    assert stats.kernel_dropped == pytest.approx(truth, rel=TRUTH)
    assert stats.streams[0].kernel_dropped == stats.kernel_dropped


async def test_without_an_overflow_nothing_is_told():
    async with RawServer() as server:
        source = UdpSource(server)
        with source.socket:
            async with open_plainly(server.url, transport="udp") as session:
                for _ in range(20):
                    source.send(50)
                    await received(session)
                stats = session.stats()
        await server.until(lambda: server.peers[0].closed.done())
    assert (stats.packets, stats.lost, stats.kernel_dropped) == (1000, 0, 0)


async def test_a_stream_that_loses_nothing_has_no_part_in_it():
    """Two sessions on one loop: only the one whose queue was full is told of drops."""
    async with RawServer() as first, RawServer() as second:
        flood, trickle = UdpSource(first), UdpSource(second)
        with flood.socket, trickle.socket:
            async with (
                open_plainly(first.url, transport="udp", reorder=0.0) as flooded,
                open_plainly(second.url, transport="udp") as calm,
            ):
                number = flood_of(flooded)
                flood.send(number)
                trickle.send(100)
                await asyncio.gather(received(flooded), received(calm))
                flood.send(5)
                await received(flooded)
                assert flooded.stats().kernel_dropped > 0
                assert calm.stats().kernel_dropped == calm.stats().lost == 0
                assert calm.stats().packets == 100
        for server in (first, second):
            await server.until(lambda server=server: server.peers[0].closed.done())

from __future__ import annotations

import asyncio
import socket

import pytest
from leaks import Inventory
from raw_server import Peer, RawServer

from rtspkit.errors import ConnectError
from rtspkit.net.resolver import resolve
from rtspkit.net.slab import BYTES, SlabPool
from rtspkit.net.tcp import LEAST_ROOM, LINGER, TcpCircuit, open_circuit


class Collector:
    """What a circuit tells."""

    def __init__(self) -> None:
        self.views: list[memoryview] = []
        self.lost: list[BaseException | None] = []
        self.changed = asyncio.Event()
        self.unread = 0

    def on_data(self, view: memoryview, now: float) -> int:
        self.views.append(view)
        self.at = now
        self.changed.set()
        return self.unread

    def on_lost(self, cause: BaseException | None) -> None:
        self.lost.append(cause)
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def data(self) -> bytes:
        return b"".join(self.views)


async def opened(server: RawServer) -> tuple[TcpCircuit, Collector, Peer]:
    collector = Collector()
    circuit = await open_circuit("127.0.0.1", server.port, collector.on_data, collector.on_lost)
    await server.until(lambda: bool(server.peers))
    return circuit, collector, server.peers[-1]


async def closed(circuit: TcpCircuit) -> None:
    circuit.close()
    await circuit.wait_closed()


async def test_knows_both_ends():
    async with RawServer() as server:
        circuit, _, _ = await opened(server)
        assert (circuit.peer_host, circuit.local_host) == ("127.0.0.1", "127.0.0.1")
        assert circuit.is_open
        await closed(circuit)
        assert not circuit.is_open


async def test_hands_out_what_came_as_views_that_are_never_written_again():
    async with RawServer() as server:
        circuit, collector, peer = await opened(server)
        expected = b""
        for number in range(40):
            piece = bytes([number]) * 30_000  # more than one slab in all
            expected += piece
            peer.write(piece)
            length = len(expected)
            await collector.until(lambda length=length: len(collector.data) == length)
        assert len(expected) > 2 * BYTES.size
        assert collector.data == expected
        assert all(view.readonly for view in collector.views)
        assert circuit.bytes_received == len(expected)
        assert abs(collector.at - asyncio.get_running_loop().time()) < 1
        await closed(circuit)


async def test_a_flood_leaves_the_loop_to_others_after_each_slab():
    slabs = 16
    async with RawServer() as server:
        turns = [0]
        behind: list[int] = []
        loop = asyncio.get_running_loop()

        def turn() -> None:
            turns[0] += 1
            handle[0] = loop.call_soon(turn)

        def on_data(view: memoryview, now: float) -> int:
            if behind and behind[-1] == turns[0]:
                repeats.append(len(view))
            behind.append(turns[0])
            size[0] += len(view)
            if size[0] >= slabs * BYTES.size:
                done.set()
            return 0

        handle, repeats, size = [loop.call_soon(turn)], [], [0]
        done = asyncio.Event()
        circuit = await open_circuit("127.0.0.1", server.port, on_data, lambda cause: None)
        await server.until(lambda: bool(server.peers))
        server.peers[-1].write(bytes(slabs * BYTES.size))
        async with asyncio.timeout(5):
            await done.wait()
        handle[0].cancel()
        assert sum(repeats) < slabs * BYTES.size // 2, "read on without a turn for others"
        await closed(circuit)


async def test_sends_and_counts():
    async with RawServer() as server:
        circuit, _, peer = await opened(server)
        circuit.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        circuit.write(b"")
        await server.until(lambda: server.methods == ["OPTIONS"])
        assert circuit.bytes_sent == len(peer.received)
        assert (circuit.waiting, circuit.blocked_since) == (0, None)
        await closed(circuit)


@pytest.mark.parametrize("reset", [False, True])
async def test_tells_once_that_the_peer_is_gone(reset):
    async with RawServer() as server:
        circuit, collector, peer = await opened(server)
        if reset:
            peer.reset()
        else:
            peer.transport.close()
        await collector.until(lambda: collector.lost)
        assert [type(cause) for cause in collector.lost] == [
            ConnectionResetError if reset else type(None)
        ]
        if reset:  # its frames would hold the slab
            assert collector.lost[0].__traceback__ is None
        circuit.write(b"nobody reads this")
        assert circuit.bytes_sent == 0
        await closed(circuit)
        circuit.abort()
        assert len(collector.lost) == 1


@pytest.mark.parametrize("way", ["close", "abort"])
async def test_does_not_tell_of_an_end_that_we_made(way):
    async with RawServer() as server:
        circuit, collector, peer = await opened(server)
        getattr(circuit, way)()
        await circuit.wait_closed()
        await circuit.wait_closed()
        await asyncio.wait([peer.closed])
        assert collector.lost == []


async def test_sends_what_was_written_before_close():
    async with RawServer() as server:
        circuit, _, peer = await opened(server)
        circuit.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        await closed(circuit)
        await asyncio.wait([peer.closed])
        assert server.methods == ["OPTIONS"]


async def fill(circuit: TcpCircuit, peer: Peer) -> None:
    """Write to a peer that reads nothing until the kernel takes no more."""
    peer.transport.pause_reading()
    for _ in range(1000):
        circuit.write(bytes(65_536))
        await asyncio.sleep(0)
        if circuit.waiting:
            return
    raise AssertionError("the kernel takes everything")


async def test_knows_since_when_the_peer_takes_nothing():
    loop = asyncio.get_running_loop()
    async with RawServer() as server:
        circuit, _, peer = await opened(server)
        await fill(circuit, peer)
        assert circuit.blocked_since == pytest.approx(loop.time(), abs=1)
        circuit.abort()
        await circuit.wait_closed()


async def test_a_peer_that_takes_nothing_does_not_keep_the_socket_open():
    inventory = Inventory()
    loop = asyncio.get_running_loop()
    async with RawServer() as server:
        circuit, _, peer = await opened(server)
        await fill(circuit, peer)
        begun = loop.time()
        circuit.close()
        circuit.close()
        await circuit.wait_closed()
        assert LINGER - 0.02 < loop.time() - begun < LINGER + 0.4
        assert len(inventory.left()[1]) == 2  # those of the server
        peer.transport.abort()


async def test_takes_the_first_address_that_answers():
    async with RawServer() as server:  # on 127.0.0.1 only: where ::1 comes first it refuses
        circuit = await open_circuit("localhost", server.port, print, print)
        assert circuit.peer_host == "127.0.0.1"
        await closed(circuit)
        addresses = [address[0] for _, address in await resolve("localhost", server.port)]
        assert "127.0.0.1" in addresses


async def test_a_refused_port_keeps_every_cause():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        with pytest.raises(ConnectError, match=r"\(connection refused\)$") as caught:
            await open_circuit("127.0.0.1", port, print, print)
    assert [type(cause) for cause in caught.value.causes] == [ConnectionRefusedError]


async def test_a_cancelled_connect_leaves_no_socket():
    inventory = Inventory()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]  # the backlog is full: connects wait
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        task = asyncio.ensure_future(open_circuit(*address, print, print))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        for one in waiting:
            one.close()
    await inventory.assert_nothing_left()


# -- what is given again ----------------------------------------------------------------------


class Lines:
    """Takes whole lines, and wants the beginning of the next one again."""

    def __init__(self) -> None:
        self.lines: list[memoryview] = []
        self.scratch_lines: list[bytes] = []
        self.circuit: TcpCircuit | None = None
        self.changed = asyncio.Event()

    def on_data(self, view: memoryview, now: float) -> int:
        data = bytes(view)
        whole = data.rfind(b"\n") + 1
        position = 0
        while position < whole:
            end = data.index(b"\n", position)
            if self.circuit is not None and self.circuit.scratch:
                self.scratch_lines.append(data[position:end])
            else:
                self.lines.append(view[position:end])
            position = end + 1
        self.changed.set()
        return len(view) - whole

    async def until(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.lines) + len(self.scratch_lines) < number:
                self.changed.clear()
                await self.changed.wait()


def line(number: int) -> bytes:
    return b"%06d" % number * (1 + number * 37 % 400)


async def test_what_is_left_over_comes_again_with_its_rest_behind_it():
    async with RawServer() as server:
        pool, taker = SlabPool(), Lines()
        circuit = await open_circuit(
            "127.0.0.1", server.port, taker.on_data, lambda cause: None, pool
        )
        await server.until(lambda: bool(server.peers))
        wanted = [line(number) for number in range(1500)]
        data = b"".join(one + b"\n" for one in wanted)
        assert len(data) > 4 * BYTES.size
        for begin in range(0, len(data), 9_973):
            server.peers[-1].write(data[begin : begin + 9_973])
            await asyncio.sleep(0)
        await taker.until(len(wanted))
        assert taker.lines == wanted
        # alone on its loop, only what straddles two slabs is copied
        assert 0 < circuit.copies <= len(data) // (BYTES.size - LEAST_ROOM) + 1
        await closed(circuit)


async def test_circuits_share_slabs_and_keep_their_own_beginnings():
    async with RawServer() as server:
        pool, takers, circuits = SlabPool(), [], []
        for number in range(5):
            takers.append(Lines())
            circuits.append(
                await open_circuit(
                    "127.0.0.1", server.port, takers[-1].on_data, lambda cause: None, pool
                )
            )
            await server.until(lambda number=number: len(server.peers) > number)
        wanted = [[line(7 * n + i) for n in range(60)] for i in range(5)]
        streams = [b"".join(one + b"\n" for one in lines) for lines in wanted]
        for begin in range(0, max(map(len, streams)), 701):
            for peer, data in zip(server.peers, streams, strict=True):
                peer.write(data[begin : begin + 701])
            await asyncio.sleep(0)
        for taker, lines in zip(takers, wanted, strict=True):
            await taker.until(len(lines))
            assert taker.lines == lines
        assert pool.stats().fresh < 5
        for circuit in circuits:
            await closed(circuit)


async def test_at_the_bound_everything_still_arrives_and_nothing_held_is_written_over():
    async with RawServer() as server:
        pool, taker = SlabPool(3 * BYTES.size), Lines()
        circuit = await open_circuit(
            "127.0.0.1", server.port, taker.on_data, lambda cause: None, pool
        )
        taker.circuit = circuit
        await server.until(lambda: bool(server.peers))
        wanted = [line(number) for number in range(2000)]
        data = b"".join(one + b"\n" for one in wanted)
        for begin in range(0, len(data), 30_011):
            server.peers[-1].write(data[begin : begin + 30_011])
            await asyncio.sleep(0)
        await taker.until(len(wanted))
        assert circuit.scratch
        assert taker.scratch_lines
        assert [bytes(one) for one in taker.lines] + taker.scratch_lines == wanted
        assert pool.stats().allocated <= pool.limit
        before = len(taker.scratch_lines)
        taker.lines.clear()  # the memory is free again, and is used
        number = 0
        while not taker.lines:
            number += 1
            assert number < 10
            server.peers[-1].write(b"free\n")
            await taker.until(before + number)
        assert taker.lines == [b"free"]
        await closed(circuit)


async def test_held_it_reads_nothing_and_then_goes_on():
    async with RawServer() as server:
        circuit, collector, peer = await opened(server)
        circuit.hold(True)
        circuit.hold(True)
        peer.write(b"waits")
        for _ in range(20):
            await asyncio.sleep(0)
        assert collector.views == []
        circuit.hold(False)
        await collector.until(lambda: collector.data == b"waits")
        await closed(circuit)
        circuit.hold(True)  # harmless


async def test_passed_on_it_is_the_same_connection_with_counters_of_its_own():
    async with RawServer() as server:
        first, before, peer = await opened(server)
        peer.write(b"first")
        await before.until(lambda: before.data == b"first")
        after = Collector()
        second = first.pass_on(after.on_data, after.on_lost)
        assert second is not None
        assert (first.is_open, second.is_open) == (False, True)
        assert (second.peer_host, second.local_host) == (first.peer_host, first.local_host)
        peer.write(b"second")
        await after.until(lambda: after.data == b"second")
        assert before.data == b"first"
        assert (first.bytes_received, second.bytes_received) == (5, 6)
        first.write(b"nobody's")
        first.close()
        first.abort()
        await first.wait_closed()
        second.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        await server.until(lambda: bool(server.requests))
        assert b"nobody" not in peer.received
        peer.transport.close()
        await after.until(lambda: after.lost == [None])
        assert before.lost == []
        assert first.closed is second.closed
        assert second.closed.done()
        assert len(server.peers) == 1


async def test_passed_on_it_is_read_again_though_it_was_held():
    async with RawServer() as server:
        first, before, peer = await opened(server)
        first.hold(True)
        after = Collector()
        second = first.pass_on(after.on_data, after.on_lost)
        assert second is not None
        peer.write(b"read")
        await after.until(lambda: after.data == b"read")
        assert before.data == b""
        await closed(second)


async def test_what_is_closed_half_read_or_not_sent_cannot_be_passed_on():
    async with RawServer() as server:
        circuit, collector, peer = await opened(server)
        collector.unread = 5
        peer.write(b"begun")
        await collector.until(lambda: collector.data == b"begun")
        assert circuit.pass_on(collector.on_data, collector.on_lost) is None
        collector.unread = 0
        peer.write(b"!")
        await collector.until(lambda: collector.data == b"begunbegun!")
        peer.transport.pause_reading()
        while not circuit.waiting:
            circuit.write(bytes(1_000_000))
        assert circuit.pass_on(collector.on_data, collector.on_lost) is None
        circuit.abort()
        assert circuit.pass_on(collector.on_data, collector.on_lost) is None
        await circuit.wait_closed()
        assert circuit.pass_on(collector.on_data, collector.on_lost) is None

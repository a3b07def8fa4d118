"""TLS under a circuit: all that comes, in order and unharmed; pauses, floods, and every end."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl

import pytest
from certificates import AUTHORITY, server_context
from leaks import Inventory
from raw_server import Peer, RawServer

from rtspkit.net.slab import BYTES, SlabPool
from rtspkit.net.tcp import LINGER, TcpCircuit, open_circuit
from rtspkit.net.tls import tls_context
from rtspkit.net.tls_transport import ROOM
from rtspkit.options import TLS
from rtspkit.wire.message import Headers, Request, serialize_request

FRAME = 1200  # bytes
both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"]
)


class Collector:
    """Takes whole frames, and wants the beginning of the next one again."""

    def __init__(self) -> None:
        self.frames: list[memoryview] = []
        self.copies: list[bytes] = []
        self.circuit: TcpCircuit | None = None
        self.lost: list[BaseException | None] = []
        self.changed = asyncio.Event()
        self.size = 0

    def on_data(self, view: memoryview, now: float) -> int:
        whole = len(view) // FRAME * FRAME
        for begin in range(0, whole, FRAME):
            frame = view[begin : begin + FRAME]
            if self.circuit is not None and self.circuit.scratch:
                self.copies.append(bytes(frame))
            else:
                self.frames.append(frame)
        self.size += whole
        self.changed.set()
        return len(view) - whole

    def on_lost(self, cause: BaseException | None) -> None:
        self.lost.append(cause)
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


async def opened(
    server: RawServer, pool: SlabPool | None = None
) -> tuple[TcpCircuit, Collector, Peer]:
    collector = Collector()
    tls = await tls_context(TLS(ca=AUTHORITY))
    circuit = await open_circuit(
        server.host, server.port, collector.on_data, collector.on_lost, pool, tls=tls
    )
    collector.circuit = circuit
    await server.until(lambda: bool(server.peers))
    return circuit, collector, server.peers[-1]


async def closed(circuit: TcpCircuit) -> None:
    circuit.close()
    await circuit.wait_closed()


def frames(number: int, seed: int = 1) -> list[bytes]:
    body = random.Random(seed).randbytes(FRAME * 2)
    return [n.to_bytes(4, "big") + body[n % FRAME :][: FRAME - 4] for n in range(number)]


@both_versions
@pytest.mark.parametrize("piece", [FRAME, 9_973, 300_000])
async def test_much_comes_in_order_and_what_is_held_is_never_written_over(version, piece):
    async with RawServer(tls=server_context(maximum_version=version)) as server:
        circuit, collector, peer = await opened(server)
        wanted = frames(4000)
        data = b"".join(wanted)
        assert len(data) > 8 * BYTES.size
        for begin in range(0, len(data), piece):
            peer.write(data[begin : begin + piece])
            if begin // piece % 16 == 0:
                await asyncio.sleep(0)
        await collector.until(lambda: collector.size == len(data))
        assert collector.frames == wanted
        assert all(frame.readonly for frame in collector.frames)
        assert circuit.bytes_received == len(data)
        await closed(circuit)


async def test_much_goes_out_while_much_comes_in():
    number, each = 50, 40
    wanted = frames(number * each)
    bodies = [random.Random(n).randbytes(60_000) for n in range(number)]

    def answer(request: Request, peer: Peer) -> bytes:
        begin = request.cseq * each
        return b"".join(wanted[begin : begin + each])

    async with RawServer({"SET_PARAMETER": answer}, tls=server_context()) as server:
        circuit, collector, _ = await opened(server)
        for n, body in enumerate(bodies):
            headers = Headers([("CSeq", str(n))])
            circuit.write(serialize_request(Request("SET_PARAMETER", "*", headers, body)))
            await asyncio.sleep(0)
        await collector.until(lambda: len(collector.frames) == len(wanted))
        assert collector.frames == wanted
        assert [request.body for request in server.requests] == bodies
        assert circuit.bytes_sent > number * 60_000
        assert circuit.waiting == 0
        await closed(circuit)


async def test_several_circuits_share_slabs_and_the_room_for_records():
    async with RawServer(tls=server_context()) as server:
        pool = SlabPool()
        ends = [await opened(server, pool) for _ in range(4)]
        wanted = [frames(300, seed) for seed in range(4)]
        streams = [b"".join(one) for one in wanted]
        for begin in range(0, len(streams[0]), 701):
            for (_, _, peer), data in zip(ends, streams, strict=True):
                peer.write(data[begin : begin + 701])
            await asyncio.sleep(0)
        for (circuit, collector, _), one in zip(ends, wanted, strict=True):
            await collector.until(lambda c=collector, o=one: len(c.frames) == len(o))
            assert collector.frames == one
            await closed(circuit)


async def test_at_the_bound_of_memory_everything_still_arrives():
    async with RawServer(tls=server_context()) as server:
        pool = SlabPool(3 * BYTES.size)
        circuit, collector, peer = await opened(server, pool)
        wanted = frames(1500)
        peer.write(b"".join(wanted))
        await collector.until(lambda: collector.size == 1500 * FRAME)
        assert collector.copies
        assert [bytes(one) for one in collector.frames] + collector.copies == wanted
        await closed(circuit)


async def test_held_it_hands_on_nothing_and_then_goes_on():
    async with RawServer(tls=server_context()) as server:
        circuit, collector, peer = await opened(server)
        wanted = frames(1000)
        peer.write(b"".join(wanted[:100]))
        await collector.until(lambda: collector.frames)
        circuit.hold(True)
        seen = len(collector.frames)
        peer.write(b"".join(wanted[100:]))
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(collector.frames) == seen
        assert circuit.bytes_received < seen * FRAME + FRAME
        circuit.hold(False)
        await collector.until(lambda: len(collector.frames) == 1000)
        assert collector.frames == wanted
        await closed(circuit)


async def test_a_flood_leaves_the_loop_to_others_after_each_slab():
    async with RawServer(tls=server_context()) as server:
        circuit, collector, peer = await opened(server)
        loop = asyncio.get_running_loop()
        turns, sizes = [0], {}

        def turn() -> None:
            turns[0] += 1
            sizes[turns[0]] = collector.size
            handle[0] = loop.call_soon(turn)

        handle = [loop.call_soon(turn)]
        number = 16 * BYTES.size // FRAME
        peer.write(bytes(number * FRAME))
        await collector.until(lambda: collector.size == number * FRAME)
        handle[0].cancel()
        steps = [b - a for a, b in zip(sizes.values(), list(sizes.values())[1:], strict=False)]
        assert max(steps) <= 3 * BYTES.size
        await closed(circuit)


async def test_what_came_with_the_handshake_is_handed_on():
    greeting = b"".join(frames(3))
    async with RawServer(tls=server_context(), greeting=greeting) as server:
        circuit, collector, _ = await opened(server)
        await collector.until(lambda: collector.size == len(greeting))
        assert b"".join(collector.frames) == greeting
        await closed(circuit)


async def test_sends_a_farewell_and_does_not_wait_for_one():
    async with RawServer({"PLAY": bytes(FRAME)}, tls=server_context()) as server:
        circuit, collector, peer = await opened(server)
        circuit.write(b"PLAY * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        await collector.until(lambda: collector.frames)
        circuit.write(b"TEARDOWN * RTSP/1.0\r\nCSeq: 2\r\n\r\n")
        turns = 0
        closing = asyncio.ensure_future(closed(circuit))
        while not closing.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns < 10
        assert not circuit.is_open
        circuit.write(b"nobody reads this")
        async with asyncio.timeout(5):
            assert await peer.closed is None
        assert server.methods == ["PLAY", "TEARDOWN"]
        assert collector.lost == []


async def test_tells_once_that_the_peer_has_said_farewell():
    async with RawServer(tls=server_context()) as server:
        circuit, collector, peer = await opened(server)
        peer.write(b"".join(frames(50)))
        peer.transport.close()
        await collector.until(lambda: collector.lost)
        assert collector.lost == [None]
        assert collector.frames == frames(50)
        async with asyncio.timeout(5):
            await peer.closed  # which had waited for ours
        circuit.close()
        circuit.abort()
        assert len(collector.lost) == 1


async def test_tells_that_the_peer_has_reset_the_connection():
    async with RawServer(tls=server_context()) as server:
        _, collector, peer = await opened(server)
        peer.reset()
        await collector.until(lambda: collector.lost)
        assert isinstance(collector.lost[0], ConnectionResetError)


async def test_an_end_without_a_farewell_is_an_end():
    async with RawServer(tls=server_context()) as server:
        _, collector, peer = await opened(server)
        with socket.socket(fileno=peer.transport.get_extra_info("socket").fileno()) as one:
            one.shutdown(socket.SHUT_WR)
            one.detach()
        await collector.until(lambda: collector.lost)
        assert collector.lost == [None]


async def test_what_is_no_record_ends_it_with_the_reason():
    async with RawServer(tls=server_context()) as server:
        _, collector, peer = await opened(server)
        with socket.socket(fileno=peer.transport.get_extra_info("socket").fileno()) as one:
            one.send(b"RTSP/1.0 200 OK\r\n\r\n")
            one.detach()
        await collector.until(lambda: collector.lost)
        assert isinstance(collector.lost[0], ssl.SSLError)


async def test_a_peer_that_takes_nothing_is_noticed_and_does_not_keep_the_socket_open():
    inventory = Inventory()
    loop = asyncio.get_running_loop()
    async with RawServer(tls=server_context()) as server:
        circuit, _, peer = await opened(server)
        peer.transport.pause_reading()
        for _ in range(1000):
            circuit.write(bytes(65_536))
            await asyncio.sleep(0)
            if circuit.waiting > ROOM:
                break
        assert circuit.blocked_since == pytest.approx(loop.time(), abs=1)
        begun = loop.time()
        await closed(circuit)
        assert LINGER - 0.02 < loop.time() - begun < LINGER + 0.4
        peer.transport.abort()
    await inventory.assert_nothing_left()


@both_versions
async def test_passed_on_what_comes_goes_to_the_next_one(version):
    context = server_context(minimum_version=version, maximum_version=version)
    async with RawServer(tls=context) as server:
        first, before, peer = await opened(server)
        first.hold(True)
        after = Collector()
        second = first.pass_on(after.on_data, after.on_lost)
        assert second is not None
        sent = frames(100)
        peer.write(b"".join(sent))
        await after.until(lambda: after.size == 100 * FRAME)
        assert [bytes(one) for one in after.frames] == sent
        assert before.frames == []
        await closed(second)

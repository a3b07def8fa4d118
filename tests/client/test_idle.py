from __future__ import annotations

import asyncio

import pytest
from raw_server import Peer, RawServer, reply

from rtspkit.client.idle import TRAILING, IdleConnection
from rtspkit.client.machines import new_session_machine
from rtspkit.client.options import build_options
from rtspkit.net.tcp import TcpCircuit, open_circuit
from rtspkit.wire.message import Request

virtual_clock = pytest.mark.virtual_clock


class Ends:
    """What became of a connection that nobody used."""

    def __init__(self) -> None:
        self.connections: list[IdleConnection] = []


async def idle(server: RawServer, ends: Ends | None = None) -> tuple[IdleConnection, Peer]:
    circuit = await open_circuit("127.0.0.1", server.port, lambda *_: 0, lambda _: None)
    await server.until(lambda: bool(server.peers))
    machine = new_session_machine(build_options(server.url, None, None, "auto", None))
    ends = ends or Ends()
    connection = IdleConnection(circuit, machine, ends.connections.append)
    assert not circuit.is_open
    return connection, server.peers[-1]


async def gone(connection: IdleConnection) -> None:
    connection.close()
    assert connection.closed is not None
    await asyncio.wait([connection.closed])


async def test_asked_it_answers():
    async with RawServer() as server:
        connection, _ = await idle(server)
        for number in (1, 2):
            assert await connection.answers(server.url)
            assert (server.methods, server.requests[-1].cseq) == (["OPTIONS"] * number, number)
        assert connection.machine.methods
        await gone(connection)


@virtual_clock
async def test_without_an_answer_it_is_closed_after_a_second():
    loop = asyncio.get_running_loop()
    async with RawServer({"OPTIONS": b""}) as server:
        connection, peer = await idle(server)
        began = loop.time()
        assert not await connection.answers(server.url)
        assert loop.time() - began == pytest.approx(1.0, abs=0.05)
        assert not connection.is_open
        await server.until(lambda: peer.closed.done())


@pytest.mark.parametrize(
    ("status", "fit"),
    [("200 OK", True), ("404 No", True), ("501 No", True), ("401 No", False), ("503 No", True)],
)
async def test_any_answer_will_do_but_one_that_it_is_not_welcome(status, fit):
    def answer(request: Request, peer: Peer) -> bytes:
        return reply(request, status)

    async with RawServer({"OPTIONS": answer}) as server:
        connection, _ = await idle(server)
        assert await connection.answers(server.url) is fit
        assert connection.is_open is fit
        await gone(connection)


async def test_an_answer_with_the_beginning_of_something_behind_it_is_not_trusted():
    def answer(request: Request, peer: Peer) -> bytes:
        return reply(request) + b"RTSP/1.0 2"

    async with RawServer({"OPTIONS": answer}) as server:
        connection, _ = await idle(server)
        assert not await connection.answers(server.url)


async def test_closed_by_the_server_it_says_so_once():
    ends = Ends()
    async with RawServer() as server:
        connection, peer = await idle(server, ends)
        peer.transport.close()
        assert connection.closed is not None
        await asyncio.wait([connection.closed])
        assert ends.connections == [connection]
        assert not connection.is_open
        assert connection.pass_on(lambda *_: 0, lambda _: None) is None
        assert not await connection.answers(server.url)


async def test_closed_by_us_it_says_nothing():
    ends = Ends()
    async with RawServer() as server:
        connection, _ = await idle(server, ends)
        await gone(connection)
        connection.close()
        assert ends.connections == []


@pytest.mark.parametrize("data", [b"\x00\x01\x02 no RTSP", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_is_no_rtsp_ends_it(data):
    ends = Ends()
    async with RawServer() as server:
        connection, peer = await idle(server, ends)
        peer.write(data)
        await server.until(lambda: peer.closed.done())
        assert ends.connections == [connection]


async def test_media_may_trail_for_a_while():
    ends = Ends()
    async with RawServer() as server:
        connection, peer = await idle(server, ends)
        peer.write(peer.media(10))
        assert await connection.answers(server.url)
        sent = 0
        while sent <= TRAILING:
            data = peer.media(10)
            peer.write(data)
            sent += len(data)
        await server.until(lambda: peer.closed.done())
        assert ends.connections == [connection]


async def test_a_request_of_the_server_is_answered():
    async with RawServer() as server:
        connection, peer = await idle(server)
        peer.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n")
        await server.until(lambda: b"200 OK\r\nCSeq: 7" in peer.received)
        assert connection.is_open
        await gone(connection)


async def test_the_next_session_has_the_connection_and_what_comes_on_it():
    async with RawServer() as server:
        connection, peer = await idle(server)
        got = asyncio.Event()
        seen: list[bytes] = []

        def on_data(view: memoryview, now: float) -> int:
            seen.append(bytes(view))
            got.set()
            return 0

        circuit = connection.pass_on(on_data, lambda _: None)
        assert isinstance(circuit, TcpCircuit)
        peer.write(b"hello")
        await got.wait()
        assert seen == [b"hello"]
        connection.close()  # it is not its own any more
        assert circuit.is_open
        circuit.close()
        await circuit.wait_closed()


async def test_cancelled_while_it_asks_it_is_closed():
    async with RawServer({"OPTIONS": b""}) as server:
        connection, peer = await idle(server)
        task = asyncio.create_task(connection.answers(server.url))
        await server.until(lambda: bool(server.requests))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await server.until(lambda: peer.closed.done())


async def test_of_a_connection_that_has_ended_nothing_is_kept():
    async with RawServer() as server:
        circuit = await open_circuit("127.0.0.1", server.port, lambda *_: 0, lambda _: None)
        circuit.close()
        await circuit.wait_closed()
        machine = new_session_machine(build_options(server.url, None, None, "auto", None))
        connection = IdleConnection(circuit, machine, lambda _: None)
        assert (connection.is_open, connection.closed) == (False, None)
        assert not await connection.answers(server.url)
        connection.close()

"""From a host to a circuit: addresses raced, TLS verified, every error with its causes."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl

import pytest
from addresses import found_at, silent_port
from certificates import AUTHORITY, fingerprint, server_context
from leaks import Inventory
from raw_server import RawServer, reply
from stepping import Stepped

from rtspkit.errors import ConnectError, DeadlineExceeded
from rtspkit.net.tcp import TcpCircuit, open_circuit
from rtspkit.net.tls import TlsContext, tls_context
from rtspkit.options import TLS, Racing

QUICK = Racing(delay=0.05, timeout=0.3)
MODES = ["none", "first-wins", "last-wins", "hybrid"]
modes = pytest.mark.parametrize("mode", MODES)
both = pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])


def raw_server(secure: bool = False, **options: object) -> RawServer:
    return RawServer(tls=server_context() if secure else None, **options)


def ignore(*_: object) -> int:
    return 0


async def connected(
    host: str, port: int, tls: TlsContext | None = None, **options: object
) -> TcpCircuit:
    return await open_circuit(host, port, ignore, ignore, tls=tls, **options)


async def closed(circuit: TcpCircuit) -> None:
    circuit.close()
    await circuit.wait_closed()


async def trusted(server: RawServer) -> TlsContext | None:
    return await tls_context(TLS(ca=AUTHORITY)) if server.tls is not None else None


@both
@modes
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_connects_in_every_mode_over_both_families(mode, host, secure):
    async with raw_server(secure, host=host) as server:
        circuit = await connected(host, server.port, await trusted(server), mode=mode)
        assert (circuit.peer_host, circuit.local_host) == (host, host)
        assert server.methods == (["OPTIONS"] if mode == "last-wins" else [])
        circuit.write(b"DESCRIBE * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        await server.until(lambda: server.methods[-1:] == ["DESCRIBE"])
        assert len(server.peers) == 1
        await closed(circuit)


@both
@modes
async def test_a_dead_address_beside_a_live_one_costs_little(monkeypatch, mode, secure):
    loop = asyncio.get_running_loop()
    async with raw_server(secure) as server:
        with silent_port("::1", server.port):
            found_at(monkeypatch, "camera.test", "::1", "127.0.0.1")
            tls = await trusted(server)
            begun = loop.time()
            racing = Racing() if mode != "none" else Racing(timeout=0.4)
            circuit = await connected("camera.test", server.port, tls, racing=racing, mode=mode)
            assert 0.19 < loop.time() - begun < 0.4
            assert circuit.peer_host == "127.0.0.1"
            await closed(circuit)


@modes
async def test_an_address_that_refuses_costs_nothing(monkeypatch, mode):
    loop = asyncio.get_running_loop()
    async with RawServer() as server:
        found_at(monkeypatch, "camera.test", "::1", "127.0.0.1")
        begun = loop.time()
        circuit = await connected("camera.test", server.port, mode=mode)
        assert loop.time() - begun < 0.1
        await closed(circuit)


@both
@modes
async def test_silence_ends_at_the_budget(mode, secure):
    loop = asyncio.get_running_loop()
    inventory = Inventory()
    with silent_port("127.0.0.1") as port:
        tls = await tls_context(TLS(ca=AUTHORITY)) if secure else None
        begun = loop.time()
        words = rf"^connect: no connection to 127.0.0.1:{port} within 0.3 s$"
        with pytest.raises(DeadlineExceeded, match=words) as caught:
            await connected("127.0.0.1", port, tls, racing=QUICK, mode=mode)
        assert 0.28 < loop.time() - begun < 0.4
        assert (caught.value.phase, caught.value.seconds) == ("connect", 0.3)
    await inventory.assert_nothing_left()


@pytest.mark.parametrize("mode", ["first-wins", "last-wins"])
async def test_a_server_that_takes_the_connection_and_says_nothing_ends_at_the_budget(mode):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        tls = await tls_context() if mode == "first-wins" else None
        begun = loop.time()
        with pytest.raises(DeadlineExceeded):
            await connected("127.0.0.1", port, tls, racing=QUICK, mode=mode)
        assert 0.28 < loop.time() - begun < 0.4


async def test_every_cause_is_kept(monkeypatch):
    async with RawServer() as server:
        pass  # its port is free now
    found_at(monkeypatch, "camera.test", "::1", "127.0.0.1", "127.0.0.2")
    words = rf"^no connection to camera.test:{server.port} \(connection refused\)$"
    with pytest.raises(ConnectError, match=words) as caught:
        await connected("camera.test", server.port)
    assert [type(cause) for cause in caught.value.causes] == [ConnectionRefusedError] * 3
    assert (caught.value.retryable, caught.value.phase) == (True, "connect")
    with pytest.raises(ConnectError, match=rf"^no connection to \[::1\]:{server.port} "):
        await connected("::1", server.port)


async def test_without_descriptors_it_is_a_typed_error_and_works_again_afterwards():
    async with RawServer() as server:
        used = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as lowest:
            number = lowest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, used[1]))
        try:
            with pytest.raises(ConnectError, match="too many open files"):
                await connected("127.0.0.1", server.port)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, used)
        await closed(await connected("127.0.0.1", server.port))


# -- last-wins --------------------------------------------------------------------------------


@both
async def test_last_wins_keeps_the_connection_that_answers(secure):
    first = []

    def answer(request, peer):
        if not first:
            first.append(peer)
        return None if peer is first[0] else reply(request)

    async with raw_server(secure, answers={"OPTIONS": answer}) as server:
        tls = await trusted(server)
        circuit = await connected("127.0.0.1", server.port, tls, racing=QUICK, mode="last-wins")
        assert len(server.peers) == 2
        async with asyncio.timeout(5):
            await first[0].closed
        circuit.write(b"DESCRIBE * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        await server.until(lambda: server.methods == ["OPTIONS", "OPTIONS", "DESCRIBE"])
        await closed(circuit)


@both
async def test_what_came_behind_the_proof_is_the_circuits_first_data(secure):
    more = b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\n\r\n$\0\0\4"
    seen, changed = [], asyncio.Event()

    def on_data(view: memoryview, now: float) -> int:
        seen.append(bytes(view))
        changed.set()
        return 0 if len(seen) > 1 else 4

    async with raw_server(secure, answers={"OPTIONS": lambda r, _: reply(r) + more}) as server:
        circuit = await open_circuit(
            "127.0.0.1", server.port, on_data, ignore, tls=await trusted(server), mode="last-wins"
        )
        assert seen == [more]
        changed.clear()
        server.peers[0].write(b"rest")
        async with asyncio.timeout(5):
            await changed.wait()
        assert seen == [more, more[-4:] + b"rest"]
        await closed(circuit)


# -- TLS --------------------------------------------------------------------------------------

WRONG = {
    "not signed by anybody known": ("camera", TLS(), "not trusted"),
    "signed by itself": ("self_signed", TLS(ca=AUTHORITY), "not trusted"),
    "of another name": ("elsewhere", TLS(ca=AUTHORITY), "server_name"),
    "expired": ("expired", TLS(ca=AUTHORITY), "has expired"),
    "not the one": ("camera", TLS(fingerprint=fingerprint("elsewhere")), "TLS.fingerprint"),
}


@modes
@pytest.mark.parametrize(("name", "tls", "words"), WRONG.values(), ids=WRONG)
async def test_a_bad_certificate_ends_it_at_once(monkeypatch, mode, name, tls, words):
    context = await tls_context(tls)
    loop = asyncio.get_running_loop()
    async with RawServer(tls=server_context(name)) as server:
        found_at(monkeypatch, "localhost", "127.0.0.1", "127.0.0.1", "127.0.0.2")
        begun = loop.time()
        with pytest.raises(ConnectError, match=words) as caught:
            await connected("localhost", server.port, context, mode=mode)
        assert loop.time() - begun < 0.2
        assert (caught.value.retryable, caught.value.phase) == (False, "tls")
        assert len(server.peers) <= 1  # it was not tried again on another address
        assert server.methods == []


async def test_a_server_without_tls_gets_no_request_in_the_clear():
    received = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(4096))
        writer.write(b"RTSP/1.0 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError, match="is no TLS: is this an rtsp:// port"):
            await connected("127.0.0.1", port, await tls_context(TLS(insecure=True)))
    assert [data[:2] for data in received] == [b"\x16\x03"]
    assert b"RTSP" not in received[0]


async def test_a_handshake_that_is_cut_off_may_be_tried_again():
    def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError) as caught:
            await connected("127.0.0.1", port, await tls_context())
    assert caught.value.retryable
    assert caught.value.causes


async def test_a_context_of_the_users_verifies_as_it_says():
    async with raw_server(secure=True) as server:
        mine = ssl.create_default_context(cafile=AUTHORITY)
        await closed(await connected("localhost", server.port, await tls_context(mine)))
        other = ssl.create_default_context()
        with pytest.raises(ConnectError, match="not trusted"):
            await connected("localhost", server.port, await tls_context(other))


# -- cancellation -----------------------------------------------------------------------------


@both
@modes
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
async def test_cancelled_at_any_suspension_no_socket_is_left(monkeypatch, mode, secure, late):
    async with raw_server(secure) as server:
        tls = await trusted(server)
        found_at(monkeypatch, "camera.test", "127.0.0.2", "127.0.0.1")  # the first refuses
        inventory = Inventory()
        known = 0

        async def cancelled(at: tuple[int, ...]) -> tuple[Stepped, asyncio.Task[TcpCircuit]]:
            nonlocal known
            whole = connected("camera.test", server.port, tls, mode=mode)
            stepped = Stepped(whole, at, late=late)

            async def run() -> TcpCircuit:
                return await stepped

            task = asyncio.ensure_future(run())
            await asyncio.wait([task], timeout=5)
            if not task.cancelled():
                await closed(task.result())
            for peer in server.peers[known:]:
                await asyncio.wait([peer.closed], timeout=5)
            known = len(server.peers)
            return stepped, task

        uncancelled, task = await cancelled(())
        assert not task.cancelled()
        for k in range(1, uncancelled.suspensions + 1):
            stepped, task = await cancelled((k,))
            assert task.cancelled() or stepped.suspensions < k
            await inventory.assert_nothing_left()
        assert inventory.failures == []


@both
async def test_cancelled_after_any_number_of_turns_nothing_is_left(secure):
    async with raw_server(secure) as server:
        tls = await trusted(server)
        inventory = Inventory()
        for turns in range(40):
            task = asyncio.ensure_future(connected("127.0.0.1", server.port, tls, mode="last-wins"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=5)
            if not task.cancelled():
                await closed(task.result())
            for peer in server.peers:
                await asyncio.wait([peer.closed], timeout=5)
            await inventory.assert_nothing_left()
        assert inventory.failures == []

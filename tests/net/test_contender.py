"""One connection in a race: its options, its proof, and that its socket is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest
from addresses import silent_port
from certificates import AUTHORITY, server_context
from leaks import Inventory
from raw_server import RawServer, reply
from stepping import Stepped

from rtspkit.errors import RemoteProtocolError
from rtspkit.net.contender import Contender, connect, numeric_host
from rtspkit.net.resolver import resolve
from rtspkit.net.tls import TlsContext, tls_context
from rtspkit.options import TLS

QUESTION = b"OPTIONS * RTSP/1.0\r\nCSeq: 0\r\n\r\n"
both = pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])


async def opened(server: RawServer, *, write: float = 10.0) -> Contender:
    (address,) = await resolve(server.host, server.port)
    return await connect(address, write=write, tls=await context(server), host=server.host)


async def context(server: RawServer) -> TlsContext | None:
    return None if server.tls is None else await tls_context(TLS(ca=AUTHORITY))


def raw_server(secure: bool, **options: object) -> RawServer:
    return RawServer(tls=server_context() if secure else None, **options)


@both
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_knows_both_ends(secure, host):
    async with raw_server(secure, host=host) as server:
        contender = await opened(server)
        assert (contender.peer_host, contender.local_host) == (host, host)
        assert (contender.channel is not None) == secure
        contender.close()
        contender.close()


async def test_the_system_is_told_to_notice_a_dead_peer():
    async with RawServer() as server:
        contender = await opened(server, write=2.5)
        get = contender.sock.getsockopt
        assert get(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert get(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        expected = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}
        expected["TCP_USER_TIMEOUT"] = 3500
        there = {name: value for name, value in expected.items() if hasattr(socket, name)}
        found = {name: get(socket.IPPROTO_TCP, getattr(socket, name)) for name in there}
        assert found == there
        contender.close()


@both
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "551 Option not supported"])
async def test_any_answer_is_a_proof(secure, status):
    async with raw_server(secure, answers={"OPTIONS": lambda r, _: reply(r, status)}) as server:
        contender = await opened(server)
        await contender.prove(QUESTION)
        assert contender.early == b""
        assert server.methods == ["OPTIONS"]
        contender.close()


@both
async def test_what_comes_behind_the_answer_is_kept(secure):
    more = b"$\0\0\4half of a frame, and" + bytes(1000)

    def answer(request, peer):
        before = b"\r\nGET_PARAMETER * RTSP/1.0\r\nCSeq: 9\r\n\r\n"
        return before + reply(request, body=b"a body") + more

    async with raw_server(secure, answers={"OPTIONS": answer}) as server:
        contender = await opened(server)
        await contender.prove(QUESTION)
        assert contender.early == more
        contender.close()


@both
async def test_an_answer_in_pieces_is_put_together(secure):
    async with raw_server(secure, answers={"OPTIONS": None}) as server:

        def answer(request, peer):
            pieces = iter(reply(request, body=b"x" * 50))

            def write_one() -> None:
                for byte in pieces:
                    peer.write(bytes([byte]))
                    asyncio.get_running_loop().call_soon(write_one)
                    return

            write_one()

        server.answers["OPTIONS"] = answer
        contender = await opened(server)
        async with asyncio.timeout(5):
            await contender.prove(QUESTION)
        contender.close()


@both
async def test_a_server_that_closes_without_an_answer_has_proven_nothing(secure):
    def hang_up(request, peer):
        peer.transport.close()

    async with raw_server(secure, answers={"OPTIONS": hang_up}) as server:
        contender = await opened(server)
        with pytest.raises(ConnectionResetError, match="before it answered"):
            await contender.prove(QUESTION)
        contender.close()


async def test_what_is_no_rtsp_is_an_error_of_its_own():
    async with RawServer(greeting=b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        contender = await opened(server)
        with pytest.raises(RemoteProtocolError):
            await contender.prove(QUESTION)
        contender.close()


@both
async def test_cancelled_at_any_suspension_no_socket_is_left(secure):
    async with raw_server(secure) as server:
        tls = await context(server)
        inventory = Inventory()

        async def whole() -> None:
            (address,) = await resolve(server.host, server.port)
            contender = await connect(address, write=1.0, tls=tls, host=server.host)
            try:
                await contender.prove(QUESTION)
            finally:
                contender.close()

        async def cancelled(at: tuple[int, ...]) -> tuple[Stepped, asyncio.Task[None]]:
            stepped = Stepped(whole(), at)

            async def run() -> None:
                await stepped

            task = asyncio.ensure_future(run())
            await asyncio.wait([task], timeout=5)
            for peer in server.peers:
                await asyncio.wait([peer.closed], timeout=5)
            return stepped, task

        uncancelled, task = await cancelled(())
        assert task.exception() is None
        assert uncancelled.suspensions >= 1
        for k in range(1, uncancelled.suspensions + 1):
            stepped, task = await cancelled((k,))
            assert task.cancelled() or stepped.suspensions < k
            await inventory.assert_nothing_left()


async def test_a_connect_that_waits_is_cancelled_cleanly():
    inventory = Inventory()
    with silent_port("127.0.0.1") as port:
        (address,) = await resolve("127.0.0.1", port)
        task = asyncio.ensure_future(connect(address, write=1.0))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    await inventory.assert_nothing_left()


@pytest.mark.parametrize(
    ("address", "host"),
    [
        (("127.0.0.1", 5), "127.0.0.1"),
        (("::1", 5, 0, 0), "::1"),
        (("fe80::1", 5, 0, 2), "fe80::1%2"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::1%2"),
    ],
)
def test_the_host_of_an_address_has_its_scope(address, host):
    assert numeric_host(address) == host

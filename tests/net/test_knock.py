"""Knocking: what is met is told, and nothing stays open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest
from own_certificate import DER, FINGERPRINT, server_context

from rtspkit.net.knock import knock, shake_hands
from rtspkit.net.resolver import Address
from rtspkit.net.tls import tls_context
from rtspkit.options import TLS

LONG = 10.0  # seconds: never passes


def at(port: int) -> Address:
    return socket.AF_INET, ("127.0.0.1", port)


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    done: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield at(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        if done:
            await asyncio.wait(done)
        await server.wait_closed()


@pytest.fixture
def closed() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return at(one.getsockname()[1])


@pytest.fixture
def full() -> Iterator[Address]:
    """Takes no connection: as many as it has room for are waiting already."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield at(listener.getsockname()[1])


async def test_a_port_that_is_open():
    async with listening() as address:
        found = await knock(address, timeout=LONG)
    assert found.error is None
    assert found.host == "127.0.0.1"
    assert 0 < found.seconds < LONG


async def test_a_port_that_is_closed(closed):
    found = await knock(closed, timeout=LONG)
    assert isinstance(found.error, ConnectionRefusedError)


async def test_a_port_that_says_nothing(full):
    found = await knock(full, timeout=0.05)
    assert isinstance(found.error, TimeoutError)
    assert found.seconds >= 0.04


async def test_a_certificate_that_is_trusted(tmp_path):
    async with listening(server_context(tmp_path)) as address:
        tls = await tls_context(TLS(ca=str(tmp_path / "own.pem")))
        found = await shake_hands(address, "localhost", tls, timeout=LONG)
    assert found.error is None
    assert found.version.startswith("TLSv1.")
    assert found.certificate == DER


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_that_nobody_trusts_is_looked_at_all_the_same(tmp_path, host):
    async with listening(server_context(tmp_path)) as address:
        found = await shake_hands(address, host, await tls_context(), timeout=LONG)
    assert isinstance(found.error, ssl.SSLCertVerificationError)
    assert found.certificate == DER


async def test_a_name_that_the_certificate_is_not_for_is_refused(tmp_path):
    async with listening(server_context(tmp_path)) as address:
        tls = await tls_context(TLS(ca=str(tmp_path / "own.pem")))
        found = await shake_hands(address, "elsewhere", tls, timeout=LONG)
    assert isinstance(found.error, ssl.SSLCertVerificationError)


async def test_a_fingerprint_is_left_to_the_caller(tmp_path):
    async with listening(server_context(tmp_path)) as address:
        tls = await tls_context(TLS(fingerprint=FINGERPRINT))
        found = await shake_hands(address, "elsewhere", tls, timeout=LONG)
    assert found.error is None
    assert found.certificate == DER


async def test_a_server_without_tls_is_told():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"RTSP/1.0 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        address = at(server.sockets[0].getsockname()[1])
        found = await shake_hands(address, "localhost", await tls_context(), timeout=LONG)
    assert found.certificate is None
    assert isinstance(found.error, OSError)


async def test_a_server_that_says_nothing_is_given_up():
    async with listening() as address:
        found = await shake_hands(address, "localhost", await tls_context(), timeout=0.05)
    assert isinstance(found.error, TimeoutError)
    assert found.certificate is None


async def test_a_closed_port_has_no_certificate(closed):
    found = await shake_hands(closed, "localhost", await tls_context(), timeout=LONG)
    assert isinstance(found.error, ConnectionRefusedError)


async def test_one_who_gives_up_leaves_nothing_behind(full):
    task = asyncio.ensure_future(knock(full, timeout=LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

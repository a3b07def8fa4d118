from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from certificates import AUTHORITY, server_context

from rtspkit.testing.listener import LOOPBACK, Listener


async def reaches(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_listens_on_one_port_of_every_address_that_exists():
    listener = await Listener.open(asyncio.Protocol)
    assert [await reaches(host, listener.port) for host in LOOPBACK] == [True, True]
    await listener.aclose()
    assert [await reaches(host, listener.port) for host in LOOPBACK] == [False, False]
    await listener.aclose()


async def test_an_address_that_is_not_there_is_left_out_unless_it_is_the_first():
    listener = await Listener.open(asyncio.Protocol, hosts=("127.0.0.1", "192.0.2.1"))
    assert await reaches("127.0.0.1", listener.port)
    await listener.aclose()
    with pytest.raises(OSError, match=r".*"):
        await Listener.open(asyncio.Protocol, hosts=("192.0.2.1", "127.0.0.1"))


async def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r".*"):
        await Listener.open(asyncio.Protocol, port=taken.getsockname()[1])


async def test_a_port_can_be_listened_at_again_at_once():
    first = await Listener.open(asyncio.Protocol)
    assert await reaches("127.0.0.1", first.port)
    await first.aclose()
    second = await Listener.open(asyncio.Protocol, port=first.port)
    assert second.port == first.port
    await second.aclose()


async def test_over_tls_it_shows_its_certificate():
    listener = await Listener.open(asyncio.Protocol, tls=server_context())
    for host in LOOPBACK:
        tls = ssl.create_default_context(cafile=AUTHORITY)
        _, writer = await asyncio.open_connection(host, listener.port, ssl=tls)
        assert writer.get_extra_info("peercert")["subject"][0][0][1] == "rtspkit test camera"
        writer.transport.abort()
    await listener.aclose()

from __future__ import annotations

import asyncio

import pytest
from rtspkit_raw import until

from rtspkit.testing.ports import bind_pair, open_pair


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_pair_is_an_even_port_and_the_next(host):
    for _ in range(20):
        pair = bind_pair(host)
        even, odd = (one.getsockname()[1] for one in pair)
        for one in pair:
            assert not one.getblocking()
            one.close()
        assert (even % 2, odd) == (0, even + 1)


async def test_a_foreign_address_is_an_error():
    with pytest.raises(OSError, match=r".*"):
        bind_pair("192.0.2.1")


async def test_sends_and_receives_and_closes():
    got: asyncio.Queue[tuple] = asyncio.Queue()
    first = await open_pair("127.0.0.1", lambda *what: got.put_nowait(what))
    second = await open_pair("127.0.0.1", lambda *what: got.put_nowait(what))
    assert first[1].send(b"x", ("127.0.0.1", second[1].port))
    assert await asyncio.wait_for(got.get(), 5) == (1, b"x", ("127.0.0.1", first[1].port))
    for port in (*first, *second):
        port.close()
        port.close()
        await port.closed
        assert not port.send(b"x", ("127.0.0.1", 9))


async def test_a_datagram_that_the_system_refuses_is_counted():
    pair = await open_pair("127.0.0.1", lambda *what: None)
    pair[0].send(bytes(70_000), ("127.0.0.1", pair[1].port))
    await until(lambda: pair[0].failed > 0)
    for port in pair:
        port.close()
        await port.closed

from __future__ import annotations

import asyncio

import pytest
from rtspkit_raw import until

from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link_relay import LinkRelay
from rtspkit.testing.ports import open_pair


class Side:
    """A pair of ports, and what came in at them."""

    async def open(self) -> None:
        self.got: asyncio.Queue[tuple[int, bytes, tuple]] = asyncio.Queue()
        self.ports = await open_pair("127.0.0.1", lambda *what: self.got.put_nowait(what))

    async def next(self) -> tuple[int, bytes, tuple]:
        return await asyncio.wait_for(self.got.get(), 5)

    async def close(self) -> None:
        for port in self.ports:
            port.close()
            await port.closed


async def make(client: Side, *, blocked: bool = False, **down) -> LinkRelay:
    return LinkRelay(
        0,
        seed=0,
        down=Impairment(**down),
        up=Impairment(),
        client_host=("127.0.0.1", 0),
        client=(client.ports[0].port, client.ports[1].port),
        server_host="127.0.0.1",
        host="127.0.0.1",
        blocked=lambda: blocked,
    )


async def test_relays_both_ways_on_both_ports():
    client, server = Side(), Side()
    await client.open()
    await server.open()
    relay = await make(client)
    relay.server = (server.ports[0].port, server.ports[1].port)
    assert relay.server == (server.ports[0].port, server.ports[1].port)
    server.ports[0].send(b"early", ("127.0.0.1", relay.toward_server[0]))
    await relay.open()
    for port in (0, 1):
        server.ports[port].send(b"down", ("127.0.0.1", relay.toward_server[port]))
        client.ports[port].send(b"up", ("127.0.0.1", relay.toward_client[port]))
    got = sorted([await client.next() for _ in range(3)])
    assert [(port, data) for port, data, _ in got] == [(0, b"down"), (0, b"early"), (1, b"down")]
    assert [address[1] for _, _, address in got[1:]] == list(relay.toward_client)
    assert sorted([(await server.next())[:2] for _ in range(2)]) == [(0, b"up"), (1, b"up")]
    assert relay.lane("down", "rtp").counters.delivered == 2
    await relay.aclose()
    await client.close()
    await server.close()


async def test_a_server_that_named_no_port_is_where_it_sends_from():
    client, server = Side(), Side()
    await client.open()
    await server.open()
    relay = await make(client)
    await relay.open()
    server.ports[1].send(b"report", ("127.0.0.1", relay.toward_server[1]))
    await client.next()
    client.ports[1].send(b"answer", ("127.0.0.1", relay.toward_client[1]))
    assert (await server.next())[:2] == (1, b"answer")
    await relay.aclose()
    await client.close()
    await server.close()


async def test_what_comes_while_blocked_counts_as_dropped():
    client, server = Side(), Side()
    await client.open()
    await server.open()
    relay = await make(client, blocked=True)
    await relay.open()
    counters = relay.lane("down", "rtp").counters
    server.ports[0].send(b"x", ("127.0.0.1", relay.toward_server[0]))
    await until(lambda: counters.received > 0)
    assert (counters.received, counters.dropped) == (1, 1)
    await relay.aclose()
    await client.close()
    await server.close()


@pytest.mark.parametrize("opened", [False, True])
async def test_closing_twice_leaves_no_socket_and_no_timer(opened):
    client = Side()
    await client.open()
    relay = await make(client, delay=60.0)
    if opened:
        await relay.open()
        client.ports[0].send(b"x", ("127.0.0.1", relay.toward_server[0]))
        await until(lambda: relay.lane("down", "rtp").counters.received > 0)
    relay.close()
    await relay.aclose()
    await relay.aclose()
    assert relay.lane("down", "rtp").deadline is None
    await client.close()

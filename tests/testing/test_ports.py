from __future__ import annotations

import asyncio
import socket

import pytest
from rtspkit_raw import until

from rtspkit.testing.ports import DatagramPort, bind_pair, open_pair


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


async def test_a_burst_arrives_whole_and_in_order():
    got: asyncio.Queue[tuple] = asyncio.Queue()
    near = await open_pair("127.0.0.1", lambda *what: None)
    far = await open_pair("127.0.0.1", lambda *what: got.put_nowait(what))
    burst = [bytes([number]) * 900 for number in range(100)]
    for place, port in enumerate(far):
        assert near[0].send_many(burst, ("127.0.0.1", port.port)) == 100
        found = [await asyncio.wait_for(got.get(), 5) for _ in burst]
        assert [(at, data) for at, data, _ in found] == [(place, one) for one in burst]
    assert near[0].failed == 0
    for port in (*near, *far):
        port.close()
        await port.closed
    assert near[0].send_many(burst, ("127.0.0.1", far[0].port)) == 0


class FullSocket(socket.socket):
    """Has no room a few times."""

    full = 0

    def _look(self) -> None:
        if self.full:
            self.full -= 1
            raise BlockingIOError(11, "no room")

    def sendmsg(self, *what):  # type: ignore[override]
        self._look()
        return super().sendmsg(*what)

    def sendto(self, *what):  # type: ignore[override]
        self._look()
        return super().sendto(*what)


async def test_what_finds_no_room_waits_and_nothing_passes_it():
    got: asyncio.Queue[tuple] = asyncio.Queue()
    far = await open_pair("127.0.0.1", lambda *what: got.put_nowait(what))
    sock = FullSocket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    _, port = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: DatagramPort(sock, lambda *what: None), sock=sock
    )
    sock.full = 2  # for the burst, and for the first one that goes through the loop
    for begin in (0, 4):
        burst = [bytes([number]) for number in range(begin, begin + 4)]
        assert port.send_many(burst, ("127.0.0.1", far[0].port)) == 4
    assert port.send(b"last", ("127.0.0.1", far[0].port))
    found = [(await asyncio.wait_for(got.get(), 5))[1] for _ in range(9)]
    assert found == [*(bytes([number]) for number in range(8)), b"last"]
    assert port.failed == 0
    for one in (port, *far):
        one.close()
        await one.closed


async def test_a_datagram_of_a_burst_that_the_system_refuses_is_counted():
    pair = await open_pair("127.0.0.1", lambda *what: None)
    address = ("127.0.0.1", pair[1].port)
    assert pair[0].send_many([b"x", bytes(70_000), b"y"], address) == 3
    assert pair[0].failed == 1
    for port in pair:
        port.close()
        await port.closed

"""The loop's own datagram transport."""

from __future__ import annotations

import asyncio
import socket

from rtspkit.net.clock import monotonic_clock
from rtspkit.net.endpoint import Endpoint
from rtspkit.wire.datagrams import Datagrams


def bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.setblocking(False)
    return one


async def test_what_arrives_together_is_handed_on_together_without_a_copy():
    batches: list[Datagrams] = []
    done = asyncio.Event()

    def take(datagrams: Datagrams) -> None:
        batches.append(datagrams)
        done.set()

    endpoint = Endpoint(
        take,
        lambda address: address[0] == "127.0.0.1",
        monotonic_clock(asyncio.get_running_loop()),
    )
    data = [b"one", b"two"]
    for each in data:
        endpoint.datagram_received(each, ("127.0.0.1", 1))
    endpoint.datagram_received(b"evil", ("127.0.0.2", 1))
    endpoint.datagram_received(b"", ("127.0.0.1", 1))
    await done.wait()
    (datagrams,) = batches
    assert list(datagrams) == data
    assert [view.obj for view in datagrams.views] == data
    assert datagrams.views[0].obj is data[0]
    assert endpoint.calls == 4
    endpoint.error_received(OSError("unreachable"))
    assert endpoint.errors == 1


async def test_it_reads_the_socket_until_it_is_closed():
    done = asyncio.Event()
    taken: list[bytes] = []

    def take(datagrams: Datagrams) -> None:
        taken.extend(map(bytes, datagrams))
        done.set()

    sock, sender = bound(), bound()
    address = sock.getsockname()
    endpoint = Endpoint(take, lambda address: True, monotonic_clock(asyncio.get_running_loop()))
    endpoint.start(sock)
    sender.sendto(b"there", address)
    async with asyncio.timeout(5):
        await done.wait()
    assert taken == [b"there"]
    endpoint.close()
    endpoint.close()
    sender.sendto(b"too late", address)
    for _ in range(5):
        await asyncio.sleep(0)
    assert taken == [b"there"]
    assert sock.fileno() == -1
    sender.close()

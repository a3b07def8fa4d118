from __future__ import annotations

import asyncio

import pytest
from rtspkit_raw import RawClient, until

from rtspkit.testing.camera import Camera
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link
from rtspkit.testing.listener import Listener


class Sink(asyncio.Protocol):
    """A server that takes what it gets, reads nothing while it is told so, and echoes the end."""

    def __init__(self) -> None:
        self.size = 0
        self.ended = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.size += len(data)

    def connection_lost(self, exc):
        self.ended.set()


async def test_a_client_that_leaves_at_once_leaves_nothing_behind():
    async with Camera() as camera, Link(camera.url) as link:
        async with RawClient(link.url):
            pass
        await until(lambda: not link.circuits and link.connections_made > 0)
        await camera.wait_until(lambda: camera.connections == [])


async def test_the_relays_of_a_circuit_end_with_it():
    async with Camera() as camera, Link(camera.url) as link:
        async with RawClient(link.url) as client:
            await client.set_up(0, transport="udp")
        await until(lambda: not link.circuits)
        (relay,) = link.relays
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection("127.0.0.1", relay.toward_client[0])


async def test_every_byte_arrives_through_a_narrow_link_before_the_end_does():
    sinks: list[Sink] = []

    def factory() -> Sink:
        sinks.append(Sink())
        return sinks[-1]

    server = await Listener.open(factory, hosts=("127.0.0.1",))
    narrow = Impairment(queue=10_000, rate=20_000_000)
    async with (
        Link(f"rtsp://127.0.0.1:{server.port}/x", tcp_up=narrow) as link,
        RawClient(link.url) as client,
    ):
        client.output.write(b"\0" * 1_000_000)
        client.output.write_eof()
        await until(lambda: bool(sinks))
        async with asyncio.timeout(5):
            await sinks[0].ended.wait()
    assert sinks[0].size == 1_000_000
    await server.aclose()


async def test_a_reset_of_the_server_ends_the_client_too():
    async with Camera() as camera, Link(camera.url) as link, RawClient(link.url) as client:
        await client.request("OPTIONS")
        camera.kill()
        assert await client.input.read() == b""

"""How the bytes came in: the sums over the sockets of a session."""

from __future__ import annotations

import asyncio
from dataclasses import fields

import pytest

import rtspkit
from rtspkit.client.reading import Reading, measure
from rtspkit.engine.statistics import SessionStats
from rtspkit.net.batch import recvmmsg_works
from rtspkit.net.slab import SlabPool, pool_of
from rtspkit.testing.camera import Camera

SHORT = rtspkit.Timeouts(bye_grace=0.05)
RECEIVERS = ["recvmmsg", "recv_into", "datagram"]


def test_its_numbers_are_those_of_the_statistics():
    names = {field.name for field in fields(Reading)} - {"kernel_dropped_by_stream"}
    assert names <= {field.name for field in fields(SessionStats)}


def test_without_a_socket_all_is_nothing():
    reading = measure({}, None, SlabPool(1000))
    assert (reading.receiver, reading.wake_ups, reading.system_calls) == ("", 0, 0)
    assert (reading.largest_batch, reading.receive_buffer, reading.kernel_dropped) == (0, 0, 0)
    assert reading.kernel_dropped_by_stream == {}
    assert reading.pool.limit == 1000


@pytest.mark.parametrize("receiver", RECEIVERS)
async def test_udp_is_read_in_the_way_that_was_asked_for(receiver):
    if receiver == "recvmmsg" and not recvmmsg_works():
        pytest.skip("this system has no recvmmsg")
    async with Camera(packets=100, speed=50) as camera:
        options = {"transport": "udp", "receiver": receiver, "timeouts": SHORT}
        async with rtspkit.connect(camera.url, **options) as session:
            packets = [packet async for packet in session.packets()]
            stats = session.stats()
    assert len(packets) == stats.packets == 200
    assert stats.receiver == receiver
    assert 0 < stats.wake_ups <= 250
    assert stats.wake_ups <= stats.system_calls
    assert 1 <= stats.largest_batch <= 200
    assert stats.receive_buffer > 0
    assert stats.kernel_dropped == sum(stream.kernel_dropped for stream in stats.streams) == 0
    assert stats.zero_copy > 0.99


async def test_tcp_is_a_stream():
    async with Camera(packets=100, speed=50) as camera:
        options = {"transport": "tcp", "timeouts": SHORT}
        async with rtspkit.connect(camera.url, **options) as session:
            assert len([packet async for packet in session.packets()]) == 200
            stats = session.stats()
    assert stats.receiver == "stream"
    assert stats.wake_ups == stats.system_calls > 0
    assert (stats.receive_buffer, stats.kernel_dropped, stats.joined) == (0, 0, 0)


async def test_the_pool_is_that_of_the_loop_and_as_large_as_somebody_asked():
    loop = asyncio.get_running_loop()
    limits = rtspkit.Limits(slab_memory=pool_of(loop).limit + 4096)
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, transport="tcp", limits=limits) as one,
        rtspkit.connect(camera.url, transport="udp") as other,
    ):
        await anext(one.packets())
        await anext(other.packets())
        assert one.stats().pool.limit == other.stats().pool.limit == limits.slab_memory
        assert one.stats().pool == other.stats().pool
        assert one.stats().pool.pinned_slabs >= 1
        assert one.stats().pool == pool_of(loop).stats()

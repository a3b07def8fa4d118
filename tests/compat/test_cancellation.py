"""Wherever a cancellation strikes in aiortsp's manner, nothing is left, here or on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine

import pytest
from leaks import Inventory
from stepping import Stepped

from rtspkit.compat.aiortsp import (
    RTPTransportClient,
    RTSPConnection,
    RTSPMediaSession,
    RTSPReader,
    transport_for_scheme,
)
from rtspkit.testing.camera import Camera

Program = Callable[[Camera, str], Coroutine[object, object, int]]


async def simply(camera: Camera, scheme: str) -> int:
    """The reader's whole life."""
    number = 0
    async with RTSPReader(camera.url.replace("rtsp", scheme), run_loop=True) as reader:
        async for _ in reader.iter_packets():
            number += 1
            if number == 5:
                break
    return number


async def by_hand(camera: Camera, scheme: str) -> int:
    """The same, with each part by itself."""
    enough = asyncio.Event()

    class Client(RTPTransportClient):
        number = 0

        def handle_rtp(self, rtp):
            self.number += 1
            if self.number == 5:
                enough.set()

    async with (
        RTSPConnection("127.0.0.1", camera.port) as connection,
        transport_for_scheme(scheme)(connection) as transport,
    ):
        transport.subscribe(Client())
        async with RTSPMediaSession(connection, camera.url, transport) as session:
            await session.play()
            await enough.wait()
            await session.pause()
    return 5


async def run_cancelled(
    program: Program, camera: Camera, scheme: str, at: Collection[int]
) -> tuple[Stepped, bool]:
    """Run, cancelled at some suspensions; whether it came to its end all the same."""
    stepped = Stepped(program(camera, scheme), at)

    async def run() -> int:
        return await stepped

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=5)
    assert task.done()
    return stepped, not task.cancelled() and task.result() == 5


@pytest.mark.parametrize(
    ("scheme", "gap"), [("rtspu", 0), ("rtspt", 0), ("rtspt", 1), ("rtspt", 2)]
)
@pytest.mark.parametrize("program", [simply, by_hand])
async def test_cancelled_at_any_suspension_nothing_is_left(program, scheme, gap):
    async with Camera(speed=20) as camera:
        inventory = Inventory()
        uncancelled, finished = await run_cancelled(program, camera, scheme, ())
        assert finished
        made = camera.sessions_made
        for k in range(1, uncancelled.suspensions + 1):
            _, finished = await run_cancelled(program, camera, scheme, {k, k + gap})
            assert not finished, f"the cancellation at suspension {k} was swallowed"
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert camera.sessions_made > made
        assert inventory.failures == []

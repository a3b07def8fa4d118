"""FAULTS.md, "always": after a fault, nothing of the session is left in memory."""

from __future__ import annotations

import gc
import weakref

import pytest
from faulty import clean_camera, open_plainly

from rtspkit import ConnectionLost

DOORS = ["packets", "batches", "access_units"]


async def read_all(door) -> None:
    async for _ in door:
        pass


async def play_until_it_is_lost(url: str, camera, door: str) -> weakref.ref:
    """The session, as one who does not hold it."""
    async with open_plainly(url, transport="tcp") as session:
        opened = getattr(session, door)()
        await anext(opened)
        camera.kill()
        with pytest.raises(ConnectionLost):
            await read_all(opened)
        return weakref.ref(session)


async def play_until_it_is_enough(url: str, door: str) -> weakref.ref:
    async with open_plainly(url, transport="tcp") as session:
        async for _ in getattr(session, door)():
            break
        return weakref.ref(session)


@pytest.mark.parametrize("door", DOORS)
async def test_a_session_that_was_left_is_forgotten(door):
    async with clean_camera(speed=5) as camera:
        left = [await play_until_it_is_enough(camera.url, door) for _ in range(3)]
        gc.collect()
        assert [session() for session in left] == [None] * 3


@pytest.mark.parametrize("door", DOORS)
async def test_a_session_that_was_lost_is_forgotten(door):
    async with clean_camera(speed=5) as camera:
        lost = [await play_until_it_is_lost(camera.url, camera, door) for _ in range(3)]
        gc.collect()
        assert [session() for session in lost] == [None] * 3

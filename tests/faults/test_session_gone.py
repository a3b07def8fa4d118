"""FAULTS.md, 21: the server answers 454 in the middle of a session."""

from __future__ import annotations

import asyncio

import pytest
from faulty import Consumer, Originals, clean_camera, open_plainly, steps, units_until, wait

from rtspkit import SessionNotFound
from rtspkit.engine.events import SessionRestored
from rtspkit.testing.actions import Reply

pytestmark = pytest.mark.virtual_clock

AGAIN = 1.0  # seconds from the 454 to the next access unit


class Forgetful:
    """A camera that forgets its sessions now; tells when it has said so for the first time."""

    def __init__(self, camera) -> None:
        self.at: float | None = None
        loop = asyncio.get_running_loop()
        camera.end_sessions()

        def note(request):
            if self.at is None and request.method in ("GET_PARAMETER", "OPTIONS"):
                self.at = loop.time()

        camera.on_request = note


@pytest.mark.parametrize("timeout", [4.0, 20.0])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_after_454_the_session_is_set_up_again_within_a_second(transport, timeout):
    loop = asyncio.get_running_loop()
    async with clean_camera(session_timeout=timeout) as camera:
        originals = Originals(camera)
        async with open_plainly(camera.url, transport=transport) as session:
            units = session.access_units("video")
            before = await units_until(units, lambda unit: unit.media_time > 2.0)
            forgetful = Forgetful(camera)
            after = await units_until(units, lambda unit: unit.discontinuity)
            taken = loop.time() - forgetful.at  # the keep-alive has found it out
            after += await units_until(units, lambda unit: loop.time() > forgetful.at + 5)
            assert session.state == "playing"
        assert (camera.connections_made, camera.sessions_made) == (1, 2)
        assert camera.sessions_expired == 0
        restored = [e async for e in session.events() if isinstance(e, SessionRestored)]
    assert taken < AGAIN
    assert len(restored) == 1
    assert restored[0].seconds < AGAIN
    fresh = after[next(i for i, unit in enumerate(after) if unit.discontinuity) :]
    assert fresh[0].keyframe
    assert all(unit.complete for unit in fresh)
    assert originals.corrupt(fresh) == []
    times = [unit.media_time for unit in before + after]
    assert times == sorted(times)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_454_again_and_again_is_survived_each_time(transport):
    async with clean_camera(session_timeout=60.0) as camera:
        async with open_plainly(camera.url, transport=transport) as session:
            for turn in range(10):
                await wait(0.5)
                camera.end_sessions()
                with pytest.raises(SessionNotFound):
                    await session.get_parameter()
                await session.get_parameter()  # waits until it is there again
                assert camera.sessions_made == turn + 2
            await anext(session.packets())
        assert camera.connections_made == 1


async def test_454_to_the_keep_alive_of_a_session_that_plays_on():
    """A server that has lost count, and not the session: media never stops for long."""
    async with clean_camera(session_timeout=10.0) as camera:
        camera.script("GET_PARAMETER", Reply(454), nth=1)
        async with open_plainly(camera.url, transport="udp") as session:
            async with Consumer(session.packets("video")) as consumer:
                await wait(15.0)
                arrivals = [packet.arrival for packet in consumer.items]
            assert session.state == "playing"
        await camera.wait_until(lambda: not camera.sessions, timeout=20)
    pauses = steps(arrivals)
    assert max(pauses) < AGAIN

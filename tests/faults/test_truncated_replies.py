"""FAULTS.md, 14: every reply cut off at every byte."""

from __future__ import annotations

import asyncio

import pytest
from faulty import clean_camera, open_plainly

from rtspkit import ConnectionLost, RemoteProtocolError, RtspError
from rtspkit.testing.actions import Action, Exchange, Truncate
from rtspkit.testing.camera import Camera

AT_ONCE = 0.05  # seconds; on the virtual clock: no time-out is waited for
TYPED = (ConnectionLost, RemoteProtocolError)

virtual_clock = pytest.mark.virtual_clock


class Measure(Action):
    """Note how long an answer is."""

    size = 0

    def shape(self, exchange: Exchange) -> None:
        self.size = len(b"".join(exchange.pieces))


async def live(camera: Camera) -> None:
    """A whole life, with a request in it."""
    async with open_plainly(camera.url, transport="tcp") as session:
        await anext(session.packets())
        await session.set_parameter(b"a: 1\r\n")


async def size_of(camera: Camera, method: str, nth: int) -> int:
    measure = Measure()
    rule = camera.script(method, measure, nth=nth)
    await live(camera)
    rule.cancel()
    return measure.size


@virtual_clock
@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize(
    ("method", "nth"),
    [("DESCRIBE", 1), ("SETUP", 1), ("SETUP", 2), ("PLAY", 1), ("SET_PARAMETER", 1)],
)
async def test_a_typed_error_at_once_at_every_byte(method, nth, end):
    loop = asyncio.get_running_loop()
    async with clean_camera(tracks=("PCMU", "PCMU"), server="") as camera:
        size = await size_of(camera, method, nth)
        assert size > 50
        for cut in range(0, size, 1 if end == "close" else 11):
            rule = camera.script(method, Truncate(cut, end), nth=nth)
            begun = loop.time()
            with pytest.raises(RtspError) as caught:
                await live(camera)
            taken = loop.time() - begun
            rule.cancel()
            assert isinstance(caught.value, TYPED), cut
            assert caught.value.phase in (method.lower(), "streaming"), cut
            assert taken < AT_ONCE, cut


@virtual_clock
async def test_a_teardown_cut_off_is_nobodys_problem():
    loop = asyncio.get_running_loop()
    async with clean_camera(tracks=("PCMU",), server="") as camera:
        size = await size_of(camera, "TEARDOWN", 1)
        for cut in range(size):
            session = await open_plainly(camera.url, transport="tcp")
            rule = camera.script("TEARDOWN", Truncate(cut))
            begun = loop.time()
            await session.aclose()
            assert loop.time() - begun < AT_ONCE
            assert session.state == "closed"
            rule.cancel()


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY", "SET_PARAMETER"])
async def test_over_either_loop_too(method):
    """Every byte is tried on the virtual clock: here, some."""
    async with clean_camera(tracks=("PCMU",), speed=20) as camera:
        size = await size_of(camera, method, 1)
        for cut in (0, 1, size // 2, size - 1):
            rule = camera.script(method, Truncate(cut))
            with pytest.raises(TYPED):
                await live(camera)
            rule.cancel()

"""FAULTS.md, 12: a server that answers a byte a second, or accepts and says nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from faulty import clean_camera, open_plainly

from rtspkit import DeadlineExceeded, RtspError, Timeouts
from rtspkit.testing.actions import Delay, Drop, Split

pytestmark = pytest.mark.virtual_clock

BUDGET = 5.0  # seconds
TIMEOUTS = Timeouts(connect=BUDGET)
TOLERANCE = 0.1  # seconds
A_BYTE_A_SECOND = Split(1, pause=1.0)
PHASES = ["DESCRIBE", "SETUP", "PLAY"]
SLOWNESSES = {"byte-a-second": A_BYTE_A_SECOND, "silent": Drop(performed=True), "late": Delay(20)}

# Who never learns the id of a session cannot take leave of it: the camera drops it in its own time.
PATIENT = {"session_timeout": 15.0, "patience": 60.0}


async def failure_within_the_budget(url: str, **options: object) -> RtspError:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(RtspError) as caught:
        await open_plainly(url, timeouts=TIMEOUTS, **options)
    assert loop.time() - begun == pytest.approx(BUDGET, abs=TOLERANCE)
    return caught.value


@pytest.mark.parametrize("slowness", SLOWNESSES.values(), ids=SLOWNESSES)
@pytest.mark.parametrize("transport", ["udp", "tcp", "auto"])
@pytest.mark.parametrize("method", PHASES)
async def test_connect_ends_at_its_budget_whichever_answer_is_slow(method, transport, slowness):
    async with clean_camera(**PATIENT) as camera:
        camera.script(method, slowness)
        error = await failure_within_the_budget(camera.url, transport=transport)
    assert isinstance(error, DeadlineExceeded)
    assert error.phase == method.lower()
    assert error.retryable


async def test_an_answer_that_takes_most_of_the_budget_is_waited_for():
    async with clean_camera() as camera:
        camera.script("DESCRIBE", Delay(1.5))
        camera.script("SETUP", Delay(1.0))
        camera.script("PLAY", Delay(1.0))
        async with open_plainly(camera.url, transport="tcp", timeouts=TIMEOUTS) as session:
            await anext(session.packets())


async def test_a_server_that_accepts_and_never_reads_costs_the_budget():
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts for it
        port = listener.getsockname()[1]
        error = await failure_within_the_budget(f"rtsp://127.0.0.1:{port}/x")
    assert isinstance(error, DeadlineExceeded)
    assert error.phase == "describe"


@asynccontextmanager
async def full_listener() -> AsyncIterator[int]:
    """A port of a host that takes no connection and refuses none."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        try:
            for _ in range(3):
                one = socket.socket()
                waiting.append(one)
                one.setblocking(False)
                try:
                    async with asyncio.timeout(0.5):
                        await loop.sock_connect(one, address)
                except TimeoutError:
                    break
            else:
                pytest.skip("this kernel takes more connections than it was told")
            yield address[1]
        finally:
            for one in waiting:
                one.close()


async def test_a_host_that_does_not_accept_costs_the_budget():
    async with full_listener() as port:
        error = await failure_within_the_budget(f"rtsp://127.0.0.1:{port}/x")
    assert isinstance(error, DeadlineExceeded)
    assert error.phase == "connect"


async def test_a_request_of_a_running_session_has_its_own_deadline_and_media_goes_on():
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(response=2.0)
    async with (
        clean_camera(**PATIENT) as camera,
        open_plainly(camera.url, transport="udp", timeouts=timeouts) as session,
    ):
        rule = camera.script("SET_PARAMETER", A_BYTE_A_SECOND)
        begun = loop.time()
        with pytest.raises(DeadlineExceeded):
            await session.set_parameter(b"a: 1\r\n")
        assert loop.time() - begun == pytest.approx(2.0, abs=TOLERANCE)
        rule.cancel()
        await anext(session.packets())
        assert session.state == "playing"


@pytest.mark.parametrize("slowness", SLOWNESSES.values(), ids=SLOWNESSES)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_taking_leave_ends_at_its_deadline(transport, slowness):
    loop = asyncio.get_running_loop()
    async with clean_camera(**PATIENT) as camera:
        session = await open_plainly(
            camera.url, transport=transport, timeouts=Timeouts(teardown=1.5)
        )
        await anext(session.packets())
        camera.script("TEARDOWN", slowness)
        begun = loop.time()
        await session.aclose()
        assert loop.time() - begun == pytest.approx(1.5, abs=TOLERANCE)
        assert session.state == "closed"

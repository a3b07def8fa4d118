"""FAULTS.md, 20: the server drops sessions that it hears nothing of."""

from __future__ import annotations

import asyncio

import pytest
from faulty import clean_camera, open_plainly, slow_track, wait

from rtspkit import DeadlineExceeded
from rtspkit.engine.keepalive import keepalive_interval

pytestmark = pytest.mark.virtual_clock

HOUR = 3600.0  # virtual seconds


@pytest.mark.parametrize(
    ("transport", "timeout", "state"),
    [
        ("udp", 1.0, "playing"),
        ("tcp", 5.0, "playing"),
        ("udp", 5.0, "paused"),
        ("udp", 60.0, "playing"),
        ("tcp", 60.0, "playing"),
        ("tcp", 60.0, "paused"),
    ],
)
async def test_an_hour_without_an_expiry(transport, timeout, state):
    asyncio.get_running_loop().hurry(2 * HOUR)
    options = {"tracks": [slow_track(8.0)], "report_interval": None}
    async with clean_camera(session_timeout=timeout, **options) as camera:
        async with open_plainly(camera.url, transport=transport) as session:
            if state == "paused":
                await session.pause()
            with pytest.raises(DeadlineExceeded):  # that is: it is not so for an hour
                await camera.wait_until(lambda: camera.sessions_expired > 0, timeout=HOUR)
            stats = session.stats()
            assert session.state == state
        assert camera.sessions_expired == 0
        assert (camera.sessions_made, camera.connections_made) == (1, 1)
    assert stats.keepalives == pytest.approx(HOUR / keepalive_interval(timeout), rel=0.02)


@pytest.mark.parametrize("timeout", [1.0, 20.0])
@pytest.mark.parametrize(
    "quirk",
    ["no-public", "options-404", "get-parameter-405", "get-parameter-501", "get-parameter-silent"],
)
async def test_a_server_that_is_choosy_about_keep_alives_drops_nobody(quirk, timeout):
    options = {"tracks": [slow_track(3.0)], "report_interval": None}
    async with clean_camera(session_timeout=timeout, quirks={quirk}, **options) as camera:
        async with open_plainly(camera.url, transport="udp") as session:
            await wait(min(8 * timeout, 130.0))
            assert session.state == "playing"
        assert camera.sessions_expired == 0

"""FAULTS.md, 8, 9 and 10 through the kernel: a firewall that resets, refuses or swallows.

Here nothing answers for the server: connects into a black hole are lost, as on a real network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from faulty import wait
from netlab_tools import FarCamera, load
from recovery import RECOVERY, brief_audio, brief_video, watched

from rtspkit import Timeouts

pytestmark = [
    pytest.mark.netlab,
    pytest.mark.asyncio(loop_factories=["uvloop"]),
]

SILENCE = 1.0
PLAYED = 1.0

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
def lab() -> Iterator[Any]:
    """A laboratory, with a camera at its far end as ``lab.far``; the test is at the near one."""
    netlab = load()
    with netlab.NetLab(ipv6=False) as lab:
        options = {"tracks": [brief_video(), brief_audio()], "session_timeout": 4.0}
        with FarCamera(lab.server, **options) as far, lab.client.inside():
            lab.far = far
            yield lab
            lab.heal()


@transports
async def test_a_firewall_that_resets_what_is_there(lab, transport):
    loop = asyncio.get_running_loop()
    async with watched(lab.far.url, transport=transport) as watch:
        await watch.played(PLAYED)
        at = loop.time()
        lab.reset_connections()
        serving = loop.time()
        back = await watch.recovered(at)
        assert back.at - serving < RECOVERY
        await watch.played(PLAYED)
        watch.assert_time_went_on()
        assert watch.session.stats().reconnects == 1


@transports
async def test_a_firewall_that_refuses_for_seconds(lab, transport):
    loop = asyncio.get_running_loop()
    async with watched(lab.far.url, transport=transport) as watch:
        await watch.played(PLAYED)
        at = loop.time()
        lab.refuse()
        lab.reset_connections()
        await wait(2.5)
        lab.heal()
        serving = loop.time()
        back = await watch.recovered(at)
        assert back.at - serving < RECOVERY


@pytest.mark.parametrize("seconds", [0.5, 2.3, 4.5])
@transports
async def test_a_black_hole(lab, transport, seconds):
    """It lasts for so many seconds after it was noticed."""
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=SILENCE)
    async with watched(lab.far.url, transport=transport, timeouts=timeouts) as watch:
        await watch.played(PLAYED)
        at = loop.time()
        lab.blackhole()
        await watch.until(lambda: watch.lost(at) < at + 10)
        assert abs(watch.lost(at) - at - SILENCE) <= 0.5
        await wait(seconds)
        lab.heal()
        serving = loop.time()
        back = await watch.recovered(at)
        assert back.at - serving < RECOVERY
        await watch.played(PLAYED)
        watch.assert_time_went_on()


async def test_a_connection_that_is_half_open(lab):
    """What was there is cut off silently; new connections pass."""
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=SILENCE)
    async with watched(lab.far.url, transport="tcp", timeouts=timeouts) as watch:
        await watch.played(PLAYED)
        at = loop.time()
        lab.half_open()
        back = await watch.recovered(at)
        assert abs(watch.lost(at) - at - SILENCE) <= 0.5
        assert back.at - watch.lost(at) < RECOVERY
        lab.heal()

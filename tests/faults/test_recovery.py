"""FAULTS.md, 8, 9 and 10: the server dies and comes back, resets, or falls silent."""

from __future__ import annotations

import asyncio

import pytest
from faulty import wait
from recovery import RECOVERY, brief_camera, left_clean, watched

from rtspkit import Retry, Timeouts
from rtspkit.engine.events import AttemptFailed, StateChanged
from rtspkit.testing.actions import Action, Exchange
from rtspkit.testing.link import Link

pytestmark = pytest.mark.virtual_clock

NOTICED = 0.1  # seconds: the connection ends with the server
PLAYED = 1.3  # seconds before each fault
SETTLED = 31.0  # seconds: sessions that are lost sooner, again and again, are taken for a limit
SILENCE = 2.0

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


class Silence(Action):
    """Requests that come on some connections are read, and nothing more."""

    def __init__(self, connections) -> None:
        self._connections = connections

    async def before(self, exchange: Exchange) -> None:
        if exchange.connection in self._connections:
            exchange.answer(None)


# -- 8: killed, and started again --------------------------------------------------------------


@pytest.mark.parametrize("outage", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("strategy", ["auto", "adaptive", "exponential-jitter"])
@transports
async def test_a_server_that_was_gone_for_seconds(transport, strategy, outage):
    loop = asyncio.get_running_loop()
    async with brief_camera() as camera:
        retry = Retry(strategy=strategy)
        async with watched(camera.url, transport=transport, retry=retry) as watch:
            await watch.played(PLAYED)
            killed = loop.time()
            await camera.aclose()
            await wait(outage)
            assert watch.session.state == "reconnecting"
            assert watch.lost(killed) - killed <= NOTICED
            await camera.start()
            serving = loop.time()
            back = await watch.recovered(killed)
            assert back.at - serving < RECOVERY
            assert back.unit.keyframe
            await watch.played(1.0)
            assert watch.session.state == "playing"
            watch.assert_time_went_on()
            stats = watch.session.stats()
        await left_clean(camera)
    assert stats.reconnects == len(watch.returns) == 1
    assert stats.outage == pytest.approx(back.at - killed, abs=0.5)
    failed = [event for event in watch.events if isinstance(event, AttemptFailed)]
    assert len(watch.attempts(killed)) == len(failed) + 1


@pytest.mark.parametrize("outage", [60.0, 600.0])
@transports
async def test_a_server_that_was_gone_for_long(transport, outage):
    loop = asyncio.get_running_loop()
    loop.hurry(2 * outage + 100)
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            await watch.played(PLAYED)
            killed = loop.time()
            await camera.aclose()
            await wait(outage)
            await camera.start()
            serving = loop.time()
            back = await watch.recovered(killed)
            attempts = watch.attempts(killed)
            assert back.at - serving <= attempts[-1].delay + RECOVERY
            begun = [event.at + event.delay for event in attempts]
            assert sum(at <= killed + 60 for at in begun) <= 12
            await watch.played(1.0)
        await left_clean(camera)


@transports
async def test_a_session_that_has_played_well_comes_back_from_each_of_many_outages(transport):
    loop = asyncio.get_running_loop()
    loop.hurry(600)
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            for outage in (0.3, 5.0, 1.1, 2.7, 0.0, 4.2):
                await watch.played(SETTLED)
                killed = loop.time()
                await camera.aclose()
                await wait(outage)
                await camera.start()
                serving = loop.time()
                back = await watch.recovered(killed)
                assert back.at - serving < RECOVERY
            await watch.played(1.0)
            watch.assert_time_went_on()
            assert watch.session.stats().reconnects == 6
        await left_clean(camera)


@transports
async def test_a_server_that_lets_everybody_down_each_second_is_not_worn_out(transport):
    loop = asyncio.get_running_loop()
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            begun = loop.time()
            while loop.time() < begun + 60:
                since = loop.time()
                await watch.played(1.0)
                camera.kill()
                await watch.recovered(since)
            assert camera.connections_made <= 12 + 1  # and the one that stands
        await left_clean(camera)


# -- 9: reset in the middle --------------------------------------------------------------------


@transports
async def test_a_reset_in_the_middle(transport):
    loop = asyncio.get_running_loop()
    loop.hurry(600)
    async with brief_camera() as camera, Link(camera.url) as link:
        async with watched(link.url, transport=transport) as watch:
            for number in range(5):
                await watch.played(PLAYED if number == 0 else SETTLED)
                at = loop.time()
                link.cut()
                back = await watch.recovered(at)
                assert watch.lost(at) - at <= NOTICED
                assert back.at - at < RECOVERY
            await watch.played(1.0)
            watch.assert_time_went_on()
            assert watch.session.stats().reconnects == 5
        await left_clean(camera)


@transports
async def test_a_reset_that_leaves_the_servers_session_alive(transport):
    """Over UDP the server streams on to ports that nobody holds: it is told to stop."""
    loop = asyncio.get_running_loop()
    async with brief_camera(max_sessions=1) as camera:
        async with watched(camera.url, transport=transport) as watch:
            await watch.played(PLAYED)
            at = loop.time()
            camera.kill(sessions=False)
            back = await watch.recovered(at)
            assert back.at - at < RECOVERY
            assert len(camera.sessions) == 1
        await left_clean(camera)
    assert camera.sessions_expired == 0


# -- 10: half-open, and a black hole -----------------------------------------------------------


@transports
async def test_a_black_hole_is_found_by_its_silence(transport):
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=SILENCE)
    async with brief_camera() as camera, Link(camera.url) as link:
        async with watched(link.url, transport=transport, timeouts=timeouts) as watch:
            await watch.played(PLAYED)
            stalled = loop.time()
            link.stall()
            await wait(SILENCE + 3.0)
            assert abs(watch.lost(stalled) - stalled - SILENCE) <= 0.5
            link.resume()
            serving = loop.time()
            back = await watch.recovered(stalled)
            assert back.at - serving < RECOVERY
            await watch.played(1.0)
            watch.assert_time_went_on()
        await left_clean(camera)
    assert watch.session.stats().reconnects == 1


@transports
async def test_a_short_black_hole_is_waited_out(transport):
    timeouts = Timeouts(media_silence=SILENCE)
    async with brief_camera() as camera, Link(camera.url) as link:
        async with watched(link.url, transport=transport, timeouts=timeouts) as watch:
            await watch.played(PLAYED)
            link.stall()
            await wait(SILENCE - 0.5)
            link.resume()
            await watch.played(2.0)
            states = [e.state for e in watch.events if isinstance(e, StateChanged)]
            assert "reconnecting" not in states
        await left_clean(camera)
    assert camera.connections_made == 1


@transports
async def test_a_connection_that_is_half_open(transport):
    """The server has forgotten us and says nothing; whoever comes anew is served."""
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(media_silence=SILENCE)
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport, timeouts=timeouts) as watch:
            await watch.played(PLAYED)
            at = loop.time()
            forgotten = list(camera.connections)
            for session in list(camera.sessions.values()):
                session.pause()
            camera.script(None, Silence(forgotten))
            back = await watch.recovered(at)
            assert abs(watch.lost(at) - at - SILENCE) <= 0.5
            assert back.at - watch.lost(at) < RECOVERY
            await watch.played(1.0)
        camera.end_sessions()
        await left_clean(camera)

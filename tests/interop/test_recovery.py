"""Sessions that come back to GStreamer's RTSP server: killed, stopped, or described otherwise.

The server takes a while to begin; recovery runs from when it says that it listens. Its encoder has
a keyframe every 0.48 s.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import ExitStack

import pytest
from interop_servers import GstServer, free_port, gst_server
from recovery import Watch, watched

from rtspkit import Timeouts
from rtspkit.engine.events import StreamChanged

pytestmark = [
    pytest.mark.interop,
    pytest.mark.asyncio(loop_factories=["uvloop"] if sys.platform != "win32" else ["asyncio"]),
]

RECOVERED = 2.0  # seconds: its pipeline starts anew with each session, an encoder in it
NOTICED = 0.1
SILENCE = 1.5
PLAYED = 1.0

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


class Mortal:
    """GStreamer's server at one port, one process after the other."""

    def __init__(self, stack: ExitStack) -> None:
        self.port = free_port()
        self._stack = stack
        self.server: GstServer

    async def start(self, mount: str = "/h264") -> float:
        """Serve ``mount`` as ``/live``; gives when it listens."""
        arguments = ("--port", str(self.port), "--alias", f"/live={mount}")
        loop = asyncio.get_running_loop()
        begin = self._stack.enter_context
        self.server = await loop.run_in_executor(None, lambda: begin(gst_server(*arguments)))
        return loop.time()

    def kill(self) -> None:
        self.server.process.kill()
        self.server.process.wait()

    def signal(self, number: int) -> None:
        os.kill(self.server.process.pid, number)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"


@pytest.fixture
def mortal(gstreamer: None):
    with ExitStack() as stack:
        yield Mortal(stack)


def names(watch: Watch) -> list[str]:
    return [stream.encoding_name for stream in watch.session.streams]


@both_transports
async def test_a_server_that_is_killed_and_started_again(mortal, transport):
    loop = asyncio.get_running_loop()
    await mortal.start()
    async with watched(mortal.url, transport=transport) as watch:
        await watch.played(PLAYED)
        killed = loop.time()
        mortal.kill()
        serving = await mortal.start()
        back = await watch.recovered(killed)
        assert watch.lost(killed) - killed < NOTICED
        assert back.at - serving < RECOVERED
        assert back.unit.keyframe
        await watch.played(PLAYED)
        watch.assert_time_went_on()
        assert watch.session.stats().reconnects == 1
        assert mortal.server.sessions == 1
    assert mortal.server.settle() == 0


@both_transports
async def test_a_server_that_stops_for_a_while_and_goes_on(mortal, transport):
    loop = asyncio.get_running_loop()
    await mortal.start()
    timeouts = Timeouts(media_silence=SILENCE)
    async with watched(mortal.url, transport=transport, timeouts=timeouts) as watch:
        await watch.played(PLAYED)
        stopped = loop.time()
        mortal.signal(signal.SIGSTOP)
        await watch.until(lambda: watch.lost(stopped) < stopped + 10)
        assert abs(watch.lost(stopped) - stopped - SILENCE) < 0.5
        mortal.signal(signal.SIGCONT)
        serving = loop.time()
        back = await watch.recovered(stopped)
        assert back.at - serving < RECOVERED
        await watch.played(PLAYED)
        watch.assert_time_went_on()
    assert mortal.server.settle() == 0


@both_transports
async def test_a_server_that_comes_back_with_h265(mortal, transport):
    loop = asyncio.get_running_loop()
    await mortal.start("/h264-sdp")
    async with watched(mortal.url, transport=transport) as watch:
        await watch.played(PLAYED)
        assert names(watch) == ["H264"]
        before = watch.session.streams[0]
        killed = loop.time()
        mortal.kill()
        serving = await mortal.start("/h265")
        back = await watch.recovered(killed)
        assert back.at - serving < RECOVERED
        await watch.played(PLAYED)
        assert names(watch) == ["H265"]
        (changed,) = [event for event in watch.events if isinstance(event, StreamChanged)]
        new = [one for one in watch.seen if one.at > killed]
        assert (changed.before, changed.stream) == (before, watch.session.streams[0])
        assert all(one.unit.stream is changed.stream for one in new)
        assert changed.at <= new[0].unit.arrival
        assert new[0].unit.keyframe
    assert mortal.server.settle() == 0


@both_transports
async def test_a_server_that_refuses_for_seconds(mortal, transport):
    """Nobody listens for a while: each attempt is told of, and none is left over."""
    loop = asyncio.get_running_loop()
    await mortal.start()
    async with watched(mortal.url, transport=transport) as watch:
        await watch.played(PLAYED)
        killed = loop.time()
        mortal.kill()
        await watch.until(lambda: len(watch.attempts(killed)) >= 4)
        serving = await mortal.start()
        back = await watch.recovered(killed)
        assert back.at - serving < RECOVERED
        assert mortal.server.sessions == 1
    assert mortal.server.settle() == 0

"""FAULTS.md, 27: the event loop stands still while data waits: no time-out is a false one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from faulty import Consumer, clean_camera, open_plainly, wait
from raw_server import RawServer, rtp

from rtspkit import Timeouts
from rtspkit.testing.actions import Action, Exchange
from rtspkit.wire.header import parse_transport
from rtspkit.wire.message import serialize_frame

STALLS = [0.05, 0.5, 5.0]  # seconds

virtual_clock = pytest.mark.virtual_clock


def impatient(stall: float, *, media_silence: float | None = None) -> Timeouts:
    """Everything but the whole connect has less time than the loop stands still."""
    less = 0.8 * stall
    return Timeouts(
        connect=10 + 10 * stall,
        response=less,
        first_packet=less,
        first_packet_tcp=less,
        media_silence=media_silence or less,
        write=less,
        teardown=2 + stall,
    )


def stand_still(seconds: float) -> None:
    """The loop does nothing for so long."""
    loop = asyncio.get_running_loop()
    if hasattr(loop, "pass_time"):
        loop.pass_time(seconds)
        return
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


class StallsAfterSending:
    """A camera's ``on_packet``: the loop stands still when a packet has just been sent."""

    def __init__(self, seconds: float, every: int, times: int = 2) -> None:
        self.stalls = 0
        self._seconds, self._every, self._times = seconds, every, times
        self._sent = 0

    def __call__(self, index: int, packet: bytes) -> list[bytes]:
        self._sent += 1
        if self._sent % self._every == 0 and self.stalls < self._times:
            self.stalls += 1
            asyncio.get_running_loop().call_soon(stand_still, self._seconds)
        return [packet]


async def play_through(transport: str, stall: float) -> None:
    stalls = StallsAfterSending(stall, every=20)
    async with clean_camera(on_packet=stalls, speed=2) as camera:
        options = {"transport": transport, "timeouts": impatient(stall)}
        async with open_plainly(camera.url, **options) as session:
            async with Consumer(session.packets()) as consumer:
                await camera.wait_until(lambda: camera.packets_sent.total() > 60, timeout=60)
                assert not consumer.task.done()
            assert session.state == "playing"
            stats = session.stats()
        assert camera.connections_made == 1
    assert stalls.stalls == 2
    assert stats.lost == 0


@virtual_clock
@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_media_that_waits_is_no_silence(transport, stall):
    await play_through(transport, stall)


@pytest.mark.parametrize("stall", [0.5])  # with less, the machine's own stalls count too
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_media_that_waits_is_no_silence_on_either_loop(transport, stall):
    await play_through(transport, stall)


@dataclass
class StallWhenAnswered(Action):
    """The loop stands still as soon as the answer has been written, and with it the media."""

    seconds: float

    async def hold(self, exchange: Exchange) -> None:
        asyncio.get_running_loop().call_soon(stand_still, self.seconds)


async def ask_through(transport: str, stall: float) -> None:
    async with clean_camera() as camera:
        camera.script("SET_PARAMETER", StallWhenAnswered(stall))
        options = {"transport": transport, "timeouts": impatient(stall, media_silence=60.0)}
        async with open_plainly(camera.url, **options) as session:
            await anext(session.packets())
            for turn in range(2):
                await session.set_parameter(b"turn: %d\r\n" % turn)
            assert camera.parameters == {"turn": "1"}
            assert session.state == "playing"


@virtual_clock
@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_answer_that_waits_is_not_late(transport, stall):
    await ask_through(transport, stall)


@pytest.mark.parametrize("stall", [0.05, 0.5])
async def test_an_answer_that_waits_is_not_late_on_either_loop(stall):
    await ask_through("tcp", stall)


@virtual_clock
@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY", "OPTIONS", "TEARDOWN"])
async def test_a_handshake_whose_answers_wait_is_not_late(method, transport, stall):
    async with clean_camera() as camera:
        rule = camera.script(method, StallWhenAnswered(stall))
        options = {"transport": transport, "timeouts": impatient(stall, media_silence=60.0)}
        async with open_plainly(camera.url, **options) as session:
            await anext(session.packets())
            await session.get_parameter()
            assert session.transport == transport
        assert rule.hits
        assert camera.requests[-1].method == "TEARDOWN"


@contextmanager
def open_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


class MediaSource:
    """What a ``RawServer`` sends, past the loop: it is with the kernel at once."""

    def __init__(self, server: RawServer, transport: str) -> None:
        self._server, self._transport = server, transport
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        if transport == "udp":
            own = self._socket.getsockname()[1]
            server.server_port = f";server_port={own}-{own + 1}"
        self._number = 100

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def send(self, number: int) -> None:
        for _ in range(number):
            packet = rtp(self._number)
            self._number += 1
            if self._transport == "udp":
                setup = next(r for r in self._server.requests if r.method == "SETUP")
                ports = parse_transport(setup.headers.get("Transport")).client_port
                self._socket.sendto(packet, ("127.0.0.1", ports[0]))
            else:
                fileno = self._server.peers[0].transport.get_extra_info("socket").fileno()
                os.write(fileno, serialize_frame(0, packet))


@virtual_clock
@pytest.mark.parametrize("stall", STALLS)
async def test_a_loop_that_stands_still_all_the_time_keeps_its_sessions_alive(stall):
    """Between two stalls there is time for little more than one turn."""
    loop = asyncio.get_running_loop()
    async with clean_camera(session_timeout=4 * stall + 4) as camera:
        timeouts = Timeouts(media_silence=1.5 * stall, response=1.5 * stall)
        async with open_plainly(camera.url, transport="udp", timeouts=timeouts) as session:
            async with Consumer(session.packets()) as consumer:
                until = loop.time() + 20 * stall
                while loop.time() < until:
                    stand_still(stall)
                    await wait(0.01)
                assert not consumer.task.done()
                assert consumer.items
            assert session.state == "playing"
        assert camera.sessions_expired == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_callback_that_stands_still_behind_the_reading_and_before_the_timers(transport):
    """The loop finds the time-out before the data: on uvloop, timers follow what was readable."""
    loop = asyncio.get_running_loop()
    silence = Timeouts(media_silence=0.4, first_packet_tcp=5.0)
    async with RawServer() as server:
        source = MediaSource(server, transport)
        with source, open_pair() as (near, far):
            options = {"transport": transport, "timeouts": silence}
            async with open_plainly(server.url, **options) as session:
                packets = session.packets()
                source.send(3)
                await anext(packets)
                done = loop.create_future()

                def stall() -> None:
                    loop.remove_reader(near)
                    source.send(3)
                    stand_still(0.5)
                    done.set_result(None)

                loop.add_reader(near, stall)
                far.send(b"now")
                await done
                for _ in range(5):
                    await anext(packets)
                assert session.state == "playing"
        await server.until(lambda: server.peers[0].closed.done())

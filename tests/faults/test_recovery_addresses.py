"""FAULTS.md, 11: a dead address beside a live one, no live one, a name without an answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest
from addresses import found_at, silent_port
from recovery import RECOVERY, brief_camera, left_clean, watched

import rtspkit
from rtspkit import DeadlineExceeded, Racing, RtspError, Timeouts

NAME = "camera.test"
DEAD, DEAD_TOO, LIVE = "127.0.0.2", "127.0.0.3", "127.0.0.1"
WITHIN = 0.4  # seconds until the live one is connected
BUDGET = 1.0
NEARLY = 0.1

virtual_clock = pytest.mark.virtual_clock


def named(camera) -> str:
    return f"rtsp://{NAME}:{camera.port}/stream"


@virtual_clock
@pytest.mark.parametrize("racing", ["auto", "first-wins", "last-wins", "hybrid"])
@pytest.mark.parametrize("hosts", [(DEAD, LIVE), (LIVE, DEAD)], ids=["first", "last"])
async def test_a_dead_address_beside_a_live_one_costs_less_than_0_4_s(monkeypatch, hosts, racing):
    found_at(monkeypatch, NAME, *hosts)
    loop = asyncio.get_running_loop()
    async with brief_camera(host=LIVE) as camera:
        with silent_port(DEAD, camera.port):
            begun = loop.time()
            async with rtspkit.connect(named(camera), racing=Racing(racing)) as session:
                await anext(session.packets())
                assert loop.time() - begun < WITHIN
        await left_clean(camera)


@virtual_clock
async def test_a_session_comes_back_past_a_dead_address(monkeypatch):
    found_at(monkeypatch, NAME, DEAD, LIVE)
    loop = asyncio.get_running_loop()
    async with brief_camera(host=LIVE) as camera:
        with silent_port(DEAD, camera.port):
            async with watched(named(camera)) as watch:
                await watch.played(1.3)
                at = loop.time()
                camera.kill()
                back = await watch.recovered(at)
                assert back.at - at < RECOVERY
        await left_clean(camera)


@virtual_clock
async def test_with_all_of_them_dead_the_error_comes_at_the_budget(monkeypatch):
    found_at(monkeypatch, NAME, DEAD, DEAD_TOO)
    loop = asyncio.get_running_loop()
    with silent_port(DEAD) as port, silent_port(DEAD_TOO, port):
        begun = loop.time()
        with pytest.raises(RtspError) as caught:
            await rtspkit.connect(f"rtsp://{NAME}:{port}/stream", timeouts=Timeouts(connect=BUDGET))
    assert loop.time() - begun == pytest.approx(BUDGET, abs=NEARLY)
    assert caught.value.phase == "connect"


@contextmanager
def name_server_hangs(monkeypatch):
    """Whoever asks for ``NAME`` gets no answer until the block is left."""
    original, answer = socket.getaddrinfo, threading.Event()

    def found(host, *arguments, flags=0, **options):
        if host != NAME:
            return original(host, *arguments, flags=flags, **options)
        if not flags & socket.AI_NUMERICHOST:
            answer.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "the name is not known")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    try:
        yield
    finally:
        answer.set()


async def test_without_an_answer_to_the_name_the_error_comes_at_the_budget(monkeypatch):
    budget = 0.3
    loop = asyncio.get_running_loop()
    with name_server_hangs(monkeypatch):
        begun = loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            await rtspkit.connect(f"rtsp://{NAME}/stream", timeouts=Timeouts(connect=budget))
        taken = loop.time() - begun
    assert taken == pytest.approx(budget, abs=NEARLY)
    assert caught.value.phase in ("resolve", "connect")

"""Names to addresses: errors with their phase, and a resolver that hangs keeps nobody."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from rtspkit.errors import ConnectError
from rtspkit.net.resolver import resolve


async def test_a_numeric_address_needs_no_resolver():
    assert await resolve("127.0.0.1", 554) == [(socket.AF_INET, ("127.0.0.1", 554))]
    assert await resolve("::1", 554) == [(socket.AF_INET6, ("::1", 554, 0, 0))]


@pytest.mark.parametrize("host", ["camera.invalid", "a" * 300, "\u2603" * 80])
async def test_an_unknown_name_is_a_connect_error(host):
    with pytest.raises(ConnectError, match="is not known") as caught:
        await resolve(host, 554)
    assert caught.value.phase == "resolve"
    assert len(caught.value.causes) == 1


async def test_a_resolver_that_hangs_keeps_neither_the_caller_nor_the_program(monkeypatch):
    asked, released, done = threading.Event(), threading.Event(), threading.Event()
    threads = []

    def hangs(*arguments, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("not a numeric address")
        threads.append(threading.current_thread())
        asked.set()
        released.wait(10)
        done.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    waiting = asyncio.ensure_future(resolve("slow.invalid", 554))
    await asyncio.sleep(0)  # it has started its thread
    assert asked.wait(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (thread,) = threads
    assert thread.daemon
    released.set()
    assert done.wait(10)
    thread.join(10)
    await asyncio.sleep(0)  # the answer that nobody waits for is dropped

"""Both event loops for every test with I/O, and nothing left over after any of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))  # for rtspkit_raw

try:
    import uvloop
except ImportError:  # Windows
    LOOPS = {"asyncio": asyncio.new_event_loop}
else:
    LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


def open_sockets() -> set[str]:
    """The network sockets of this process, by the names the kernel gives them; Linux only."""
    found = set()
    folder = Path("/proc/self/fd")
    for entry in list(folder.iterdir()) if folder.exists() else ():
        try:
            name = os.readlink(entry)
        except OSError:  # the folder's own descriptor
            continue
        if name.startswith("socket:"):
            with socket.socket(fileno=os.dup(int(entry.name))) as one:
                if one.family in (socket.AF_INET, socket.AF_INET6):  # not the loop's own pair
                    found.add(name)
    return found


@pytest_asyncio.fixture
async def clean() -> AsyncIterator[None]:
    """Fails when a task, a socket or an unhandled exception is left over."""
    loop = asyncio.get_running_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    assert failures == []
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set()
    assert open_sockets() - sockets == set()

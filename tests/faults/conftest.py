"""After every fault: what was received into is free again.

Tasks, sockets, timers and the loop's exceptions are looked after for every test of the suite.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rtspkit.net.slab import pool_of

KEPT = 1024 * 1024  # bytes that may still be pinned when all is closed and nobody holds a packet

OTHERS = ("netlab", "soak")  # markers of tests that run by themselves


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies here is run by ``-m fault``."""
    for item in items:
        here = item.path.is_relative_to(Path(__file__).parent)
        if here and not any(item.get_closest_marker(name) for name in OTHERS):
            item.add_marker(pytest.mark.fault)


@pytest_asyncio.fixture(autouse=True)
async def memory_is_back() -> AsyncIterator[None]:
    """Fails when packets of a session that is gone are still held by somebody."""
    yield
    gc.collect()
    assert pool_of(asyncio.get_running_loop()).stats().pinned <= KEPT

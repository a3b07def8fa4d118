"""After every fault: what was received into is free again.

Tasks, sockets, timers and the loop's exceptions are looked after for every test of the suite.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest_asyncio

from rtspkit.net.slab import pool_of

KEPT = 1024 * 1024  # bytes that may still be pinned when all is closed and nobody holds a packet


@pytest_asyncio.fixture(autouse=True)
async def memory_is_back() -> AsyncIterator[None]:
    """Fails when packets of a session that is gone are still held by somebody."""
    yield
    gc.collect()
    assert pool_of(asyncio.get_running_loop()).stats().pinned <= KEPT

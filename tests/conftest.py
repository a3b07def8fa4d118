"""Both event loops for every async test, and nothing left over after any of them.

``@pytest.mark.virtual_clock`` runs a test once, on a loop whose clock does not wait.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from leaks import Inventory
from virtual_loop import VirtualLoop

from rtspkit.client.transport_memory import remembered_transports

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

try:
    import uvloop
except ImportError:  # Windows
    LOOPS: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
else:
    LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_clock: runs on a clock that does not wait")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    if item.get_closest_marker("virtual_clock"):
        return {"virtual": VirtualLoop}
    return LOOPS


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have every async test checked that does not check itself by a fixture ``clean``."""
    for item in items:
        names = getattr(item, "fixturenames", [])
        if item.get_closest_marker("asyncio") and "clean" not in names:
            names.insert(0, "nothing_left")


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from, or left in, the cache folder of whoever runs the tests."""
    monkeypatch.setenv("RTSPKIT_CACHE", "")


@pytest.fixture(scope="module", autouse=True)
def _little_to_look_through() -> None:
    """Collecting garbage after each test is cheap when what is there before is left out."""
    gc.collect()
    gc.freeze()


@pytest_asyncio.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fails when a task, a socket, a timer or an exception that nobody took is left."""
    remembered_transports.clear()
    inventory = Inventory()
    yield
    gc.collect()
    await inventory.assert_nothing_left()
    assert inventory.failures == []
    remembered_transports.clear()

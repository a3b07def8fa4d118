"""Where the shared network laboratory is, and a camera at its far end.

It lies beside the project, never inside it: ``RTSPKIT_NETLAB`` names the folder, else
``../shared/tools/netlab`` beside the checkout is tried.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from faulty import Originals

from rtspkit.testing.camera import Camera

_DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "tools" / "netlab"
TOOLS = ("ip", "tc", "ss", "nft")
PATIENCE = 10.0  # seconds for the camera's thread to begin and to end


def missing() -> str | None:
    """Why there can be no laboratory here; None when there can be one."""
    folder = Path(os.environ.get("RTSPKIT_NETLAB", _DEFAULT))
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not (folder / "netlab.py").exists():
        return "the shared tools are not there: RTSPKIT_NETLAB names their folder"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    absent = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: iproute2, nftables)"
    return None


def load() -> ModuleType:
    """The module ``netlab``; skips the test that asks, or fails it where it has to be there."""
    reason = missing()
    if reason is not None:
        if os.environ.get("RTSPKIT_REQUIRE_NETLAB") == "1":
            pytest.fail(f"RTSPKIT_REQUIRE_NETLAB is set, but {reason}")
        pytest.skip(reason)
    folder = str(Path(os.environ.get("RTSPKIT_NETLAB", _DEFAULT)))
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("netlab")


class FarCamera:
    """A camera whose sockets are in another namespace, with a loop and a thread of its own.

    Args:
        namespace: Of the laboratory.
        options: Those of the camera.

    Attributes:
        camera: To be read by anybody, and changed by ``call`` alone.
        originals: What it sends.
    """

    def __init__(self, namespace: Any, **options: Any) -> None:
        self._namespace = namespace
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def _run(self) -> None:
        try:
            with self._namespace.inside():
                asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = self._loop.create_future()
        async with Camera(host=self._namespace.address, **self._options) as camera:
            self.camera, self.originals = camera, Originals(camera)
            self._ready.set()
            await self._stop
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)

    def __enter__(self) -> FarCamera:
        self._thread.start()
        self._ready.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.call(lambda: self._stop.done() or self._stop.set_result(None))
        self._thread.join(PATIENCE)
        if self._failure is not None and exc_info[0] is None:
            raise self._failure

    def call(self, function: Callable[[], object]) -> None:
        """Do something in the camera's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    @property
    def url(self) -> str:
        return self.camera.url

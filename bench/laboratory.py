"""The shared network laboratory, and connects through it: two namespaces with loss between them.

``RTSPKIT_NETLAB`` names its folder, else ``../shared/tools/netlab`` beside the checkout is tried.
It needs root. The camera has a thread and a loop of its own at the far end; they share a processor
with the client, and the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import rtspkit
from bench.comeback import SILENCE, Run, open_camera, run_together

__all__ = ["connects", "far_camera", "lacking", "netlab", "swallowed"]

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "tools" / "netlab"
PROGRAMS = ("ip", "tc", "ss", "nft")
PATIENCE = 10.0  # seconds for the camera's thread to begin and to end
AT_ONCE = 20  # connects that run side by side
LEAVE = 0.3  # seconds for a TEARDOWN that may be lost


def _folder() -> Path:
    return Path(os.environ.get("RTSPKIT_NETLAB", FOLDER))


def lacking() -> str | None:
    """Why there is no laboratory here; None when there is one."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not (_folder() / "netlab.py").exists():
        return "the shared tools are not there: RTSPKIT_NETLAB names their folder"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def netlab() -> ModuleType:
    """The module; ask ``lacking`` first."""
    if str(_folder()) not in sys.path:
        sys.path.append(str(_folder()))
    return importlib.import_module("netlab")


class _FarCamera:
    """A camera in a thread that lives in a namespace."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.url = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            with self._namespace.inside():
                asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told by whoever waits for the thread
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        camera = await open_camera(host=self._namespace.address, session_timeout=10.0)
        self.url = camera.url
        self._ready.set()
        await self._stop.wait()
        await camera.aclose()

    def start(self) -> None:
        """Raises what the camera raised when it cannot start."""
        self._thread.start()
        self._ready.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)


@contextmanager
def far_camera(**shape: float) -> Iterator[tuple[Any, str]]:
    """A camera behind a network of this shape (``loss``, ``delay``): the laboratory, and its URL.

    Within the block, this thread is at the client's end.
    """
    with netlab().NetLab(ipv6=False, **shape) as lab:
        camera = _FarCamera(lab.server)
        camera.start()
        try:
            with lab.client.inside():
                yield lab, camera.url
        finally:
            camera.stop()


async def swallowed(lab: Any, url: str, transport: str, count: int, seconds: float) -> list[Run]:
    """So many sessions in a black hole, which lasts for so long after it was noticed."""

    async def strike() -> float:
        lab.blackhole()
        await asyncio.sleep(SILENCE + seconds)
        lab.heal()
        return asyncio.get_running_loop().time()

    return await run_together(url, transport, count, strike)


async def connects(
    url: str, count: int, transport: str, *, at_once: int = AT_ONCE
) -> list[float | None]:
    """Seconds that each of so many ``connect()`` takes; None for one that fails."""
    turn = asyncio.Semaphore(at_once)
    now: Callable[[], float] = asyncio.get_running_loop().time

    async def one() -> float | None:
        async with turn:
            begun = now()
            try:
                timeouts = rtspkit.Timeouts(teardown=LEAVE)
                session = await rtspkit.connect(url, transport=transport, timeouts=timeouts)
            except rtspkit.RtspError:
                return None
            taken = now() - begun
            await session.aclose()
            return taken

    return list(await asyncio.gather(*(one() for _ in range(count))))

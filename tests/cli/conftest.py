"""The command in this process, cameras in a thread of their own, and a terminal to look at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import rtspkit
from rtspkit.cli import main
from rtspkit.testing.camera import Camera


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command in this process."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def start_camera() -> Iterator[Callable[..., Camera]]:
    """Starts cameras beside the command; they are closed after the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cameras: list[Camera] = []

    def start(**options: object) -> Camera:
        async def begin() -> Camera:
            camera = Camera(**options)
            await camera.start()
            return camera

        camera = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        cameras.append(camera)
        return camera

    yield start
    for camera in cameras:
        asyncio.run_coroutine_threadsafe(camera.aclose(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def closed_url() -> str:
    """Nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"rtsp://127.0.0.1:{one.getsockname()[1]}/stream"


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield f"rtsp://127.0.0.1:{one.getsockname()[1]}/stream"


@pytest.fixture
def foreign_url() -> Iterator[str]:
    """A server of another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:  # until it is shut down
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        if connection.recv(4096):
                            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                            connection.recv(4096)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.fixture
def environment() -> dict[str, str]:
    """For the command in a process of its own."""
    package = Path(rtspkit.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": str(package)}


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if rich were not installed."""
    monkeypatch.delitem(sys.modules, "rtspkit.cli.rich_table", raising=False)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)


class Terminal:
    """A pseudo-terminal of 80 columns; standard output inside of ``with``.

    Attributes:
        text: What was written to it, once it is left.
    """

    def __init__(self) -> None:
        self.text = ""

    def __enter__(self) -> Terminal:
        import pty  # not on Windows

        self._master, slave = pty.openpty()
        self._stream = os.fdopen(slave, "w", encoding="utf-8")
        self._read: list[bytes] = []
        self._thread = threading.Thread(target=self._reading)
        self._thread.start()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(sys, "stdout", self._stream)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._patch.undo()
        self._stream.close()
        self._thread.join(10)
        os.close(self._master)
        self.text = b"".join(self._read).decode()

    def _reading(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while data := os.read(self._master, 65_536):
                self._read.append(data)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """To be entered by the test: ``with terminal: …``, then ``terminal.text``."""
    pytest.importorskip("pty")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()

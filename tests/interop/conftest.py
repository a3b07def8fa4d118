"""The foreign servers, both event loops, and nothing left over after any test.

A machine without the servers skips, and says what is missing; with
``RTSPKIT_REQUIRE_INTEROP=1`` in the environment, as in ``.ci/run``, missing is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one

from interop_media import read_pictures
from interop_servers import (
    PASSWORD,
    USER,
    GstServer,
    VlcServer,
    gst_server,
    missing_for_decoding,
    missing_for_gstreamer,
    missing_for_vlc,
    vlc_server,
    write_gst_reference,
)

CLIP_SECONDS = 90
CLIP_PICTURES = 25 * 20  # of these the test keeps the source: no test looks later than 20 s

try:
    import uvloop
except ImportError:
    LOOPS = {"asyncio": asyncio.new_event_loop}
else:
    LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


def open_sockets() -> set[str]:
    """The sockets of this process, by the names that Linux gives them."""
    found = set()
    folder = Path("/proc/self/fd")
    for entry in folder.iterdir() if folder.exists() else ():
        with contextlib.suppress(OSError):  # the folder's own descriptor
            name = os.readlink(entry)
            if name.startswith("socket:"):
                found.add(name)
    return found


@pytest_asyncio.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    """Fails when a task or a socket is left over, or an exception that nobody took."""
    loop = asyncio.get_running_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    assert failures == []
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set()
    assert open_sockets() - sockets == set()


def require(missing: str | None) -> None:
    """Skip, or fail where nothing may be missing."""
    if missing is None:
        return
    if os.environ.get("RTSPKIT_REQUIRE_INTEROP") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def gstreamer() -> None:
    require(missing_for_gstreamer())


@pytest.fixture(scope="session")
def decoder() -> None:
    require(missing_for_decoding())


@pytest.fixture(scope="session")
def gst(gstreamer: None) -> Iterator[GstServer]:
    """GStreamer's server, open to all."""
    with gst_server() as server:
        yield server


@pytest.fixture(scope="session")
def gst_digest(gstreamer: None) -> Iterator[GstServer]:
    """GStreamer's server with ``USER`` and ``PASSWORD``, asked for with Digest."""
    with gst_server("--user", USER, "--password", PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def gst_basic(gstreamer: None) -> Iterator[GstServer]:
    """GStreamer's server with ``USER`` and ``PASSWORD``, asked for with Basic."""
    arguments = ("--user", USER, "--password", PASSWORD, "--authentication", "basic")
    with gst_server(*arguments) as server:
        yield server


@pytest.fixture(scope="session")
def gst_short(gstreamer: None) -> Iterator[GstServer]:
    """GStreamer's server, which drops a session that it hears nothing of for 5 s."""
    with gst_server("--session-timeout", "5") as server:
        yield server


@pytest.fixture(scope="session")
def gst_source(gstreamer: None, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The pictures that GStreamer's server encodes, from the first on."""
    path = tmp_path_factory.mktemp("source") / "gst.yuv"
    write_gst_reference(path, 250)
    return read_pictures(path, 320 * 240 * 3 // 2)


@pytest.fixture(scope="session")
def vlc_folder(decoder: None) -> Iterator[Path]:
    """A film with sound, and its pictures before coding, where nobody may read them."""
    folder = Path(tempfile.mkdtemp(prefix="rtspkit-interop-"))
    picture = "testsrc2=size=160x120:rate=25"
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "error"]
    raw = ["-frames:v", str(CLIP_PICTURES), "-pix_fmt", "yuv420p", "-f", "rawvideo"]
    video = ["-c:v", "libx264", "-profile:v", "baseline", "-g", "12", "-pix_fmt", "yuv420p"]
    audio = ["-c:a", "aac", "-ac", "1", "-ar", "48000", "-t", str(CLIP_SECONDS)]
    tone = "sine=frequency=440:sample_rate=48000"
    both = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    try:
        subprocess.run([*ffmpeg, *both[:4], *raw, folder / "clip.yuv"], check=True)
        subprocess.run([*ffmpeg, *both, *video, *audio, folder / "clip.mp4"], check=True)
        (folder / "clip.mp4").chmod(0o644)
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def vlc(vlc_folder: Path) -> Iterator[VlcServer]:
    """VLC, at the beginning of its film; it serves UDP only."""
    require(missing_for_vlc())
    with vlc_server(vlc_folder / "clip.mp4") as server:
        yield server


@pytest.fixture(scope="session")
def vlc_source(vlc_folder: Path) -> list[bytes]:
    """The pictures of VLC's film, from the first on."""
    return read_pictures(vlc_folder / "clip.yuv", 160 * 120 * 3 // 2)

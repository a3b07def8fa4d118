"""The foreign servers, each started when the first test asks for it.

A machine without the servers skips, and says what is missing; with
``RTSPKIT_REQUIRE_INTEROP=1`` in the environment, as in ``.ci/run``, missing is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one

from certificates import FOLDER
from interop_media import read_pictures
from interop_servers import (
    PASSWORD,
    USER,
    GstServer,
    VlcServer,
    gst_server,
    missing_for_decoding,
    missing_for_gstreamer,
    missing_for_tls,
    missing_for_vlc,
    vlc_server,
    write_gst_reference,
)

CLIP_SECONDS = 90
CLIP_PICTURES = 25 * 20  # of these the test keeps the source: no test looks later than 20 s


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
def gst_with_tls(gstreamer: None) -> None:
    require(missing_for_tls())


@pytest.fixture(scope="session")
def gst_tls(gst_with_tls: None) -> Iterator[GstServer]:
    """GStreamer's server over TLS, certified; it drops a session that is silent for 5 s."""
    with gst_server("--tls", str(FOLDER / "camera.pem"), "--session-timeout", "5") as server:
        yield server


@pytest.fixture(scope="session")
def gst_alone(gst_with_tls: None) -> Iterator[GstServer]:
    """GStreamer's server over TLS, certified by itself, with ``USER`` and ``PASSWORD``."""
    arguments = ("--tls", str(FOLDER / "self_signed.pem"), "--user", USER, "--password", PASSWORD)
    with gst_server(*arguments) as server:
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

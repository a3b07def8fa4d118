"""Foreign servers as subprocesses on 127.0.0.1: GStreamer's RTSP server, and VLC.

Each belongs to one ``with`` block, which ends it by its process id.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's python3-gi lives here, in no virtual environment
SCRIPT = Path(__file__).with_name("gst_server.py")
NOBODY = 65534
USER = "viewer"
PASSWORD = "p@ss:w/o#rd?"
ESCAPED_PASSWORD = "p%40ss%3Aw%2Fo%23rd%3F"
PATIENCE = 20.0  # seconds for a server to come up or to go


def missing_for_gstreamer() -> str | None:
    """Why GStreamer's server cannot run here, or None."""
    if not Path(SYSTEM_PYTHON).exists():
        return f"no {SYSTEM_PYTHON}"
    check = subprocess.run(
        [SYSTEM_PYTHON, SCRIPT, "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    if check.returncode != 0:
        return f"GStreamer's RTSP server: {check.stderr.strip().splitlines()[-1]}"
    absent = json.loads(check.stdout)
    return f"GStreamer elements not installed: {', '.join(absent)}" if absent else None


def missing_for_tls() -> str | None:
    """Why GStreamer's server has no TLS here, or None."""
    check = subprocess.run([SYSTEM_PYTHON, SCRIPT, "--check-tls"], timeout=60, check=False)
    return None if check.returncode == 0 else "GLib's TLS is not installed (glib-networking)"


def missing_for_vlc() -> str | None:
    """Why VLC cannot serve here, or None."""
    if shutil.which("cvlc") is None:
        return "cvlc is not installed (vlc-bin)"
    plugin = "*/vlc/plugins/stream_out/libstream_out_rtp_plugin.so"
    if not any(Path("/usr/lib").glob(plugin)):
        return "VLC's RTP output is not installed (vlc-plugin-base)"
    return None


def missing_for_decoding() -> str | None:
    """Why pictures cannot be compared here, or None."""
    return None if shutil.which("ffmpeg") else "ffmpeg is not installed"


def end(process: subprocess.Popen[Any]) -> None:
    """End one process, gently and then not."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class GstServer:
    """GStreamer's RTSP server, and the line to it.

    Attributes:
        port: Where it listens.
        process: What runs it.
        scheme: ``"rtsp"`` or ``"rtsps"``.
    """

    def __init__(self, process: subprocess.Popen[str], scheme: str = "rtsp") -> None:
        self.process = process
        self.scheme = scheme
        self.port: int = self._answer()["ready"]

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the server has ended with {self.process.poll()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, question: str, **rest: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"ask": question, **rest}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    @property
    def sessions(self) -> int:
        """RTSP sessions that the server holds now."""
        count: int = self.ask("sessions")["sessions"]
        return count

    def requests(self, method: str) -> int:
        """Requests of that method that the server has served so far."""
        count: int = self.ask("requests")[method]
        return count

    def settle(self) -> int:
        """Sessions left, once there are none or two seconds have passed."""
        count: int = self.ask("settle", sessions=0, seconds=2)["sessions"]
        return count

    def url(self, mount: str, userinfo: str = "") -> str:
        at = f"{userinfo}@" if userinfo else ""
        return f"{self.scheme}://{at}127.0.0.1:{self.port}{mount}"


@contextlib.contextmanager
def gst_server(*arguments: str) -> Iterator[GstServer]:
    """One server, with the arguments that ``gst_server.py --help`` tells."""
    with subprocess.Popen(
        [SYSTEM_PYTHON, SCRIPT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield GstServer(process, "rtsps" if "--tls" in arguments else "rtsp")
        finally:
            end(process)


def write_gst_reference(path: Path, pictures: int) -> None:
    """The first pictures of the video source, as GStreamer's encoders are given them."""
    command = [SYSTEM_PYTHON, SCRIPT, "--reference", path, "--pictures", str(pictures)]
    subprocess.run(command, check=True, timeout=60)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class VlcServer:
    """VLC, serving one file at one URL.

    Attributes:
        url: What it serves.
        process: What runs it.
    """

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"rtsp://127.0.0.1:{port}/x"
        self._log: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep its log flowing; VLC describes itself there once a stream is added."""
        assert self.process.stderr is not None
        both = False
        for line in self.process.stderr:
            self._log.append(line)
            both = both or "RTSP: adding /x/trackID=1" in line
            if both and line.rstrip().endswith("sdp="):
                self._ready.set()

    def wait_until_ready(self) -> None:
        log = self._log
        assert self._ready.wait(PATIENCE), f"VLC does not serve: {''.join(log[-20:])}"

    def close(self) -> None:
        end(self.process)
        self._reader.join(PATIENCE)


@contextlib.contextmanager
def vlc_server(clip: Path) -> Iterator[VlcServer]:
    """VLC serving ``clip`` once, from its first picture at the start; as nobody when we are root.

    When it begins anew it drops its sessions: the clip must be longer than the test.
    """
    port = free_port()
    command = ["cvlc", "-vv", "--no-color", "--ignore-config", "--no-media-library", str(clip)]
    command += ["--sout", f"#rtp{{sdp=rtsp://127.0.0.1:{port}/x}}", "--loop"]
    as_nobody: dict[str, Any] = {}
    if os.getuid() == 0:
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd="/",
        env={"HOME": str(clip.parent), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        **as_nobody,
    ) as process:
        server = VlcServer(process, port)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.close()

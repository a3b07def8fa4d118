"""The command line: help, usage errors, exit codes against real servers, and no secret shown."""

import json
import os
import subprocess
import sys

import pytest

from rtspkit import __version__
from rtspkit.cli.exits import CODES
from rtspkit.testing.actions import Delay
from rtspkit.testing.authenticator import Authentication


def test_help_lists_every_exit_code(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ended = cli("--help")
    assert ended.code == 0
    for code, meaning in CODES.items():
        assert f"{code:>3}  {meaning}" in ended.out
    assert max(len(line) for line in ended.out.splitlines()) <= 80


@pytest.mark.parametrize("command", ["demo", "probe", "play", "serve"])
def test_each_command_has_its_help(cli, command):
    ended = cli(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"usage: rtspkit {command}")


def test_tells_its_version(cli):
    assert cli("--version").out == f"rtspkit {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("play",),
        ("play", "http://camera/"),
        ("play", "rtsp://camera/", "--seconds", "0"),
        ("play", "rtsp://camera/", "--seconds", "nan"),
        ("play", "rtsp://camera/", "--packets", "1_0"),
        ("play", "rtsp://camera/", "--transport", "pigeon"),
        ("play", "rtsp://camera/", "--colour"),
        ("serve", "--port", "65536"),
        ("serve", "--user", "alone"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(cli, words):
    ended = cli(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("rtspkit: ")
    assert ended.err.count("\n") == 1
    as_object = cli(*words, "--json")
    assert as_object.code == 2
    assert json.loads(as_object.err)["exit_code"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("rtsp://user:hidden@camera/",),
        ("play", "rtsp://camera/", "rtsp://user:hidden@camera/"),
        ("play", "rtsp://camera/", "--pasword=hidden"),
        ("play", "rtsp://user:hidden@127.0.0.1:1/", "--timeout", "1.5"),
        ("play", "rtsp://user:hidden@127.0.0.1:1/", "--json", "--retry", "none"),
        ("play", "rtsps://user:hidden@127.0.0.1:1/", "--retry", "none"),
    ],
)
def test_a_password_is_never_repeated(cli, words):
    ended = cli(*words)
    assert ended.code in (2, 3)
    assert "hidden" not in ended.out + ended.err


@pytest.mark.parametrize("command", ["play", "probe"])
class TestAgainstServers:
    @pytest.fixture(autouse=True)
    def _one_line(self, cli, command):
        once = ("--retry", "none") if command == "play" else ()

        def run(*words):
            ended = cli(command, *words, *once)
            assert ended.out == ""
            assert ended.err.startswith("rtspkit: ")
            assert ended.err.count("\n") == 1
            assert "Traceback" not in ended.err
            return ended

        self.run = run

    def test_nothing_listens_is_3(self, closed_url):
        ended = self.run(closed_url)
        assert ended.code == 3
        assert "check the port" in ended.err

    def test_a_wrong_host_is_3(self):
        ended = self.run("rtsp://no-such-host.invalid/")
        assert ended.code == 3
        assert "check the host name" in ended.err

    def test_a_silent_server_is_6(self, silent_url):
        ended = self.run(silent_url, "--timeout", "0.2")
        assert ended.code == 6
        assert "0.2 s" in ended.err

    def test_another_protocol_is_1(self, foreign_url):
        ended = self.run(foreign_url)
        assert ended.code == 1
        assert "HTTP" in ended.err

    def test_a_wrong_path_is_5(self, start_camera):
        ended = self.run(start_camera().url + "/nothing")
        assert ended.code == 5
        assert "check the path" in ended.err

    def test_a_wrong_password_is_4(self, start_camera):
        camera = start_camera(authentication=Authentication())
        ended = self.run(camera.url, "--username", "user", "--password", "hidden")
        assert ended.code == 4
        assert "hidden" not in ended.err
        assert camera.refused == 1

    def test_a_slow_server_is_6(self, start_camera):
        camera = start_camera()
        camera.script("DESCRIBE", Delay(30))
        assert self.run(camera.url, "--timeout", "0.2").code == 6


def test_importing_it_imports_nothing_optional(environment):
    script = (
        "import sys, rtspkit.cli\n"
        "print([m for m in ('uvloop', 'rich', 'av', 'numpy', 'dpkt') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_full_disk_is_one_line(start_camera, environment):
    command = [sys.executable, "-m", "rtspkit", "probe", start_camera().url, "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert done.returncode == 1
    assert json.loads(done.stderr)["message"] == "No space left on device"

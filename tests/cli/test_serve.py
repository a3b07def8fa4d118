"""``rtspkit serve``: a camera that other programs can play."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest


@contextmanager
def serving(environment, *words):
    """The command in a process of its own, and the lines it begins with."""
    command = [sys.executable, "-m", "rtspkit", "serve", "--port", "0", *words]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_can_be_played_and_tells_the_requests(cli, environment):
    with serving(environment, "-v", "--user", "bob", "--password", "hidden") as process:
        url = process.stdout.readline().strip()
        words = process.stdout.readline()
        assert words == "H264, MPEG4-GENERIC over UDP and TCP; Ctrl-C ends it\n"
        assert cli("play", url, "--packets", "5").code == 4
        ended = cli("play", url, "--user", "bob", "--password", "hidden", "--packets", "20")
        assert ended.code == 0
        process.terminate()
        assert process.wait(20) == 143
        told = process.stderr.read()
    assert f"DESCRIBE {url}\n" in told
    assert "Traceback" not in told
    assert "hidden" not in told


def test_can_refuse_a_transport(cli, environment):
    with serving(environment, "--transport", "tcp", "--json") as process:
        values = json.loads(process.stdout.readline())
        assert values == {
            "url": values["url"],
            "transports": ["tcp"],
            "authentication": None,
            "streams": ["H264", "MPEG4-GENERIC"],
        }
        assert cli("play", values["url"], "--transport", "udp", "--packets", "5").code == 8
        assert cli("play", values["url"], "--transport", "tcp", "--packets", "5").code == 0


def test_ends_after_seconds(cli):
    ended = cli("serve", "--port", "0", "--seconds", "0.01")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_prints_a_url_that_can_be_used(cli, host):
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    ended = cli("serve", "--port", "0", "--seconds", "0.01", "--host", host)
    assert ended.code == 0
    assert ended.out.startswith(("rtsp://127.0.0.1:", "rtsp://[::1]:"))
    assert "elsewhere with the address of this machine" in ended.out


def test_a_port_in_use_says_so(cli):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = str(one.getsockname()[1])
        ended = cli("serve", "--port", port)
    assert (ended.code, ended.out) == (1, "")
    assert (
        ended.err == f"rtspkit: port {port} is in use; choose another with --port, or 0 for any\n"
    )


def test_an_address_of_others_says_so(cli):
    ended = cli("serve", "--port", "0", "--host", "203.0.113.1")
    assert ended.code == 1
    assert "change --host or --port" in ended.err


@pytest.mark.parametrize("words", [("--user", "bob"), ("--password", "x"), ("--user", "")])
def test_half_of_the_credentials_is_2(cli, words):
    ended = cli("serve", "--port", "0", *words)
    assert ended.code == 2
    assert "both --user and --password" in ended.err

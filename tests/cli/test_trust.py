"""What the command line says of certificates."""

from __future__ import annotations

import json
from argparse import ArgumentParser

import pytest
from certificates import fingerprint, server_context

from rtspkit.cli.exits import CommandError
from rtspkit.cli.trust import add_trust, trust_from
from rtspkit.options import TLS

HEX = "ab" * 32


def trust(*words: str) -> TLS | None:
    parser = ArgumentParser()
    add_trust(parser)
    return trust_from(parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ((), None),
        (("--ca", "own.pem"), TLS(ca="own.pem")),
        (("--fingerprint", HEX.upper()), TLS(fingerprint=HEX)),
        (("--insecure",), TLS(insecure=True)),
    ],
)
def test_meanings(words, meaning):
    assert trust(*words) == meaning


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--fingerprint", "abc"), "--fingerprint is the SHA-256"),
        (("--insecure", "--ca", "own.pem"), "--insecure verifies nothing"),
    ],
)
def test_contradictions(words, reason):
    with pytest.raises(CommandError, match=reason) as caught:
        trust(*words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "command", [("play", "--packets", "20"), ("probe",)], ids=["play", "probe"]
)
class TestAgainstACameraThatSignsItself:
    def test_its_fingerprint_makes_it_right(self, cli, start_camera, command):
        camera = start_camera(tls=server_context("self_signed"))
        ended = cli(*command, camera.url, "--fingerprint", fingerprint("self_signed"), "--json")
        assert (ended.code, ended.err) == (0, "")
        assert json.loads(ended.out)["url"].startswith("rtsps://")

    def test_unknown_it_is_refused_at_once(self, cli, start_camera, command):
        camera = start_camera(tls=server_context("self_signed"))
        ended = cli(*command, camera.url)
        assert ended.code == 3
        assert ended.out == ""
        assert ended.err.count("\n") == 1
        assert camera.requests == []

    def test_any_will_do_when_that_is_said(self, cli, start_camera, command):
        camera = start_camera(tls=server_context("self_signed"))
        assert cli(*command, camera.url, "--insecure", "--json").code == 0

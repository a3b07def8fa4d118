"""What the command line says of certificates."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

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

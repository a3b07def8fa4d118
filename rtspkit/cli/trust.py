"""How the server of an ``rtsps://`` URL is verified, as the command line says it.

Layer:  cli
In:     ``--ca``, ``--fingerprint``, ``--insecure``
Out:    ``TLS``, or None for the system's authorities
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from rtspkit.cli.exits import CommandError
from rtspkit.options import TLS

__all__ = ["add_trust", "trust_from"]


def add_trust(parser: ArgumentParser) -> None:
    """Add the arguments to a command's parser."""
    group = parser.add_argument_group("rtsps://")
    group.add_argument("--ca", metavar="FILE", help="certificates that are trusted (PEM)")
    group.add_argument(
        "--fingerprint", metavar="HEX", help="SHA-256 of the only certificate that is right"
    )
    group.add_argument(
        "--insecure", action="store_true", help="take any certificate: anybody may listen in"
    )


def trust_from(arguments: Namespace) -> TLS | None:
    """What they mean.

    Raises:
        CommandError: They contradict each other, or are none.
    """
    ca, fingerprint, insecure = arguments.ca, arguments.fingerprint, arguments.insecure
    if ca is None and fingerprint is None and not insecure:
        return None
    try:
        return TLS(ca=ca, fingerprint=fingerprint, insecure=insecure)
    except ValueError as error:
        raise CommandError(str(error).replace("TLS.", "--"), 2) from None

"""The ``rtspkit`` command: plays, probes and serves from a terminal; imports nothing optional."""

from rtspkit.cli.command import main

__all__ = ["main"]

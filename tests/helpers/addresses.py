"""Addresses that say nothing, and names that have the addresses a test wants."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

BACKLOG = 8  # connections that certainly fill a backlog of none


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def silent_port(host: str, port: int = 0) -> Iterator[int]:
    """A port whose connections are neither taken nor refused: its backlog is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket(family_of(host)))
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind((host, port))
        full.listen(0)
        address = full.getsockname()
        for _ in range(BACKLOG):
            waiting = stack.enter_context(socket.socket(family_of(host)))
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


def found_at(monkeypatch, name: str, *hosts: str) -> None:
    """Have the system find these addresses for ``name``, and what it finds for all others."""
    original = socket.getaddrinfo

    def found(host, port, *arguments, flags=0, **options):
        if host != name:
            return original(host, port, *arguments, flags=flags, **options)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a numeric address")
        return [
            (family_of(one), socket.SOCK_STREAM, 6, "", (one, port, 0, 0)[: 4 if ":" in one else 2])
            for one in hosts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)

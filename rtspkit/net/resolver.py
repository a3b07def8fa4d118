"""Names to addresses: off the loop, within a deadline, the two families taking turns.

Layer:  net
Source: RFC 8305 §4 (addresses interleaved by family)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from itertools import chain, zip_longest

from rtspkit.errors import ConnectError, DeadlineExceeded
from rtspkit.net.off_loop import off_loop

__all__ = ["Address", "resolve"]

TIMEOUT = 5.0  # seconds: half of what connect() has, so that time is left for a last address

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]
_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]


async def resolve(host: str, port: int, *, timeout: float = TIMEOUT) -> list[Address]:
    """The addresses of a host, the system's favourite first, then of each family in turn.

    Args:
        host: Name or numeric address; one of IPv6 without brackets, its scope behind ``%``. A
            numeric one is taken as it stands, at once.
        port: 1 to 65,535.
        timeout: Seconds. What is not answered by then is dropped when it comes.

    Raises:
        ConnectError: The name is not known.
        DeadlineExceeded: There was no answer in time; its phase is ``"resolve"``.
    """
    try:
        try:
            found = _look_up(host, port, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            if ":" in host:  # no name has one
                raise
            async with asyncio.timeout(timeout):
                found = await off_loop(lambda: _look_up(host, port), "rtspkit-resolver")
    except TimeoutError:
        raise DeadlineExceeded(
            "resolve", timeout, message=f"resolve: no answer for {host!r} within {timeout:g} s"
        ) from None
    except (OSError, UnicodeError) as error:
        raise ConnectError(
            f"the host {host!r} is not known ({error})", causes=(error,), phase="resolve"
        ) from error
    return _interleaved((family, address) for family, _, _, _, address in found)


def _look_up(host: str, port: int, flags: int = 0) -> _Found:
    # SOCK_STREAM leaves out what is no address of the internet's two families
    return socket.getaddrinfo(  # type: ignore[return-value]
        host, port, type=socket.SOCK_STREAM, flags=flags
    )


def _interleaved(addresses: Iterable[Address]) -> list[Address]:
    """One of each family in turn; their order within a family stays, and none comes twice."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address[0], []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]

"""Names to addresses, off the loop, and never in the way of the program's end.

Layer:  net

Fact the code leans on
- ``getaddrinfo`` blocks for as long as it likes and cannot be cancelled. In the loop's executor it
  would keep ``asyncio.run`` from returning; in a daemon thread of its own it keeps nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from rtspkit.errors import ConnectError

__all__ = ["Address", "resolve"]

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]
_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the system's order of preference.

    The caller bounds it in time; when it gives up, the answer is dropped.

    Raises:
        ConnectError: The name is not known.
    """
    try:
        try:  # a numeric address needs no thread
            found = _look_up(host, port, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            found = await _in_a_thread(host, port)
    except (OSError, UnicodeError) as error:
        raise ConnectError(
            f"the host {host!r} is not known ({error})", causes=(error,), phase="resolve"
        ) from error
    return [(family, address) for family, _, _, _, address in found]


def _look_up(host: str, port: int, flags: int = 0) -> _Found:
    # SOCK_STREAM leaves out what is no address of the internet's two families
    return socket.getaddrinfo(  # type: ignore[return-value]
        host, port, type=socket.SOCK_STREAM, flags=flags
    )


async def _in_a_thread(host: str, port: int) -> _Found:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_Found] = loop.create_future()

    def settle(found: _Found | None, error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def work() -> None:
        found: _Found | None = None
        failure: OSError | UnicodeError | None = None
        try:
            found = _look_up(host, port)
        except (OSError, UnicodeError) as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=work, name="rtspkit-resolver", daemon=True).start()
    return await answer

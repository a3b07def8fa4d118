"""Receive moderation: one tick of one timer reads all the sockets that have something.

Layer:  net

With many streams, most wake-ups of a loop are for one packet. Moderated sockets are not watched by
the loop one by one, but by a selector of their own, which the loop watches as one: when any of them
has something, a timer is started, and its tick asks the selector once and reads those that are
ready. After some ticks without any, the loop watches the selector again. It costs up to the
interval in latency, and saves the wake-ups.

Fact the code leans on
- A selector on epoll or kqueue is a descriptor that becomes readable itself. Where the system's
  selectors are none, sockets are watched one by one and nothing is saved.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import weakref
from typing import Protocol

__all__ = ["Moderated", "Moderation", "moderation_of"]

QUIET_TICKS = 4  # ticks with nothing to read after which the loop watches again


class Moderated(Protocol):
    """What reads a socket."""

    def read(self) -> bool:
        """Read what is there, for a bounded time; whether there may be more."""


class Moderation:
    """The sockets of one loop that are read together.

    Args:
        interval: Seconds between two ticks.

    Attributes:
        ticks: How often the timer has rung.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.ticks = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # while there are sockets
        self._selector: selectors.BaseSelector | None = None
        self._readers: dict[socket.socket, Moderated] = {}
        self._quiet = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, sock: socket.socket, reader: Moderated) -> bool:
        """Read this socket from now on; False when this system cannot."""
        if self._selector is None:
            selector = selectors.DefaultSelector()
            if not hasattr(selector, "fileno"):
                selector.close()
                return False
            self._selector = selector
            self._loop = asyncio.get_running_loop()
            self._watch(selector)
        self._selector.register(sock, selectors.EVENT_READ)
        self._readers[sock] = reader
        return True

    def remove(self, sock: socket.socket) -> None:
        """Read this socket no more; with the last one, nothing is left behind."""
        selector = self._selector
        if selector is None or self._readers.pop(sock, None) is None:
            return
        selector.unregister(sock)
        if self._readers:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        else:
            assert self._loop is not None
            self._loop.remove_reader(selector.fileno())  # type: ignore[attr-defined]
        selector.close()
        self._selector = self._loop = None

    def _watch(self, selector: selectors.BaseSelector) -> None:
        """Wake the loop when any of them has something."""
        descriptor: int = selector.fileno()  # type: ignore[attr-defined]  # looked at by ``add``
        assert self._loop is not None
        self._loop.add_reader(descriptor, self._wake)

    def _wake(self) -> None:
        assert self._selector is not None
        assert self._loop is not None
        self._loop.remove_reader(self._selector.fileno())  # type: ignore[attr-defined]
        self._quiet = 0
        self._timer = self._loop.call_later(self.interval, self._tick)

    def _tick(self) -> None:
        self.ticks += 1
        self._timer = None
        selector, loop = self._selector, self._loop
        if selector is None or loop is None:
            return
        ready = selector.select(0)
        self._quiet = 0 if ready else self._quiet + 1
        if self._quiet >= QUIET_TICKS:
            self._watch(selector)
            return
        self._timer = loop.call_later(self.interval, self._tick)
        for key, _ in ready:
            self._read(key.fileobj)  # type: ignore[arg-type]  # a socket

    def _read(self, sock: socket.socket) -> None:
        """Read a socket; one with more than its share goes on before the next tick."""
        reader = self._readers.get(sock)  # None when what another one has brought has closed it
        if reader is not None and reader.read() and self._loop is not None:
            self._loop.call_soon(self._read, sock)


_moderations: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Moderation]]
_moderations = weakref.WeakKeyDictionary()


def moderation_of(loop: asyncio.AbstractEventLoop, interval: float) -> Moderation:
    """The one of this loop with this interval."""
    of_loop = _moderations.setdefault(loop, {})
    if interval not in of_loop:
        of_loop[interval] = Moderation(interval)
    return of_loop[interval]

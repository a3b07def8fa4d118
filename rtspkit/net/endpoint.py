"""UDP by the loop's own datagram transport, for loops that cannot watch a socket.

Layer:  net (works everywhere; one object and one callback a datagram)
In:     ``bytes``, one for each datagram
Out:    Datagrams that lie in those bytes, which nobody copies; once for each turn of the loop
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from rtspkit.wire.datagrams import Datagrams, lone_datagrams

__all__ = ["Endpoint"]


class Endpoint(asyncio.DatagramProtocol):
    """Reads one socket, which it owns from ``start`` on.

    Args:
        on_datagrams: Takes what arrived together.
        accept: Whether the sender with this address is heard.
        clock: Gives monotonic seconds.

    Attributes:
        calls: Datagrams taken; each is a system call.
        errors: ICMP errors that came back.
    """

    name = "datagram"

    def __init__(
        self,
        on_datagrams: Callable[[Datagrams], None],
        accept: Callable[[Any], bool],
        clock: Callable[[], float],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_datagrams = on_datagrams
        self._accept = accept
        self._clock = clock
        self._transport: asyncio.BaseTransport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._views: list[memoryview] = []
        self._closed = False
        self.calls = self.errors = self.kernel_drops = self.copies = self.joined = 0

    def start(self, sock: socket.socket) -> None:
        """Begin to read."""

        def opened(task: asyncio.Task[None]) -> None:
            if self._transport is None:  # cancelled, perhaps before it began
                sock.close()

        self._opening = self._loop.create_task(self._open(sock))
        self._opening.add_done_callback(opened)

    async def _open(self, sock: socket.socket) -> None:
        try:
            await self._loop.create_datagram_endpoint(lambda: self, sock=sock)
        except OSError:
            self.errors += 1

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._closed = True
        self._views.clear()
        if self._transport is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._transport.abort()  # type: ignore[attr-defined]  # a datagram transport
        elif self._opening is not None:
            self._opening.cancel()

    # -- called by the loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket."""
        self._transport = transport
        if self._closed:
            self.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One datagram."""
        self.calls += 1
        if self._closed or not data or not self._accept(addr):
            return
        if not self._views:
            self._loop.call_soon(self._hand_on)
        self._views.append(memoryview(data))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of something we sent."""
        self.errors += 1

    def _hand_on(self) -> None:
        views, self._views = self._views, []
        if views:
            self._on_datagrams(lone_datagrams(views, self._clock()))

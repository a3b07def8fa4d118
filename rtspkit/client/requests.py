"""Requests of this side that wait for their responses.

Layer:  client
Rule
- A request may be given up, but not SETUP: its response tells of a session to be torn down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtspkit.engine.exchange import Answered, Exchange, Failed
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import RtspError
from rtspkit.wire.message import Response

__all__ = ["Requests"]


class Requests:
    """The open requests of one connection.

    Args:
        machine: Sends them.
        now: Gives monotonic seconds.
        pump: Called when the machine has something to send.
    """

    def __init__(
        self, machine: SessionMachine, now: Callable[[], float], pump: Callable[[], None]
    ) -> None:
        self._machine = machine
        self._now = now
        self._pump = pump
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Exchange, asyncio.Future[Response]] = {}
        self._cut_short: dict[Exchange, asyncio.Future[None]] = {}

    async def ask(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        *,
        timeout: float | None = None,
    ) -> Response:
        """Send a request and wait for its response of 2xx.

        Raises:
            RtspError: The server refused, did not answer in time, or is gone.
        """
        exchange = self._machine.request(
            method, uri, headers=headers, body=body, timeout=timeout, now=self._now()
        )
        future: asyncio.Future[Response] = self._loop.create_future()
        self._waiting[exchange] = future
        try:
            self._pump()
            return await future
        except asyncio.CancelledError:
            if method == "SETUP" and exchange in self._waiting:  # and not answered in between
                self._cut_short[exchange] = self._loop.create_future()
            raise
        finally:
            self._waiting.pop(exchange, None)
            if exchange not in self._cut_short:
                self._machine.give_up(exchange)
            if future.done() and not future.cancelled():
                future.exception()  # seen, even when a cancellation came in between

    def send(self, method: str, uri: str) -> None:
        """Send a request whose response only teaches the machine something.

        Raises:
            RtspError: It cannot be sent.
        """
        self._machine.request(method, uri, now=self._now())
        self._pump()

    def tell(self, event: Answered | Failed) -> None:
        """A request has met its fate."""
        future = self._waiting.pop(event.exchange, None)
        if future is not None and not future.done():
            if isinstance(event, Answered):
                future.set_result(event.response)
            else:
                future.set_exception(event.error)
        settled = self._cut_short.get(event.exchange)
        if settled is not None and not settled.done():
            settled.set_result(None)

    @property
    def unsettled(self) -> bool:
        """Whether a SETUP was cut short and not answered yet."""
        return any(not future.done() for future in self._cut_short.values())

    async def settle(self) -> None:
        """Wait for the responses to what was cut short."""
        if self._cut_short:
            await asyncio.wait(list(self._cut_short.values()))

    def fail(self, error: RtspError) -> None:
        """Nothing will be answered any more."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        for settled in self._cut_short.values():
            if not settled.done():
                settled.set_result(None)

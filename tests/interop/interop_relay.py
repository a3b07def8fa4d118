"""A relay in front of a server's control connection, to read along and to speak afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator


class Relay:
    """What went both ways, as text; media over UDP does not come by here.

    Attributes:
        port: Connect here instead of to the server.
        sent: What the client has sent.
        received: What the server has sent.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = 0
        self.sent = bytearray()
        self.received = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._server_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, forth, self.sent))
                group.create_task(self._copy(back, writer, self.received))
        finally:
            self._tasks.discard(task)

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, book: bytearray
    ) -> None:
        try:
            while data := await source.read(65_536):
                book += data
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass  # the other direction ends as well
        finally:
            target.close()
            with contextlib.suppress(ConnectionError):
                await target.wait_closed()

    async def finish(self) -> None:
        """Wait until both ends have let go of every connection."""
        async with asyncio.timeout(10):
            while self._tasks:
                await asyncio.wait(self._tasks)

    def requests(self) -> list[str]:
        """The requests of the client, in order, each with its headers."""
        text = self.sent.decode("latin-1")
        found = re.split(r"(?m)^(?=[A-Z_]+ \S+ RTSP/1\.0\r$)", text)
        return [request for request in found if request.strip()]

    def session_id(self) -> str:
        """The session that the server gave."""
        found = re.search(rb"(?mi)^Session: *([^;\r]+)", self.received)
        assert found is not None, self.received
        return found[1].decode()


@contextlib.asynccontextmanager
async def relay(port: int) -> AsyncIterator[Relay]:
    """A relay to that port of 127.0.0.1."""
    made = Relay(port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
    await made.finish()


async def answer_of(port: int, request: str) -> str:
    """The head of a server's answer to one request, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.encode())
        async with asyncio.timeout(5):
            return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    finally:
        writer.close()
        await writer.wait_closed()

"""One connection in a race: connected, its TLS shaken hands on, proven; not yet the loop's.

Layer:  net

Facts the code leans on
- The socket is ours from its creation: whatever happens, whoever holds it closes it.
- Nothing acknowledged is not noticed for many minutes by default: the system is told to ask an
  idle peer, and to give up on one that acknowledges nothing of what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from rtspkit.net.resolver import Address
from rtspkit.net.tls import TlsContext
from rtspkit.net.tls_channel import TlsChannel
from rtspkit.wire.message import MessageReader, Response

__all__ = ["Contender", "connect", "numeric_host"]

KEEP_ALIVE = {  # by name, as far as the platform has it
    "TCP_KEEPIDLE": 10,  # seconds of silence
    "TCP_KEEPALIVE": 10,  # the same, as macOS calls it
    "TCP_KEEPINTVL": 3,  # seconds between two questions
    "TCP_KEEPCNT": 3,  # questions
}
MARGIN = 1.0  # seconds by which the session, which can say more, notices before the system
READ = 4 * 1024  # bytes


class Contender:
    """A connected socket.

    Attributes:
        sock: It does not block.
        channel: The TLS on it, or None.
        peer_host: The peer's numeric address.
        local_host: Ours, on this connection.
        early: What came behind the answer that proved it.
    """

    def __init__(self, sock: socket.socket, channel: TlsChannel | None = None) -> None:
        self.sock = sock
        self.channel = channel
        self.peer_host = numeric_host(sock.getpeername())
        self.local_host = numeric_host(sock.getsockname())
        self.early = b""

    async def prove(self, question: bytes) -> None:
        """Send a request and wait for its response, whatever that is.

        Raises:
            OSError: The connection has ended.
            RemoteProtocolError: What came is not RTSP.
        """
        await self._send(question)
        reader = MessageReader()
        while True:
            data = await self._receive()
            for place in range(len(data)):  # byte by byte: what is behind it is not ours
                reader.receive_data(data[place : place + 1])
                if isinstance(reader.next_event(), Response):
                    self.early = data[place + 1 :]
                    return

    async def _send(self, data: bytes) -> None:
        if self.channel is not None:
            self.channel.write(data)
            data = self.channel.to_send()
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def _receive(self) -> bytes:
        """What has come next, as it was before it was encrypted; never empty."""
        loop, channel = asyncio.get_running_loop(), self.channel
        room = bytearray(READ)
        while True:
            if channel is not None:
                if count := channel.read_into(memoryview(room)):
                    return bytes(room[:count])
                if channel.error is not None:
                    raise channel.error
            ended = channel is not None and channel.ended
            data = b"" if ended else await loop.sock_recv(self.sock, READ)
            if not data:
                raise ConnectionResetError("the server closed the connection before it answered")
            if channel is None:
                return data
            channel.receive(data)

    def close(self) -> None:
        """Close the socket; idempotent."""
        self.sock.close()


async def connect(
    address: Address,
    *,
    write: float,
    tls: TlsContext | None = None,
    host: str = "",
    stood: Callable[[], None] = lambda: None,
) -> Contender:
    """Connect to one address; cancelled, it closes the socket.

    Args:
        address: Of the server.
        write: Seconds that the server may leave unacknowledged what was sent.
        tls: How to verify it, or None for a connection in the clear.
        host: What the address was found for.
        stood: Told when the server has taken the connection, before any handshake.

    Raises:
        OSError: It cannot be reached, or the handshake failed.
        ConnectError: The server is not the right one. Final.
    """
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _tune(sock, write)
        await asyncio.get_running_loop().sock_connect(sock, where)
        stood()
        channel = None
        if tls is not None:
            channel = TlsChannel(tls, host)
            await channel.shake_hands(sock)
        return Contender(sock, channel)
    except BaseException:
        sock.close()
        raise


def _tune(sock: socket.socket, write: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = dict(KEEP_ALIVE)
    wanted["TCP_USER_TIMEOUT"] = round((write + MARGIN) * 1000)
    for name, value in wanted.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):  # known to Python, and not to this system
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def numeric_host(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """The host of a socket's address, with the scope of a link-local one: ``fe80::1%2``."""
    if len(address) == 4 and address[3]:
        return f"{address[0].partition('%')[0]}%{address[3]}"
    return address[0]

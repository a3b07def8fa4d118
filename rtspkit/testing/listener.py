"""Listening for TCP connections on one port of the loopback, IPv4 and IPv6.

Layer:  testing
Out:    connections, each handed to a protocol of its own
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Sequence

__all__ = ["LOOPBACK", "Listener"]

LOOPBACK = ("127.0.0.1", "::1")
ATTEMPTS = 16  # times that a port free on every address is looked for
BACKLOG = 512
TURNS = 16  # of the loop, for closing: uvloop closes its sockets in the next one


class Listener:
    """Sockets that listen on the same port.

    Attributes:
        port: The port.
        host: The first address, for URLs.
    """

    def __init__(
        self, servers: list[asyncio.Server], sockets: list[socket.socket], host: str, port: int
    ) -> None:
        self._servers = servers
        self._sockets = sockets
        self.host = host
        self.port = port

    @classmethod
    async def open(
        cls,
        factory: Callable[[], asyncio.Protocol],
        *,
        hosts: Sequence[str] = LOOPBACK,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> Listener:
        """Listen.

        Args:
            factory: Makes the protocol of one connection.
            hosts: Numeric addresses; the first one is needed, the others are taken where they are.
            port: 0 for a free one.
            tls: A server's context; None for no TLS.

        Raises:
            OSError: The first address, or the port, is not to be had.
        """
        sockets = _bind(hosts, port)
        loop = asyncio.get_running_loop()
        servers: list[asyncio.Server] = []
        try:
            for one in sockets:
                server = await loop.create_server(factory, sock=one, backlog=BACKLOG, ssl=tls)
                servers.append(server)
        except BaseException:
            for server in servers:
                server.close()
            for one in sockets[len(servers) :]:
                one.close()
            raise
        return cls(servers, sockets, hosts[0], sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Stop listening, and wait until the sockets are gone. Idempotent."""
        for server in self._servers:
            server.close()
        for _ in range(TURNS):
            if all(one.fileno() < 0 for one in self._sockets):
                return
            await asyncio.sleep(0)


def _bind(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One socket for each address that exists, all on one port."""
    for attempt in range(ATTEMPTS):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for place, host in enumerate(hosts):
                try:
                    one = _socket(host, chosen)
                except OSError as error:
                    if place == 0 or error.errno == errno.EADDRINUSE:
                        raise
                    continue  # no such address here
                sockets.append(one)
                chosen = chosen or one.getsockname()[1]
        except OSError as error:
            for one in sockets:
                one.close()
            if port or error.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                raise
            continue
        return sockets
    raise AssertionError("the last attempt returns or raises")


def _socket(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    # named, because asyncio sets TCP_NODELAY on sockets of this protocol only
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one

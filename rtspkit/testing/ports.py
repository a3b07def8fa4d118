"""Two UDP ports, an even one and the odd one above it, as RTP and RTCP like them.

Layer:  testing
Out:    datagram endpoints of the running loop; each says when it is really closed
Source: RFC 3550 §11

A burst goes past the loop straight to the socket, and only what finds no room there waits in the
loop: datagrams keep their order, because nothing passes those that wait.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from rtspkit.net.datagram_sender import DatagramSender

__all__ = ["Address", "DatagramPort", "bind_pair", "open_pair"]

ATTEMPTS = 64  # times that a free pair is looked for
BURST = 256  # datagrams taken in one turn of the loop
MAX_DATAGRAM = 65_535  # bytes
RECEIVE_BUFFER = 4 * 1024 * 1024  # bytes; the system may give less

Address = tuple[Any, ...]  # (host, port), or (host, port, flow, scope) for IPv6


def bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two bound, non-blocking sockets: an even port, and the next one.

    Raises:
        OSError: There is no such address, or no free pair was found.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    failure: OSError | None = None
    for _ in range(ATTEMPTS):
        sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            sockets[0].bind(address)
            port = sockets[0].getsockname()[1]
            if port % 2:
                sockets.reverse()
                sockets[0].bind((address[0], port - 1, *address[2:]))
            else:
                sockets[1].bind((address[0], port + 1, *address[2:]))
        except OSError as error:
            failure = error
            for one in sockets:
                one.close()
            continue
        for one in sockets:
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return sockets[0], sockets[1]
    raise failure if failure is not None else OSError("no free pair of UDP ports")


class DatagramPort(asyncio.DatagramProtocol):
    """One UDP port: sends without blocking, hands on what it receives.

    Args:
        sock: Bound and non-blocking; belongs to the port from now on.
        on_datagram: Called with the data and the sender's address.

    Attributes:
        closed: Done when the loop has let go of the socket.
        writable: Set while the loop takes more to send.
        failed: Errors that the system reported: a peer that is gone, mostly.
    """

    def __init__(self, sock: socket.socket, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._socket = sock
        self._on_datagram = on_datagram
        self._transport: asyncio.DatagramTransport | None = None
        self._sender: DatagramSender | None = None
        self._destination: Address = ()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.failed = 0
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._on_datagram(data, addr)
        self._drain()

    def _drain(self) -> None:
        """Take what else has come: asyncio reads one datagram in a turn, and bursts overflow."""
        for _ in range(BURST):
            if self._socket.fileno() < 0 or self._transport is None:
                return
            if self._transport.is_closing():
                return
            try:
                data, address = self._socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self.failed += 1
                return
            self._on_datagram(data, address)

    def error_received(self, exc: Exception) -> None:
        self.failed += 1

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, data: bytes, address: Address) -> bool:
        """Send one datagram; False when the system has no room for it or refuses it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        try:
            transport.sendto(data, address)
        except OSError:  # ENOBUFS and its like: uvloop raises where asyncio reports
            self.failed += 1
            return False
        return True

    def send_many(self, datagrams: Sequence[bytes], address: Address) -> int:
        """Send datagrams in as few system calls as the system allows.

        Returns:
            How many the system or the loop took, from the front. Those that the system refused
            are among them, and counted in ``failed``.
        """
        transport, done = self._transport, 0
        if transport is None or transport.is_closing():
            return 0
        if not cast(asyncio.WriteTransport, transport).get_write_buffer_size():
            sender = self._sender_to(address)
            failed = sender.refused + sender.errors
            done = sender.send_many(datagrams)
            self.failed += sender.refused + sender.errors - failed
        while done < len(datagrams) and self.send(datagrams[done], address):
            done += 1
        return done

    def _sender_to(self, address: Address) -> DatagramSender:
        if self._sender is None or self._destination != address:
            self._sender = DatagramSender(self._socket, address)
            self._destination = address
        return self._sender

    def close(self) -> None:
        """Let go of the socket. Idempotent."""
        if self._transport is not None:
            self._transport.abort()


async def open_pair(
    host: str, on_datagram: Callable[[int, bytes, Address], None]
) -> tuple[DatagramPort, DatagramPort]:
    """Open a pair of ports on one address.

    Args:
        host: Numeric address.
        on_datagram: Called with 0 (the even port) or 1, the data and the sender's address.

    Raises:
        OSError: See ``bind_pair``.
    """
    loop = asyncio.get_running_loop()
    sockets = bind_pair(host)
    ports: list[DatagramPort] = []
    try:
        for index, one in enumerate(sockets):

            def receive(data: bytes, address: Address, index: int = index) -> None:
                on_datagram(index, data, address)

            _, port = await loop.create_datagram_endpoint(
                lambda one=one, receive=receive: DatagramPort(one, receive),  # type: ignore[misc]
                sock=one,
            )
            ports.append(port)
    except BaseException:
        for port in ports:
            port.close()
        for one in sockets[len(ports) :]:
            one.close()
        raise
    return ports[0], ports[1]

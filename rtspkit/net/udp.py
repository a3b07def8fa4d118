"""A pair of UDP ports for one stream: RTP on the even one, RTCP on the next.

Layer:  net
In:     datagrams of the locked peer only, straight into a slab
Out:    ``on_datagrams(views, now)`` for each of the two ports: read-only views, never written again
Source: RFC 3550 §11 (even and odd port)

Facts the code leans on
- ``connect()`` on a UDP socket makes the kernel drop what others send from then on. What they
  sent before it is still in the queue: senders are looked at until the queue was empty once.
- Linux tells ICMP errors to connected UDP sockets only, and libuv gives up a socket that has one
  pending: a port that sends is not connected, and looks at every sender.
- A peer that did not name its ports is known by its address; the first datagram tells the port.
- Windows' own event loop cannot watch a socket: there, a task waits for each datagram.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from rtspkit.errors import LocalProtocolError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.tcp import numeric_host

__all__ = ["UdpPair", "UdpPort", "open_pair"]

SLAB_SIZE = 256 * 1024  # bytes
LARGEST_DATAGRAM = 65_535  # bytes
DATAGRAMS_PER_WAKE_UP = 64
RECEIVE_BUFFER = 2 * 1024 * 1024  # bytes asked of the kernel; it may give less
PAIR_ATTEMPTS = 50

OnDatagrams = Callable[[list[memoryview], float], None]


class UdpPort:
    """One bound UDP socket under the event loop.

    Args:
        sock: Bound, and not blocking; it is owned from here on.
        on_datagrams: Takes what arrived together, and when.
        connects: Whether the kernel shall keep others out; not for a port that sends.

    Attributes:
        port: Its number.
        bytes_received: Since it was opened.
        refused: Datagrams of other hosts than the peer, dropped.
        errors: Datagrams that could not be sent, and ICMP errors that came back.
    """

    def __init__(self, sock: socket.socket, on_datagrams: OnDatagrams, *, connects: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._sock: socket.socket | None = sock
        self._on_datagrams = on_datagrams
        self._slab = memoryview(bytearray(0))
        self._used = 0
        self._connects = connects
        self._peer_host: str | None = None
        self._peer_port: int | None = None
        self._connected = False  # the kernel drops what others send
        self._trusted = False  # and nothing of theirs is in the queue any more
        self._reading = False
        self._task: asyncio.Task[None] | None = None
        self.port: int = sock.getsockname()[1]
        self.bytes_received = 0
        self.refused = 0
        self.errors = 0

    def start(self) -> None:
        """Begin to read."""
        if self._sock is None or self._reading:
            return
        self._reading = True
        try:
            self._loop.add_reader(self._sock, self._on_readable)
        except NotImplementedError:
            self._task = self._loop.create_task(self._receive_each())

    def lock(self, host: str, port: int | None) -> None:
        """Take datagrams of this peer only, also of those that have arrived already.

        Args:
            host: The peer's numeric address.
            port: None when it did not name it: then the first datagram tells.

        Raises:
            OSError: The system does not reach the peer from this port.
        """
        if self._sock is None:
            return
        if port is None and self._peer_port is not None:
            return  # a second SETUP: the port of the first one holds
        self._peer_host, self._peer_port = host, port
        self._trusted = False
        if port is not None:
            self._connect((host, port))

    def _connect(self, address: Any) -> None:
        if self._connects and self._sock is not None:
            self._sock.connect(address)
            self._connected = True

    def send(self, data: bytes) -> bool:
        """Send to the peer; whether the kernel took it. Loss is normal for UDP."""
        if self._sock is None or self._peer_port is None:
            return False
        try:
            if self._connected:
                self._sock.send(data)
            else:
                self._sock.sendto(data, (self._peer_host, self._peer_port))
        except OSError:
            self.errors += 1
            return False
        return True

    def close(self) -> None:
        """Close the socket; idempotent."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._task is not None:
            self._task.cancel()
        elif self._reading:
            self._loop.remove_reader(sock)
        sock.close()

    def _on_readable(self) -> None:
        views: list[memoryview] = []
        for _ in range(DATAGRAMS_PER_WAKE_UP):
            view = self._receive_one()
            if view is None:
                break
            if len(view):
                views.append(view)
        if views:
            self._on_datagrams(views, self._now())

    async def _receive_each(self) -> None:
        """What ``_on_readable`` does, for a loop without ``add_reader``."""
        while (sock := self._sock) is not None:
            room = self._room()
            try:
                size, address = await self._loop.sock_recvfrom_into(sock, room)
            except OSError:
                self.errors += 1
                await asyncio.sleep(0)
                continue
            view = self._take(room, size, address)
            if len(view):
                self._on_datagrams([view], self._now())

    def _room(self) -> memoryview:
        """Memory for the next datagram, whatever its size."""
        if len(self._slab) - self._used < LARGEST_DATAGRAM:
            self._slab = memoryview(bytearray(SLAB_SIZE))
            self._used = 0
        return self._slab[self._used :]

    def _receive_one(self) -> memoryview | None:
        """The next datagram; empty when one is to be passed over, None when there is none."""
        sock = self._sock
        if sock is None:
            return None
        room = self._room()
        try:
            if self._trusted:
                return self._take(room, sock.recv_into(room), None)
            size, address = sock.recvfrom_into(room)
        except (BlockingIOError, InterruptedError):
            self._trusted = self._connected
            return None
        except OSError:
            self.errors += 1  # an ICMP error of something we sent
            return room[:0]
        return self._take(room, size, address)

    def _take(self, room: memoryview, size: int, address: Any) -> memoryview:
        """A datagram at the front of ``room``; empty when its sender is not the peer."""
        if address is not None and not self._is_peer(address):
            self.refused += 1
            return room[:0]
        self._used += size
        self.bytes_received += size
        return room[:size].toreadonly()

    def _is_peer(self, address: Any) -> bool:
        """Whether a datagram is of the peer; the first one tells a port that we do not know."""
        if self._peer_host is None or numeric_host(address) != self._peer_host:
            return False
        if self._peer_port is not None:
            return bool(address[1] == self._peer_port)
        self._peer_port = address[1]
        self._connect(address)
        return True


class UdpPair:
    """The RTP and the RTCP port of one stream."""

    def __init__(self, rtp: UdpPort, rtcp: UdpPort) -> None:
        self.rtp = rtp
        self.rtcp = rtcp

    @property
    def ports(self) -> tuple[int, int]:
        """The two port numbers, for the Transport header."""
        return self.rtp.port, self.rtcp.port

    @property
    def bytes_received(self) -> int:
        """On both ports."""
        return self.rtp.bytes_received + self.rtcp.bytes_received

    def lock(self, host: str, server_port: tuple[int, int] | None) -> None:
        """Take datagrams of this peer only, and begin to read."""
        rtp_port, rtcp_port = server_port or (None, None)
        self.rtp.lock(host, rtp_port)
        self.rtcp.lock(host, rtcp_port)
        self.rtp.start()
        self.rtcp.start()

    def close(self) -> None:
        """Close both; idempotent."""
        self.rtp.close()
        self.rtcp.close()


def open_pair(
    local_host: str,
    on_rtp: OnDatagrams,
    on_rtcp: OnDatagrams,
    *,
    client_ports: tuple[int, int] | None = None,
) -> UdpPair:
    """Bind an even port and the one after it.

    Args:
        local_host: Numeric address to bind to: the control connection's own.
        on_rtp: Takes what arrives on the even port.
        on_rtcp: Takes what arrives on the odd one.
        client_ports: First and last port that may be used; None leaves it to the system.

    Raises:
        LocalProtocolError: No pair is free in ``client_ports``.
        OSError: The system gives no more sockets.
    """
    if client_ports is None:
        return _open_any_pair(local_host, on_rtp, on_rtcp)
    first, last = client_ports
    for port in range(first + first % 2, last, 2):
        pair = _try_pair(local_host, port, on_rtp, on_rtcp)
        if pair is not None:
            return pair
    raise LocalProtocolError(f"no free pair of UDP ports in {first}-{last}", phase="setup")


def _open_any_pair(local_host: str, on_rtp: OnDatagrams, on_rtcp: OnDatagrams) -> UdpPair:
    """An even and odd pair where the system offers one, else any two ports (RFC 3550 §11)."""
    for _ in range(PAIR_ATTEMPTS):
        sock = _bind(local_host, 0)
        port = sock.getsockname()[1]
        if port % 2 == 0:
            other = _try_bind(local_host, port + 1)
            if other is not None:
                return _pair(sock, other, on_rtp, on_rtcp)
        sock.close()
    first = _bind(local_host, 0)
    try:
        second = _bind(local_host, 0)
    except OSError:
        first.close()
        raise
    return _pair(first, second, on_rtp, on_rtcp)


def _pair(
    rtp: socket.socket, rtcp: socket.socket, on_rtp: OnDatagrams, on_rtcp: OnDatagrams
) -> UdpPair:
    return UdpPair(UdpPort(rtp, on_rtp, connects=True), UdpPort(rtcp, on_rtcp, connects=False))


def _try_pair(
    local_host: str, port: int, on_rtp: OnDatagrams, on_rtcp: OnDatagrams
) -> UdpPair | None:
    rtp = _try_bind(local_host, port)
    if rtp is None:
        return None
    rtcp = _try_bind(local_host, port + 1)
    if rtcp is None:
        rtp.close()
        return None
    return _pair(rtp, rtcp, on_rtp, on_rtcp)


def _try_bind(local_host: str, port: int) -> socket.socket | None:
    try:
        return _bind(local_host, port)
    except (OSError, OverflowError):
        return None


def _bind(local_host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in local_host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind((local_host, port))
    except BaseException:
        sock.close()
        raise
    return sock

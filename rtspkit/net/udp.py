"""A pair of UDP ports for one stream: RTP on the even one, RTCP on the next.

Layer:  net
Out:    what arrives on each of the two, to a callback of its own
Source: RFC 3550 §11 (even and odd port)
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from rtspkit.errors import LocalProtocolError
from rtspkit.net.moderation import Moderation, moderation_of
from rtspkit.net.slab import SlabPool, pool_of
from rtspkit.net.udp_port import OnDatagrams, UdpPort, choose_receiver

__all__ = ["Receiving", "UdpPair", "open_pair", "receiving"]

RECEIVE_BUFFER = 2 * 1024 * 1024  # bytes asked of the kernel; it may give less
PAIR_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Receiving:
    """How ports receive: see ``receiving``."""

    receiver: str
    pool: SlabPool
    moderation: Moderation | None = None


def receiving(
    receiver: str = "auto", *, slab_memory: int | None = None, coalesce: float = 0.0
) -> Receiving:
    """How the ports of a session receive, on the running loop.

    Args:
        receiver: The way in: ``"auto"``, ``"recvmmsg"``, ``"recv_into"`` or ``"datagram"``.
        slab_memory: Bytes that the loop's pool may have at least; None for the default.
        coalesce: Seconds between two reads of all sockets together; 0 reads each at once.

    Raises:
        LocalProtocolError: This system has no such way in.
    """
    loop = asyncio.get_running_loop()
    pool = pool_of(loop, slab_memory)
    moderation = moderation_of(loop, coalesce) if coalesce else None
    return Receiving(choose_receiver(receiver), pool, moderation)


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

    @property
    def receive_buffer(self) -> int:
        """Bytes that the kernel keeps for the RTP port; Linux counts its own needs in."""
        return self.rtp.receive_buffer

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
    how: Receiving | None = None,
    client_ports: tuple[int, int] | None = None,
) -> UdpPair:
    """Bind an even port and the one after it.

    Args:
        local_host: Numeric address to bind to: the control connection's own.
        on_rtp: Takes what arrives on the even port.
        on_rtcp: Takes what arrives on the odd one.
        how: How they receive; None for the best way here.
        client_ports: First and last port that may be used; None leaves it to the system.

    Raises:
        LocalProtocolError: No pair is free in ``client_ports``.
        OSError: The system gives no more sockets.
    """
    make = _Maker(on_rtp, on_rtcp, how or receiving())
    if client_ports is None:
        return make.pair(*_any_sockets(local_host))
    first, last = client_ports
    for port in range(first + first % 2, last, 2):
        sockets = _try_sockets(local_host, port)
        if sockets is not None:
            return make.pair(*sockets)
    raise LocalProtocolError(f"no free pair of UDP ports in {first}-{last}", phase="setup")


@dataclass(frozen=True, slots=True)
class _Maker:
    on_rtp: OnDatagrams
    on_rtcp: OnDatagrams
    how: Receiving

    def pair(self, rtp: socket.socket, rtcp: socket.socket) -> UdpPair:
        """Ports on two bound sockets. What is rare is read the plain way."""
        how = self.how
        plain = how.receiver if how.receiver == "datagram" else "recv_into"
        return UdpPair(
            UdpPort(
                rtp,
                self.on_rtp,
                connects=True,
                receiver=how.receiver,
                pool=how.pool,
                moderation=how.moderation,
            ),
            UdpPort(rtcp, self.on_rtcp, connects=False, receiver=plain, pool=how.pool),
        )


def _any_sockets(local_host: str) -> tuple[socket.socket, socket.socket]:
    """An even and odd port where the system offers one, else any two (RFC 3550 §11)."""
    for _ in range(PAIR_ATTEMPTS):
        sock = _bind(local_host, 0)
        port = sock.getsockname()[1]
        if port % 2 == 0:
            other = _try_bind(local_host, port + 1)
            if other is not None:
                return sock, other
        sock.close()
    first = _bind(local_host, 0)
    try:
        return first, _bind(local_host, 0)
    except OSError:
        first.close()
        raise


def _try_sockets(local_host: str, port: int) -> tuple[socket.socket, socket.socket] | None:
    rtp = _try_bind(local_host, port)
    if rtp is None:
        return None
    rtcp = _try_bind(local_host, port + 1)
    if rtcp is None:
        rtp.close()
        return None
    return rtp, rtcp


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

"""A blocking RTSP client for the drains: DESCRIBE, SETUP and PLAY of one stream, and no more.

In:     the URL of our own source
Out:    sockets on which the media arrives
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.receivers.common import RECEIVE_BUFFER

__all__ = ["Play", "play"]


@dataclass(slots=True)
class Play:
    """A session that plays.

    Attributes:
        control: The control connection; over TCP the media comes on it too.
        rtp: Non-blocking; None over TCP.
        rtcp: Non-blocking; None over TCP.
        head: What came on the control connection behind the response to PLAY.
    """

    control: socket.socket
    rtp: socket.socket | None
    rtcp: socket.socket | None
    head: bytes


def play(url: str, transport: str) -> Play:
    """Set one stream up and play it.

    Raises:
        RuntimeError: The server refused.
    """
    parts = urlsplit(url)
    control = socket.create_connection((parts.hostname or "", parts.port or 554), timeout=10)
    rtp = rtcp = None
    wish = "RTP/AVP/TCP;unicast;interleaved=0-1"
    if transport == "udp":
        rtp, rtcp = _udp(), _udp()
        ports = rtp.getsockname()[1], rtcp.getsockname()[1]
        wish = f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]}"
    head, _ = _ask(control, "SETUP", f"{url}/stream=0", f"Transport: {wish}\r\n")
    match = re.search(r"Session: ([^;\r]+)", head)
    server = re.search(r"server_port=([0-9]+)", head)
    if match is None:
        raise RuntimeError(f"no session in {head!r}")
    if rtp is not None and server is not None:
        rtp.connect((parts.hostname or "", int(server[1])))
    _, rest = _ask(control, "PLAY", url, f"Session: {match[1]}\r\n")
    return Play(control, rtp, rtcp, rest)


def _ask(control: socket.socket, method: str, url: str, headers: str) -> tuple[str, bytes]:
    """Send a request; gives the head of the response, and what came behind it."""
    control.sendall(f"{method} {url} RTSP/1.0\r\nCSeq: 1\r\n{headers}\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        piece = control.recv(65536)
        if not piece:
            raise RuntimeError(f"the server hung up on {method}")
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head.startswith(b"RTSP/1.0 200"):
        raise RuntimeError(f"{method}: {head[:40]!r}")
    return head.decode(), rest


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock

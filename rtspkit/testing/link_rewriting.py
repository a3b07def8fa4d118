"""The text that a link changes, so that datagrams pass through its own ports.

Layer:  testing (no I/O)
In:     the two byte streams of one control connection, cut anywhere
Out:    the same, but for client_port in SETUP and client_port, server_port in its answer
Source: RFC 2326 §10.12, §12.39

Everything else passes byte by byte, damaged or not. What is no RTSP passes untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

__all__ = ["PortMap", "RequestRewriter", "ResponseRewriter"]

MAX_HELD = 256 * 1024  # bytes that wait for the end of a message; then all passes untouched
_BEGINNING = re.compile(rb"[A-Z$\r\n]")
_LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,7})")
_CSEQ = re.compile(rb"(?im)^cseq[ \t]*:[ \t]*(\d{1,10})")
_TRANSPORT = re.compile(rb"(?im)^transport[ \t]*:[^\r\n]*")
_PORTS = re.compile(rb"(?i)\b(client_port|server_port)=(\d{1,5})(?:-(\d{1,5}))?")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class PortMap(Protocol):
    """The ports of one SETUP, on both sides of the link."""

    client: tuple[int, int]  # where the client listens
    server: tuple[int, int] | None  # where the server listens
    toward_server: tuple[int, int]  # ours, in the place of the client's
    toward_client: tuple[int, int]  # ours, in the place of the server's


class RequestRewriter:
    """What goes from the client to the server.

    Args:
        new_map: Makes the ports for one SETUP, given those of the client.

    Attributes:
        pending: Ports of the SETUPs that are not answered yet, by CSeq.
    """

    def __init__(self, new_map: Callable[[tuple[int, int]], PortMap]) -> None:
        self.pending: dict[int, PortMap] = {}
        self._new_map = new_map
        self._held = b""
        self._untouched = False

    def feed(self, data: bytes) -> bytes:
        """Take some bytes; give those that go on."""
        if self._untouched:
            return data
        held, out = self._held + data, []
        while held:
            size = _size(held)
            if size is None and len(held) <= MAX_HELD:
                break
            if size is None or not _BEGINNING.match(held):
                self._untouched = True
                out.append(held)
                held = b""
                break
            out.append(self._rewrite(held[:size]))
            held = held[size:]
        self._held = held
        return b"".join(out)

    def _rewrite(self, message: bytes) -> bytes:
        if not message.startswith(b"SETUP "):
            return message
        transport = _TRANSPORT.search(message)
        ports = None if transport is None else _PORTS.search(transport[0])
        if transport is None or ports is None:
            return message
        first = int(ports[2])
        ports_map = self._new_map((first, int(ports[3]) if ports[3] else first + 1))
        cseq = _CSEQ.search(message)
        self.pending[int(cseq[1]) if cseq else -1] = ports_map
        changed = _replace(transport[0], {b"client_port": ports_map.toward_server})
        return message[: transport.start()] + changed + message[transport.end() :]


class ResponseRewriter:
    """What goes from the server to the client.

    Args:
        pending: The SETUPs that are not answered yet; those that are, are taken out.
    """

    def __init__(self, pending: dict[int, PortMap]) -> None:
        self._pending = pending
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take some bytes; give those that go on."""
        held = self._held + data
        out = []
        while self._pending and held and len(held) <= MAX_HELD:
            if held[:1] == b"$":
                size = _size(held)
            elif held.startswith(b"RTSP/"):
                end = _HEAD_END.search(held)
                size = None if end is None else end.end()
            else:
                found = held.find(b"RTSP/")
                size = found if found > 0 else len(held) - _partial(held) or None
            if size is None:
                break
            out.append(self._rewrite(held[:size]))
            held = held[size:]
        else:
            out.append(held)
            held = b""
        self._held = held
        return b"".join(out)

    def _rewrite(self, piece: bytes) -> bytes:
        if not piece.startswith(b"RTSP/"):
            return piece
        number = _CSEQ.search(piece)
        cseq = int(number[1]) if number else next(iter(self._pending))
        ports_map = self._pending.pop(cseq, None)
        transport = _TRANSPORT.search(piece)
        if ports_map is None or transport is None:
            return piece
        for match in _PORTS.finditer(transport[0]):
            if match[1].lower() == b"server_port" and int(match[2]):
                first = int(match[2])
                ports_map.server = first, int(match[3]) if match[3] else first + 1
        ports = {b"client_port": ports_map.client, b"server_port": ports_map.toward_client}
        changed = _replace(transport[0], ports)
        return piece[: transport.start()] + changed + piece[transport.end() :]


def _size(held: bytes) -> int | None:
    """Size of the frame or the message at the beginning; None while it is not whole."""
    if held[:1] == b"$":
        size = 4 + int.from_bytes(held[2:4], "big")
        return size if len(held) >= max(size, 4) else None
    if not _BEGINNING.match(held):
        return len(held)
    end = _HEAD_END.search(held)
    if end is None:
        return None
    length = _LENGTH.search(held, 0, end.end())
    size = end.end() + (int(length[1]) if length else 0)
    return size if len(held) >= size else None


def _partial(held: bytes) -> int:
    """How many bytes at the end may be the beginning of a response."""
    return next((n for n in range(4, 0, -1) if held.endswith(b"RTSP/"[:n])), 0)


def _replace(text: bytes, ports: dict[bytes, tuple[int, int]]) -> bytes:
    """Put other ports in; a zero stays zero."""

    def put(match: re.Match[bytes]) -> bytes:
        pair = ports.get(match[1].lower())
        if pair is None or not int(match[2]):
            return match[0]
        first, second = pair
        last = b"-%d" % second if match[3] else b""
        return b"%s=%d%s" % (match[1], first, last)

    return _PORTS.sub(put, text)

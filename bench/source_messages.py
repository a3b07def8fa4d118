"""What the source's server keeps of a client, and how it reads one.

In:     bytes of a control connection
Out:    messages, one by one; sessions as JSON
Source: RFC 2326 §4 (messages), §10.12 (interleaved)
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.source_sender import Outlet

__all__ = ["Connection", "Message", "Session", "take_message"]


class Message(NamedTuple):
    """One request; an interleaved frame has no words.

    Attributes:
        words: Of the first line.
        headers: By name in lower case.
    """

    words: list[str]
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class Session:
    """One RTSP session."""

    identifier: str
    path: str
    transport: str = ""
    client_ports: list[int] = field(default_factory=list)
    outlets: dict[int, Outlet] = field(default_factory=dict)
    playing: bool = False
    ended: bool = False

    def statistics(self) -> dict[str, object]:
        """What was sent, for JSON."""
        return {
            "id": self.identifier,
            "transport": self.transport,
            "client_ports": self.client_ports,
            "playing": self.playing,
            "ended": self.ended,
            "streams": [
                {
                    "ssrc": one.ssrc,
                    "sent": one.sent,
                    "bytes": one.bytes,
                    "units": one.units,
                    "unit_bytes": one.unit_bytes,
                    "first_sequence_number": one.first_sequence_number,
                    "next_sequence_number": one.sequence_number,
                    "late": one.late,
                    "blocked": one.blocked,
                }
                for one in self.outlets.values()
            ],
        }


@dataclass(slots=True, eq=False)
class Connection:
    """One control connection and what it still has to send."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)
    sessions: dict[str, Session] = field(default_factory=dict)


def take_message(received: bytearray) -> Message | None:
    """Take one message off the front; None when there is no whole one yet."""
    if received[:1] == b"$":
        size = 4 + int.from_bytes(received[2:4], "big")
        if len(received) < max(4, size):
            return None
        del received[:size]
        return Message([], {})
    head, blank, _ = received.partition(b"\r\n\r\n")
    if not blank:
        return None
    first, *lines = head.decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    size = len(head) + 4 + int(headers.get("content-length", "0"))
    if len(received) < size:
        return None
    del received[:size]
    return Message(first.split(), headers)

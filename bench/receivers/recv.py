"""The floor of one system call a packet: ``recv_into`` one buffer, again and again.

Over TCP it takes what is there in pieces of up to 256 KiB, and splits nothing.
"""

from __future__ import annotations

import socket

from bench.receivers.common import make_parser, parse
from bench.receivers.drain import drain

__all__: list[str] = []

DATAGRAM = 2048  # bytes
PIECE = 256 << 10  # bytes


def main() -> None:
    """Run the drain."""
    options = parse(make_parser(__doc__))
    if options.transport == "tcp":
        drain(options, _Stream().empty, "wire", "recv_into")
    else:
        drain(options, _Datagrams().empty, "packet", "recv_into")


class _Datagrams:
    def __init__(self) -> None:
        self.buffer = bytearray(DATAGRAM)

    def empty(self, sock: socket.socket) -> tuple[int, int]:
        receive, buffer = sock.recv_into, self.buffer
        packets = size = 0
        try:
            while True:
                size += receive(buffer)
                packets += 1
        except BlockingIOError:
            return packets, size


class _Stream:
    def __init__(self) -> None:
        self.buffer = bytearray(PIECE)

    def empty(self, sock: socket.socket) -> tuple[int, int]:
        """One piece; what is left is told again."""
        return 0, sock.recv_into(self.buffer)


if __name__ == "__main__":
    main()

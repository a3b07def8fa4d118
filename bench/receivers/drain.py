"""How the bare drains wait: epoll over the sockets, and a function that empties one.

In:     sessions that play; ``empty(socket) -> (packets, bytes)``
Out:    counters, when standard input ends
"""

from __future__ import annotations

import argparse
import select
import socket
from collections.abc import Callable

from bench.receivers.common import Counters, finish, ready
from bench.receivers.rtsp import Play, play

__all__ = ["drain"]

Empty = Callable[[socket.socket], tuple[int, int]]


def drain(options: argparse.Namespace, empty: Empty, bytes_of: str, engine: str) -> None:
    """Play and empty until standard input ends; then say what came.

    Args:
        options: As ``common.parse`` gives them.
        empty: Takes what is there, and gives how many packets and bytes it was; packets may be 0
            where it does not know them.
        bytes_of: What it counts, as ``Counters`` has it.
        engine: Its name.
    """
    sessions = [play(options.url, options.transport) for _ in range(options.streams)]
    sockets = {sock.fileno(): sock for sock in map(_media, sessions)}
    poll = select.epoll()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    for number in sockets:
        poll.register(number, select.EPOLLIN)
    packets, size, waiting = 0, sum(len(one.head) for one in sessions), set(sockets)
    while True:
        for number, _ in poll.poll():
            if number == 0:
                finish(_counters(packets, size, bytes_of, engine))
                return
            count, length = empty(sockets[number])
            packets += count
            size += length
            if waiting:
                waiting.discard(number)
                if not waiting:
                    ready()


def _media(session: Play) -> socket.socket:
    sock = session.rtp or session.control
    sock.setblocking(False)
    return sock


def _counters(packets: int, size: int, bytes_of: str, engine: str) -> Counters:
    return Counters(packets=packets or None, bytes=size, bytes_of=bytes_of, engine=engine)

"""The event loop's datagram transport with a protocol that only counts.

``--loop uvloop`` or ``--loop asyncio``. A receiver on such a transport cannot cost less.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable

from bench.receivers.common import Counters, finish, make_parser, parse, ready, stopped
from bench.receivers.loops import add_loop_option, run_on
from bench.receivers.rtsp import play

__all__: list[str] = []


class _Counter(asyncio.DatagramProtocol):
    def __init__(self, first: Callable[[], None]) -> None:
        self.packets = 0
        self.bytes = 0
        self._first = first

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.packets:
            self._first()
        self.packets += 1
        self.bytes += len(data)


async def _receive(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    waiting = options.streams

    def first() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            ready()

    ends = []
    for _ in range(options.streams):
        session = play(options.url, "udp")
        ends.append(
            (
                session,
                *await loop.create_datagram_endpoint(lambda: _Counter(first), sock=session.rtp),
            )
        )
    await stopped()
    counters = Counters(0, 0, bytes_of="packet", engine=options.loop)
    for _, transport, protocol in ends:
        counters.packets = (counters.packets or 0) + protocol.packets
        counters.bytes = (counters.bytes or 0) + protocol.bytes
        transport.close()
    finish(counters)


def main() -> None:
    """Run the receiver."""
    parser = make_parser(__doc__)
    add_loop_option(parser)
    options = parse(parser)
    if options.transport == "tcp":
        parser.error("a datagram transport is for UDP")
    run_on(options.loop, _receive(options))


if __name__ == "__main__":
    main()

"""aiortsp, as its front page runs it: ``async for packet in reader.iter_packets()``."""

from __future__ import annotations

import argparse
import asyncio
import logging

from bench.receivers.common import Counters, finish, make_parser, parse, ready, stopped
from bench.receivers.loops import add_loop_option, run_on

__all__: list[str] = []


class _Tally:
    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.first = asyncio.Event()

    async def packets(self, url: str) -> None:
        from aiortsp.rtsp.reader import RTSPReader

        async with RTSPReader(url, log_level=logging.ERROR) as reader:
            async for packet in reader.iter_packets():
                self.count += 1
                self.size += len(packet.data)
                if self.count == 1:
                    self.first.set()


async def _receive(options: argparse.Namespace) -> None:
    url = options.url
    if options.transport == "tcp":
        url = url.replace("rtsp://", "rtspt://", 1)
    tallies = [_Tally() for _ in range(options.streams)]
    tasks = [asyncio.create_task(tally.packets(url)) for tally in tallies]
    for tally in tallies:
        await tally.first.wait()
    ready()
    await stopped()
    finish(
        Counters(
            packets=sum(tally.count for tally in tallies),
            bytes=sum(tally.size for tally in tallies),
            engine=options.loop,
        )
    )
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def main() -> None:
    """Run the receiver."""
    parser = make_parser(__doc__)
    add_loop_option(parser)
    options = parse(parser)
    run_on(options.loop, _receive(options))


if __name__ == "__main__":
    main()

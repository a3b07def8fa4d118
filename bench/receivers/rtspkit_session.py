"""rtspkit, as a user runs it: one ``async for`` a session over one of its three doors.

``--door packets``, ``batches`` or ``access_units``; ``--receiver`` and ``--coalesce`` go to
``connect()`` where they are given; ``--tree`` names another tree to take rtspkit from.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from bench.receivers.common import Counters, finish, make_parser, parse, ready, stopped, use_tree
from bench.receivers.loops import add_loop_option, run_on

if TYPE_CHECKING:
    from rtspkit import Session

__all__: list[str] = []

FIRST_MEDIA = 20.0  # s


class _Tally:
    """What one session gave."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.first = asyncio.Event()

    async def packets(self, session: Session) -> None:
        """``async for packet``."""
        packets = session.packets()
        n, size = 1, len((await anext(packets)).payload)
        self.first.set()
        async for packet in packets:
            n += 1
            size += len(packet.payload)
        self.count, self.size = n, size

    async def batches(self, session: Session) -> None:
        """``async for batch``, ``for packet``."""
        batches = session.batches()
        batch = await anext(batches)
        n, size = len(batch), sum(len(packet.payload) for packet in batch)
        self.first.set()
        async for batch in batches:
            for packet in batch:
                n += 1
                size += len(packet.payload)
        self.count, self.size = n, size

    async def access_units(self, session: Session) -> None:
        """``async for unit``."""
        units = session.access_units()
        n, size = 1, len((await anext(units)).data)
        self.first.set()
        async for unit in units:
            n += 1
            size += len(unit.data)
        self.count, self.size = n, size


async def _receive(options: argparse.Namespace) -> None:
    import rtspkit

    extra: dict[str, object] = {}
    if options.receiver is not None:
        extra["receiver"] = options.receiver
    if options.coalesce is not None:
        extra["coalesce"] = options.coalesce
    sessions: list[Session] = []
    for _ in range(options.streams):
        sessions.append(
            await rtspkit.connect(options.url, transport=options.transport, **extra)  # type: ignore[arg-type]
        )
    tallies = [_Tally() for _ in sessions]
    async with asyncio.TaskGroup() as group:
        for tally, session in zip(tallies, sessions, strict=True):
            group.create_task(getattr(tally, options.door)(session))
        async with asyncio.timeout(FIRST_MEDIA):
            for tally in tallies:
                await tally.first.wait()
        ready(version=rtspkit.__version__)
        await stopped()
        await asyncio.gather(*(session.aclose() for session in sessions))
    stats = [session.stats() for session in sessions]
    counters = Counters(
        packets=sum(one.packets for one in stats),
        bytes=sum(tally.size for tally in tallies),
        lost=sum(one.lost for one in stats),
        dropped=sum(one.consumer_dropped for one in stats),
        engine=f"{getattr(stats[0], 'receiver', None) or 'its own'}, {options.loop}",
    )
    if options.door == "access_units":
        counters.bytes_of = "annex-b"
        counters.units = sum(tally.count for tally in tallies)
    else:
        counters.packets = sum(tally.count for tally in tallies)
    finish(counters)


def main() -> None:
    """Run the receiver."""
    parser = make_parser(__doc__)
    add_loop_option(parser)
    parser.add_argument("--door", choices=("packets", "batches", "access_units"), default="packets")
    parser.add_argument("--receiver", help="auto, recvmmsg, recv_into or datagram")
    parser.add_argument("--coalesce", type=float, help="seconds")
    parser.add_argument("--tree", help="folder to take rtspkit from")
    options = parse(parser)
    use_tree(options.tree)
    run_on(options.loop, _receive(options))


if __name__ == "__main__":
    main()

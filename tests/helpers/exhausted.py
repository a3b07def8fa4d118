"""A program that connects with few descriptors left, and tells what became of it as JSON.

    python exhausted.py LOOP URL

One line for each number of descriptors that are free: the error's name (None when it played),
the seconds that it took, and the CPU seconds of these. The last line is of a session that was
playing when the descriptors ran out.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faulty import open_plainly

import rtspkit

FREE = range(9)  # two streams over UDP take four, the connection one


@contextmanager
def few_descriptors(free: int) -> Iterator[None]:
    """Only so many more can be opened."""
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2 + free, hard))
    fillers = []
    try:
        while True:
            fillers.append(os.dup(0))
    except OSError:
        pass  # there are no more
    for _ in range(free):
        os.close(fillers.pop())
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for one in fillers:
            os.close(one)


async def attempt(url: str, transport: str, free: int) -> dict[str, Any]:
    began, cpu = time.monotonic(), time.process_time()
    failure = None
    with few_descriptors(free):
        try:
            async with open_plainly(url, transport=transport) as session:
                await anext(session.packets())
        except Exception as error:
            failure = error
        taken, cpu = time.monotonic() - began, time.process_time() - cpu
    return {
        "transport": transport,
        "free": free,
        "error": failure and type(failure).__name__,
        "typed": isinstance(failure, rtspkit.RtspError),
        "retryable": getattr(failure, "retryable", None),
        "words": str(failure or ""),
        "seconds": taken,
        "cpu": cpu,
    }


async def works(url: str) -> float:
    """Seconds until a packet is there, with all the descriptors again."""
    began = time.monotonic()
    async with open_plainly(url, transport="udp") as session:
        await anext(session.packets())
    return time.monotonic() - began


async def play_without(url: str) -> dict[str, Any]:
    """A session that plays does not notice."""
    async with open_plainly(url, transport="udp") as session:
        packets = session.packets()
        await anext(packets)
        cpu = time.process_time()
        began = time.monotonic()
        with few_descriptors(0):
            for _ in range(50):
                await anext(packets)
            await session.get_parameter()
        seconds = time.monotonic() - began
        cpu = time.process_time() - cpu
        return {"state": session.state, "cpu": cpu, "seconds": seconds}


async def main(url: str) -> None:
    await works(url)  # what is opened once and for all is open
    for transport in ("udp", "tcp", "auto"):
        for free in FREE:
            outcome = await attempt(url, transport, free)
            outcome["again"] = await works(url)
            print(json.dumps(outcome), flush=True)
    print(json.dumps(await play_without(url)), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        rtspkit.run(main(sys.argv[2]))
    else:
        asyncio.run(main(sys.argv[2]))

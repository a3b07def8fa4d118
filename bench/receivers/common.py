"""What the receiver programs share: options, the two lines they print, the end.

In:     arguments; a line on standard input, or its end
Out:    ``{"ready": {...}}``, later ``{"counters": {...}}``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from bench.measure import pin, raise_file_limit, receiver_core

__all__ = [
    "RECEIVE_BUFFER",
    "Counters",
    "Session",
    "finish",
    "make_parser",
    "parse",
    "ready",
    "run_in_threads",
    "stopped",
    "use_tree",
]

RECEIVE_BUFFER = 4 << 20  # bytes of SO_RCVBUF asked for, everywhere it can be said


@dataclass(slots=True)
class Counters:
    """What a receiver knows of what it received; None where it cannot know.

    Attributes:
        packets: RTP packets.
        bytes: Of their payloads, or as ``bytes_of`` says.
        units: Access units.
        lost: Packets it missed.
        dropped: Packets that it had and threw away.
        bytes_of: ``"payload"``, ``"packet"`` (RTP header included), ``"annex-b"`` or ``"wire"``.
        engine: How it received, where it can tell.
    """

    packets: int | None = None
    bytes: int | None = None
    units: int | None = None
    lost: int | None = None
    dropped: int | None = None
    bytes_of: str = "payload"
    engine: str = ""


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of the options that every receiver takes."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--transport", choices=("udp", "tcp"), default="udp")
    parser.add_argument("--streams", type=int, default=1, help="sessions, each on its connection")
    parser.add_argument("--core", type=int, default=receiver_core(), help="the first by default")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the arguments, go to our core, and allow ourselves many sockets."""
    options = parser.parse_args()
    raise_file_limit()
    pin(options.core if options.core is not None and options.core >= 0 else None)
    return options


def use_tree(tree: str | None) -> None:
    """Let ``import rtspkit`` find this tree's, and no other.

    Raises:
        SystemExit: There is none in it.
    """
    if tree is None:
        return
    if not (Path(tree) / "rtspkit").is_dir():
        sys.exit(f"there is no rtspkit in {tree}")
    sys.path.insert(0, tree)


def ready(**details: object) -> None:
    """Say that media flows.

    Args:
        details: Anything else that the parent should know, such as ``pid`` of the process to
            measure when it is not this one.
    """
    print(json.dumps({"ready": {"pid": os.getpid(), **details}}), flush=True)


def finish(counters: Counters) -> None:
    """Say what was counted."""
    print(json.dumps({"counters": asdict(counters)}), flush=True)


def finish_with_input(counters: Callable[[], Counters]) -> None:
    """For programs whose main thread blocks elsewhere: a thread waits, prints and ends it all."""

    def wait() -> None:
        sys.stdin.readline()
        finish(counters())
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class Session(Protocol):
    """One session of a receiver that blocks: a thread is its own."""

    first: threading.Event

    def run(self) -> None:
        """Receive for ever; ``first`` is set by the first media."""


def run_in_threads(sessions: Sequence[Session], counters: Callable[[], Counters]) -> None:
    """Let all of them receive, say when each does, and count at the end; does not return before."""
    threads = [threading.Thread(target=one.run, daemon=True) for one in sessions]
    for thread in threads:
        thread.start()
    for one in sessions:
        one.first.wait()
    finish_with_input(counters)
    ready()
    for thread in threads:
        thread.join()


async def stopped() -> None:
    """Wait until standard input has a line, or has ended."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(0, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(0)

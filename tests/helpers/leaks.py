"""What a test must not leave behind: sockets, timers, tasks, exceptions nobody took."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import psutil

DESCRIPTORS = Path("/proc/self/fd")
INTERNET = (socket.AF_INET, socket.AF_INET6)
TURNS = 50  # of the loop, in which what was closed may go away


def open_sockets() -> set[str]:
    """The internet sockets of this process, by name."""
    if not DESCRIPTORS.exists():
        connections = psutil.Process().net_connections("inet")
        return {f"{c.fd} {c.laddr} {c.raddr}" for c in connections if c.fd != -1}
    found = set()
    for entry in os.listdir(DESCRIPTORS):
        try:
            name = os.readlink(DESCRIPTORS / entry)
            if not name.startswith("socket:"):
                continue
            one = socket.socket(fileno=os.dup(int(entry)))
        except OSError:
            continue  # the descriptor of the folder itself
        with one:
            if one.family in INTERNET:
                found.add(f"{name} {one.getsockname()}")
    return found


def open_timers(loop: asyncio.AbstractEventLoop) -> set[asyncio.TimerHandle]:
    """The timers that are armed; uvloop does not show its own."""
    return {timer for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()}


def other_tasks() -> set[asyncio.Task[object]]:
    """Every task but the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}


class Inventory:
    """What there is now; ``assert_nothing_left`` compares with it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.failures: list[dict[str, object]] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self.tasks, self.sockets = other_tasks(), open_sockets()
        self.timers = open_timers(self.loop)

    def left(self) -> tuple[set[object], set[str], set[object]]:
        """Tasks, sockets and timers that were not there before."""
        return (
            other_tasks() - self.tasks,
            open_sockets() - self.sockets,
            open_timers(self.loop) - self.timers,
        )

    async def assert_nothing_left(self) -> None:
        """Give what was closed a few turns, then compare."""
        for _ in range(TURNS):
            if not any(self.left()):
                break
            await asyncio.sleep(0)
        tasks, sockets, timers = self.left()
        assert not tasks, "tasks are left"
        assert not sockets, "sockets are left"
        assert not timers, "timers are left"

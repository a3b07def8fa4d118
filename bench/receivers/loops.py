"""Which event loop a receiver runs on."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Coroutine

__all__ = ["add_loop_option", "run_on"]


def add_loop_option(parser: argparse.ArgumentParser) -> None:
    """``--loop``, uvloop by default."""
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")


def run_on(name: str, main: Coroutine[object, object, None]) -> None:
    """Run to the end on the loop of this name."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)

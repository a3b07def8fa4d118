"""``rtspkit demo``: the embedded camera, played over UDP and then over TCP.

Layer:  cli
"""

from __future__ import annotations

from argparse import Namespace
from typing import Literal

from rtspkit.cli.exits import CommandError, report_error
from rtspkit.cli.figures import plural
from rtspkit.cli.play import measure
from rtspkit.errors import RtspError
from rtspkit.testing.camera import Camera

__all__ = ["demo"]

TRANSPORTS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


async def demo(arguments: Namespace) -> int:
    """Carry the command out; gives its exit code, of the first transport that was not fine."""
    codes = []
    async with Camera() as camera:
        for place, transport in enumerate(TRANSPORTS):
            if place and not arguments.json:
                print()
            try:
                await _one(arguments, camera.url, transport)
            except (RtspError, CommandError) as error:
                codes.append(report_error(error, as_json=arguments.json))
    return codes[0] if codes else 0


async def _one(arguments: Namespace, url: str, transport: Literal["udp", "tcp"]) -> None:
    reading = await measure(arguments, url, transport)
    lost = reading.total("lost")
    if any(stream.packets == 0 for stream in reading.streams) or not reading.streams:
        raise CommandError(
            f"{transport}: no packet of some stream came; allow it more --seconds", 1
        )
    if lost:
        raise CommandError(
            f"{transport}: {plural(lost, 'packet')} {'was' if lost == 1 else 'were'} lost inside"
            " this machine; it may be too busy, run it again",
            1,
        )

"""A program written for aiortsp, after its one change: where the names are imported from.

    python examples/from_aiortsp.py rtsp://user:secret@camera/stream 10

It counts packets and pictures for some seconds, and goes on when the camera was away.
"""

from __future__ import annotations

import asyncio
import sys

# Before: from aiortsp.rtsp.reader import RTSPReader
from rtspkit.compat.aiortsp.rtsp.reader import RTSPReader


class Watcher(RTSPReader):
    """A reader that says when the camera is there, and when it is not."""

    def on_ready(self, connection, transport, session):
        super().on_ready(connection, transport, session)
        print("playing", session.sdp.get_media()["attributes"]["rtpmap"]["encoding"])

    def handle_closed(self, error):
        super().handle_closed(error)
        print("closed:", error or "in order")


async def watch(url: str, seconds: float) -> None:
    packets = pictures = 0
    async with Watcher(url, run_loop=True) as reader:
        try:
            async with asyncio.timeout(seconds):
                async for packet in reader.iter_packets():
                    packets += 1
                    pictures += packet.m
                    last = packet
        except TimeoutError:
            pass
        if packets:
            print(f"{packets} packets, {pictures} pictures, the last at {last.ts}")
            print("sent at", last.packet.wall_time)  # what is new: the packet of rtspkit behind it


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], float(sys.argv[2])))

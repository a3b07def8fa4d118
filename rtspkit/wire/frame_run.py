"""Interleaved frames that follow each other on one channel: read together.

Layer:  wire
In:     a piece of a control connection that begins with a frame
Out:    ``FrameRun``: where the packets lie in that piece, and how far it was read
Source: RFC 2326 §10.12

Facts the code leans on
- A picture is dozens of frames of one channel in a row; the channel changes when the sound comes.
- A frame is sound when the next one begins right behind it. The last one before anything else is
  left to the reader that looks into such things.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from itertools import repeat

from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.interleaved import DOLLAR, HEADER_SIZE, unpack_header

__all__ = ["FrameRun", "read_frames"]


@dataclass(slots=True)
class FrameRun:
    """The insides of frames of one channel.

    Attributes:
        channel: 0 to 255.
        datagrams: One for each frame.
    """

    channel: int
    datagrams: Datagrams


def read_frames(
    view: memoryview, channels: Container[int], now: float
) -> tuple[list[FrameRun], int]:
    """Read the frames that lie whole at the front of a piece.

    Args:
        view: Read-only; the packets are views of it.
        channels: Those that were set up.
        now: When it arrived.

    Returns:
        The frames, and where the first byte is that is not part of them: the end, a frame that is
        not whole yet, or something else.
    """
    runs: list[FrameRun] = []
    position, end = 0, len(view)
    last = end - HEADER_SIZE
    starts: list[int] = []
    lengths: list[int] = []
    current = -1
    sound = True
    while position <= last:
        dollar, channel, length = unpack_header(view, position)
        start = position + HEADER_SIZE
        stop = start + length
        if channel != current or stop > end or dollar != DOLLAR:
            if dollar != DOLLAR or channel not in channels:
                sound = False
                break
            if stop > end:
                break
            starts, lengths, current = [], [], channel
            runs.append(
                FrameRun(channel, Datagrams(repeat(view), starts, lengths, repeat(now), now))
            )
        starts.append(start)
        lengths.append(length)
        position = stop
    if sound and position < end and view[position] != DOLLAR:
        sound = False
    if not sound and runs:
        position = starts.pop() - HEADER_SIZE
        lengths.pop()
        if not starts:
            runs.pop()
    return runs, position

"""Interleaved frames that follow each other on one channel: read together.

Layer:  wire
In:     a piece of a control connection that begins with a frame
Out:    ``FrameRun``: where the packets lie in that piece, and how far it was read
Source: RFC 2326 §10.12

Facts the code leans on
- A picture is dozens of frames of one channel in a row; the channel changes when the sound comes.
- A frame is sound when the next one begins right behind it. The last one before anything else is
  left to the reader that looks into such things.
- Most packets of a picture are of one size: two equal ones are followed by more of them, which are
  read together, their RTP headers too.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from struct import Struct

from rtspkit.wire.datagrams import Datagrams, Header
from rtspkit.wire.interleaved import DOLLAR, HEADER_SIZE, unpack_header
from rtspkit.wire.rtp import HEADER_SIZE as RTP_HEADER_SIZE
from rtspkit.wire.rtp import unpack_header as unpack_rtp

__all__ = ["FrameRun", "read_frames"]

SIZES = 64  # of packets, that are remembered


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
    headers: list[Header] = []
    current = before = -1
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
            starts, lengths, headers, current, before = [], [], [], channel, -1
            runs.append(
                FrameRun(
                    channel,
                    Datagrams(repeat(view), starts, lengths, repeat(now), now, headers=headers),
                )
            )
        starts.append(start)
        lengths.append(length)
        position = stop
        if length < RTP_HEADER_SIZE:
            runs[-1].datagrams.headers = None
            continue
        headers.append(unpack_rtp(view, start))
        if length == before:
            step = HEADER_SIZE + length
            count = _read_alike(view, position, channel, length, headers)
            starts += range(stop + HEADER_SIZE, stop + count * step + 1, step)
            lengths += [length] * count
            position += count * step
        before = length
    if sound and position < end and view[position] != DOLLAR:
        sound = False
    if not sound and runs:
        position = starts.pop() - HEADER_SIZE
        if lengths.pop() >= RTP_HEADER_SIZE:
            headers.pop()
        if not starts:
            runs.pop()
    return runs, position


@lru_cache(maxsize=SIZES)
def _every(length: int) -> Struct:
    return Struct(f"!IHHQ{length - RTP_HEADER_SIZE}x")


def _read_alike(
    view: memoryview, position: int, channel: int, length: int, headers: list[Header]
) -> int:
    """Read the RTP headers of whole frames of this channel and length; how many there are."""
    step = HEADER_SIZE + length
    room = (len(view) - position) // step
    if not room:
        return 0
    before, append = len(headers), headers.append
    alike = DOLLAR << 24 | channel << 16 | length
    stop = position + room * step
    for beginning, head, number, rest in _every(length).iter_unpack(view[position:stop]):
        if beginning != alike:
            break
        append((head, number, rest))
    return len(headers) - before

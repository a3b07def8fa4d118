"""Interleaved frames taken out of memory that is about to be written over.

Layer:  client
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.net.slab import SlabPool
from rtspkit.wire.datagrams import lone_datagrams
from rtspkit.wire.frame_run import FrameRun

__all__ = ["copied_frames"]


def copied_frames(frames: Iterable[FrameRun], pool: SlabPool) -> list[FrameRun]:
    """The same frames in memory of their own, without those that there was none for.

    A run of which nothing is left stays, empty: it says that media has come.
    """
    runs = []
    for run in frames:
        copies = (pool.copy_out(view) for view in run.datagrams)
        kept = [copy for copy in copies if copy is not None]
        runs.append(FrameRun(run.channel, lone_datagrams(kept, run.datagrams.latest)))
    return runs

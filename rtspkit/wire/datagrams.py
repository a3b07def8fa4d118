"""Packets that arrived together, before anybody has read them: where each one lies.

Layer:  wire (plain values; how ``net`` hands packets to ``engine``)
In:     slabs that the network has written into, or datagrams that are alone
Out:    ``Datagrams``: four columns, one row for each packet, in the order of arrival

Facts the code leans on
- A row costs no object of its own: the columns of many packets are one ``range``, one list, or one
  value that repeats.
- Who finds the packets often knows more than where they lie: the sum of their sizes, or their
  headers, read in passing. Nobody has to do it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from struct import Struct

from rtspkit.wire.rtp import HEADER_SIZE

__all__ = ["UNKNOWN", "Datagrams", "Header", "lone_datagrams", "spaced_headers"]

UNKNOWN = -1  # a sum that nobody has made yet
DISTANCES = 64  # at which the headers of packets lie, and which are remembered

Header = tuple[int, int, int]  # as ``rtspkit.wire.rtp.unpack_header`` gives it


@dataclass(slots=True)
class Datagrams:
    """Packets of one stream, as they arrived.

    Attributes:
        views: The read-only view that each one lies in; its owner does not write to it while
            anybody holds it. May repeat without end.
        starts: Where in its view each one begins.
        lengths: Their sizes in bytes.
        arrivals: When each one arrived, in monotonic seconds. May repeat without end.
        latest: When they were read, in monotonic seconds; no arrival is later. Without any rows it
            says that something came then and could not be kept.
        size: The sum of ``lengths``; ``UNKNOWN`` when nobody has made it.
        headers: The header of each, to be gone through once; None when nobody has read them, or
            when one of them is too short to have any.
    """

    views: Iterable[memoryview]
    starts: Sequence[int]
    lengths: Sequence[int]
    arrivals: Iterable[float]
    latest: float
    size: int = UNKNOWN
    headers: Iterable[Header] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[memoryview]:
        """A view of each packet alone."""
        for view, start, length in zip(self.views, self.starts, self.lengths, strict=False):
            yield view[start : start + length]


def lone_datagrams(views: Sequence[memoryview], now: float) -> Datagrams:
    """Datagrams that are a view each, all of them there at ``now``."""
    return Datagrams(views, (0,) * len(views), [len(view) for view in views], repeat(now), now)


@lru_cache(maxsize=DISTANCES)
def _every(step: int) -> Struct:
    return Struct(f"!HHQ{step - HEADER_SIZE}x")


def spaced_headers(memory: memoryview, starts: range) -> Iterator[Header] | None:
    """The headers of packets at equal distances, at half of what reading each by itself costs.

    Args:
        memory: What they lie in.
        starts: Where each begins, ``HEADER_SIZE`` bytes apart at least, and room behind the last
            one for its header.

    Returns:
        The headers; None when less than a whole distance is left behind the last one.
    """
    start, stop = starts.start, starts[-1] + starts.step
    if stop > len(memory):
        return None
    return _every(starts.step).iter_unpack(memory[start:stop])

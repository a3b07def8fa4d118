"""Packets that arrived together, before anybody has read them: where each one lies.

Layer:  wire (plain values; how ``net`` hands packets to ``engine``)
In:     slabs that the network has written into, or datagrams that are alone
Out:    ``Datagrams``: four columns, one row for each packet, in the order of arrival

Facts the code leans on
- A row costs no object of its own: the columns of many packets are one ``range``, one list, or one
  value that repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

__all__ = ["Datagrams", "lone_datagrams"]


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
    """

    views: Iterable[memoryview]
    starts: Sequence[int]
    lengths: Sequence[int]
    arrivals: Iterable[float]
    latest: float

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[memoryview]:
        """A view of each packet alone."""
        for view, start, length in zip(self.views, self.starts, self.lengths, strict=False):
            yield view[start : start + length]


def lone_datagrams(views: Sequence[memoryview], now: float) -> Datagrams:
    """Datagrams that are a view each, all of them there at ``now``."""
    return Datagrams(views, (0,) * len(views), [len(view) for view in views], repeat(now), now)

"""How fast a stream's clock runs beside ours: a straight line through its packets.

Layer:  engine (``arrival`` comes in)
In:     add(arrival, media_time), for each picture or frame as it arrives
Out:    seconds of the stream per second of ours, and how sure that is
"""

from __future__ import annotations

import math

__all__ = ["Drift"]

FEWEST = 10  # points that make a line
SHORTEST = 0.5  # seconds of arrivals


class Drift:
    """Least squares, point by point; nothing is kept of the points.

    Attributes:
        points: How many were taken.
    """

    __slots__ = ("_mean_x", "_mean_y", "_origin", "_span", "_xx", "_xy", "_yy", "points")

    def __init__(self) -> None:
        self.points = 0
        self._origin: tuple[float, float] | None = None
        self._span = 0.0
        self._mean_x = self._mean_y = 0.0
        self._xx = self._xy = self._yy = 0.0

    def add(self, arrival: float, media_time: float) -> None:
        """Take one point; both in seconds."""
        if self._origin is None:
            self._origin = arrival, media_time
        x, y = arrival - self._origin[0], media_time - self._origin[1]
        self.points += 1
        before = x - self._mean_x
        self._mean_x += before / self.points
        from_mean_y = y - self._mean_y
        self._mean_y += from_mean_y / self.points
        self._xx += before * (x - self._mean_x)
        self._xy += before * (y - self._mean_y)
        self._yy += from_mean_y * (y - self._mean_y)
        self._span = max(self._span, x)

    @property
    def rate(self) -> float | None:
        """Seconds of the stream per second of ours: 1 is right; None for too few points."""
        if self.points < FEWEST or self._span < SHORTEST or self._xx <= 0:
            return None
        return self._xy / self._xx

    @property
    def uncertainty(self) -> float | None:
        """The standard error of ``rate``."""
        rate = self.rate
        if rate is None:
            return None
        left = max(self._yy - rate * self._xy, 0.0)
        return math.sqrt(left / (self.points - 2) / self._xx)

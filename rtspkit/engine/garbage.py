"""How long a connection may stay out of step: ``limits.garbage_time``.

Layer:  engine (``now`` comes in)
In:     after each piece of data, whether the reader still looks for a beginning
Out:    ``deadline``, and the error that ends the connection
"""

from __future__ import annotations

from rtspkit.errors import LimitExceeded

__all__ = ["GarbageWatch"]


class GarbageWatch:
    """The watch over one reader that may be resynchronizing.

    Args:
        maximum: Seconds from the first garbage to the next message or frame.
    """

    def __init__(self, maximum: float) -> None:
        self._maximum = maximum
        self._since: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the search has lasted too long; None while in step."""
        return None if self._since is None else self._since + self._maximum

    def look(self, out_of_step: bool, now: float) -> LimitExceeded | None:
        """Take whether the reader is out of step at ``now``; the error when it was for too long."""
        if not out_of_step:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        if now < self._since + self._maximum:
            return None
        return LimitExceeded("garbage_time", self._maximum, now - self._since, phase="streaming")

    def stop(self) -> None:
        """The connection is gone."""
        self._since = None

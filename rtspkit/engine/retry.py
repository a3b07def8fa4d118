"""When to try again: delays as plain numbers, and the bound on how often anybody knocks.

Layer:  engine (chance and ``now`` come in)
In:     a strategy's name, ``Retry``
Out:    seconds before each further attempt; when the next one may be made at all

Facts the code leans on
- A camera must not be exhausted: of any strategy, a port sees at most 12 connects in a minute,
  until a session has played well. Attempts that would come sooner are spread: dense at first, since
  most outages are short, then ever wider.
- A session that was playing comes back within a second of the server when the outage is of the
  short kind (a restart, a switch, a reset): nine attempts in five seconds (``QUICK_ATTEMPTS``).
- Jitter never passes ``maximum_delay``: at the cap the interval is cut, not its numbers, so that
  many clients of one server stay apart.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator

from rtspkit.options import Retry, Strategy

__all__ = [
    "AFTER_QUICK",
    "QUICK_ATTEMPTS",
    "QUICK_GAP",
    "Pace",
    "delay_before",
    "delays",
    "proportional_delay",
    "quick_gap",
]

LINEAR_STEP = 2.0  # seconds more each time
JITTER = 0.25  # of a delay, both ways
MOST_DOUBLINGS = 60  # past it nothing changes, and 2.0 ** n would overflow one day
PROPORTION = 0.1  # of an outage's length

QUICK_ATTEMPTS = 9  # gaps between them: 8 × 0.63 s = 5.04 s, at the least
QUICK_GAP = 0.7  # seconds between the beginnings of two, at the most: 1 s less the handshake
QUICK_JITTER = 0.1  # of it, downward
AFTER_QUICK = 2  # step of the delays that follow: 4 s, 8 s, 16 s still fit into the first minute

CONNECTS = 12  # in PERIOD
PERIOD = 61.0  # seconds: a minute, and one for two clocks and the way
LATER = 2  # connects that quick attempts leave for what comes after them


def delay_before(strategy: Strategy, step: int, retry: Retry, random: Callable[[], float]) -> float:
    """Seconds before one further attempt.

    Args:
        strategy: ``"auto"`` and ``"adaptive"`` stand for what they begin with,
            ``"exponential-jitter"``.
        step: 0 for the second attempt, 1 for the third …
        retry: The delay it begins with, and the most it grows to.
        random: Gives 0 to 1, as ``random.random``; asked only for jitter.
    """
    if strategy == "immediate":
        return 0.0
    if strategy == "linear":
        return min(retry.initial_delay + LINEAR_STEP * step, retry.maximum_delay)
    doubled = retry.initial_delay * 2.0 ** min(step, MOST_DOUBLINGS)
    delay = min(doubled, retry.maximum_delay)
    if strategy == "exponential":
        return delay
    low = delay * (1 - JITTER)
    high = min(delay * (1 + JITTER), retry.maximum_delay)
    return low + (high - low) * random()


def delays(strategy: Strategy, retry: Retry, random: Callable[[], float]) -> Iterator[float]:
    """Seconds before the second attempt, the third, and so on without end; of ``"none"``, none."""
    step = 0
    while strategy != "none":
        yield delay_before(strategy, step, retry, random)
        step += 1


def quick_gap(random: Callable[[], float]) -> float:
    """Seconds from one quick attempt to the next, both counted from where they begin."""
    return QUICK_GAP * (1 - QUICK_JITTER * random())


def proportional_delay(age: float, retry: Retry, random: Callable[[], float]) -> float:
    """Seconds before a further attempt when an outage has lasted for ``age`` seconds."""
    jitter = 1 + JITTER * (2 * random() - 1)
    return min(PROPORTION * age * jitter, retry.maximum_delay)


class Pace:
    """How often one port is knocked at: never more than ``CONNECTS`` in any ``PERIOD``."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque(maxlen=CONNECTS)
        self._first = 0.0
        self._count = 0

    @property
    def last(self) -> float | None:
        """When the last attempt begins; None before the first."""
        return self._begun[-1] if self._begun else None

    def has_room(self, now: float) -> bool:
        """Whether one more attempt leaves ``LATER`` of them for the rest of the period."""
        recent = sum(begun > now - PERIOD for begun in self._begun)
        return recent + 1 <= CONNECTS - LATER

    def left(self, now: float) -> int:
        """How many connections may begin at this moment; at least one."""
        return max(CONNECTS - sum(begun > now - PERIOD for begun in self._begun), 1)

    def charge(self, connections: int) -> None:
        """So many more have begun with the last attempt."""
        for _ in range(connections if self._begun else 0):
            self._begun.append(self._begun[-1])

    @property
    def bound(self) -> float:
        """Before this moment no further attempt may begin."""
        return self._begun[0] + PERIOD if len(self._begun) == CONNECTS else -math.inf

    @property
    def spread(self) -> float:
        """When the next attempt begins of whoever has no delay of its own.

        What is left of the first period is shared out among the attempts that are left in it, the
        n-th gap having n² shares; later ones are even.
        """
        if not self._begun:
            return -math.inf
        left = self._first + PERIOD - self._begun[-1]
        if self._count > CONNECTS or left <= 0:
            return self._begun[-1] + PERIOD / CONNECTS
        shares = sum(gap * gap for gap in range(self._count, CONNECTS + 1))
        return self._begun[-1] + left * self._count * self._count / shares

    def begin(self, at: float) -> None:
        """An attempt begins at ``at``."""
        if not self._count:
            self._first = at
        self._count += 1
        self._begun.append(at)

    def renew(self) -> None:
        """The server has served well: what was before counts no more."""
        self._begun.clear()
        self._count = 0

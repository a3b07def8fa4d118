"""What ``"adaptive"`` has learnt of one server, and its JSON form.

Layer:  engine (values)
In:     what ``Knowledge.to_json`` gave once, possibly damaged since
Out:    counts for each arm, and how long the server took to let us in again

A store may hold anything: what cannot be right is dropped, entry by entry, and nothing is raised.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DISCOVERY", "LAST", "Arm", "Knowledge"]

FORMAT = 1
RECENT = 20  # outcomes and recoveries that count as recent
LAST = 10  # outcomes that are compared with history
DISCOVERY = 30.0  # seconds of trying in which arms take turns
MOST_ARMS = 16
LONGEST_NAME = 32  # characters
MOST = 1e9  # counts and seconds: what is beyond it is neither


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)


@dataclass(slots=True)
class Arm:
    """The record of one way to come back.

    Attributes:
        successes: Outages that it ended well; a fraction after confidence was halved.
        failures: The others.
        recent: 1.0 and 0.0 for the last of them.
        seconds: How long the last ones took.
    """

    successes: float = 0.0
    failures: float = 0.0
    recent: deque[float] = field(default_factory=_recent)
    seconds: deque[float] = field(default_factory=_recent)


@dataclass(slots=True)
class Knowledge:
    """What is known of one server.

    Attributes:
        arms: By name.
        last: 1.0 and 0.0 for the last outages, whatever the arm.
        recoveries: Seconds that the last outages took, whatever the arm.
        tried: Seconds spent trying, in all of them.
        discovery: Arms take turns until so many seconds were tried.
        changed: Whether the server has changed, and ``last`` has not filled up since.
    """

    arms: dict[str, Arm] = field(default_factory=dict)
    last: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))
    recoveries: deque[float] = field(default_factory=_recent)
    tried: float = 0.0
    discovery: float = DISCOVERY
    changed: bool = False

    def arm(self, name: str) -> Arm:
        """The record of an arm, begun when there is none."""
        return self.arms.setdefault(name, Arm())

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dumps``."""
        return {
            "format": FORMAT,
            "last": list(self.last),
            "recoveries": _rounded(self.recoveries),
            "tried": round(self.tried, 3),
            "discovery": round(self.discovery, 3),
            "changed": self.changed,
            "arms": {
                name: {
                    "successes": arm.successes,
                    "failures": arm.failures,
                    "recent": list(arm.recent),
                    "seconds": _rounded(arm.seconds),
                }
                for name, arm in self.arms.items()
            },
        }

    @classmethod
    def from_json(cls, found: object) -> Knowledge:
        """Read it back; what is damaged is left out, and nothing is ever raised."""
        knowledge = cls()
        if not isinstance(found, Mapping) or found.get("format") != FORMAT:
            return knowledge
        knowledge.tried = _number(found.get("tried")) or 0.0
        knowledge.discovery = _number(found.get("discovery")) or DISCOVERY
        knowledge.changed = found.get("changed") is True
        knowledge.last.extend(_numbers(found.get("last"), LAST, 1.0) or ())
        knowledge.recoveries.extend(_numbers(found.get("recoveries"), RECENT) or ())
        arms = found.get("arms")
        for name, entry in arms.items() if isinstance(arms, Mapping) else ():
            arm = _arm(entry)
            if arm and isinstance(name, str) and len(name) <= LONGEST_NAME:
                knowledge.arms[name] = arm
            if len(knowledge.arms) == MOST_ARMS:
                break
        return knowledge


def _arm(found: object) -> Arm | None:
    if not isinstance(found, Mapping):
        return None
    successes, failures = _number(found.get("successes")), _number(found.get("failures"))
    recent = _numbers(found.get("recent"), RECENT, 1.0)
    seconds = _numbers(found.get("seconds"), RECENT)
    if successes is None or failures is None or recent is None or seconds is None:
        return None
    return Arm(successes, failures, deque(recent, RECENT), deque(seconds, RECENT))


def _number(found: object, most: float = MOST) -> float | None:
    """A number from 0 to ``most``, or None."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if 0 <= found <= most and math.isfinite(found) else None


def _numbers(found: object, count: int, most: float = MOST) -> list[float] | None:
    """The last numbers of a list; None when it is none, or one of them is not."""
    if not isinstance(found, list):
        return None
    numbers = [_number(one, most) for one in found[-count:]]
    good = [one for one in numbers if one is not None]
    return good if len(good) == len(numbers) else None


def _rounded(numbers: deque[float]) -> list[float]:
    return [round(one, 3) for one in numbers]

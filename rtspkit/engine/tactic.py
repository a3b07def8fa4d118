"""What the retry strategies choose between, and what they judge by: plain values.

Layer:  engine (values)
Out:    ``Tactic``: delays, racing, and whether the quick phase of a reconnect is used;
        ``Outcome``: what became of one attempt;  ``Choice``: a tactic and the evidence for it;
        ``Chooser``: whoever takes outcomes and gives choices
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from rtspkit.engine.cause import Cause
from rtspkit.options import RacingMode, Strategy

__all__ = [
    "BEGINNING",
    "CROWDED",
    "DROPPED_WITHIN",
    "LIMITED",
    "LOSSY",
    "NEWEST",
    "STABLE",
    "Choice",
    "Chooser",
    "Fixed",
    "Outcome",
    "Tactic",
    "outcome_of",
]

DROPPED_WITHIN = 30.0  # seconds of media: a session that ends sooner was dropped


@dataclass(frozen=True, slots=True)
class Tactic:
    """One way to come back.

    Attributes:
        strategy: Where its delays come from.
        racing: How connections are raced.
        quick: Whether a session that had played well is tried for quickly at first.
        step: Of the delays, with which a reconnect begins at the least.
    """

    strategy: Strategy
    racing: RacingMode
    quick: bool
    step: int = 0


BEGINNING = Tactic("exponential-jitter", "first-wins", quick=True)
NEWEST = Tactic("exponential-jitter", "last-wins", quick=True)
STABLE = Tactic("exponential-jitter", "none", quick=True)
LOSSY = Tactic("immediate", "first-wins", quick=True)
LIMITED = Tactic("linear", "last-wins", quick=False)
CROWDED = Tactic("exponential-jitter", "none", quick=True, step=5)  # 1 s × 2⁵: at the cap


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        kind: ``"failed"``: no media came; ``"dropped"``: the session ended within
            ``DROPPED_WITHIN``; ``"good"``: it did not.
        cause: Why it failed, or ended.
    """

    kind: Literal["failed", "dropped", "good"]
    cause: Cause


def outcome_of(lifetime: float, cause: Cause) -> Outcome:
    """That of a session which ended after so many seconds of media."""
    return Outcome("dropped" if lifetime < DROPPED_WITHIN else "good", cause)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do next.

    Attributes:
        tactic: How.
        evidence: What speaks for it, in words with numbers.
        at: When, if the server has answered with a no; None for the tactic's own delay.
    """

    tactic: Tactic
    evidence: str
    at: float | None = None


class Chooser(Protocol):
    """Whoever says how to come back."""

    def choose(self, now: float) -> Choice:
        """The choice for the next attempt, which is made."""
        ...

    def played(self, now: float) -> None:
        """First media came."""
        ...

    def settled(self, now: float) -> None:
        """The session has played well for a while."""
        ...

    def learn(self, outcome: Outcome, now: float) -> None:
        """An attempt, or the session that came of it, is over."""
        ...


class Fixed:
    """The chooser without a choice: what the user has named, and nothing is judged."""

    def __init__(self, strategy: Strategy) -> None:
        tactic = Tactic(strategy, "first-wins", quick=strategy == "exponential-jitter")
        self._choice = Choice(tactic, "named by the user")

    def choose(self, now: float) -> Choice:
        """The one tactic."""
        return self._choice

    def played(self, now: float) -> None:
        """Changes nothing."""

    def settled(self, now: float) -> None:
        """Changes nothing."""

    def learn(self, outcome: Outcome, now: float) -> None:
        """Changes nothing."""

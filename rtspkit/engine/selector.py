"""``"auto"``: judges from the last ten attempts what kind of server this is.

Layer:  engine (no clock, no chance)
In:     outcomes: attempts that failed, and for how long sessions played
Out:    the tactic of the next attempt, and the evidence for it

Rules, the first that applies, from three attempts on
- Limited: sessions play and are closed by the server within 30 s, at least two of them and over
  60 % of the window. Linear delays, the newest connection wins, no quick phase.
- Lossy: over half of the attempts were lost on the way. At once again (as ``Pace`` allows), the
  first connection wins. Ten failures of ten are no loss: nobody is there.
- Crowded: over half were answered that there is no room. The longest delays from the start.
- Stable: over 80 % played on. No racing.
- Nothing has played: the next of first-wins, last-wins, linear, exponential-jitter.
- Else things stay as they are.

Why these, and not fewer (``bench/retry_sim.py`` has the figures)
- Crowded is what gains most: a server whom each connection costs work it does not have comes back
  in about half of the time when it is asked once in 30 s instead of after 1, 2, 4 … s. With the
  other rules alone ``auto`` is not clearly better than plain exponential-jitter.
- A session that falls silent within 30 s was lost on the way, not closed: taken for a limit on
  connections, as any short session would be, it keeps lossy links waiting for linear delays.
"""

from __future__ import annotations

from collections import deque

from rtspkit.engine.tactic import (
    BEGINNING,
    CROWDED,
    LIMITED,
    LOSSY,
    NEWEST,
    STABLE,
    Choice,
    Outcome,
    Tactic,
)

__all__ = ["ON_THE_WAY", "Selector"]

WINDOW = 10  # outcomes
FEWEST = 3  # outcomes before anything is judged, and between two of ``TURNS``
DROPPED = 2, 0.6  # at least so many, over this share of the window
LOST = BUSY = 0.5
PLAYED = 0.8
TURNS: tuple[Tactic, ...] = (BEGINNING, NEWEST, LIMITED, STABLE)
ON_THE_WAY = ("timeout", "silent")  # causes of a loss that is the network's


class Selector:
    """One session's judgement."""

    def __init__(self) -> None:
        self._window: deque[Outcome] = deque(maxlen=WINDOW)
        self._choice = Choice(BEGINNING, "nothing is known yet")
        self._since = 0  # outcomes since the tactic was chosen

    def choose(self, now: float) -> Choice:
        """The tactic in force."""
        return self._choice

    def played(self, now: float) -> None:
        """First media proves nothing yet: the session's lifetime will."""

    def settled(self, now: float) -> None:
        """Nor does this."""

    def learn(self, outcome: Outcome, now: float) -> None:
        """Take one outcome and judge anew."""
        self._window.append(outcome)
        self._since += 1
        choice = self._judge() if len(self._window) >= FEWEST else None
        if choice is not None and choice.tactic != self._choice.tactic:
            self._choice = choice
            self._since = 0

    def _judge(self) -> Choice | None:
        """What the window says; None when it says nothing new."""
        total = len(self._window)
        failed = self._count("failed")
        closed = self._count("dropped") - self._count("dropped", *ON_THE_WAY)
        lost = self._count("failed", "timeout") + self._count("dropped", *ON_THE_WAY)
        busy = self._count("failed", "busy")
        good = self._count("good")
        least, share = DROPPED
        if closed >= least and closed > share * total:
            words = f"limited: {closed} of {total} sessions were closed within 30 s"
            return Choice(LIMITED, words)
        if lost > LOST * total and failed < WINDOW:
            return Choice(LOSSY, f"lossy: {lost} of {total} attempts were lost on the way")
        if busy > BUSY * total:
            return Choice(CROWDED, f"crowded: {busy} of {total} attempts found no room")
        if good > PLAYED * total:
            return Choice(STABLE, f"stable: {good} of {total} sessions played on")
        if failed == total and self._since >= FEWEST:
            tactic = self._choice.tactic
            turn = TURNS.index(tactic) + 1 if tactic in TURNS else 0
            return Choice(TURNS[turn % len(TURNS)], f"the last {total} attempts have all failed")
        return None

    def _count(self, kind: str, *causes: str) -> int:
        """Outcomes of a kind, of these causes or of any."""
        return sum(o.kind == kind and (not causes or o.cause in causes) for o in self._window)

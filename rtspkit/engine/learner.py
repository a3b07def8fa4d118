"""``"adaptive"``: learns how to be let in again by a server that answers with a no.

Layer:  engine (``now`` and chance come in)
In:     what became of each attempt; what was learnt before (``Knowledge``)
Out:    the choice for the next attempt, and the evidence for it

Rules
- One arm for one outage, from the loss to media that stay. Thompson sampling: a draw from
  Beta(successes + 1, failures + 1), half of the score; speed (the server's quickest recovery by
  this arm's) three tenths, the share of its last 20 outages that went well two tenths.
- Arms take turns for the first 30 s of trying; later one outage in ten goes by the draw alone.
- When the last ten outages differ by over 0.3 from what was before, confidence is halved, arms
  take turns for 10 s again, and three outages in ten go by the draw until ten more are known.
- An arm that takes twice as long as usual gives way to the rules of ``auto``.

Where it departs from sampling over the fixed strategies, attempt by attempt
- What is learnt is how to treat a server that answers (453, 503, sessions that it drops): nothing
  can be learnt from a server that does not, since every delay waits for the same moment; there the
  rules of ``auto`` hold. Time counts from the first no. By the attempt, strategies that wait for
  long look good, and ``immediate`` bad, in any outage at all.
- The arms are ``timed`` and the rules of ``auto``. Trying out ``immediate`` or ``linear`` costs an
  overloaded server more than all that is learnt from it.
- ``timed``: servers that hold a lost session, or shut us out, do so for a time of their own. When
  the last recoveries agree, the next attempts are made around that time, close together.
- Success is to be about as quick as the quickest quarter of the last 20 outages: all of them end
  some day, so that to have ended says nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from rtspkit.engine.beta import beta
from rtspkit.engine.knowledge import LAST, Arm, Knowledge
from rtspkit.engine.selector import ON_THE_WAY, Selector
from rtspkit.engine.tactic import Choice, Outcome, Tactic

__all__ = ["ARMS", "TIMED", "Learner"]

TIMED = "timed"
AUTO = "auto"
ARMS: Mapping[str, Tactic | None] = {TIMED: None, AUTO: None}

REDISCOVERY = 10.0  # seconds of trying in which arms take turns after a change
EXPLORATION, EXPLORATION_CHANGED = 0.1, 0.3
CHANGE = 0.3  # between the share of the last outages that went well, and history's
SUCCESS, SPEED, RECENCY = 0.5, 0.3, 0.2  # what a score is made of
UNKNOWN = 0.5  # a part of the score that nothing is known of
QUICKEST, ABOUT = 0.25, 1.2  # success: up to so many times the seconds of this quantile
ANSWERED = ("busy", "rejected", "silent")  # causes that are a no

PATIENCE = 180.0  # seconds of one arm in one outage, as long as nothing is known
USUAL, SHORTEST_PATIENCE = 2.0, 30.0  # then so many times the median, and at least so many seconds

AGREE = 3  # recoveries before they can agree
NEWEST = 8  # recoveries that are looked at
EARLIER, LATER = 0.8, 2.0  # attempts from this share of the shortest on, to 2 s past the longest
NARROW = 0.5  # of the time up to its end: a window that is wider tells nothing
WITHIN, CLOSEST = 6, 2.0  # attempts in a window, and the least seconds between two


class Learner:
    """One session's share in what is known of its server.

    Args:
        knowledge: Grows as the session goes.
        random: Gives 0 to 1, as ``random.random``.
        arms: By name; None where the rules of ``auto`` give the tactic.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        random: Callable[[], float],
        arms: Mapping[str, Tactic | None] = ARMS,
    ) -> None:
        self.knowledge = knowledge
        self._random = random
        self._arms = arms
        self._auto = Selector()
        self._name = AUTO
        self._evidence = ""
        self._answered: float | None = None  # when the first no of this outage came
        self._chosen = False  # an arm, since then
        self._gave_way = False
        self._media = 0.0  # when media came last
        self._credited: Arm | None = None  # with a success, for the session that plays

    def choose(self, now: float) -> Choice:
        """The choice for the next attempt, which is made."""
        choice = self._auto.choose(now)
        if self._answered is None:
            return choice
        if not self._chosen:
            self._chosen = True
            self._name, self._evidence = self._pick()
        spent = now - self._answered
        if spent > self._patience() and not self._gave_way:
            self._gave_way = True
            self._credit(False, spent)
            self._evidence = f"{self._name} has taken {spent:.0f} s, longer than usual"
            self._name = AUTO
        tactic = self._arms.get(self._name)
        if tactic is not None:
            return Choice(tactic, self._evidence)
        at = self._moment(now, spent) if self._name == TIMED else None
        return Choice(choice.tactic, f"{self._evidence}; {choice.evidence}", at)

    def played(self, now: float) -> None:
        """First media came."""
        self._media = now
        self._credited = None

    def settled(self, now: float) -> None:
        """The outage is over; the arm gets its credit, if the server had said no."""
        if self._answered is not None and self._chosen and not self._gave_way:
            seconds = max(self._media - self._answered, 0.0)
            good = self._is_quick(seconds)
            self._credit(good, seconds)
            self._credited = self.knowledge.arm(self._name) if good else None
        self._answered = None
        self._chosen = self._gave_way = False

    def learn(self, outcome: Outcome, now: float) -> None:
        """An attempt, or the session that came of it, is over."""
        self._auto.learn(outcome, now)
        if outcome.kind == "dropped" and self._credited is not None:
            self._take_back(self._credited)
        self._credited = None
        if self._answered is None and _is_no(outcome):
            self._answered = now

    # -- choosing

    def _pick(self) -> tuple[str, str]:
        """The arm for an outage, and why."""
        known, names = self.knowledge, list(self._arms)
        if known.tried < known.discovery:
            tried = sum(arm.successes + arm.failures for arm in known.arms.values())
            return names[int(tried) % len(names)], f"discovery, {known.tried:.0f} s tried so far"
        draws = {name: self._draw(known.arm(name)) for name in names}
        exploration = EXPLORATION_CHANGED if known.changed else EXPLORATION
        if self._random() < exploration:
            name = max(names, key=lambda one: draws[one])
            return name, f"{name} for exploration, draw {draws[name]:.2f}"
        scores = {name: self._score(known.arm(name), draws[name]) for name in names}
        name = max(names, key=lambda one: scores[one])
        others = ", ".join(f"{one} {scores[one]:.2f}" for one in names if one != name)
        return name, f"{name} has a score of {scores[name]:.2f} ({others})"

    def _draw(self, arm: Arm) -> float:
        return beta(arm.successes + 1, arm.failures + 1, self._random)

    def _score(self, arm: Arm, draw: float) -> float:
        every = [seconds for one in self.knowledge.arms.values() for seconds in one.seconds]
        speed = UNKNOWN
        if every:
            best = max(min(every), 1.0)
            speed = statistics.fmean(min(1.0, best / max(s, 1.0)) for s in arm.seconds or every)
        recency = statistics.fmean(arm.recent) if arm.recent else UNKNOWN
        return SUCCESS * draw + SPEED * speed + RECENCY * recency

    def _patience(self) -> float:
        known = self.knowledge.recoveries
        return max(SHORTEST_PATIENCE, USUAL * statistics.median(known)) if known else PATIENCE

    def _moment(self, now: float, spent: float) -> float | None:
        """When to try next, going by when the server let us in lately; None when that differs.

        Args:
            now: Monotonic seconds.
            spent: Seconds since the first no of this outage.
        """
        last = list(self.knowledge.recoveries)[-NEWEST:]
        if len(last) < AGREE:
            return None
        begin, end = EARLIER * min(last), max(last) + LATER
        if end - begin > NARROW * end or spent >= end:
            return None
        step = max(CLOSEST, (end - begin) / WITHIN)
        return now + max(begin - spent, step)

    # -- learning

    def _is_quick(self, seconds: float) -> bool:
        last = sorted(self.knowledge.recoveries)
        return not last or seconds <= ABOUT * last[int(QUICKEST * len(last))]

    def _credit(self, good: bool, seconds: float) -> None:
        known, arm = self.knowledge, self.knowledge.arm(self._name)
        if good:
            arm.successes += 1
        else:
            arm.failures += 1
        arm.recent.append(float(good))
        arm.seconds.append(seconds)
        known.last.append(float(good))
        known.recoveries.append(seconds)
        known.tried += seconds
        self._look_for_change()

    def _take_back(self, arm: Arm) -> None:
        """What counted as a success was dropped after all."""
        arm.successes = max(arm.successes - 1, 0.0)
        arm.failures += 1
        for marks in (arm.recent, self.knowledge.last):
            if marks:
                marks[-1] = 0.0

    def _look_for_change(self) -> None:
        known = self.knowledge
        if len(known.last) < LAST:
            return
        known.changed = False
        good = sum(arm.successes for arm in known.arms.values()) - sum(known.last)
        total = sum(arm.successes + arm.failures for arm in known.arms.values()) - LAST
        if total < LAST or abs(statistics.fmean(known.last) - good / total) <= CHANGE:
            return
        for arm in known.arms.values():
            arm.successes /= 2
            arm.failures /= 2
        known.last.clear()
        known.changed = True
        known.discovery = known.tried + REDISCOVERY


def _is_no(outcome: Outcome) -> bool:
    """Whether the server has answered, and let us in not at all or not for long."""
    if outcome.kind == "failed":
        return outcome.cause in ANSWERED
    return outcome.kind == "dropped" and outcome.cause not in ON_THE_WAY

"""When and how one session comes back: the retry strategies, asked attempt by attempt.

Layer:  engine (``now`` and chance come in)
In:     what became of each attempt and each session
Out:    ``plan``: the delay before the next attempt and how its connections are raced;
        ``next_event``: each change of mind, with its evidence

Rules of every strategy
- The first attempt is made at once, and so is the first one after a session that had settled, and
  after the first loss of all. Sessions that are lost again and again before they settle keep apart
  as ``Pace.spread`` says.
- Delays begin anew only after ``reset_after`` seconds of good media.
- Whatever the strategy says, ``Pace`` bounds how often a port is knocked at.
- What every address has refused is not raced for: an answer came, nothing was lost on the way.

Rules of those that judge, ``auto`` and ``adaptive``
- After a session that had settled, and after the first loss of all, as long as nobody is there
  (``NOBODY``), attempts follow each other every 0.7 s for five seconds (so it is for
  ``exponential-jitter`` too), if the pace has room for more; then each waits for a tenth of the
  outage's length, up to ``maximum_delay``: who doubles its delays is late by half of the outage,
  and this by a twentieth. Who answers with a no is not asked quickly, but by the tactic's own
  delays, which begin when the first no comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from rtspkit.engine.cause import Cause, cause_of
from rtspkit.engine.events import StrategyChanged
from rtspkit.engine.knowledge import Knowledge
from rtspkit.engine.learner import Learner
from rtspkit.engine.retry import (
    AFTER_QUICK,
    QUICK_ATTEMPTS,
    QUICK_GAP,
    Pace,
    delay_before,
    proportional_delay,
    quick_gap,
)
from rtspkit.engine.selector import Selector
from rtspkit.engine.tactic import Choice, Chooser, Fixed, Outcome, Tactic, outcome_of
from rtspkit.errors import LocalProtocolError
from rtspkit.options import RacingMode, Retry

__all__ = ["Cause", "Plan", "Strategist", "cause_of", "make_strategist"]

NOBODY = ("refused", "reset", "timeout")  # causes that are no answer
JUDGING = ("auto", "adaptive")
EVENTS = 32  # that may wait for ``next_event``


@dataclass(frozen=True, slots=True)
class Plan:
    """The next attempt.

    Attributes:
        delay: Seconds to wait before it.
        racing: How its connections are raced, unless the user has said: ``"none"``,
            ``"first-wins"``, ``"last-wins"``, ``"hybrid"``.
        strategy: Where its delay comes from, by its concrete name.
        timeout: Seconds after which connecting should give way to the next attempt; None when
            nothing is gained by it, and the usual deadlines hold.
        connections: At most so many are to be raced.
    """

    delay: float
    racing: RacingMode
    strategy: str
    timeout: float | None = None
    connections: int | None = None


class Strategist:
    """One session's attempts, from ``connect()`` to its end.

    Args:
        retry: What the user has set.
        chooser: Says which tactic each attempt is made by.
        random: Gives 0 to 1, as ``random.random``.

    Attributes:
        attempts: Attempts that were planned since ``connect()``, or since the loss.
    """

    def __init__(self, retry: Retry, chooser: Chooser, random: Callable[[], float]) -> None:
        self._retry = retry
        self._chooser = chooser
        self._random = random
        self._judging = retry.strategy in JUDGING
        self._pace = Pace()
        self._events: deque[StrategyChanged] = deque(maxlen=EVENTS)
        self._tactic: Tactic | None = None
        self._since = 0.0  # when this outage began
        self._fresh = True  # nothing was tried since the beginning, or since good media
        self._unbroken = True  # no session was lost yet
        self._settled = False  # the session that plays has played well
        self._quick = False  # the quick phase is not over
        self._step = 0  # of the delays
        self._cause: Cause | None = None  # of what failed last
        self.attempts = 0

    def plan(self, now: float, *, again: bool = False) -> Plan:
        """The next attempt; each plan is one, and is counted when it is given.

        Args:
            now: Monotonic seconds.
            again: Whether the session had played before.

        Raises:
            LocalProtocolError: The strategy is ``"none"``, and one attempt was made.
        """
        if self._retry.strategy == "none" and self._tactic is not None:
            raise LocalProtocolError("retry.strategy is 'none': there is no further attempt")
        choice = self._choose(now)
        if self.attempts == 0:
            self._since = now
            at_once = self._fresh or (again and self._unbroken)
            self._quick = again and at_once
            at = now if at_once else self._pace.spread
            self._fresh = False
            self._unbroken = self._unbroken and not again
        else:
            at = self._next(choice, now, again)
        at = max(at, now, self._pace.bound)
        connections = self._pace.left(at)
        self._pace.begin(at)
        self.attempts += 1
        racing: RacingMode = "none" if self._cause == "refused" else choice.tactic.racing
        timeout = QUICK_GAP if self._quick else None
        return Plan(at - now, racing, choice.tactic.strategy, timeout, connections)

    def failed(self, now: float, cause: Cause, *, stood: int = 0) -> None:
        """The attempt did not reach first media.

        Args:
            now: Monotonic seconds.
            cause: Why.
            stood: Connections that the server has taken, of those that were raced: each beyond
                the first counts as an attempt.
        """
        self._pace.charge(stood - 1)
        self._cause = cause
        self._quick = self._quick and cause in NOBODY
        self._chooser.learn(Outcome("failed", cause), now)

    def played(self, now: float, seconds: float) -> None:
        """First media came, ``seconds`` after the loss, or after ``connect()`` began."""
        self._cause = None
        self._quick = self._settled = False
        self._chooser.played(now)

    def ended(self, now: float, lifetime: float, cause: Cause) -> None:
        """A session was lost after it had played for ``lifetime`` seconds."""
        if lifetime >= self._retry.reset_after and not self._settled:
            self.settled(now)
        self._cause = None
        self._settled = False
        self.attempts = 0
        self._chooser.learn(outcome_of(lifetime, cause), now)

    def settled(self, now: float) -> None:
        """The session has played for ``reset_after`` seconds: delays begin anew."""
        self._settled = self._fresh = True
        self._step = 0
        self._pace.renew()
        self._chooser.settled(now)

    def next_event(self) -> StrategyChanged | None:
        """What has changed, oldest first; a change is told with the plan that follows it."""
        return self._events.popleft() if self._events else None

    def _choose(self, now: float) -> Choice:
        choice = self._chooser.choose(now)
        before, after = self._tactic, choice.tactic
        self._tactic = after
        if before is not None and after != before:
            told = StrategyChanged(
                now, before.strategy, after.strategy, after.racing, choice.evidence
            )
            self._events.append(told)
        return choice

    def _next(self, choice: Choice, now: float, again: bool) -> float:
        """When an attempt begins that is not the first of its outage."""
        tactic, last, longest = choice.tactic, self._pace.last, self._retry.maximum_delay
        self._quick = self._quick and tactic.quick and self.attempts < QUICK_ATTEMPTS
        self._quick = self._quick and self._pace.has_room(now)
        if self._quick and last is not None:
            self._step = AFTER_QUICK
            return last + quick_gap(self._random)
        if again and self._judging:
            if self._cause in NOBODY and tactic.strategy != "immediate":
                self._step = 0
                delay = proportional_delay(now - self._since, self._retry, self._random)
                return max(now + delay, self._pace.spread)
            if self._cause not in NOBODY and choice.at is not None:
                return min(choice.at, now + longest)
            self._step = max(self._step, tactic.step)
        delay = delay_before(tactic.strategy, self._step, self._retry, self._random)
        self._step += 1
        return max(now + delay, self._pace.spread) if not delay else now + delay


def make_strategist(
    retry: Retry, *, random: Callable[[], float], knowledge: Knowledge | None = None
) -> Strategist:
    """The strategist that ``retry`` asks for.

    Args:
        retry: What the user has set.
        random: Gives 0 to 1, as ``random.random``.
        knowledge: What is known of the server, for ``"adaptive"``: it grows as the session goes.
    """
    if retry.strategy == "auto":
        return Strategist(retry, Selector(), random)
    if retry.strategy == "adaptive":
        return Strategist(retry, Learner(knowledge or Knowledge(), random), random)
    return Strategist(retry, Fixed(retry.strategy), random)

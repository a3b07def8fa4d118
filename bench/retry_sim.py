"""``python -m bench retry_sim``: a week of virtual time with a fleet of cameras, by every strategy.

Out:    downtime, connects per hour and time to recover of each strategy with each kind of camera,
        and whether ``adaptive`` beats ``auto``, and ``auto`` every fixed strategy

Facts the code leans on
- A round is a seed: the same cameras have the same week for every strategy, so that strategies are
  compared round by round. The fleet (camera "all") is one camera of each kind.
- Downtime is time without media in which the camera could have served somebody who came at the
  right moment: no strategy can do anything about the rest. The ten seconds until silence counts as
  a loss are in it, for every strategy alike.
- Time to recover runs from when the loss of a session that had settled was noticed, or the camera
  could serve again if that was later, to first media that stay for ten seconds.
- A fleet that does not mind connections is played too: what politeness costs where nobody thanks
  for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from statistics import fmean

from bench.measure import percentile, summarize_ratio
from bench.program import finish, options_parser, say
from bench.result import Result, Target
from bench.retry_fleet import FLEET, Camera, draw_camera
from bench.retry_weather import DAY, HOUR
from rtspkit.engine.knowledge import Knowledge
from rtspkit.engine.learner import Learner
from rtspkit.engine.strategist import Strategist, make_strategist
from rtspkit.engine.tactic import Fixed, Tactic
from rtspkit.errors import LocalProtocolError
from rtspkit.options import Retry, Strategy

__all__ = ["SUBJECTS", "Week", "main", "play", "simulate"]

ALL = "all"
FIXED: tuple[Strategy, ...] = ("immediate", "linear", "exponential", "exponential-jitter")
OVER_FIXED = "adaptive (arms: the fixed strategies)"
REFUSED_IN_A_MINUTE = 12  # M12
MINUTE = 60.0
FIRST_SEED = 1000  # those below served to choose the rules

Make = Callable[[Callable[[], float]], Strategist]


def _named(strategy: Strategy) -> Make:
    return lambda random: make_strategist(Retry(strategy=strategy), random=random)


def _over_fixed(random: Callable[[], float]) -> Strategist:
    """Thompson sampling over the fixed strategies instead of what ``adaptive`` samples."""
    arms: dict[str, Tactic | None] = {name: Fixed(name).choose(0.0).tactic for name in FIXED}
    learner = Learner(Knowledge(), random, arms)
    return Strategist(Retry(strategy="adaptive"), learner, random)


SUBJECTS: Mapping[str, Make] = {
    **{name: _named(name) for name in ("none", *FIXED, "auto", "adaptive")},
    OVER_FIXED: _over_fixed,
}


@dataclass(slots=True)
class Week:
    """What came of one strategy with one camera.

    Attributes:
        played: Seconds of media.
        served: Seconds in which the camera could serve.
        connects: Connections begun.
        length: Seconds in all.
        recoveries: Seconds of each recovery.
        refused: Most attempts in one minute that were refused.
    """

    played: float = 0.0
    served: float = 0.0
    connects: int = 0
    length: float = 0.0
    recoveries: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def downtime(self) -> float:
        """Seconds a day without media that could have been there."""
        return (1 - self.played / self.served) * DAY

    @property
    def connects_per_hour(self) -> float:
        """Connections begun."""
        return self.connects / self.length * HOUR


def play(camera: Camera, strategist: Strategist, length: float, reset_after: float = 10.0) -> Week:
    """One strategy, one camera, ``length`` seconds of virtual time."""
    week = Week(served=camera.weather.served(), length=length)
    refusals: deque[float] = deque()
    now = lost = down = 0.0
    again = False
    while True:
        try:
            plan = strategist.plan(now, again=again)
        except LocalProtocolError:  # "none"
            return week
        begun = now + plan.delay
        if begun >= length:
            return week
        attempt = camera.attempt(begun, plan.racing, plan.timeout)
        week.connects += attempt.connects
        now = attempt.end
        if attempt.cause == "refused":
            refusals.append(begun)
            while refusals[0] <= begun - MINUTE:
                refusals.popleft()
            week.refused = max(week.refused, len(refusals))
        if attempt.cause is not None:
            strategist.failed(now, attempt.cause)
            continue
        if now >= length:
            return week
        stop, noticed = camera.session(now)
        strategist.played(now, now - lost)
        lasted = min(stop, length) - now
        week.played += lasted
        settled = lasted >= reset_after
        if settled:
            week.recoveries.append(now - max(camera.weather.serving_since(now), down))
            strategist.settled(now + reset_after)
            refusals.clear()
        if noticed >= length:
            return week
        camera.lost(stop)
        strategist.ended(noticed, stop - now, "silent" if noticed > stop else "reset")
        now = lost = noticed
        down = noticed if settled else down
        again = True


def simulate(name: str, kind: str, seed: int, length: float, *, minding: bool = True) -> Week:
    """One subject of ``SUBJECTS`` with one camera; the same arguments give the same week."""
    camera = draw_camera(kind, seed, length, name, minding=minding)
    random = Random(f"{seed} {kind} {name}").random
    return play(camera, SUBJECTS[name](random), length)


def main(arguments: list[str] | None = None) -> int:
    """Simulate, write, print."""
    parser = options_parser("retry_sim", __doc__, rounds=40, seconds=7 * DAY)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 4, 2 * DAY
    result = Result(
        "retry_sim",
        "Retry strategies: a week with a fleet of cameras, in virtual time",
        options={"seconds": options.seconds, "rounds": options.rounds},
    )
    refused = 0
    for name in SUBJECTS:
        for seed in range(FIRST_SEED, FIRST_SEED + options.rounds):
            weeks = {kind: simulate(name, kind, seed, options.seconds) for kind in FLEET}
            refused = max(refused, *(week.refused for week in weeks.values()))
            _add(result, name, weeks)
            indifferent = [
                simulate(name, kind, seed, options.seconds, minding=False) for kind in FLEET
            ]
            down = fmean(week.downtime for week in indifferent)
            result.add(name, "downtime_with_cameras_that_do_not_mind", "s/day", {}, down)
        say(f"{name}: {options.rounds} fleets")
    result.targets += _verdicts(result)
    result.targets.append(
        Target(
            "M12",
            "connects to a port that refuses, in the worst minute of any strategy",
            float(refused),
            float(REFUSED_IN_A_MINUTE),
        )
    )
    result.notes += _notes()
    return finish(result, options)


def _add(result: Result, name: str, weeks: Mapping[str, Week]) -> None:
    """The figures of one round: each camera's, and the fleet's, which are their means."""
    sums: dict[tuple[str, str], list[float]] = {}
    for kind, week in weeks.items():
        recoveries = sorted(week.recoveries)
        for metric, unit, value in (
            ("downtime", "s/day", week.downtime),
            ("connects_per_hour", "", week.connects_per_hour),
            ("time_to_recover", "s", fmean(recoveries) if recoveries else None),
            (
                "slowest_tenth_of_recoveries",
                "s",
                percentile(recoveries, 0.9) if recoveries else None,
            ),
        ):
            result.add(name, metric, unit, {"camera": kind}, value)
            if value is not None:
                sums.setdefault((metric, unit), []).append(value)
    for (metric, unit), values in sums.items():
        result.add(name, metric, unit, {"camera": ALL}, fmean(values))


def _verdicts(result: Result) -> Iterator[Target]:
    """Downtime of the whole fleet: who beats whom."""
    for name, others in (("auto", FIXED), ("adaptive", ("auto", *FIXED))):
        for other in others:
            figure = "R3" if name == "adaptive" else "R2"
            mine, theirs = (
                result.find("downtime", one, camera=ALL)[0].samples for one in (name, other)
            )
            ratio = summarize_ratio(mine, theirs)
            told = (
                "the interval leaves out 1"
                if ratio.high < 1 or ratio.low > 1
                else "no more than seeds differ by"
            )
            yield Target(
                figure,
                f"downtime of {name} by that of {other}, the whole fleet",
                ratio.median,
                1.0,
                low=ratio.low,
                high=ratio.high,
                note=told,
            )


def _notes() -> list[str]:
    return [
        "Downtime is time without media in which the camera could have served; availability is 1 "
        "less downtime by 86,400 s. Intervals are over seeds; every strategy had the same weeks.",
        "How each kind of camera behaves is told in `bench/retry_fleet.py` and "
        "`bench/retry_weather.py`: they are models, and what comes out holds for them.",
        "With cameras to whom connections cost nothing, knocking more is always better: the last "
        "table shows what politeness costs there.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())

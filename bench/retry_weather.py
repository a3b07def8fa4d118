"""What happens to a camera whatever a client does: a week of outages and losses, drawn in advance.

In:     a kind of trouble, a source of chance
Out:    ``Weather``: spans that differ from calm, and moments at which a session is cut

Facts the code leans on
- Nothing here depends on a client, so that every strategy plays the same week.
- A camera that reboots or has no power answers nothing; one whose service is down refuses at once;
  one that has just started answers 503 for a while before it serves.
- TCP stands a few per cent of loss. A session dies of loss when the link is bad for so long that
  media stay away for ten seconds: moments drawn within the bad spells.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

__all__ = ["CALM", "DAY", "HOUR", "KINDS", "Cut", "Span", "State", "Weather", "draw_weather"]

HOUR = 3600.0
DAY = 24 * HOUR
SILENCE = 10.0  # s of media silence after which a client counts a session as lost
FAR = math.inf

State = Literal["up", "silent", "refusing", "starting", "hot"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds of the week.

    Attributes:
        start: Its beginning.
        end: Its end.
        state: ``"silent"``: nothing answers; ``"refusing"``: nobody listens; ``"starting"``: 503;
            ``"hot"``: 503 too, and every connection makes it longer (``bench.retry_fleet``).
        loss: Share of packets lost, each way.
    """

    start: float
    end: float
    state: State
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which a session is lost and the camera goes on; ``noticed`` s later."""

    at: float
    noticed: float


CALM = Span(-FAR, FAR, "up")


@dataclass(slots=True)
class Weather:
    """A week. ``spans`` do not overlap; both lists are in order."""

    spans: list[Span] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    length: float = 0.0  # of it, in seconds
    _starts: list[float] = field(default_factory=list)
    _moments: list[float] = field(default_factory=list)

    def close(self, length: float) -> Weather:
        """Put things in order, drop what overlaps, and make it quick to search."""
        spans: list[Span] = []
        for span in sorted(self.spans, key=lambda one: one.start):
            if span.start < length and (not spans or span.start >= spans[-1].end):
                spans.append(span)
        self.spans, self.length = spans, length
        self.cuts = sorted((one for one in self.cuts if one.at < length), key=lambda one: one.at)
        self._starts = [span.start for span in spans]
        self._moments = [cut.at for cut in self.cuts]
        return self

    def at(self, now: float) -> Span:
        """The span that holds ``now``; ``CALM`` when there is none."""
        place = bisect_right(self._starts, now) - 1
        if place >= 0 and now < self.spans[place].end:
            return self.spans[place]
        return CALM

    def last(self, state: State, now: float) -> Span:
        """The last span of this state that began by ``now``; ``CALM`` when there was none."""
        place = bisect_right(self._starts, now) - 1
        found = (span for span in reversed(self.spans[: place + 1]) if span.state == state)
        return next(found, CALM)

    def end_of_service(self, now: float) -> tuple[float, float]:
        """When a session that plays at ``now`` is lost, and when that is noticed."""
        place = bisect_right(self._starts, now)
        stop = seen = FAR
        for span in self.spans[place:]:
            if span.state != "up":
                stop = span.start
                seen = stop + (SILENCE if span.state == "silent" else 0.0)
                break
        place = bisect_right(self._moments, now)
        if place < len(self.cuts) and self.cuts[place].at < stop:
            cut = self.cuts[place]
            return cut.at, cut.at + cut.noticed
        return stop, seen

    def serving_since(self, now: float) -> float:
        """Since when the camera could serve whoever came; ``now`` when it cannot."""
        place = bisect_right(self._starts, now) - 1
        for span in reversed(self.spans[: place + 1]):
            if span.state != "up":
                return min(span.end, now)
        return 0.0

    def served(self) -> float:
        """Seconds of the week in which the camera could serve."""
        down = (min(s.end, self.length) - s.start for s in self.spans if s.state != "up")
        return self.length - sum(down)


def draw_weather(kind: str, start: float, end: float, chance: Random, to: Weather) -> None:
    """Add the trouble of one kind between two moments. ``KINDS`` has the kinds."""
    KINDS[kind](to, start, end, chance)


def _moments(start: float, end: float, a_day: float, chance: Random) -> Iterator[float]:
    """Moments that come by chance, so many a day."""
    at = start
    while (at := at + chance.expovariate(a_day / DAY)) < end:
        yield at


def _resets(to: Weather, start: float, end: float, a_day: float, chance: Random) -> None:
    """A connection is reset, or forgotten by a NAT: the camera goes on."""
    for at in _moments(start, end, a_day, chance):
        to.cuts.append(Cut(at, 0.0 if chance.random() < 0.5 else SILENCE))


def _restarts(to: Weather, start: float, end: float, a_day: float, chance: Random) -> None:
    """The service is started anew: refused for 0.3 to 6 s."""
    for at in _moments(start, end, a_day, chance):
        to.spans.append(Span(at, at + chance.uniform(0.3, 6.0), "refusing"))


def _reboots(to: Weather, start: float, end: float, a_day: float, chance: Random) -> None:
    """20 to 90 s: silent for two thirds, refused, then 503 for some seconds."""
    for at in _moments(start, end, a_day, chance):
        lasts = chance.uniform(20.0, 90.0)
        silent, refusing = at + lasts * 0.65, at + lasts * 0.9
        to.spans.append(Span(at, silent, "silent"))
        to.spans.append(Span(silent, refusing, "refusing"))
        to.spans.append(Span(refusing, at + lasts, "starting"))


def _outages(
    to: Weather, start: float, end: float, a_day: float, state: State, chance: Random
) -> None:
    """10 s to 3 h, two minutes in the middle (logarithmic normal)."""
    for at in _moments(start, end, a_day, chance):
        lasts = min(max(chance.lognormvariate(math.log(120.0), 1.5), 10.0), 3 * HOUR)
        to.spans.append(Span(at, at + lasts, state))


def _stable(to: Weather, start: float, end: float, chance: Random) -> None:
    _resets(to, start, end, 2.0, chance)
    _restarts(to, start, end, 1.0, chance)
    _reboots(to, start, end, 1 / 7, chance)


def _lossy(to: Weather, start: float, end: float, chance: Random) -> None:
    """A radio link: bad for a minute or so, five times an hour, 8 to 30 % lost each way."""
    for at in _moments(start, end, 5 * 24.0, chance):
        lasts = min(20.0 + chance.expovariate(1 / 60.0), 600.0)
        to.spans.append(Span(at, at + lasts, "up", chance.uniform(0.08, 0.3)))
        moment = at
        while (moment := moment + chance.expovariate(1 / 45.0)) < at + lasts:
            to.cuts.append(Cut(moment, SILENCE if chance.random() < 0.7 else 0.0))
    _outages(to, start, end, 1.0, "silent", chance)


def _single_viewer(to: Weather, start: float, end: float, chance: Random) -> None:
    _resets(to, start, end, 8.0, chance)
    _restarts(to, start, end, 2.0, chance)


def _rebooting(to: Weather, start: float, end: float, chance: Random) -> None:
    _reboots(to, start, end, 8.0, chance)
    _outages(to, start, end, 0.5, "silent", chance)


def _overloaded(to: Weather, start: float, end: float, chance: Random) -> None:
    """Ten times a day it has more to do than it can, for 15 to 90 s, and drops its sessions."""
    _resets(to, start, end, 12.0, chance)
    _restarts(to, start, end, 4.0, chance)
    for at in _moments(start, end, 10.0, chance):
        to.spans.append(Span(at, at + chance.uniform(15.0, 90.0), "hot"))


def _refusing(to: Weather, start: float, end: float, chance: Random) -> None:
    _outages(to, start, end, 4.0, "refusing", chance)


KINDS: dict[str, Callable[[Weather, float, float, Random], None]] = {
    "stable": _stable,
    "lossy": _lossy,
    "single-viewer": _single_viewer,
    "rebooting": _rebooting,
    "overloaded": _overloaded,
    "refusing": _refusing,
}

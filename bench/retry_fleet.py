"""A seeded fleet of cameras in virtual time, and what each does when it is knocked at.

In:     an attempt: when, how it is raced, how long connecting may take
Out:    when it was over, why it failed or that it plays, and how many connections it took

What each kind is like, besides its weather (``bench.retry_weather``)
- stable, rebooting, refusing: serve whoever comes while they are up.
- lossy: of each packet one in some is lost, each way, while the link is bad. A SYN is sent again
  after 1 s and 2 s more (RFC 6298), a request after 0.25 s, 0.5 s …
- single-viewer: a session that did not end in order is held for 30 to 180 s, and nobody else gets
  in: two of three answer 453, one lets the newcomer in and drops it after 3 to 20 s, for as long as
  the old one is held. Nothing that a client does makes that longer.
- overloaded: while it has too much to do, it answers 503, and every connection costs it 1 to 8 s
  of work that it does not get done: it needs that much longer, up to five minutes more. Besides, it
  counts connections: at more in a minute than it can stand (5 to 9) it answers 503, or closes the
  connection, for 30 to 120 s; every second one begins that time anew when it is knocked at then.
- mixed: of another of these kinds every 6 to 24 hours.

``minding=False`` gives overloaded cameras to whom a connection costs nothing, and that count none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

from bench.retry_weather import HOUR, KINDS, Weather, draw_weather
from rtspkit.engine.cause import Cause
from rtspkit.options import Racing

__all__ = ["FLEET", "Attempt", "Camera", "Nature", "draw_camera", "draw_nature"]

FLEET = (*KINDS, "mixed")
RACING = Racing()
SYN = (0.0, 1.0, 3.0)  # s, of one connection, within RACING.timeout
RETRANSMISSION = 0.25  # s, doubled each time
RESPONSE = 10.0  # s, Timeouts.response
EXCHANGES = 4  # DESCRIBE twice (the first is answered 401), SETUP, PLAY
MINUTE = 60.0
HOTTEST = 300.0  # s that connections add to one spell, at the most


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one.

    Attributes:
        end: When it was over.
        cause: Why it failed; None when media came.
        connects: Connections that were begun.
    """

    end: float
    cause: Cause | None
    connects: int


@dataclass(frozen=True, slots=True)
class Nature:
    """What a camera is like, for good. Times in seconds.

    Attributes:
        rtt: One round trip.
        holds: How long a lost session is held.
        drops: Whether newcomers are let in meanwhile, and dropped.
        keeps: How long it keeps them.
        stands: Connections in a minute.
        locks: How long it answers 503 after more of them.
        grudging: Whether that time begins anew with every connection.
        closing: Whether it closes the connection instead of answering.
        costs: What a connection costs while there is too much to do.
    """

    rtt: float
    holds: float
    drops: bool
    keeps: float
    stands: float
    locks: float
    grudging: bool
    closing: bool
    costs: float


class Camera:
    """One camera, for one strategy: its memory of connections and sessions is its own.

    Args:
        nature: The same for every strategy.
        weather: Its week; nothing changes it.
        kinds: Moments, and the kind it is of until then, in order.
        chance: Losses.
    """

    def __init__(
        self, nature: Nature, weather: Weather, kinds: list[tuple[float, str]], chance: Random
    ) -> None:
        self.nature = nature
        self.weather = weather
        self._kinds = deque(kinds)
        self._chance = chance
        self._held_until = self._locked_until = self._hot_until = 0.0
        self._knocks: deque[float] = deque()

    def kind(self, now: float) -> str:
        """The kind it is of at this moment; moments never go back."""
        while len(self._kinds) > 1 and now >= self._kinds[0][0]:
            self._kinds.popleft()
        return self._kinds[0][1]

    def attempt(self, now: float, racing: str, timeout: float | None) -> Attempt:
        """Connect and ask for media."""
        connects, at, cause = self._connect(now, racing, timeout or RACING.timeout)
        if cause is not None:
            return Attempt(at, cause, connects)
        limit = at + RESPONSE
        no = self._no(at, connects)
        exchanges = EXCHANGES + (racing == "last-wins")  # OPTIONS proves the newest one
        for number in range(exchanges):
            at += self._exchange(at)
            state = self.weather.at(at).state
            if at > limit or state == "silent":
                return Attempt(limit, "timeout", connects)
            if state == "refusing":
                return Attempt(at, "reset", connects)
            if state == "starting" and number:
                return Attempt(at, "busy", connects)
            if no == "reset" or (no == "busy" and number == exchanges - 2):
                return Attempt(at, no, connects)
        return Attempt(at, None, connects)

    def session(self, now: float) -> tuple[float, float]:
        """When a session that begins to play now is lost, and when that is noticed."""
        stop, noticed = self.weather.end_of_service(now)
        dropped = now + self.nature.keeps
        if (
            self.nature.drops
            and now < self._held_until
            and self.kind(now) == "single-viewer"
            and dropped < stop
        ):
            return dropped, dropped
        return stop, noticed

    def lost(self, stop: float) -> None:
        """A session ended without TEARDOWN; the camera holds it, if it goes on."""
        if self.weather.at(stop).state == "up" and stop >= self._held_until:
            self._held_until = stop + self.nature.holds

    def _connect(self, now: float, racing: str, timeout: float) -> tuple[int, float, Cause | None]:
        """Connections begun, when it was decided, and the cause when none stands."""
        begun = 1 if racing == "none" else RACING.max_connections
        starts = [now + number * RACING.delay for number in range(begun)]
        for at in sorted(start + later for start in starts for later in SYN):
            if at >= now + timeout:
                break
            span = self.weather.at(at)
            if span.state == "silent" or self._lost(span.loss) or self._lost(span.loss):
                continue
            answered = at + self.nature.rtt
            connects = sum(start < answered for start in starts)
            return connects, answered, "refused" if span.state == "refusing" else None
        return sum(start < now + timeout for start in starts), now + timeout, "timeout"

    def _exchange(self, now: float) -> float:
        """Seconds that a request and its response take."""
        loss = self.weather.at(now).loss
        took = self.nature.rtt
        for _ in range(2 if loss else 0):
            wait = RETRANSMISSION
            while self._lost(loss) and took < RESPONSE:
                took += wait
                wait *= 2
        return took

    def _lost(self, loss: float) -> bool:
        return loss > 0 and self._chance.random() < loss

    def _no(self, now: float, connects: int) -> Cause | None:
        """Why the camera lets nobody in, if so; None when it does."""
        kind, span = self.kind(now), self.weather.at(now)
        if kind == "single-viewer":
            return "busy" if now < self._held_until and not self.nature.drops else None
        if span.state == "hot":
            self._hot_until = max(self._hot_until, span.end)
        if now < self._hot_until:
            most = self.weather.last("hot", now).end + HOTTEST
            longer = self._hot_until + connects * self.nature.costs
            self._hot_until = max(self._hot_until, min(longer, most))
            return "busy"
        return self._count(now, connects) if kind == "overloaded" else None

    def _count(self, now: float, connects: int) -> Cause | None:
        """What it does about too many connections."""
        no: Cause = "reset" if self.nature.closing else "busy"
        if now < self._locked_until:
            if self.nature.grudging:
                self._locked_until = now + self.nature.locks
            return no
        self._knocks.extend([now] * connects)
        while self._knocks and self._knocks[0] < now - MINUTE:
            self._knocks.popleft()
        if len(self._knocks) <= self.nature.stands:
            return None
        self._locked_until = now + self.nature.locks
        self._knocks.clear()
        return no


def draw_nature(chance: Random, *, minding: bool) -> Nature:
    """The nature of one camera."""
    return Nature(
        rtt=chance.uniform(0.002, 0.04),
        holds=chance.uniform(30.0, 180.0),
        drops=chance.random() < 1 / 3,
        keeps=chance.uniform(3.0, 20.0),
        stands=chance.randint(5, 9) if minding else float("inf"),
        locks=chance.uniform(30.0, 120.0),
        grudging=chance.random() < 0.5,
        closing=chance.random() < 0.3,
        costs=chance.uniform(1.0, 8.0) if minding else 0.0,
    )


def draw_camera(
    kind: str, seed: int, length: float, strategy: str, *, minding: bool = True
) -> Camera:
    """The camera of a seed, with its week of ``length`` seconds.

    Args:
        kind: Of ``FLEET``.
        seed: The same seed has the same week and nature,
        length: if it has the same length.
        strategy: Only tells apart which packets are lost.
        minding: Whether overloaded cameras mind connections.
    """
    fate = Random(f"{seed} {kind} fate")
    weather = Weather()
    kinds: list[tuple[float, str]] = []
    start = 0.0
    while start < length:
        end, now = length, kind
        if kind == "mixed":
            end = min(start + fate.uniform(6.0, 24.0) * HOUR, length)
            now = fate.choice(list(KINDS))
        kinds.append((end, now))
        draw_weather(now, start, end, fate, weather)
        start = end
    nature = draw_nature(Random(f"{seed} {kind} nature"), minding=minding)
    losses = Random(f"{seed} {kind} {strategy} losses")
    return Camera(nature, weather.close(length), kinds, losses)

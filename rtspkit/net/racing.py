"""Several connections begun side by side, and one of them kept.

Layer:  net (the loop's time and tasks; what is raced comes in as functions)
In:     one function for each address that begins an attempt; ways to prove and to discard one
Out:    one connection, or an error that has every cause
Source: RFC 8305 §5 (the next attempt after a delay, or at once when one has failed)

Facts the code leans on
- A lossy network loses the first packet of a connection, and the system sends it again only a
  second later: an address that is silent is tried again beside the first attempt. One that has
  failed is not, so that a port that refuses is knocked at once.
- A camera with room for one viewer drops the older connection for a newer one, or leaves it open
  and says nothing any more: only an answer tells which of them lives.

Where we leave the RFC
- At most ``max_connections`` attempts are under way: with more addresses than that, the oldest
  gives way to the next address once it has had its share of the time.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from rtspkit.errors import ConnectError, DeadlineExceeded, RtspError

__all__ = ["race"]

T = TypeVar("T")
MODES = ("none", "first-wins", "last-wins", "hybrid")
LAST_TURNS = 4  # of the loop: what has come while it was held up is not given up
_GIVEN_UP = errno.ETIMEDOUT


async def race(
    starts: Sequence[Callable[[], Awaitable[T]]],
    *,
    mode: str,
    delay: float,
    timeout: float,
    max_connections: int,
    discard: Callable[[T], None],
    prove: Callable[[T], Awaitable[None]] | None = None,
    goal: str = "the server",
) -> T:
    """Begin connections until one of them is to be kept.

    Args:
        starts: One for each address, the best first. Each begins one attempt and gives a
            connection; it fails with an ``OSError`` or a ``RtspError``, of which one that is not
            retryable ends the race at once. Cancelled, it leaves nothing behind and does not wait.
        mode: ``"first-wins"``: the first connection that stands. ``"last-wins"``: the newest that
            can be proven; when an older one is first, the newer ones have ``delay`` to come.
            ``"hybrid"``: the first when it comes before a second was begun, else as
            ``"last-wins"``. ``"none"``: one after the other, each with its share of the time, and
            what is left goes to one that was silent.
        delay: Seconds between the beginnings of two attempts.
        timeout: Seconds for all of them.
        max_connections: Attempts under way at the same time.
        discard: Closes a connection that is not kept. Does not wait and does not raise.
        prove: Returns once the connection is known to work, or fails as a start does; part of the
            attempt. None for no proof.
        goal: What is connected to, for the errors.

    Returns:
        The connection; of all the others nothing is left.

    Raises:
        ConnectError: Every address has failed; ``causes`` has all errors, in their order.
        DeadlineExceeded: The time is over; what had failed by then is its ``__cause__``.
        RtspError: What ended the race at once.
    """
    if mode not in MODES:
        raise ValueError(f"a race is one of {', '.join(MODES)}, not {mode!r}")
    if mode == "none":
        max_connections = 1
    contest = _Contest(starts, mode, delay, timeout, max_connections, discard, prove, goal)
    try:
        winner = await contest.run()
    except BaseException:
        contest.stop()
        await contest.gone()
        raise
    contest.stop()
    try:
        await contest.gone()
    except BaseException:
        discard(winner)
        raise
    return winner


class _Contest(Generic[T]):
    """One race on its way."""

    def __init__(
        self,
        starts: Sequence[Callable[[], Awaitable[T]]],
        mode: str,
        delay: float,
        timeout: float,
        max_connections: int,
        discard: Callable[[T], None],
        prove: Callable[[T], Awaitable[None]] | None,
        goal: str,
    ) -> None:
        self._starts = starts
        self._mode = mode
        self._delay = delay
        self._timeout = timeout
        self._max_connections = max_connections
        self._discard = discard
        self._prove = prove if mode in ("last-wins", "hybrid") else None
        self._goal = goal
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + timeout
        self._untried = deque(range(len(starts)))
        self._failed: set[int] = set()  # places in ``starts``
        self._under_way: dict[asyncio.Task[T], tuple[int, int]] = {}  # its number, and its place
        self._losers: set[asyncio.Task[T]] = set()  # cancelled
        self._begun = 0  # attempts, and the number of the latest
        self._latest = -math.inf  # when one was begun
        self._hurry = False  # one has failed: the next address is due
        self._kept: list[T] = []  # the newest that has come, while newer ones may still
        self._causes: list[BaseException] = []
        self._turns = LAST_TURNS

    # -- what happens -------------------------------------------------------------------------

    async def run(self) -> T:
        """Begin, wait and judge, until it is decided."""
        while True:
            for task in [task for task in self._under_way if task.done()]:
                if task in self._under_way:
                    self._take(task)
            now = self._loop.time()
            if self._kept and (now >= self._until or not self._under_way):
                return self._kept.pop()
            if now >= self._until:
                if not self._turns:
                    raise self._too_late()
                self._turns -= 1
                await asyncio.sleep(0)
                continue
            due = self._due(now)
            if due <= now:
                self._begin(now)
            elif not self._under_way:
                raise self._all_failed()
            else:
                await asyncio.wait(
                    self._under_way,
                    timeout=min(due, self._until) - now,
                    return_when=asyncio.FIRST_COMPLETED,
                )

    def _due(self, now: float) -> float:
        """When the next attempt is to begin; infinite when none is."""
        full = len(self._under_way) >= self._max_connections
        if self._kept or not (self._untried or len(self._failed) < len(self._starts)):
            return math.inf
        if not self._under_way or (self._hurry and not full):
            return now
        if self._untried and full:
            share = (self._until - self._latest) / (len(self._untried) + 1)
            return self._latest + max(self._delay, share)
        return math.inf if full else self._latest + self._delay

    def _begin(self, now: float) -> None:
        """Begin with the next address; when all were tried, with the one that is tried least."""
        if len(self._under_way) >= self._max_connections:
            oldest = next(iter(self._under_way))
            self._lose(oldest)
            self._causes.append(TimeoutError(_GIVEN_UP, os.strerror(_GIVEN_UP)))
        if self._untried:
            place = self._untried.popleft()
        else:
            places = [place for _, place in self._under_way.values()]
            alive = [n for n in range(len(self._starts)) if n not in self._failed]
            place = min(alive, key=places.count)
        self._begun += 1
        self._latest = now
        self._hurry = False
        self._under_way[self._loop.create_task(self._attempt(place))] = (self._begun, place)

    async def _attempt(self, place: int) -> T:
        connection = await self._starts[place]()
        alone = self._mode == "hybrid" and self._begun == 1
        if self._prove is not None and not alone:
            try:
                await self._prove(connection)
            except BaseException:
                self._discard(connection)
                raise
        return connection

    def _take(self, task: asyncio.Task[T]) -> None:
        """Judge an attempt that is over."""
        number, place = self._under_way.pop(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._keep(task.result(), number)
        elif isinstance(error, OSError) or (isinstance(error, RtspError) and error.retryable):
            self._causes.append(error)
            self._failed.add(place)
            self._hurry = bool(self._untried)
        else:
            raise error

    def _keep(self, connection: T, number: int) -> None:
        """One has come: older ones have lost, newer ones may come for a while where they may."""
        while self._kept:
            self._discard(self._kept.pop())
        self._kept.append(connection)
        newest = self._mode in ("last-wins", "hybrid")
        for task, (other, _) in list(self._under_way.items()):
            if not newest or other < number:
                self._lose(task)
        self._until = min(self._until, self._loop.time() + self._delay)

    def _lose(self, task: asyncio.Task[T]) -> None:
        """Cancel an attempt; what it may have come to is discarded."""
        del self._under_way[task]
        self._losers.add(task)
        task.add_done_callback(self._lost)
        task.cancel()

    def _lost(self, task: asyncio.Task[T]) -> None:
        self._losers.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._discard(task.result())

    # -- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """Whoever is still under way has lost."""
        while self._kept:
            self._discard(self._kept.pop())
        for task in list(self._under_way):
            self._lose(task)

    async def gone(self) -> None:
        """Wait until nothing is left of the losers."""
        if self._losers:
            await asyncio.wait(self._losers)

    def _all_failed(self) -> ConnectError:
        return ConnectError(
            f"no connection to {self._goal} ({_reasons(self._causes)})",
            causes=tuple(self._causes),
        )

    def _too_late(self) -> DeadlineExceeded:
        seconds = f"connect: no connection to {self._goal} within {self._timeout:g} s"
        if not self._causes:
            return DeadlineExceeded("connect", self._timeout, message=seconds)
        message = f"{seconds} ({_reasons(self._causes)})"
        error = DeadlineExceeded("connect", self._timeout, message=message)
        error.__cause__ = self._all_failed()
        return error


def _reasons(causes: Sequence[BaseException]) -> str:
    """What has failed, each once and in a few words; asyncio's messages repeat the address."""
    return "; ".join(dict.fromkeys(_reason(cause) for cause in causes))


def _reason(error: BaseException) -> str:
    code = getattr(error, "errno", None)
    text = os.strerror(code) if isinstance(code, int) and code > 0 else str(error)
    return text[:1].lower() + text[1:] if text else type(error).__name__

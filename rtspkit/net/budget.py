"""How many connections to a server there are, and how many it bears: one budget a loop.

Layer:  net (the loop's time)
In:     connections that may be begun, those that have ended; 453, and sessions had all the same
Out:    how many more may be begun

Rules
- A race takes a place for every connection that it may have open, before it begins.
- A server that answers 453 bears the sessions that it held of ours then, and one in any case. That
  is known for an hour, or until it holds more of them.
- Nobody waits here: whoever knows of no room still has one place (``ConnectionPool`` waits).
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Budget", "Places", "Server", "Watcher", "budget_of"]

Server = tuple[str, int]
LESSON = 3600.0  # seconds that a 453 is remembered


class Watcher(Protocol):
    """Who wants to know when places become free."""

    def freed(self, places: Places) -> None:
        """There are fewer of them than there were."""


class Places:
    """Room for connections to one server, taken until it is given back.

    Attributes:
        server: Host and port.
        number: Connections that it is for.
        in_session: Whether the one that is left of them carries a session.
    """

    def __init__(self, budget: Budget, server: Server, number: int) -> None:
        self._budget = budget
        self.server = server
        self.number = number
        self.in_session: Callable[[], bool] = _never

    def bind(self, closed: asyncio.Future[None], in_session: Callable[[], bool]) -> None:
        """Keep one place, for a connection that stands, until it is closed."""
        self.shrink(1)
        self.in_session = in_session
        self._budget.bind(self, closed)

    def shrink(self, number: int) -> None:
        """Keep only so many; with 0, nothing is left to keep."""
        if number < self.number:
            self.number = number
            self._budget.freed(self)


def _never() -> bool:
    return False


@dataclass(slots=True)
class _Record:
    """One server."""

    taken: set[Places] = field(default_factory=set)
    bears: int | None = None  # sessions
    until: float = 0.0  # when that is forgotten


class Budget:
    """The connections of one event loop, by server.

    Args:
        now: Gives monotonic seconds.

    Attributes:
        watchers: Told of each place that becomes free; held weakly.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._records: dict[Server, _Record] = {}
        self._bound: dict[asyncio.Future[None], Places] = {}
        self.watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()

    def taken(self, server: Server) -> int:
        """Connections that there are, or may be at any moment."""
        record = self._records.get(server)
        return sum(places.number for places in record.taken) if record else 0

    def sessions(self, server: Server) -> int:
        """Those of them that carry a session."""
        record = self._records.get(server)
        return sum(places.in_session() for places in record.taken) if record else 0

    def bears(self, server: Server) -> int | None:
        """How many sessions the server is known to bear; None when it has not said."""
        record = self._records.get(server)
        if record is None or record.bears is None:
            return None
        if self._now() >= record.until:
            record.bears = None
            self._tidy(server)
            return None
        return record.bears

    def room(self, server: Server) -> int | None:
        """How many more connections the server may bear; None when it has not said."""
        bears = self.bears(server)
        return None if bears is None else max(bears - self.taken(server), 0)

    def take(self, server: Server, wanted: int) -> Places:
        """Take places: as many as are wanted, fewer where the server bears no more; at least one.

        Args:
            server: Host, in lower case, and port.
            wanted: Connections that may be open at the same time.
        """
        room = self.room(server)
        number = wanted if room is None else min(wanted, max(room, 1))
        places = Places(self, server, number)
        self._records.setdefault(server, _Record()).taken.add(places)
        return places

    def refused(self, server: Server, sessions: int) -> None:
        """The server has answered 453 while it held so many sessions of ours."""
        for known in list(self._records):
            self.bears(known)  # what is old is forgotten
        record = self._records.setdefault(server, _Record())
        record.bears, record.until = max(sessions, 1), self._now() + LESSON

    def accepted(self, server: Server) -> None:
        """The server has taken one more session: when it bears more than was known, forget it."""
        bears = self.bears(server)
        if bears is not None and self.sessions(server) > bears:
            self._records[server].bears = None

    # -- for the places ---------------------------------------------------------------------------

    def bind(self, places: Places, closed: asyncio.Future[None]) -> None:
        """Free the places when the connection is closed."""
        if closed not in self._bound:  # else the connection has gone to another session
            self._bound[closed] = places
            closed.add_done_callback(self._closed)

    def _closed(self, closed: asyncio.Future[None]) -> None:
        self._bound.pop(closed).shrink(0)

    def places_of(self, closed: asyncio.Future[None]) -> Places | None:
        """The places of a connection that stands."""
        return self._bound.get(closed)

    def freed(self, places: Places) -> None:
        """There are fewer of them than there were."""
        if not places.number:
            self._records[places.server].taken.discard(places)
            self._tidy(places.server)
        for watcher in list(self.watchers):
            watcher.freed(places)

    def _tidy(self, server: Server) -> None:
        record = self._records[server]
        if not record.taken and record.bears is None:
            del self._records[server]


_budgets: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Budget]
_budgets = weakref.WeakKeyDictionary()


def budget_of(loop: asyncio.AbstractEventLoop) -> Budget:
    """The budget of a loop."""
    budget = _budgets.get(loop)
    if budget is None:
        budget = _budgets[loop] = Budget(_clock(weakref.ref(loop)))
    return budget


def _clock(loop: weakref.ref[asyncio.AbstractEventLoop]) -> Callable[[], float]:
    """The time of a loop, that is not kept alive by those who ask for it."""

    def now() -> float:
        alive = loop()
        assert alive is not None
        return alive.time()

    return now

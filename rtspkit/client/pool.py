"""``ConnectionPool``: so many connections to a host and no more, used again by the next session.

Layer:  client
In:     sessions that want a connection, and connections that sessions have left in order
Out:    a lease: a connection that is kept open, or room for new ones

Rules
- A host means a name and a port. Each of its connections counts: those of a race, and those that
  wait for their next session.
- Who finds no room waits in line; ``timeouts.connect`` ends that.
- A connection goes on only to what is the same in all that the server sees: scheme, host, port,
  credentials, TLS, user agent and headers. It is asked first whether it is still there.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from rtspkit.client.idle import IdleConnection
from rtspkit.errors import LocalProtocolError
from rtspkit.net.budget import Budget, Places, Server, budget_of
from rtspkit.net.clock import monotonic_clock

__all__ = ["ConnectionPool", "Lease"]


@dataclass(slots=True)
class Lease:
    """What a session may connect with.

    Attributes:
        places: Room for connections; to be given back.
        idle: A connection that stands already; None when a new one is to be made.
        stood: Connections that the server has taken.
    """

    places: Places
    idle: IdleConnection | None = None
    stood: int = 0

    def knocked(self) -> None:
        """The server has taken one more connection."""
        self.stood += 1


class _Turn:
    """Somebody's place in the line before one host."""

    def __init__(self) -> None:
        self._called = asyncio.Event()

    def call(self) -> None:
        """Something may have become free."""
        self._called.set()

    async def wait(self) -> None:
        """Until then."""
        await self._called.wait()
        self._called.clear()


class ConnectionPool:
    """Bounds the connections to each host, and keeps those that a session has left.

    Give it to ``connect(url, pool=pool)``, in one event loop. A session has its connection for
    itself; when it is closed, and the server leaves the connection open, the next session to the
    same origin goes on with it, and needs neither a TLS handshake nor another challenge.

    Use it with ``async with``, or call ``aclose()``.

    Args:
        max_connections_per_host: Connections to one host and port, all together. After an answer
            of 453, as many as the server held sessions then, where that is less.
        idle: Seconds that a connection is kept without a session; 0 keeps none.
    """

    def __init__(self, *, max_connections_per_host: int = 4, idle: float = 60.0) -> None:
        number = max_connections_per_host
        if not isinstance(number, int) or isinstance(number, bool):
            raise TypeError(f"max_connections_per_host must be a whole number, not {number!r}")
        if number < 1:
            raise ValueError(f"max_connections_per_host must be at least 1, not {number!r}")
        if isinstance(idle, bool) or not isinstance(idle, int | float):
            raise TypeError(f"idle must be a number of seconds, not {idle!r}")
        if not idle >= 0 or not math.isfinite(idle):
            raise ValueError(f"idle must be finite and not under 0, not {idle!r}")
        self._maximum = number
        self._lifetime = idle
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._taken: dict[Server, set[Places]] = {}
        self._lines: dict[Server, deque[_Turn]] = {}
        self._idle: dict[IdleConnection, tuple[Hashable, Places]] = {}  # the longest idle first
        self._reaper: asyncio.TimerHandle | None = None
        self._reused = 0

    # -- what it is -------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Connections that there are, or may be at any moment, with or without a session."""
        return sum(places.number for taken in self._taken.values() for places in taken)

    @property
    def idle_connections(self) -> int:
        """Those of them that wait for a session."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Calls of ``connect()`` that wait for room."""
        return sum(map(len, self._lines.values()))

    @property
    def reused(self) -> int:
        """Times that a session went on where another one had been."""
        return self._reused

    @property
    def closed(self) -> bool:
        """Whether ``aclose`` was called."""
        return self._closed

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.connections} connections"
        return f"<ConnectionPool {state}, {self.idle_connections} idle>"

    # -- the end ----------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close what is idle, and give out nothing more; idempotent.

        Sessions that live go on, and close their connections themselves. Those that wait for room
        end with an error.

        Raises:
            LocalProtocolError: The pool belongs to another event loop.
        """
        self._check_loop()
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        for line in self._lines.values():
            for turn in line:
                turn.call()
        idle, self._idle = list(self._idle), {}
        for connection in idle:
            connection.close()
        ends = [connection.closed for connection in idle if connection.closed is not None]
        if ends:
            await asyncio.wait(ends)

    async def __aenter__(self) -> ConnectionPool:
        self._check_loop()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # -- for sessions -----------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            LocalProtocolError: It is closed, or belongs to another event loop.
        """
        self._check_loop()
        if self._closed:
            raise LocalProtocolError("the ConnectionPool is closed", phase="pool")

    def _check_loop(self) -> Budget:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            budget_of(loop).watchers.add(self)
        elif self._loop is not loop:
            raise LocalProtocolError("a ConnectionPool belongs to one event loop", phase="pool")
        return budget_of(loop)

    def bound(self, server: Server) -> str:
        """What keeps the number of connections to a server down, in words."""
        bears = self._check_loop().bears(server)
        if bears is None or bears >= self._maximum:
            return f"ConnectionPool.max_connections_per_host is {self._maximum}"
        return f"the server has answered 453 (too many sessions) when it had {bears} of ours"

    async def lease(
        self, origin: Hashable, server: Server, uri: str, wanted: int, *, fresh: bool = False
    ) -> Lease:
        """What a session may connect with; waits until there is room.

        Args:
            origin: What a connection must be equal in to be used again.
            server: Host and port.
            uri: What a connection is asked about.
            wanted: Connections that a race may need.
            fresh: Whether no connection is to be used again.

        Raises:
            LocalProtocolError: The pool is closed.
        """
        while True:
            found = await self._find(origin, server, wanted, fresh=fresh)
            if found.idle is None:
                return found
            if await found.idle.answers(uri):
                if self._closed:
                    found.idle.close()
                    self.check()
                self._reused += 1
                return found

    async def _find(self, origin: Hashable, server: Server, wanted: int, *, fresh: bool) -> Lease:
        """Wait in line for a connection, or for room."""
        line = self._lines.setdefault(server, deque())
        turn = _Turn()
        if fresh:  # a session that had its place before it was lost goes first
            line.appendleft(turn)
        else:
            line.append(turn)
        try:
            while True:
                self.check()
                lease = self._next(origin, server, wanted, fresh) if line[0] is turn else None
                if lease is not None:
                    return lease
                await turn.wait()
        finally:
            line.remove(turn)
            if line:
                line[0].call()
            else:
                del self._lines[server]

    def _next(self, origin: Hashable, server: Server, wanted: int, fresh: bool) -> Lease | None:
        if not fresh:
            for idle, (known, places) in reversed(self._idle.items()):
                if known == origin:
                    self._forget(idle)
                    return Lease(places, idle)
        budget, taken = self._check_loop(), self._taken.setdefault(server, set())
        room = self._maximum - sum(places.number for places in taken)
        bearable = budget.room(server)
        if bearable is not None:
            room = min(room, bearable)
        if room < 1:
            self._make_room(server)
            return None
        places = budget.take(server, min(wanted, room))
        taken.add(places)
        return Lease(places)

    def _make_room(self, server: Server) -> None:
        """Close a connection that nobody uses; its place is free when its socket is gone."""
        for idle, (_, places) in self._idle.items():
            if places.server == server:
                self._forget(idle)
                idle.close()
                return

    def keep(self, origin: Hashable, connection: IdleConnection) -> None:
        """Keep a connection that a session has left, or close it."""
        closed = connection.closed
        places = None if closed is None else self._check_loop().places_of(closed)
        mine = places is not None and places in self._taken.get(places.server, ())
        if places is None or not mine or self._closed or not connection.is_open:
            connection.close()
            return
        self._idle[connection] = (origin, places)
        places.in_session = lambda: False
        self._set_reaper()
        self._call(places.server)

    @property
    def keeps(self) -> bool:
        """Whether it takes connections back."""
        return not self._closed and self._lifetime > 0

    # -- inside -----------------------------------------------------------------------------------

    def freed(self, places: Places) -> None:
        """There is room with a server."""
        taken = self._taken.get(places.server)
        if taken is not None and not places.number:
            taken.discard(places)
            if not taken:
                del self._taken[places.server]
        self._call(places.server)

    def _call(self, server: Server) -> None:
        line = self._lines.get(server)
        if line:
            line[0].call()

    def lost(self, connection: IdleConnection) -> None:
        """A connection has ended while nobody used it."""
        self._forget(connection)

    def _forget(self, connection: IdleConnection) -> None:
        if self._idle.pop(connection, None) is not None and not self._idle and self._reaper:
            self._reaper.cancel()
            self._reaper = None

    def _set_reaper(self) -> None:
        if self._reaper is None and self._idle and self._loop is not None:
            first = next(iter(self._idle))
            self._reaper = self._loop.call_at(first.since + self._lifetime, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        assert self._loop is not None
        now = monotonic_clock(self._loop)()
        for connection in list(self._idle):
            if now - connection.since >= self._lifetime:
                self._forget(connection)
                connection.close()
        self._set_reaper()

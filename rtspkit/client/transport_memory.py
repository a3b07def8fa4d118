"""Which transport worked with which server last, so that ``"auto"`` begins with it.

Layer:  client
In/Out: the store in this user's cache folder: 100 servers, 7 days, for the next program too

Fact the code leans on
- What worked rarely changes, and a file is slow: what is known already is written again once a
  day, not with every connect.
"""

from __future__ import annotations

from rtspkit.net.store import Store, shared_store

__all__ = ["TransportMemory", "remembered_transports"]

SECTION = "transport"
LIFETIME = 7 * 86_400.0  # seconds
REFRESH = 86_400.0  # seconds

Server = tuple[str, int]


class TransportMemory:
    """The transport that worked, by (host, port). Times are wall-clock seconds.

    Args:
        store: What it is kept in; None for the one of the process.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        """What it is kept in: ``await store.load()`` goes before the first ``order``."""
        return self._store or shared_store()

    def order(self, server: Server, kinds: tuple[str, ...], now: float) -> tuple[str, ...]:
        """``kinds``, the one that worked last first."""
        kind, at = self._known(server)
        if kind not in kinds or abs(now - at) > LIFETIME:
            return kinds
        return (kind, *(other for other in kinds if other != kind))

    def remember(self, server: Server, kind: str, now: float) -> None:
        """Media came over this transport."""
        known, at = self._known(server)
        if known != kind or abs(now - at) > REFRESH:
            self.store.put(server, SECTION, {"kind": kind, "at": now})

    def clear(self) -> None:
        """Forget everything that is in memory."""
        self.store.clear()

    def _known(self, server: Server) -> tuple[str, float]:
        value = self.store.get(server, SECTION) or {}
        kind, at = value.get("kind"), value.get("at")
        if not isinstance(kind, str) or not isinstance(at, int | float):
            return "", 0.0
        return kind, at


remembered_transports = TransportMemory()

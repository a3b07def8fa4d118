"""Which transport worked with which server last, so that ``"auto"`` begins with it.

Layer:  client (in this process only)
"""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["TransportMemory", "remembered_transports"]

MAXIMUM_SERVERS = 100
LIFETIME = 7 * 86_400.0  # seconds


class TransportMemory:
    """The transport that worked, by (host, port); the oldest entries make room."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, int], tuple[str, float]] = OrderedDict()

    def order(self, server: tuple[str, int], kinds: tuple[str, ...], now: float) -> tuple[str, ...]:
        """``kinds``, the one that worked last first."""
        kind, at = self._entries.get(server, ("", 0.0))
        if kind not in kinds or now - at > LIFETIME:
            return kinds
        return (kind, *(other for other in kinds if other != kind))

    def remember(self, server: tuple[str, int], kind: str, now: float) -> None:
        """Media came over this transport."""
        self._entries.pop(server, None)
        self._entries[server] = (kind, now)
        while len(self._entries) > MAXIMUM_SERVERS:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


remembered_transports = TransportMemory()

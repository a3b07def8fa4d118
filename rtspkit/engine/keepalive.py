"""When to tell the server that we are still here, and with which method.

Layer:  engine (``now`` comes in)
In:     the session's timeout, the server's Public header, the fate of each keep-alive
Out:    ``deadline`` and the method to send then
Source: RFC 2326 §12.37 (timeout, default 60 s), §10.8 (GET_PARAMETER as a test of liveness)

Facts the code leans on
- Servers advertise methods that they refuse, or never answer: a refusal changes the method and
  never ends a session whose media flows.
- A request in the session restarts the server's clock, whatever it asked for.

Where we leave the design's figure
- At least 1 s between two of them, but never more than half of the timeout: with a timeout of
  1 s, one keep-alive a second would come too late.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["DEFAULT_SESSION_TIMEOUT", "KeepAlive", "keepalive_interval"]

DEFAULT_SESSION_TIMEOUT = 60.0  # seconds, RFC 2326 §12.37
MARGIN = 5.0  # seconds before the timeout that a keep-alive is sent at the latest
SHORTEST_INTERVAL = 1.0  # seconds
LADDER = ("GET_PARAMETER", "OPTIONS", "SET_PARAMETER")  # what is left after them: receiver reports


def keepalive_interval(timeout: float) -> float:
    """Seconds between two keep-alives, for a session timeout in seconds.

    0 and less mean that the server did not say anything useful: the default is taken.
    """
    if timeout <= 0:
        timeout = DEFAULT_SESSION_TIMEOUT
    shortest = min(SHORTEST_INTERVAL, timeout / 2)
    return max(shortest, min(timeout / 2, timeout - MARGIN))


class KeepAlive:
    """The keep-alive of one session: idle until ``start``.

    Attributes:
        timeout: The session's timeout in seconds.
        sent: Keep-alives sent.
        refused: Keep-alives refused or not answered.
    """

    def __init__(self) -> None:
        self.timeout = DEFAULT_SESSION_TIMEOUT
        self.sent = 0
        self.refused = 0
        self._advertised: frozenset[str] | None = None
        self._ruled_out: set[str] = set()
        self._last: float | None = None
        self._waiting_for: str | None = None

    @property
    def method(self) -> str | None:
        """The method in use; None when every one was refused and only reports are left."""
        advertised = self._advertised or frozenset()
        if "GET_PARAMETER" in advertised and "GET_PARAMETER" not in self._ruled_out:
            return "GET_PARAMETER"
        for method in ("OPTIONS", "SET_PARAMETER"):
            if method not in self._ruled_out:
                return method
        return None

    @property
    def interval(self) -> float:
        """Seconds between two keep-alives."""
        return keepalive_interval(self.timeout)

    @property
    def deadline(self) -> float | None:
        """When the next one is due; None while there is no session, or no method is left."""
        if self._last is None or self.method is None:
            return None
        return self._last + self.interval

    def advertise(self, methods: Iterable[str]) -> None:
        """Take the methods of a Public header."""
        self._advertised = frozenset(methods)

    def start(self, now: float, timeout: float | None) -> None:
        """A session exists, with this timeout in seconds; None when the server did not say."""
        if timeout is not None and timeout > 0:
            self.timeout = timeout
        self._last = now

    def stop(self) -> None:
        """The session is gone."""
        self._last = None
        self._waiting_for = None

    def activity(self, now: float) -> None:
        """A request of any kind was sent in the session."""
        if self._last is not None:
            self._last = now

    def due(self, now: float) -> str | None:
        """The method to send now, or None; the one before, if unanswered, is given up."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return None
        if self._waiting_for is not None:
            self.refuse(self._waiting_for)
        method = self.method
        if method is None:
            return None
        self._waiting_for = method
        self._last = now
        self.sent += 1
        return method

    def answer(self, method: str) -> None:
        """The server took it."""
        if self._waiting_for == method:
            self._waiting_for = None

    def refuse(self, method: str) -> str | None:
        """The server refused it, or let it go unanswered; gives the method used from now on."""
        self.refused += 1
        self._ruled_out.add(method)
        if self._waiting_for == method:
            self._waiting_for = None
        return self.method

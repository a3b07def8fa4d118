"""When to tell the server that we are still here, and with which method.

Layer:  engine (``now`` comes in)
In:     the session's timeout, the server's Public header, the fate of each keep-alive
Out:    ``deadline`` and the method to send then
Source: RFC 2326 §12.37 (timeout, default 60 s), §10.8 (GET_PARAMETER as a test of liveness)

Facts the code leans on
- Servers advertise methods that they refuse, or never answer: that changes the method and never
  ends a session whose media flows.
- What a server refuses or ignores may not have restarted its clock: the next method follows at
  once, so that all of them are tried before the timeout.
- A server that never answers may listen all the same: a method that was not answered comes last,
  and only one that was refused is never used again.

Where we leave the design's figure
- At least 1 s between two of them, but never more than half of the timeout: with a timeout of
  1 s, one keep-alive a second would come too late.
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.engine.events import KeepAliveChanged
from rtspkit.errors import DeadlineExceeded, RtspError

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
        refused: Times that a method was refused, or given up for want of an answer.
        method: The method in use; None when every one was refused and only reports are left.
        deadline: When the next one is due; None while there is no session, or no method is left.
    """

    def __init__(self) -> None:
        self.timeout = DEFAULT_SESSION_TIMEOUT
        self.sent = 0
        self.refused = 0
        self.method: str | None = None
        self.deadline: float | None = None
        self._changes: list[tuple[str, KeepAliveChanged]] = []
        self._advertised: frozenset[str] = frozenset()
        self._refused: set[str] = set()
        self._unanswered: list[str] = []  # the one that had its turn longest ago comes first
        self._answered: set[str] = set()
        self._last: float | None = None
        self._waiting_for: str | None = None  # a method of which nothing is known yet
        self._waiting_until = 0.0
        self._at_once = False
        self._settle()

    def _settle(self) -> None:
        """Work out ``method`` and ``deadline``: they are looked at more often than they change."""
        usable = [
            method
            for method in LADDER
            if method not in self._refused
            and (method != "GET_PARAMETER" or method in self._advertised)
        ]
        fresh = (method for method in usable if method not in self._unanswered)
        again = (method for method in self._unanswered if method in usable)
        self.method = next(fresh, None) or next(again, None)
        if self._last is None or self.method is None:
            self.deadline = None
        elif self._at_once:
            self.deadline = self._last
        else:
            self.deadline = self._last + self.interval
            if self._waiting_for is not None:
                self.deadline = min(self.deadline, self._waiting_until)

    @property
    def interval(self) -> float:
        """Seconds between two keep-alives."""
        return keepalive_interval(self.timeout)

    @property
    def patience(self) -> float:
        """Seconds for the answer to a method that is new: there is time for two more after it."""
        return (self.timeout - self.interval) / 3

    def advertise(self, methods: Iterable[str]) -> None:
        """Take the methods of a Public header."""
        self._advertised = frozenset(methods)
        self._settle()

    def learn(self, timeout: float | None) -> None:
        """Take the timeout of a response, in seconds; None when it did not say."""
        if timeout is not None and timeout > 0:
            self.timeout = timeout
            self._settle()

    def start(self, now: float, timeout: float | None) -> None:
        """A session exists since ``now``, with this timeout; None when the server did not say."""
        self._last, self._waiting_for, self._at_once = now, None, False
        self.learn(timeout)
        self._settle()

    def stop(self) -> None:
        """The session is gone."""
        self._last, self._waiting_for, self._at_once = None, None, False
        self._settle()

    def activity(self, now: float) -> None:
        """The server has taken a request in the session that was sent at ``now``."""
        if self._last is not None and now > self._last:
            self._last = now
            self._settle()

    def due(self, now: float) -> str | None:
        """The method to send now, or None; the one before, if new and unanswered, is given up."""
        if self.deadline is None or now < self.deadline:
            return None
        if self._waiting_for is not None:
            self.unanswered(self._waiting_for, now)
        method = self.method
        assert method is not None
        known = method in self._answered or method in self._unanswered
        self._waiting_for = None if known else method
        self._waiting_until = now + self.patience
        self._last = now
        self._at_once = False
        self.sent += 1
        self._settle()
        return method

    def answer(self, method: str) -> None:
        """The server took a request of this method, in time or late, ours or the user's."""
        if method not in LADDER:
            return
        self._answered.add(method)
        if method in self._unanswered:
            self._unanswered.remove(method)
        if self._waiting_for == method:
            self._waiting_for = None
        self._settle()

    def worked(self, method: str) -> bool:
        """Whether the server has ever taken this method."""
        return method in self._answered

    def fail(self, method: str, error: RtspError, now: float) -> None:
        """A keep-alive of this method failed: refused, or not answered in time."""
        if isinstance(error, DeadlineExceeded):
            self.unanswered(method, now)
        else:
            self.refuse(method, now, str(error))

    def unanswered(self, method: str, now: float) -> None:
        """The server let a keep-alive of this method go unanswered."""
        again = method in self._unanswered
        if again:
            self._unanswered.remove(method)
        self._unanswered.append(method)
        self._at_once |= self._last is not None and not again
        self.refused += not again
        self._give_up(method, "keepalive-unanswered", now, "not answered")

    def refuse(self, method: str, now: float, reason: str) -> None:
        """The server refused a keep-alive of this method, in these words."""
        self._refused.add(method)
        self._at_once = self._last is not None
        self.refused += 1
        self._give_up(method, "keepalive-refused", now, reason)

    def _give_up(self, method: str, identifier: str, now: float, reason: str) -> None:
        before = self.method
        if self._waiting_for == method:
            self._waiting_for = None
        self._settle()
        if before is not None and self.method != before:
            change = KeepAliveChanged(now, before, self.method or "reports", reason)
            self._changes.append((identifier, change))

    def take_changes(self) -> list[tuple[str, KeepAliveChanged]]:
        """Changes of the method since the last time, each with the deviation behind it."""
        changes, self._changes = self._changes, []
        return changes

"""Requests on their way to their responses, and how a response finds its request.

Layer:  engine
Source: RFC 2326 §12.17 (CSeq)

Fact the code leans on
- Devices leave CSeq out or count wrongly: with one request open, a response can only belong to
  it. A response to a request that was given up is dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtspkit.engine.events import Event
from rtspkit.errors import LimitExceeded, RtspError
from rtspkit.wire.message import Response

__all__ = [
    "Answered",
    "ControlCounters",
    "ControlEvent",
    "Exchange",
    "Exchanges",
    "Failed",
    "Noted",
    "Outbox",
    "SessionGone",
]

REMEMBERED_CSEQS = 64  # of requests given up, whose late responses are dropped
CSEQ_TOLERANCE = 6  # how far behind a device was seen to count


@dataclass(slots=True, eq=False)
class Exchange:
    """One request on its way to its response.

    Attributes:
        method: As sent.
        uri: The request URI, as sent.
        headers: What the caller wants in it, besides what every request has.
        body: Its body.
        timeout: Seconds that the response may take.
        keepalive: Whether the machine sent it by itself.
        cseq: Of the last time it was sent.
        attempts: How often it was sent with credentials.
        deadline: Monotonic seconds.
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout: float
    keepalive: bool = False
    cseq: int = 0
    attempts: int = 0
    deadline: float = 0.0


@dataclass(slots=True)
class Answered:
    """An exchange has its response, of 2xx."""

    exchange: Exchange
    response: Response


@dataclass(slots=True)
class Failed:
    """An exchange has failed: refused, unanswered, or its connection is gone."""

    exchange: Exchange
    error: RtspError


@dataclass(slots=True)
class Noted:
    """Something for ``session.events()``."""

    event: Event


@dataclass(slots=True)
class SessionGone:
    """The server does not know our session any more (454)."""


ControlEvent = Answered | Failed | Noted | SessionGone


@dataclass(slots=True)
class ControlCounters:
    """What went over the control connection.

    Attributes:
        requests: Requests sent, again with credentials included.
        responses: Responses received.
        unmatched: Responses that belonged to nothing and were dropped.
        skipped: Bytes skipped to get back in step.
        server_requests: Requests of the server.
    """

    requests: int = 0
    responses: int = 0
    unmatched: int = 0
    skipped: int = 0
    server_requests: int = 0


@dataclass(slots=True)
class Outbox:
    """What waits to be sent, with its bound."""

    maximum: int
    size: int = 0
    chunks: list[bytes] = field(default_factory=list)

    def put(self, data: bytes) -> None:
        if self.size + len(data) > self.maximum:
            raise LimitExceeded("output", self.maximum, self.size + len(data))
        self.chunks.append(data)
        self.size += len(data)

    def take(self) -> bytes:
        data, self.chunks, self.size = b"".join(self.chunks), [], 0
        return data


class Exchanges:
    """The exchanges of one connection that are still open."""

    def __init__(self) -> None:
        self.open: dict[int, Exchange] = {}
        self._given_up: deque[int] = deque(maxlen=REMEMBERED_CSEQS)

    def add(self, exchange: Exchange) -> None:
        """An exchange was sent, with its ``cseq`` and ``deadline`` filled in."""
        self.open[exchange.cseq] = exchange

    def give_up(self, exchange: Exchange) -> None:
        """Nobody waits for it any more; its response will belong to nothing."""
        if self.open.get(exchange.cseq) is exchange:
            del self.open[exchange.cseq]
            self._given_up.append(exchange.cseq)

    def expire(self, now: float) -> list[Exchange]:
        """Those past their deadline, given up."""
        expired = [exchange for exchange in self.open.values() if exchange.deadline <= now]
        for exchange in expired:
            self.give_up(exchange)
        return expired

    def take_all(self) -> list[Exchange]:
        """Every open exchange; none is left."""
        exchanges, self.open = list(self.open.values()), {}
        return exchanges

    def match(self, cseq: int | None) -> tuple[Exchange | None, str | None]:
        """The exchange that a response belongs to, closed, and the deviation it took."""
        exchange = self.open.pop(cseq, None) if cseq is not None else None
        if exchange is not None:
            return exchange, None
        if cseq in self._given_up or len(self.open) != 1:
            return None, "response-unmatched"
        ((expected, exchange),) = self.open.items()
        if cseq is not None and abs(expected - cseq) > CSEQ_TOLERANCE:
            return None, "response-unmatched"
        del self.open[expected]
        return exchange, "cseq-missing" if cseq is None else "cseq-off"

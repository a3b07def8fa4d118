"""Requests on their way to their responses, and how a response finds its request.

Layer:  engine
Source: RFC 2326 §12.17 (CSeq)

Facts the code leans on
- Devices leave CSeq out or count behind: with one request open, a response can only belong to
  it. No device counts ahead: a CSeq that was not sent yet is dropped.
- A response to a request that was given up is dropped, and so is one that comes again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtspkit.engine.events import Event
from rtspkit.errors import (
    LimitExceeded,
    RemoteProtocolError,
    ResponseError,
    RtspError,
    response_error,
)
from rtspkit.wire.message import Headers, Request, Response

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
PROVISIONAL_RESPONSES = 64  # of 1xx in a row, without a final one
REMEMBERED_RESPONSES = 16  # that would be known again if they came twice


@dataclass(slots=True, eq=False)
class Exchange:
    """One request on its way to its response.

    Attributes:
        method: As sent.
        uri: The request URI, as sent.
        headers: What the caller wants in it, besides what every request has.
        body: Its body.
        timeout: Seconds that the response may take, authentication and all.
        keepalive: Whether the machine sent it by itself.
        cseq: Of the last time it was sent.
        attempts: How often it was sent with credentials.
        sent: When it was last sent, in monotonic seconds.
        deadline: Monotonic seconds; None before it was sent.
        session_id: The session it was last sent in; None outside one.
        nonce: The Digest nonce it was last sent with.
        challenged: Whether it was answered 401 before.
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    keepalive: bool = False
    cseq: int = 0
    attempts: int = 0
    sent: float = 0.0
    deadline: float | None = None
    session_id: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    challenged: bool = False

    def request(self, headers: Headers) -> Request:
        """The request on the wire: what every request has, and over it what the caller wants."""
        for name, value in self.headers:
            headers.set(name, value)
        return Request(self.method, self.uri, headers, self.body)

    def refusal(self, response: Response) -> ResponseError:
        """What a response of 3xx and more means."""
        status_code, reason_phrase = response.status_code, response.reason_phrase
        return response_error(self.method, status_code, reason_phrase, cseq=self.cseq)


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
    chunks: list[bytes] = field(default_factory=list, repr=False)

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
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_RESPONSES)
        self._provisional = 0

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
        expired = [e for e in self.open.values() if e.deadline is not None and e.deadline <= now]
        for exchange in expired:
            self.give_up(exchange)
        return expired

    @property
    def deadline(self) -> float | None:
        """The earliest of all; None when none is open."""
        return min((e.deadline for e in self.open.values() if e.deadline is not None), default=None)

    @property
    def settled(self) -> bool:
        """Whether no response may still come: none is waited for, and none was given up."""
        return not self.open and not self._given_up

    @property
    def phase(self) -> str:
        """What a failure at this moment interrupts."""
        waiting = next(iter(self.open.values()), None)
        return waiting.method.lower() if waiting else "streaming"

    def take_all(self) -> list[Exchange]:
        """Every open exchange; none is left."""
        exchanges, self.open = list(self.open.values()), {}
        return exchanges

    def provisional(self) -> None:
        """A response of 1xx: the final one follows, or the deadline comes.

        Raises:
            RemoteProtocolError: There is no end to them.
        """
        self._provisional += 1
        if self._provisional > PROVISIONAL_RESPONSES:
            raise RemoteProtocolError(f"{self._provisional} provisional responses in a row")

    def match(self, response: Response) -> tuple[Exchange | None, str | None]:
        """The exchange that a final response belongs to, closed, and the deviation it took."""
        self._provisional = 0
        cseq = response.cseq
        again = self._is_again(response)
        exchange = self.open.pop(cseq, None) if cseq is not None else None
        if exchange is not None:
            return exchange, None
        if again or cseq in self._given_up or len(self.open) != 1:
            return None, "response-unmatched"
        ((expected, exchange),) = self.open.items()
        if cseq is not None and not 0 < expected - cseq <= CSEQ_TOLERANCE:
            return None, "response-unmatched"
        del self.open[expected]
        return exchange, "cseq-missing" if cseq is None else "cseq-off"

    def _is_again(self, response: Response) -> bool:
        """Whether the same response has come before.

        A device that counts behind may use a number twice, but not for the same words.
        """
        if response.cseq is None:
            return False
        words = (response.status_code, response.reason_phrase, *response.headers, response.body)
        key = (response.cseq, hash(words))
        if key in self._seen:
            return True
        self._seen.append(key)
        return False

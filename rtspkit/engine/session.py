"""The control connection of one RTSP session: requests out, responses matched to them.

Layer:  engine (no clock, chance or I/O: ``now`` and ``token`` come in)
In:     receive_data(bytes, now), receive_eof(now), handle_deadline(now), request(…)
Out:    data_to_send(), next_event(), ``deadline``; interleaved frames as a list
Source: RFC 2326 §9.2 (order), §12.17 (CSeq), §12.37 (Session), A.1 (states, in ``state``)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from rtspkit.engine.authentication import Authenticator
from rtspkit.engine.exchange import (
    Answered,
    ControlCounters,
    ControlEvent,
    Exchange,
    Exchanges,
    Failed,
    Noted,
    Outbox,
    SessionGone,
)
from rtspkit.engine.identity import learn_session
from rtspkit.engine.inbox import Inbox
from rtspkit.engine.keepalive import KeepAlive
from rtspkit.engine.quirks import QuirkLog
from rtspkit.engine.requested import ServerRequests
from rtspkit.engine.state import State, check_allowed, next_state
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    RtspError,
    SessionNotFound,
)
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.credentials import Credentials
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.header import parse_public
from rtspkit.wire.message import (
    Headers,
    Request,
    Response,
    Skipped,
    serialize_request,
    serialize_response,
)
from rtspkit.wire.url import RtspUrl

__all__ = ["SessionMachine"]


class SessionMachine:
    """One control connection and the session on it.

    Args:
        url: The presentation.
        credentials: None when there are none.
        timeouts: ``response`` is the default deadline of an exchange.
        limits: Bounds on what the peer can make us hold.
        user_agent: Some devices refuse requests without one.
        headers: Sent with every request.
        token: Gives a fresh random text at each call, for Digest client nonces.

    Attributes:
        state: Where the session is, by the table of ``state``.
        session_id: The newest identifier; None without a session.
        server: The Server header, once seen.
        methods: What the server advertises; None before it did.
        keepalive: When we tell the server that we are here.
        quirks: What the server did wrong so far.
        counters: What went over the connection.
        inbox: What comes in.
    """

    def __init__(
        self,
        url: RtspUrl,
        *,
        credentials: Credentials | None = None,
        timeouts: Timeouts,
        limits: Limits,
        user_agent: str,
        headers: Iterable[tuple[str, str]] = (),
        token: Callable[[], str],
    ) -> None:
        self.url = url
        self.timeouts = timeouts
        self.limits = limits
        self.state = State.INIT
        self.session_id: str | None = None
        self.session_uri = url.request_uri
        self.server: str | None = None
        self.methods: frozenset[str] | None = None
        self.keepalive = KeepAlive()
        self.authenticator = Authenticator(credentials, token=token, limits=limits)
        self.quirks = QuirkLog()
        self.counters = ControlCounters()
        self.inbox = Inbox(limits, self._receive_message)
        self.lost: RtspError | None = None
        self._common = (("User-Agent", user_agent), *headers)
        self._outbox = Outbox(limits.output)
        self._events: deque[ControlEvent] = deque()
        self._exchanges = Exchanges()
        self._cseq = 0
        self._requested = ServerRequests(limits.server_requests)

    def inherit(self, before: SessionMachine) -> None:
        """Go on where an earlier session has left the same connection, before the first request."""
        self._cseq = before._cseq
        self.server = before.server
        self.authenticator.inherit(before.authenticator)
        if before.methods is not None:
            self.methods = before.methods
            self.keepalive.advertise(before.methods)

    @property
    def settled(self) -> bool:
        """Whether another session could go on here: none is left, and nothing is under way."""
        read = self.inbox.reader.at_rest and not self.inbox.unread
        without = self.lost is None and self.session_id is None
        return without and read and self._exchanges.settled

    # -- requests ---------------------------------------------------------------------------

    def request(
        self,
        method: str,
        uri: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout: float | None = None,
        now: float,
        keepalive: bool = False,
    ) -> Exchange:
        """Send a request; its fate comes as ``Answered`` or ``Failed``.

        Raises:
            LocalProtocolError: The state does not have this method, or a field cannot be sent.
            ConnectionLost: The connection is gone.
        """
        if self.lost is not None:
            raise self.lost.with_traceback(None)
        check_allowed(self.state, method)
        seconds = self.timeouts.response if timeout is None else timeout
        exchange = Exchange(method, uri, tuple(headers), body, seconds, keepalive)
        self._send(exchange, now)
        return exchange

    def _send(self, exchange: Exchange, now: float) -> None:
        self._cseq += 1
        headers = Headers([("CSeq", str(self._cseq)), *self._common])
        authorization = self.authenticator.authorization(
            exchange.method, exchange.uri, exchange.body
        )
        if authorization is not None:
            headers.set("Authorization", authorization)
        session_id = None if exchange.method == "DESCRIBE" else self.session_id
        if session_id is not None:
            headers.set("Session", session_id)
        self._outbox.put(serialize_request(exchange.request(headers)))
        exchange.attempts += authorization is not None
        exchange.nonce = self.authenticator.nonce
        exchange.session_id = session_id
        exchange.cseq = self._cseq
        exchange.sent = now
        if exchange.deadline is None:
            exchange.deadline = now + exchange.timeout
        self._exchanges.add(exchange)
        self.counters.requests += 1

    def give_up(self, exchange: Exchange) -> None:
        """Nobody waits for this exchange any more; its response will be dropped."""
        self._exchanges.give_up(exchange)

    def send_frame(self, data: bytes) -> None:
        """Queue an interleaved frame, already serialized.

        Raises:
            LimitExceeded: The peer takes nothing, and ``limits.output`` bytes wait already.
        """
        self._outbox.put(data)

    # -- the five verbs ---------------------------------------------------------------------

    def receive_data(self, data: memoryview, now: float, *, again: bool = False) -> list[FrameRun]:
        """Take what arrived; gives the interleaved frames in it, whose packets are views of it.

        A peer that breaks the protocol past repair ends the connection: every open exchange
        fails, and ``lost`` has the error.

        Args:
            data: Read-only.
            now: Monotonic seconds of its arrival.
            again: Whether a frame that is not whole will be given again, with more behind it;
                ``inbox.unread`` says how much of ``data`` that is.
        """
        if self.lost is not None:
            return []
        frames, error = self.inbox.receive_data(data, now, again=again)
        if error is not None:
            self._lose(error)
        return frames

    def receive_eof(self, now: float, cause: BaseException | None = None) -> None:
        """The connection has ended; ``cause`` is what the network said, if anything."""
        if self.lost is not None:
            return
        broken = self.inbox.receive_eof(now)
        cause = cause or broken
        why = f" ({cause})" if cause else ""
        lost = ConnectionLost(f"the server closed the connection{why}", phase=self._exchanges.phase)
        lost.__cause__ = cause
        self._lose(lost)

    def data_to_send(self) -> bytes:
        """What to write to the connection now; empty when there is nothing."""
        return self._outbox.take()

    def next_event(self) -> ControlEvent | None:
        """What happened, oldest first; None when all is told."""
        return self._events.popleft() if self._events else None

    @property
    def deadline(self) -> float | None:
        """When ``handle_deadline`` is to be called; None when nothing is waited for."""
        times = (self._exchanges.deadline, self.keepalive.deadline, self.inbox.garbage.deadline)
        return min((time for time in times if time is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Fail what took too long, and send what is due."""
        for exchange in self._exchanges.expire(now):
            error = DeadlineExceeded(exchange.method.lower(), exchange.timeout)
            self._fail(exchange, error, now)
        if self.lost is None:
            out_of_step = self.inbox.look(now)
            if out_of_step is not None:
                self._lose(out_of_step)
        self._keep_alive(now)

    @property
    def waiting(self) -> bool:
        """Whether a response is waited for."""
        return self._exchanges.deadline is not None

    # -- inside -----------------------------------------------------------------------------

    def note(self, identifier: str, now: float, detail: str = "") -> None:
        """Record a deviation of the peer; told once."""
        event = self.quirks.note(identifier, now, detail)
        if event is not None:
            self._events.append(Noted(event))

    def _keep_alive(self, now: float) -> None:
        method = self.keepalive.due(now)
        self._tell_changes(now)
        if method is None or self.lost is not None:
            return
        try:
            self.request(method, self.session_uri, now=now, keepalive=True)
        except RtspError as error:  # nothing can be sent any more
            self._lose(error)

    def _tell_changes(self, now: float) -> None:
        for identifier, change in self.keepalive.take_changes():
            self.note(identifier, now, change.before)
            self._events.append(Noted(change))

    def _lose(self, error: RtspError) -> None:
        """The connection is of no use any more; every open exchange fails with the reason."""
        if self.lost is not None:
            return
        if error.phase is None:
            error.phase = self._exchanges.phase
        self.lost = error
        self.inbox.garbage.stop()
        self.keepalive.stop()
        for exchange in self._exchanges.take_all():
            self._events.append(Failed(exchange, error))

    def _receive_message(self, event: Request | Response | Skipped, now: float) -> None:
        if self.lost is not None:
            return
        if isinstance(event, Skipped):
            self.counters.skipped += event.size
            self.note("garbage", now, f"{event.size} bytes: {event.reason}")
            return
        for identifier in event.deviations:
            self.note(identifier, now)
        if isinstance(event, Request):
            self._receive_request(event, now)
        else:
            self._receive_response(event, now)

    def _receive_request(self, request: Request, now: float) -> None:
        self.counters.server_requests += 1
        response, event = self._requested.answer(request, now)
        if response is None or event is None:
            self.note("server-request-flood", now)
            return
        self._outbox.put(serialize_response(response))
        self._events.append(Noted(event))
        if request.method == "TEARDOWN":
            self._lose(ConnectionLost("the server tore the session down", phase="streaming"))

    def _receive_response(self, response: Response, now: float) -> None:
        self.counters.responses += 1
        if response.status_code < 200:
            self._exchanges.provisional()
            return
        exchange, deviation = self._exchanges.match(response)
        if deviation is not None:
            self.note(deviation, now)
        if exchange is None:
            self.counters.unmatched += 1
            return
        self.server = response.headers.get("Server") or self.server
        if response.status_code == 401:
            self._receive_challenge(exchange, response, now)
            return
        if exchange.attempts:
            self.authenticator.accepted(exchange.nonce)
        if response.status_code >= 300:
            self._fail(exchange, exchange.refusal(response), now)
            return
        self._accept(exchange, response, now)

    def _receive_challenge(self, exchange: Exchange, response: Response, now: float) -> None:
        authenticator = self.authenticator
        again = authenticator.challenged(
            response.headers.get_all("WWW-Authenticate"),
            attempts=exchange.attempts,
            nonce=exchange.nonce,
            fresh=exchange.challenged,
        )
        exchange.challenged = True
        for identifier in authenticator.take_deviations():
            self.note(identifier, now)
        if not again:
            self._fail(exchange, exchange.refusal(response), now)
            return
        try:
            self._send(exchange, now)
        except RtspError as error:
            self._fail(exchange, error, now)

    def _accept(self, exchange: Exchange, response: Response, now: float) -> None:
        method = exchange.method
        public = response.headers.get_all("Public")
        if public:
            self.methods = parse_public(public)
            self.keepalive.advertise(self.methods)
        elif method == "OPTIONS":
            self.note("public-missing", now)
        self.keepalive.answer(method)
        if method == "TEARDOWN":
            self._leave_session()
        elif method != "DESCRIBE":
            self._learn_session(exchange, response, now)
        self.state = next_state(self.state, method)
        if not exchange.keepalive:
            self._events.append(Answered(exchange, response))

    def _learn_session(self, exchange: Exchange, response: Response, now: float) -> None:
        setting_up = exchange.method == "SETUP"
        learnt = learn_session(response, self.session_id, setting_up=setting_up)
        for identifier in learnt.deviations:
            self.note(identifier, now)
        self.session_id = learnt.session_id
        if setting_up:
            self.keepalive.start(exchange.sent, learnt.timeout)
        elif exchange.session_id is not None:
            self.keepalive.learn(learnt.timeout)
            self.keepalive.activity(exchange.sent)

    def _leave_session(self) -> None:
        self.session_id = None
        self.state = State.INIT
        self.keepalive.stop()

    def _fail(self, exchange: Exchange, error: RtspError, now: float) -> None:
        """An exchange failed; a keep-alive's failure is ours to handle."""
        gone = isinstance(error, SessionNotFound) and exchange.session_id is not None
        if not exchange.keepalive:
            self._events.append(Failed(exchange, error))
        elif not gone or not self.keepalive.worked(exchange.method):
            self.keepalive.fail(exchange.method, error, now)
            self._tell_changes(now)
        if not gone:
            self._keep_alive(now)
        elif exchange.session_id == self.session_id:
            self._leave_session()
            if exchange.method != "TEARDOWN":
                self._events.append(SessionGone())

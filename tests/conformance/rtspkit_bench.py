"""A ``SessionMachine`` on a bench: its peer is bytes, its clock is a number."""

from collections.abc import Callable

from rtspkit.engine.events import Event, KeepAliveChanged, QuirkSeen
from rtspkit.engine.exchange import Answered, Exchange, Failed, Noted
from rtspkit.engine.session import SessionMachine
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.credentials import Credentials
from rtspkit.wire.message import (
    Headers,
    InterleavedFrame,
    MessageReader,
    Request,
    Response,
    serialize_response,
)
from rtspkit.wire.url import parse_url

URL = "rtsp://camera.example/live"
TRACK = URL + "/track1"
TRANSPORT = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
START = 1000.0

Server = Callable[["Bench", Request], object]


class Bench:
    """The machine, what it has sent, and what it has told.

    Attributes:
        now: Monotonic seconds; only ``wait`` moves it.
        frames: Every interleaved frame that it has given.
        requests: Every request that it has sent.
        responses: Every response that it has sent, to requests of ours.
        told: Every event that it has told.
    """

    def __init__(
        self, *, url=URL, user=None, password="secret", limits=None, timeouts=None, **more
    ):
        self.now = START
        self.tokens = 0
        self.machine = SessionMachine(
            parse_url(url),
            credentials=None if user is None else Credentials(user, password),
            limits=limits or Limits(),
            timeouts=timeouts or Timeouts(),
            user_agent="bench",
            token=self._token,
            **more,
        )
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.frames: list[InterleavedFrame] = []
        self.told = []
        self._reader = MessageReader()

    def _token(self) -> str:
        self.tokens += 1
        return f"token{self.tokens}"

    # -- what the machine does

    def collect(self) -> list[Request]:
        """Take what it sends and tells; gives the new requests."""
        self._reader.receive_data(self.machine.data_to_send())
        new = []
        for message in self._reader.next_events():
            if isinstance(message, Request):
                new.append(message)
            elif isinstance(message, Response):
                self.responses.append(message)
        self.requests += new
        while (event := self.machine.next_event()) is not None:
            self.told.append(event)
        return new

    def ask(self, method: str, uri: str = TRACK, **more) -> Exchange:
        """Have it send a request."""
        exchange = self.machine.request(method, uri, now=self.now, **more)
        self.collect()
        return exchange

    def set_up(self, timeout: int | None = None, *, session: str = "1", play: bool = True) -> None:
        """A session on channels 0 and 1, as a server without a fault gives it."""
        self.ask("SETUP")
        value = session if timeout is None else f"{session};timeout={timeout}"
        self.reply(200, ("Session", value), TRANSPORT)
        self.machine.inbox.reader.channels.update((0, 1))
        if play:
            self.ask("PLAY", URL)
            self.reply(200, ("Session", session))

    # -- what its peer does

    def feed(self, data: bytes) -> None:
        """Bytes arrive now."""
        for run in self.machine.receive_data(memoryview(data), self.now):
            self.frames += [InterleavedFrame(run.channel, view) for view in run.datagrams]
        self.collect()

    def reply(
        self,
        status: int = 200,
        *headers,
        cseq: int | str | None = "same",
        body: bytes = b"",
        to=None,
    ) -> None:
        """Answer the newest request, or the one given; a CSeq may be its own, another or none."""
        self.feed(self.response(status, *headers, cseq=cseq, body=body, to=to))

    def response(self, status=200, *headers, cseq="same", body=b"", to=None) -> bytes:
        """The bytes of such an answer."""
        cseq = (to or self.requests[-1]).cseq if cseq == "same" else cseq
        first = [] if cseq is None else [("CSeq", str(cseq))]
        return serialize_response(Response(status, "Words", Headers([*first, *headers]), body))

    def wait(self, seconds: float, server: Server | None = None) -> None:
        """Let time pass, from deadline to deadline; ``server`` sees each request as it is sent."""
        end = self.now + seconds
        seen = len(self.requests)
        while True:
            self.collect()
            while server is not None and seen < len(self.requests):
                seen += 1
                server(self, self.requests[seen - 1])
            deadline = self.machine.deadline
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.machine.handle_deadline(self.now)
        self.now = end

    # -- what has been told

    @property
    def answered(self) -> list[Exchange]:
        return [event.exchange for event in self.told if isinstance(event, Answered)]

    @property
    def failed(self) -> dict[Exchange, Exception]:
        return {event.exchange: event.error for event in self.told if isinstance(event, Failed)}

    @property
    def errors(self) -> list[Exception]:
        return list(self.failed.values())

    @property
    def noted(self) -> list[Event]:
        return [event.event for event in self.told if isinstance(event, Noted)]

    @property
    def quirks(self) -> list[str]:
        return [event.identifier for event in self.noted if isinstance(event, QuirkSeen)]

    @property
    def changes(self) -> list[tuple[str, str]]:
        events = [event for event in self.noted if isinstance(event, KeepAliveChanged)]
        return [(event.before, event.method) for event in events]

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


def accept(bench: Bench, request: Request) -> None:
    """A server that takes everything."""
    bench.reply(to=request)

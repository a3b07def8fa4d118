"""One connection to a server: the machines on the sockets, and the one timer.

Layer:  client (moves bytes, times and events between ``engine`` and ``net``; decides nothing)
Out:    packets to ``on_packets``, events to ``on_event``, the end to ``on_end``

Facts the code leans on
- A stalled loop runs timers late, and uvloop runs them before it reads sockets: a deadline that
  is met late is looked at once more after the sockets have been read.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from typing import Any

from rtspkit.client.options import ConnectOptions
from rtspkit.client.ports import MediaPorts
from rtspkit.client.sink import Sink
from rtspkit.engine.events import StreamSkipped
from rtspkit.engine.exchange import Answered, Exchange, Failed, SessionGone
from rtspkit.engine.handshake import (
    Agreed,
    Ask,
    Dialogue,
    OpenPorts,
    Presentation,
    Refused,
)
from rtspkit.engine.playback import Playback
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import ConnectionLost, DeadlineExceeded, LimitExceeded, RtspError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.tcp import TcpCircuit, open_circuit
from rtspkit.wire.message import Response, serialize_frame
from rtspkit.wire.rtp import RtpPacket

__all__ = ["Driver"]

LATE = 0.05  # seconds after its deadline that a timer counts as late
READ_FIRST = 0.001  # seconds that the sockets are given then


class Driver:
    """A control connection with its media, until the first failure or ``close``.

    Args:
        options: What the user asked for.
        sink: Where the results go.
    """

    def __init__(self, options: ConnectOptions, sink: Sink) -> None:
        self._options = options
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._circuit: TcpCircuit | None = None
        self._ports = MediaPorts(self._on_rtp, self._on_rtcp, options.client_ports)
        self._waiting: dict[Exchange, asyncio.Future[Response]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._second_look = False
        self._ended = False  # told to the sink; the connection may still serve TEARDOWN
        self._over = False  # closed
        self._error: RtspError | None = None
        self._media_seen = self._loop.create_future()
        self.phase = "connect"
        self.machine = SessionMachine(
            options.url,
            credentials=options.credentials,
            timeouts=options.timeouts,
            limits=options.limits,
            user_agent=options.user_agent,
            headers=options.headers,
            token=lambda: secrets.token_hex(8),
        )
        self.playback = Playback(
            limits=options.limits,
            timeouts=options.timeouts,
            reorder=options.reorder,
            cname=f"{secrets.token_hex(6)}@rtspkit.invalid".encode(),
            new_ssrc=lambda: int.from_bytes(os.urandom(4), "big"),
            random=random.random,
        )

    # -- requests -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect to the server.

        Raises:
            ConnectError: No address took it.
        """
        url = self._options.url
        self._circuit = await open_circuit(url.host, url.port, self._on_data, self._on_lost)

    async def ask(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        *,
        timeout: float | None = None,
    ) -> Response:
        """Send a request and wait for its response of 2xx.

        Raises:
            RtspError: The server refused, did not answer in time, or is gone.
        """
        if self._over:
            raise ConnectionLost("the session is closed", phase=method.lower())
        exchange = self.machine.request(
            method, uri, headers=headers, body=body, timeout=timeout, now=self._now()
        )
        future: asyncio.Future[Response] = self._loop.create_future()
        self._waiting[exchange] = future
        try:
            self._pump()
            return await future
        finally:
            del self._waiting[exchange]
            self.machine.give_up(exchange)

    def send_in_background(self, method: str, uri: str) -> None:
        """Send a request whose response only teaches the machine something."""
        self.machine.request(method, uri, now=self._now())
        self._pump()

    async def run(self, dialogue: Dialogue) -> Any:
        """Carry out a dialogue of the engine, step by step; gives what it returns."""
        answer: object = None
        error: RtspError | None = None
        while True:
            try:
                step = dialogue.throw(error) if error is not None else dialogue.send(answer)
            except StopIteration as stop:
                return stop.value
            answer, error = None, None
            try:
                if isinstance(step, Ask):
                    self.phase = step.method.lower()
                    answer = await self.ask(step.method, step.uri, step.headers, step.body)
                elif isinstance(step, OpenPorts):
                    assert self._circuit is not None
                    answer = self._ports.open_pair(step.stream, self._circuit.local_host)
                elif isinstance(step, Agreed):
                    self._agree(step)
                elif isinstance(step, Refused):
                    skipped = StreamSkipped(self._now(), step.stream, step.error)
                    self._sink.on_event(skipped)
            except RtspError as failure:
                error = failure

    def note(self, identifier: str, detail: str) -> None:
        """Record a deviation that a dialogue met."""
        self.machine.note(identifier, self._now(), detail)

    def _agree(self, step: Agreed) -> None:
        assert self._circuit is not None
        self.playback.add(step.stream, step.channels)
        if step.channels is not None:
            self.machine.reader.channels.update(step.channels)
            self._ports.close_pair(step.stream)
        else:
            self._ports.lock(step.stream, self._circuit.peer_host, step.server_port)

    # -- playing ------------------------------------------------------------------------------

    def start(self, presentation: Presentation, first_packet: float) -> None:
        """PLAY is about to be sent: from now on media may come, and silence is watched."""
        self.playback.start(
            self._now(),
            first_packet=first_packet,
            keepalive_interval=self.machine.keepalive.interval,
        )
        self.machine.session_uri = presentation.uri
        self._pump()

    async def first_media(self) -> None:
        """Wait for the first packet of any stream.

        Raises:
            RtspError: The driver ended before it.
        """
        await self._media_seen
        if self._error is not None:
            raise self._error

    async def leave(self) -> None:
        """Tell the server that we leave, wait for its answer, and close.

        The caller bounds it in time; cancelled, it still closes.
        """
        self.phase = "teardown"
        try:
            self._say_goodbye()
            if self.has_session:
                await self.ask("TEARDOWN", self.machine.session_uri)
        except RtspError:
            pass  # gone, or without an answer: there is nobody left to take leave of
        finally:
            self.close()
        if self._circuit is not None:
            await self._circuit.wait_closed()

    def hang_up(self) -> None:
        """Send TEARDOWN where there is a session, and close without waiting for the answer."""
        if self._over:
            return
        self._say_goodbye()
        if self.has_session:
            self.send_in_background("TEARDOWN", self.machine.session_uri)
        self.close()

    @property
    def has_session(self) -> bool:
        """Whether the server holds a session of ours that it can still be told to drop."""
        machine = self.machine
        connected = self._circuit is not None and self._circuit.is_open
        return connected and machine.session_id is not None and machine.lost is None

    def _say_goodbye(self) -> None:
        self.playback.leave(self._now())
        self._send_reports()

    def close(self) -> None:
        """Let go of every socket and of the timer; idempotent, and never waits."""
        if self._over:
            return
        self._over = self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ports.close()
        if self._circuit is not None:
            self._circuit.write(self.machine.data_to_send())
            self._circuit.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost("the session was closed", phase=self.phase))

    @property
    def foreign_datagrams(self) -> int:
        """Datagrams of others than the peer."""
        return self._ports.foreign_datagrams

    # -- called by the sockets and the timer --------------------------------------------------

    def _on_data(self, view: memoryview, now: float) -> None:
        frames = self.machine.receive_data(view, now)
        packets = self.playback.receive_frames(frames, now) if frames else []
        self.playback.liveness.control(now)
        self._hand_on(packets)

    def _on_lost(self, cause: BaseException | None) -> None:
        self.machine.receive_eof(self._now(), cause)
        self._pump()

    def _on_rtp(self, index: int, views: list[memoryview], now: float) -> None:
        self._hand_on(self.playback.receive_rtp(index, views, now))

    def _on_rtcp(self, index: int, views: list[memoryview], now: float) -> None:
        self._hand_on(self.playback.receive_rtcp(index, views, now))

    def _hand_on(self, packets: list[RtpPacket]) -> None:
        if packets and not self._ended:
            self._sink.on_packets(packets)
        if self.playback.liveness.seen_media and not self._media_seen.done():
            self._media_seen.set_result(None)
        self._pump()

    def _on_timer(self) -> None:
        self._timer = None
        now = self._now()
        deadline = self._deadline()
        if deadline is not None and now > deadline + LATE and not self._second_look:
            self._second_look = True
            self._timer_at = now + READ_FIRST
            self._timer = self._loop.call_at(self._timer_at, self._on_timer)
            return
        self._second_look = False
        blocked = self._circuit.blocked_since if self._circuit else None
        if blocked is not None and now >= blocked + self._options.timeouts.write:
            self._end(DeadlineExceeded("write", self._options.timeouts.write))
            return
        self.machine.handle_deadline(now)
        try:
            packets = self.playback.handle_deadline(now)
        except RtspError as error:
            self._end(error)
            return
        self._hand_on(packets)

    # -- between them -------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send what is to be sent, tell what is to be told, and set the timer."""
        machine = self.machine
        while (event := machine.next_event()) is not None:
            self._tell(event)
        while (noted := self.playback.next_event()) is not None:
            self._sink.on_event(noted)
        if self._over:
            return
        try:
            self._send_reports()
        except LimitExceeded as error:
            self._end(error)
            return
        if self._circuit is not None:
            self._circuit.write(machine.data_to_send())
        if machine.lost is not None:
            self._end(machine.lost)
        elif self.playback.finished and not self._ended:
            self._end(None)
        else:
            self._set_timer()

    def _tell(self, event: object) -> None:
        if isinstance(event, Answered):
            future = self._waiting.get(event.exchange)
            if future is not None and not future.done():
                future.set_result(event.response)
        elif isinstance(event, Failed):
            future = self._waiting.get(event.exchange)
            if future is not None and not future.done():
                future.set_exception(event.error)
        elif isinstance(event, SessionGone):
            self._sink.on_gone()
        else:
            self._sink.on_event(event.event)  # type: ignore[attr-defined]  # Noted is left

    def _send_reports(self) -> None:
        for stream, data in self.playback.data_to_send():
            if self._ports.send_report(stream, data):
                continue
            if stream.transport is not None and stream.transport.interleaved is not None:
                self.machine.send_frame(serialize_frame(stream.transport.interleaved[1], data))

    def _deadline(self) -> float | None:
        times = [self.machine.deadline, self.playback.deadline]
        blocked = self._circuit.blocked_since if self._circuit else None
        if blocked is not None:
            times.append(blocked + self._options.timeouts.write)
        return min((t for t in times if t is not None), default=None)

    def _set_timer(self) -> None:
        """Arm the timer; one that fires too early arms itself again, which is cheap."""
        deadline = self._deadline()
        if deadline is None or self._over:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def fail(self, error: RtspError) -> None:
        """End with this error: somebody else found that it is over."""
        self._end(error)

    def _end(self, error: RtspError | None) -> None:
        """The first failure, or the end in order: told once.

        With the connection still there, it stays for TEARDOWN until ``leave`` or ``hang_up``.
        """
        if self._ended:
            if self.machine.lost is not None:
                self.close()
            return
        packets = self.playback.flush()
        if packets:
            self._sink.on_packets(packets)
        self._ended = True
        self.playback.liveness.stop()
        self._error = error
        if not self._media_seen.done():
            self._media_seen.set_result(None)
        if self.machine.lost is not None:
            self.close()
        self._sink.on_end(error)
        self._set_timer()

"""One connection to a server: the machines on the sockets, and the one timer.

Layer:  client (moves bytes, times and events between ``engine`` and ``net``; decides nothing)
Out:    packets to ``on_packets``, events to ``on_event``, the end to ``on_end``

Rules
- A request may be given up, but not SETUP: its response tells of a session to be torn down.
- An exception that nobody expects, met where the loop calls us, goes to the loop's handler and
  ends the session: a defect must not turn into silence.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import random
import secrets
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from rtspkit.client.alarm import Alarm
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
    Played,
    Presentation,
    Refused,
    play,
)
from rtspkit.engine.playback import Playback
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import ConnectionLost, DeadlineExceeded, LimitExceeded, RtspError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.tcp import TcpCircuit, open_circuit
from rtspkit.wire.message import Response, serialize_frame
from rtspkit.wire.rtp import RtpPacket

__all__ = ["Driver"]

FROM_THE_START = "npt=0.000-"  # some devices refuse PLAY without a Range

P = ParamSpec("P")


def _guarded(method: Callable[Concatenate[Driver, P], None]) -> Callable[Concatenate[Driver, P], None]:
    """Let a failure of what the loop calls end the session."""

    @functools.wraps(method)
    def call(driver: Driver, *args: P.args, **keywords: P.kwargs) -> None:
        try:
            method(driver, *args, **keywords)
        except RtspError as error:
            driver.fail(error)
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            driver.report(defect)

    return call


class Driver:
    """A control connection with its media, until the first failure or ``close``.

    Args:
        options: What the user asked for.
        sink: Where the results go.

    Attributes:
        phase: What it is doing.
        ended: Whether the sink was told that nothing more will come.
        error: Why; None when it was in order.
    """

    def __init__(self, options: ConnectOptions, sink: Sink) -> None:
        self._options = options
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._circuit: TcpCircuit | None = None
        self._ports = MediaPorts(self._on_rtp, self._on_rtcp, options.client_ports)
        self._waiting: dict[Exchange, asyncio.Future[Response]] = {}
        self._unsettled: dict[Exchange, asyncio.Future[None]] = {}  # SETUPs that were cut short
        self._alarm = Alarm(self._loop, self._now, self._deadline, self._ring)
        self._over = False  # closed
        self.ended = False  # told to the sink; the connection may still serve TEARDOWN
        self.error: RtspError | None = None
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
        except asyncio.CancelledError:
            if method == "SETUP" and future.cancelled():
                self._unsettled[exchange] = self._loop.create_future()
            raise
        finally:
            del self._waiting[exchange]
            if exchange not in self._unsettled:
                self.machine.give_up(exchange)
            if future.done() and not future.cancelled():
                future.exception()  # seen, also when a cancellation came in between

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

    async def play(
        self,
        presentation: Presentation,
        first_packet: float,
        *,
        range_header: str | None = FROM_THE_START,
        headers: tuple[tuple[str, str], ...] = (),
        resumed: bool = False,
    ) -> None:
        """Send PLAY. Media may come before its response; silence is watched from there on.

        Args:
            presentation: What was set up.
            first_packet: Seconds that the first packet may take after the response.
            range_header: Where to begin; None to go on.
            headers: More headers.
            resumed: Whether time goes on where it stopped.

        Raises:
            RtspError: The server refused, or is gone; what played before plays on.
        """
        played_before = self.playback.liveness.deadline is not None
        self.machine.session_uri = presentation.uri
        self._watch(math.inf)
        try:
            dialogue = play(presentation, self.note, range_header=range_header, headers=headers)
            played: Played = await self.run(dialogue)
        except BaseException:
            if played_before:
                self._watch(self._options.timeouts.media_silence)
            else:
                self.playback.pause()
            raise
        if not self.ended:
            if not self.playback.liveness.seen_media:
                self._watch(first_packet)
            self.playback.inform(played, resumed=resumed)

    def _watch(self, first_packet: float) -> None:
        """Watch over silence; the first packet may take so many seconds from now."""
        self.playback.start(
            self._now(),
            first_packet=first_packet,
            keepalive_interval=self.machine.keepalive.interval,
        )
        self._alarm.arm()

    async def first_media(self) -> None:
        """Wait for the first packet of any stream.

        Raises:
            RtspError: The driver ended before it.
        """
        await self._media_seen
        if self.error is not None and not self.playback.liveness.seen_media:
            raise self.error

    async def leave(self) -> None:
        """Tell the server that we leave, wait for its answer, and close.

        The caller bounds it in time; cancelled, it still closes.
        """
        self.phase = "teardown"
        try:
            self._say_goodbye()
            if self._unsettled:
                await asyncio.wait(list(self._unsettled.values()))
            if self.has_session:
                await self.ask("TEARDOWN", self.machine.session_uri)
        except RtspError:
            pass  # gone, or without an answer: there is nobody left to take leave of
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            self.report(defect)
        except BaseException:
            self.hang_up()
            raise
        self.close()
        if self._circuit is not None:
            await self._circuit.wait_closed()

    @_guarded
    def hang_up(self) -> None:
        """Send TEARDOWN where there is a session, and close without waiting for the answer."""
        if self._over:
            return
        try:
            self._say_goodbye()
            if self.has_session and self.machine.state is not State.INIT:
                self.send_in_background("TEARDOWN", self.machine.session_uri)
        finally:
            self.close()

    @property
    def is_unsettled(self) -> bool:
        """Whether a SETUP was cut short: its response may tell of a session."""
        return bool(self._unsettled)

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
        self._over = self.ended = True
        self._alarm.cancel()
        self._ports.close()
        if self._circuit is not None:
            self._circuit.write(self.machine.data_to_send())
            self._circuit.close(self._options.timeouts.teardown)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost("the session was closed", phase=self.phase))
        self._settle_all()

    @property
    def foreign_datagrams(self) -> int:
        """Datagrams of others than the peer."""
        return self._ports.foreign_datagrams

    # -- called by the sockets and the timer --------------------------------------------------

    @_guarded
    def _on_data(self, view: memoryview, now: float) -> None:
        frames = self.machine.receive_data(view, now)
        packets = self.playback.receive_frames(frames, now) if frames else []
        self.playback.liveness.control(now)
        self._hand_on(packets)

    @_guarded
    def _on_lost(self, cause: BaseException | None) -> None:
        self.machine.receive_eof(self._now(), cause)
        self._pump()

    @_guarded
    def _on_rtp(self, index: int, views: list[memoryview], now: float) -> None:
        self._hand_on(self.playback.receive_rtp(index, views, now))

    @_guarded
    def _on_rtcp(self, index: int, views: list[memoryview], now: float) -> None:
        self._hand_on(self.playback.receive_rtcp(index, views, now))

    def _hand_on(self, packets: list[RtpPacket]) -> None:
        if packets and not self.ended:
            self._sink.on_packets(packets)
        if self.playback.liveness.seen_media and not self._media_seen.done():
            self._media_seen.set_result(None)
        self._pump()

    @_guarded
    def _ring(self, now: float) -> None:
        blocked = self._circuit.blocked_since if self._circuit else None
        if blocked is not None and now >= blocked + self._options.timeouts.write:
            raise DeadlineExceeded("write", self._options.timeouts.write)
        self.machine.handle_deadline(now)
        self._hand_on(self.playback.handle_deadline(now))

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
        self._send_reports()
        self._write(machine.data_to_send())
        if machine.lost is not None:
            self._end(machine.lost)
        elif self.playback.finished and not self.ended:
            self._end(None)
        else:
            self._alarm.arm()

    def _write(self, data: bytes) -> None:
        if not data or self._circuit is None:
            return
        waiting = self._circuit.waiting + len(data)
        if waiting > self._options.limits.output:
            raise LimitExceeded("output", self._options.limits.output, waiting, phase="write")
        self._circuit.write(data)

    def _tell(self, event: object) -> None:
        if isinstance(event, Answered | Failed):
            future = self._waiting.get(event.exchange)
            if future is not None and not future.done():
                if isinstance(event, Answered):
                    future.set_result(event.response)
                else:
                    future.set_exception(event.error)
            settled = self._unsettled.get(event.exchange)
            if settled is not None and not settled.done():
                settled.set_result(None)
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

    # -- the end ------------------------------------------------------------------------------

    def fail(self, error: RtspError) -> None:
        """End with this error: it is over, whoever found that."""
        self._end(error)

    def report(self, defect: Exception) -> None:
        """Give an exception that nobody expected to the loop's handler, and end."""
        if self.ended:
            return
        error = RtspError(
            f"a defect of rtspkit: {type(defect).__name__}; the loop's exception handler has it",
            phase=self.phase,
        )
        error.__cause__ = defect
        self._loop.call_exception_handler(
            {"message": "a session of rtspkit met a defect", "exception": defect}
        )
        self._finish(error)

    def _end(self, error: RtspError | None) -> None:
        """The first failure, or the end in order: told once.

        With the connection still there, it stays for TEARDOWN until ``leave`` or ``hang_up``.
        """
        if self.ended:
            if self.machine.lost is not None:
                self.close()
            return
        packets = self.playback.flush()
        if packets:
            self._sink.on_packets(packets)
        self._finish(error)

    def _finish(self, error: RtspError | None) -> None:
        self.ended, self.error = True, error
        self.playback.liveness.stop()
        if not self._media_seen.done():
            self._media_seen.set_result(None)
        if self.machine.lost is not None:
            self.close()
        self._sink.on_end(error)
        if not self._over:
            self._alarm.arm()

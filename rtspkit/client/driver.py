"""One connection to a server: the machines on the sockets, and the one timer.

Layer:  client (moves bytes, times and events between ``engine`` and ``net``; decides nothing)
Out:    packets to ``on_packets``, events to ``on_event``, the end to ``on_end``
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from rtspkit.client.alarm import Alarm
from rtspkit.client.dialogues import carry_out
from rtspkit.client.frame_copies import copied_frames
from rtspkit.client.guard import guarded, told_defect
from rtspkit.client.machines import new_playback, new_session_machine
from rtspkit.client.opening import keep_open, open_connection
from rtspkit.client.options import ConnectOptions
from rtspkit.client.outflow import Outflow
from rtspkit.client.pool import Lease
from rtspkit.client.ports import MediaPorts
from rtspkit.client.reading import Reading
from rtspkit.client.requests import Requests
from rtspkit.client.sink import Sink
from rtspkit.engine.events import StreamSkipped
from rtspkit.engine.exchange import Answered, Failed, SessionGone
from rtspkit.engine.handshake import (
    Agreed,
    Dialogue,
    OpenPorts,
    Played,
    Presentation,
    Refused,
    play,
)
from rtspkit.errors import ConnectionLost, RtspError
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.tcp import TcpCircuit
from rtspkit.net.udp import receiving
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.message import Response
from rtspkit.wire.rtp import RtpPacket

__all__ = ["Driver"]

FROM_THE_START = "npt=0.000-"  # some devices refuse PLAY without a Range


class Driver:
    """A control connection with its media, until the first failure or ``close``.

    Args:
        options: What the user asked for.
        sink: Where the results go.

    Attributes:
        ports: The UDP ports of its streams.
        ended: Whether the sink was told that nothing more will come.
        error: Why; None when it was in order.
    """

    def __init__(self, options: ConnectOptions, sink: Sink) -> None:
        self._options = options
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self._circuit: TcpCircuit | None = None
        how = receiving(
            options.receiver, slab_memory=options.limits.slab_memory, coalesce=options.coalesce
        )
        self.ports = MediaPorts(self._on_rtp, self._on_rtcp, how, options.client_ports)
        self._alarm = Alarm(self._loop, self._now, self._deadline, self._ring)
        self._held = False  # the consumer has enough
        self._over = False  # closed
        self._left = False  # TEARDOWN was sent
        self.ended = False  # told to the sink; the connection may still serve TEARDOWN
        self.error: RtspError | None = None
        self._media_seen = self._loop.create_future()
        self.phase = "connect"
        self.machine = new_session_machine(options)
        self.requests = Requests(self.machine, self._now, self._pump)
        self.playback = new_playback(options)
        self._outflow = Outflow(self.machine, self.playback, self.ports)

    # -- requests -----------------------------------------------------------------------------

    async def open(self, racing: str = "first-wins", lease: Lease | None = None) -> None:
        """Connect to the server.

        Raises:
            ConnectError: No address took it.
            RtspError: What it sent at once is not RTSP, or it has closed again.
        """
        self._circuit = await open_connection(
            self._options, racing, self._on_data, self._on_lost, self.machine, lease
        )
        if self._over:
            self._circuit.close()
            error = self._gone("connect")
            error.phase = "connect"
            raise error

    def _gone(self, phase: str) -> RtspError:
        """Why nothing can be sent any more."""
        return self.error or ConnectionLost("the session is closed", phase=phase)

    async def ask(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        """Send a request and wait for its response of 2xx.

        Raises:
            RtspError: The server refused, did not answer in time, or is gone.
        """
        self.phase = method.lower()
        if self._over:
            raise self._gone(self.phase)
        return await self.requests.ask(method, uri, headers, body)

    async def run(self, dialogue: Dialogue) -> Any:
        """Carry out a dialogue of the engine, step by step; gives what it returns."""
        return await carry_out(self, dialogue)

    def open_ports(self, step: OpenPorts) -> tuple[int, int]:
        """A step of a dialogue."""
        assert self._circuit is not None
        return self.ports.open_pair(step.stream, self._circuit.local_host)

    def refuse(self, step: Refused) -> None:
        """A step of a dialogue."""
        self._sink.on_event(StreamSkipped(self._now(), step.stream, step.error))

    def note(self, identifier: str, detail: str) -> None:
        """Record a deviation that a dialogue met."""
        self.machine.note(identifier, self._now(), detail)

    def agree(self, step: Agreed) -> None:
        """A step of a dialogue."""
        assert self._circuit is not None
        self.playback.add(step.stream, step.channels)
        if step.channels is not None:
            self.machine.inbox.reader.channels.update(step.channels)
            self.ports.close_pair(step.stream)
        else:
            self.ports.lock(step.stream, self._circuit.peer_host, step.server_port)

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
        playing = self.playback.liveness.deadline is not None
        self.machine.session_uri = presentation.uri
        if not playing:  # else, what comes until the response is of the time before it
            self._watch(math.inf)
        try:
            played: Played = await self.run(
                play(presentation, self.note, range_header=range_header, headers=headers)
            )
        except BaseException:
            if not playing:
                self.playback.pause()
            raise
        if not self.ended:
            if playing or not self.playback.liveness.seen_media:
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
            self.playback.leave(self._now())
            self._outflow.send_reports()
            await self.requests.settle()
            if self.has_session:
                self._left = True
                last = await self.ask("TEARDOWN", self.machine.session_uri)
                if self.error is None and self.playback.liveness.seen_media:
                    keep_open(self._options, self._circuit, self.machine, last)
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

    @guarded
    def hang_up(self) -> None:
        """Send TEARDOWN where there is a session, and close without waiting for the answer."""
        if self._over:
            return
        try:
            self.playback.leave(self._now())
            self._outflow.send_reports()
            if self.has_session:
                self._left = True
                self.requests.send("TEARDOWN", self.machine.session_uri)
        finally:
            self.close()

    @property
    def has_session(self) -> bool:
        """Whether the server holds a session of ours that it can still be told to drop."""
        machine, circuit = self.machine, self._circuit
        known = machine.session_id is not None and machine.lost is None and not self._left
        return known and circuit is not None and circuit.is_open

    def close(self) -> None:
        """Let go of every socket and of the timer; idempotent, and never waits."""
        if self._over:
            return
        self._over = self.ended = True
        self._alarm.cancel()
        self.ports.close()
        if self._circuit is not None:
            self._circuit.write(self.machine.data_to_send())
            self._circuit.close()
        self.requests.fail(ConnectionLost("the session was closed", phase=self.phase))

    def measure(self) -> Reading:
        """How the bytes came in, up to now."""
        return self.ports.measure(self._circuit)

    # -- called by the sockets and the timer --------------------------------------------------

    def _on_data(self, view: memoryview, now: float) -> int:
        self._receive(view, now)
        return 0 if self._over else self.machine.inbox.unread

    @guarded
    def _receive(self, view: memoryview, now: float) -> None:
        frames = self.machine.receive_data(view, now, again=True)
        if self._circuit is not None and self._circuit.scratch:
            frames = copied_frames(frames, self.ports.pool)
        packets = self.playback.receive_frames(frames)
        self.playback.liveness.control(now)
        self._hand_on(packets)

    @guarded
    def _on_lost(self, cause: BaseException | None) -> None:
        self.machine.receive_eof(self._now(), cause)
        self._pump()

    @guarded
    def _on_rtp(self, index: int, datagrams: Datagrams) -> None:
        self._hand_on(self.playback.receive_rtp(index, datagrams))

    @guarded
    def _on_rtcp(self, index: int, datagrams: Datagrams) -> None:
        self._hand_on(self.playback.receive_rtcp(index, datagrams))

    def _hand_on(self, packets: list[RtpPacket]) -> None:
        if packets and not self.ended:
            self._sink.on_packets(packets)
        if not self._media_seen.done() and self.playback.liveness.seen_media:
            self._media_seen.set_result(None)
        if self.playback.stirred or self.machine.inbox.stirred:
            self._pump()

    # -- back-pressure ------------------------------------------------------------------------

    def hold(self, held: bool) -> None:
        """Read no media, or read on. What keeps the session alive is read all the same."""
        self._held = held
        self.playback.hold(held, self._now())
        self.ports.hold(held)
        self._follow_hold()
        if not held and not self._over:
            self._alarm.arm()

    def _follow_hold(self) -> None:
        """On TCP, the answers come between the media: while one is waited for, all is read."""
        if self._circuit is not None:
            self._circuit.hold(self._held and not self.machine.waiting)

    @guarded
    def _ring(self, now: float) -> None:
        self._outflow.handle_deadline(self._circuit, now)
        self.machine.handle_deadline(now)
        self.playback.stirred = True
        self.ports.read()  # what has come already is not given up
        self._hand_on(self.playback.handle_deadline(now))

    # -- between them -------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send what is to be sent, tell what is to be told, and set the timer."""
        machine = self.machine
        machine.inbox.stirred = self.playback.stirred = False
        while (event := machine.next_event()) is not None:
            self._tell(event)
        while (noted := self.playback.next_event()) is not None:
            self._sink.on_event(noted)
        if self._over:
            return
        self._outflow.send(self._circuit)
        if self._held:
            self._follow_hold()
        if machine.lost is not None:
            self.fail(machine.lost)
        elif self.playback.finished and not self.ended:
            self.fail(None)
        else:
            self._alarm.arm()

    def _tell(self, event: object) -> None:
        if isinstance(event, Answered | Failed):
            self.requests.tell(event)
        elif isinstance(event, SessionGone):
            self._sink.on_gone()
        else:
            self._sink.on_event(event.event)  # type: ignore[attr-defined]  # Noted is left

    def _deadline(self) -> float | None:
        outflow = self._outflow.deadline(self._circuit)
        times = (self.machine.deadline, self.playback.deadline, outflow)
        return min((t for t in times if t is not None), default=None)

    # -- the end ------------------------------------------------------------------------------

    def report(self, defect: Exception) -> None:
        """Give an exception that nobody expected to the loop's handler, and end."""
        if self.ended:
            return
        self._finish(told_defect(self._loop, defect, self.phase))

    def fail(self, error: RtspError | None) -> None:
        """End with this error, or in order with None; the first end is told, once.

        With the connection still there, it stays for TEARDOWN until ``leave`` or ``hang_up``.
        """
        if self.ended:
            if self.machine.lost is not None:
                self.close()
            return
        if packets := self.playback.flush():
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

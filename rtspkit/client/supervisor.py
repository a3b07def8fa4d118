"""One session over one connection after the other: it survives the loss of each.

Layer:  client (when to try again is the strategist's affair, what goes on is ``continuity``'s)
In:     what the drivers of the connections tell
Out:    packets, events and the end, to the ``Fanout``

Rules
- A loss that may pass begins attempts at once; they go on until one succeeds or an error is final.
- An attempt has succeeded when every stream of before sends packets again (``RollCall``).
- The leave of a connection that is given up is taken beside the attempts, and holds up none.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings

from rtspkit.client.attempt import StaleSession, take_leave
from rtspkit.client.attempts import Attempts
from rtspkit.client.driver import Driver
from rtspkit.client.fanout import Fanout
from rtspkit.client.guard import told_defect
from rtspkit.client.ledger import Ledger
from rtspkit.client.options import ConnectOptions
from rtspkit.client.restoration import Restoration
from rtspkit.client.roll_call import RollCall
from rtspkit.client.snapshot import connection_stats
from rtspkit.engine.cause import cause_of
from rtspkit.engine.continuity import gone
from rtspkit.engine.events import Event, Reconnected, StateChanged, StreamChanged, StreamEnded
from rtspkit.engine.handshake import Presentation
from rtspkit.engine.strategist import Plan
from rtspkit.engine.verdict import is_final, loss_of
from rtspkit.errors import ConnectionLost, LocalProtocolError, RtspError
from rtspkit.net.clock import monotonic_clock
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["Supervisor"]

NOTHING_LEFT = ("rejected", "silent", "reset")  # said of what is behind the end


class Supervisor:
    """The connections of one session.

    Args:
        options: What the user asked for.
        fanout: Where the results go.

    Attributes:
        state: As ``Session.state``.
        driver: The connection of now, or the last one; None before the first.
        presentation: What is, or was, set up on it.
        played_at: When PLAY was first sent; None before.
        attempts: Those made so far.
        ledger: What earlier connections counted.
        reconnects: Times that the session came back.
        on_packets: Takes packets, for every iterator.
        closing: Whether ``close`` was called.
    """

    def __init__(self, options: ConnectOptions, fanout: Fanout) -> None:
        self._options = options
        self._fanout = fanout
        fanout.parting = options.retry is None or not options.retry.after_goodbye
        self._loop = asyncio.get_running_loop()
        self._now = monotonic_clock(self._loop)
        self.state = "connecting"
        self.driver: Driver | None = None
        self.presentation: Presentation | None = None
        self.played_at: float | None = None
        self.attempts = Attempts(options, self, self._begin)
        self.ledger = Ledger()
        self.reconnects = 0
        self.closing = False
        self.on_packets = fanout.put_packets
        self._established = False
        self._lost_at: float | None = None
        self._resumed_at: float | None = None
        self._outage = 0.0
        self._roll_call: RollCall | None = None
        self._returning: asyncio.Task[None] | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._restoration = Restoration(options.timeouts, self._now, self.on_event)
        fanout.on_hold = self._hold

    async def connect(self) -> None:
        """Have the session, within ``timeouts.connect``.

        Raises:
            RtspError: It could not be had.
        """
        try:
            await self.attempts.first()
        except BaseException as error:
            self._end(error if isinstance(error, RtspError) else None)
            raise
        self._established = True
        if not self.attempts.no_ports:
            self.attempts.kind = self.known_presentation().kind
        if self.attempts.past.play:  # media, and the end, may have come already
            self.began_to_play()
        driver = self.known_driver()
        if driver.ended:
            self.on_end(driver.error)

    def _begin(self, driver: Driver, presentation: Presentation) -> None:
        """A connection stands, and the presentation is set up on it; PLAY is next."""
        if self._established:
            self.ledger.close(connection_stats(self.known_driver(), self.streams))
        self.driver, self.presentation = driver, presentation
        self._fanout.pool = driver.ports.pool
        if not self._established:
            self.set_state("ready")
            return
        known = self.attempts.past.streams
        pairs = [(c.before, c.stream) for c in presentation.changes if c.before and c.stream]
        successors = {stream: before for before, stream in pairs}
        for stream in presentation.chosen:
            if stream not in known:
                self.on_event(StreamChanged(self._now(), successors.get(stream), stream))
        self._fanout.interrupt(pairs)
        for stream in gone(known, presentation.changes, presentation.chosen):
            self.on_event(StreamEnded(self._now(), stream, "the server came back without it"))
        if self._roll_call is not None and self.attempts.past.play:
            moments = self.attempts.past.moments
            self._roll_call.expect(
                {s for s in presentation.chosen if not moments or successors.get(s, s) in moments}
            )
            self.on_packets = self._answer

    # -- a loss, and the way back ----------------------------------------------------------------

    def _lose(self, error: RtspError) -> None:
        """The session is lost for now: try to have it back."""
        now, attempts = self._now(), self.attempts
        lifetime = 0.0 if self._resumed_at is None else max(now - self._resumed_at, 0.0)
        self._lost_at, self._resumed_at = now, None
        attempts.strategist.ended(now, lifetime, cause_of(error))
        attempts.memory.keep()
        attempts.last_error = error
        attempts.past.play = self.state == "playing"
        self._leave_behind(self.known_driver())
        self.set_state("reconnecting")
        self._returning = self._loop.create_task(self._return(error))

    def _leave_behind(self, driver: Driver) -> None:
        """Remember what the next connection carries on, and take leave of this one meanwhile."""
        past, machine = self.attempts.past, driver.machine
        past.streams = self.streams
        past.moments = {**past.moments, **driver.playback.moments()}
        if driver.playback.position is not None:  # else PLAY may not have been answered
            past.position, past.over = driver.playback.position, driver.playback.at_end
        if driver.has_session:
            task = self._loop.create_task(take_leave(driver, self._options.timeouts.teardown))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)
            return
        if machine.session_id is not None and self.known_presentation().kind == "udp":
            past.stale = StaleSession(machine.session_id, machine.session_uri)
        driver.hang_up()

    async def _return(self, cause: RtspError) -> None:
        """Attempt after attempt, until the session plays again or an error is final."""
        number = 0
        try:
            while True:
                number += 1
                plan = self.attempts.plan(again=True)
                self.attempts.announce(number, cause, plan)
                await asyncio.sleep(plan.delay)
                try:
                    await self._attempt(plan)
                except RtspError as error:
                    self.attempts.failed(error, number, plan)
                    over = self.attempts.past.over and cause_of(error) in NOTHING_LEFT
                    if over or is_final(error, played=True):
                        self._end(None if over else error)
                        return
                    cause = error
                else:
                    self._came_back(number, plan)
                    return
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            self._end(told_defect(self._loop, defect, "reconnect"))
        finally:
            self._returning = None

    async def _attempt(self, plan: Plan) -> None:
        """One attempt, until every stream is back.

        Raises:
            RtspError: It has failed; what had come of it is left behind.
        """
        before = self.driver
        roll_call = self._roll_call = RollCall()
        try:
            await self.attempts.once(plan)
            if self.attempts.past.play:
                await roll_call.complete(self._options.timeouts.first_packet_tcp)
        except RtspError:
            if self.driver is not None and self.driver is not before:
                self.driver.ended = True
                self._leave_behind(self.driver)
            raise
        finally:
            self._roll_call = None
            self.on_packets = self._fanout.put_packets

    def _answer(self, packets: list[RtpPacket]) -> None:
        """Packets for every iterator, while some stream is still missing."""
        if self._roll_call is None or self._roll_call.answer(packets):
            self.on_packets = self._fanout.put_packets
        self._fanout.put_packets(packets)

    def _came_back(self, number: int, plan: Plan) -> None:
        now, attempts = self._now(), self.attempts
        seconds = now - (self._lost_at if self._lost_at is not None else now)
        self._outage += seconds
        self._lost_at, self._resumed_at = None, now
        self.reconnects += 1
        attempts.strategist.played(now, seconds)
        attempts.tell_decisions()
        attempts.memory.keep()
        if attempts.past.play:  # what is paused may be lost again before it plays
            attempts.past.moments = {}
        attempts.kind = self.known_presentation().kind
        self.on_event(Reconnected(now, number, seconds, plan.strategy))
        self.set_state("playing" if attempts.past.play else "paused")
        driver = self.known_driver()
        if self._fanout.holding:
            driver.hold(True)
        if driver.ended:  # in the meantime
            self._loop.call_soon(self.on_end, driver.error)

    # -- told by the drivers ---------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Something happened."""
        self._fanout.put_event(event)

    def on_gone(self) -> None:
        """The server has dropped our session: ask for it again, on the same connection."""
        if self.state in ("playing", "paused") and not self.closing and not self._fanout.ended:
            self._restoration.begin(
                self.known_driver(),
                self.known_presentation(),
                playing=self.state == "playing",
            )

    def on_end(self, error: RtspError | None) -> None:
        """Nothing more will come on this connection; an attempt under way sees to it itself."""
        self._restoration.cancel()
        if not self._established or self.closing or self._fanout.ended:
            return
        if isinstance(error, ConnectionLost):
            error.phase = "streaming"  # whatever request was on its way
        if self._roll_call is not None:  # an attempt is under way, and sees to it
            self._roll_call.fail(error)
            return
        live = self.known_driver().playback.position is None
        loss = loss_of(error, self._options.retry, live=live)
        if loss is not None and self.played_at is not None:
            self._lose(loss)
        else:
            self._end(error)

    def _end(self, error: RtspError | None) -> None:
        self.attempts.memory.keep()
        self.set_state("ended" if error is None else "lost")
        self._fanout.end(error, self._now())

    # -- for the session -------------------------------------------------------------------------

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that were set up."""
        return self.presentation.chosen if self.presentation is not None else ()

    @property
    def outage(self) -> float:
        """Seconds from losses to the returns after them, up to now."""
        return self._outage + (0.0 if self._lost_at is None else self._now() - self._lost_at)

    def known_driver(self) -> Driver:
        """The connection of now, or the last one."""
        if self.driver is None:
            raise LocalProtocolError("the session is not connected yet")
        return self.driver

    def known_presentation(self) -> Presentation:
        """What is set up."""
        if self.presentation is None:
            raise LocalProtocolError("the session is not connected yet")
        return self.presentation

    def set_state(self, state: str) -> None:
        """Change, and tell of it; after the end, only to be closed."""
        if state != self.state and (state == "closed" or not self._fanout.ended):
            before, self.state = self.state, state
            self.on_event(StateChanged(self._now(), before, state))

    def began_to_play(self) -> None:
        """PLAY was answered."""
        started = self.known_driver().playback.started_at
        if self.played_at is None:
            self.played_at = started
        if self._resumed_at is None:
            self._resumed_at = started
        self.set_state("playing")

    def _hold(self, held: bool) -> None:
        """A consumer has more than enough, or wants to go on."""
        if self.driver is not None:
            self.driver.hold(held)

    async def live(self) -> tuple[Driver, Presentation]:
        """What a request needs; a session that is being asked for again is waited for.

        Raises:
            RtspError: The session is over, or did not come back within ``timeouts.connect``.
        """
        await self._restoration.settle()
        if self._returning is not None:
            seconds = self._options.timeouts.connect
            await asyncio.wait([self._returning], timeout=seconds)
            if self._returning is not None and not self.closing:
                raise ConnectionLost(
                    f"the session is lost, and did not come back within {seconds:g} s "
                    f"({self.attempts.last_error}); attempts go on",
                    phase="reconnect",
                )
        if self.closing:
            raise LocalProtocolError("the session is closed")
        if self._fanout.error is not None:
            raise self._fanout.error
        if self._fanout.ended:
            raise LocalProtocolError("the presentation is over; connect again")
        return self.known_driver(), self.known_presentation()

    async def close(self) -> None:
        """Take leave, and let go of everything, within ``timeouts.teardown``.

        Cancelled, it still lets go of everything.
        """
        self.closing = True
        self._learn()
        try:
            with contextlib.suppress(TimeoutError):  # TEARDOWN was sent, and that must do
                async with asyncio.timeout(self._options.timeouts.teardown):
                    await self._leave()
        finally:
            self._let_go()

    def _learn(self) -> None:
        """What plays, and has played well, is a success; whatever was learnt is kept."""
        now, retry, since = self._now(), self._options.retry, self._resumed_at
        if retry is not None and since is not None and now - since >= retry.reset_after:
            self.attempts.strategist.settled(now)
        self.attempts.memory.keep()

    def abandon(self) -> None:
        """Nobody holds the session any more, whether it was closed or not; in any thread."""
        if self.closing or not self._established or self._fanout.ended:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and took everything with it
            self._loop.call_soon_threadsafe(self._let_go)
        warnings.warn(
            f"a session with {self._options.url} was never closed: use async with, or aclose()",
            ResourceWarning,
            stacklevel=2,
        )

    def _let_go(self) -> None:
        self.closing = True
        self._restoration.cancel()
        for task in (self._returning, *self._farewells):
            if task is not None:
                task.cancel()
        if self.driver is not None:
            self.driver.hang_up()
        self.set_state("closed")
        self._fanout.end(None, self._now())

    async def _leave(self) -> None:
        returning = self._returning
        self._restoration.cancel()
        if returning is not None:
            returning.cancel()
        await self._restoration.settle()
        if returning is not None:
            await asyncio.wait([returning])
        if self._farewells:
            await asyncio.wait(set(self._farewells))
        if self.driver is not None:
            await self.driver.leave()
        await self.attempts.memory.flush()

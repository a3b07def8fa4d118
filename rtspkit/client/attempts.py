"""The attempts to have a session: planned by a strategist, counted, told of.

Layer:  client
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from rtspkit.client.attempt import Attempt, Past, Way
from rtspkit.client.driver import Driver
from rtspkit.client.gate import gate_of
from rtspkit.client.kept_errors import without_frames
from rtspkit.client.machines import new_strategist
from rtspkit.client.options import ConnectOptions
from rtspkit.client.retry_memory import RetryMemory
from rtspkit.client.sink import Sink
from rtspkit.engine.cause import cause_of
from rtspkit.engine.events import AttemptFailed, Reconnecting
from rtspkit.engine.handshake import Presentation
from rtspkit.engine.strategist import Plan
from rtspkit.engine.verdict import is_final
from rtspkit.errors import DeadlineExceeded, RtspError
from rtspkit.net.clock import monotonic_clock

__all__ = ["Attempts"]

PATIENCE = 3.0  # times that a connection may need what the last one needed, in the quick phase


class Attempts:
    """Every attempt of one session, the first and those after a loss.

    Args:
        options: What the user asked for.
        sink: Where events, and the drivers' results, go.
        begin: Called with a driver and what was set up on it, before PLAY is sent.

    Attributes:
        past: What the next connection carries on.
        memory: What is known of the server, and kept.
        strategist: Says when and how the next one is made.
        last_error: The last loss, or why the last attempt failed.
        counts: How many were made, by strategy.
        strategy: Of the last one.
        kind: The transport that has worked, and is tried first; empty before.
        no_ports: Whether it did because there were no ports of our own for another.
    """

    def __init__(
        self,
        options: ConnectOptions,
        sink: Sink,
        begin: Callable[[Driver, Presentation], None],
    ) -> None:
        self._options = options
        self._sink = sink
        self._begin = begin
        loop = asyncio.get_running_loop()
        self._now = monotonic_clock(loop)
        self._gate = gate_of(loop)
        self.past = Past(play=options.play)
        self.memory = RetryMemory(options, sink.on_event, self._now)
        self.strategist = new_strategist(options, self.memory.knowledge)
        self.last_error: RtspError | None = None
        self.counts: Counter[str] = Counter()
        self.strategy = ""
        self._attempt: Attempt | None = None  # the last one
        self._opened = 0.0  # seconds that the last connection needed
        self.kind = ""
        self.no_ports = False

    async def first(self) -> None:
        """Have the session for the first time, within ``timeouts.connect``.

        Raises:
            RtspError: It could not be had.
        """
        seconds = self._options.timeouts.connect
        attempt: Attempt | None = None
        plan, number, began = self.plan(), 1, self._now()
        try:
            async with asyncio.timeout(seconds) as budget:
                until = budget.when()
                assert until is not None
                while True:
                    attempt = self._new(plan)
                    try:
                        await attempt.run(until)
                        self.no_ports = attempt.no_ports
                        self._opened = attempt.opened or 0.0
                        break
                    except RtspError as error:
                        plan = self._again(error, number, plan, until)
                    number += 1
                    await asyncio.sleep(plan.delay)
        except TimeoutError as error:
            if isinstance(error, RtspError):
                raise
            raise self._out_of_time(attempt, seconds) from self.last_error
        if self.past.play:
            self.strategist.played(self._now(), self._now() - began)
        self.memory.keep()

    def _again(self, error: RtspError, number: int, plan: Plan, until: float) -> Plan:
        """The first connect goes on after this error: how; or the error."""
        self.failed(error, number, plan)
        retry = self._options.retry
        if retry is None or retry.strategy == "none" or number >= retry.max_attempts:
            raise error
        if is_final(error, played=False):
            raise error
        following = self.plan()
        if self._now() + following.delay >= until:
            raise error  # there is no time left for it
        self.announce(number + 1, error, following)
        return following

    async def once(self, plan: Plan) -> None:
        """One attempt after a loss, in its turn, within ``timeouts.connect`` from there.

        Raises:
            RtspError: It has failed.
        """
        seconds = self._options.timeouts.connect
        attempt = self._new(plan)
        try:
            async with self._gate.place(), asyncio.timeout(seconds) as budget:
                until = budget.when()
                assert until is not None
                await attempt.run(until)
            self._opened = attempt.opened or 0.0
        except TimeoutError as error:
            if isinstance(error, RtspError):
                raise
            raise self._out_of_time(attempt, seconds) from None

    def _new(self, plan: Plan) -> Attempt:
        self.counts[plan.strategy] += 1
        self.strategy = plan.strategy
        racing = self._options.racing.mode
        mode = plan.racing if racing == "auto" else racing
        patience = plan.timeout and max(plan.timeout, PATIENCE * self._opened)
        way = Way(mode, patience, plan.connections)
        options = self._options
        if self.kind in options.kinds:
            others = (kind for kind in options.kinds if kind != self.kind)
            options = replace(options, kinds=(self.kind, *others))
        self._attempt = Attempt(options, self._sink, self.past, way, self._begin)
        return self._attempt

    @staticmethod
    def _out_of_time(attempt: Attempt | None, seconds: float) -> RtspError:
        if attempt is not None and attempt.failure is not None:
            return attempt.failure
        phase = attempt.phase if attempt is not None else "connect"
        return DeadlineExceeded(
            phase, seconds, message=f"{phase}: connect() was not done within {seconds:g} s"
        )

    # -- what the strategist says, and is told ----------------------------------------------------

    def plan(self, *, again: bool = False) -> Plan:
        """The next attempt; ``again`` after the loss of a session that has played."""
        plan = self.strategist.plan(self._now(), again=again)
        self.tell_decisions()
        return plan

    def tell_decisions(self) -> None:
        """Events for what the strategist has decided."""
        while (event := self.strategist.next_event()) is not None:
            self._sink.on_event(event)

    def announce(self, number: int, cause: RtspError, plan: Plan) -> None:
        """Tell of the attempt that comes."""
        self._sink.on_event(
            Reconnecting(self._now(), number, cause, plan.delay, plan.strategy, plan.racing)
        )

    def failed(self, error: RtspError, number: int, plan: Plan) -> None:
        """An attempt has failed."""
        if self.past.streams:  # nobody raises it, and it is kept
            without_frames(error)
        self.last_error = error
        now = self._now()
        self._sink.on_event(AttemptFailed(now, number, error, plan.strategy))
        stood = self._attempt.stood if self._attempt is not None else 0
        self.strategist.failed(now, cause_of(error), stood=stood)

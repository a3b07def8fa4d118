"""The events of a session, told one line each.

Layer:  cli
In:     ``session.events()``
Out:    lines on standard error

An attempt that has failed is told with the one that follows, or with what the command says at its
end; only ``verbose`` has a line for each of both.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Self

from rtspkit.cli.figures import one_line
from rtspkit.client.session import Session
from rtspkit.engine.events import (
    AttemptFailed,
    Event,
    KeepAliveChanged,
    QuirkSeen,
    Reconnected,
    Reconnecting,
    ServerRequested,
    SessionEnded,
    SessionRestored,
    SourceChanged,
    StateChanged,
    StoreProblem,
    StrategyChanged,
    StreamChanged,
    StreamEnded,
    StreamSkipped,
    TransportRejected,
)
from rtspkit.wire.stream import Stream

__all__ = ["Narrator", "describe_event"]

SOON = 0.005  # seconds of a delay that is none
SURVIVAL = (
    Reconnecting,
    Reconnected,
    SessionRestored,
    StoreProblem,
    StrategyChanged,
    StreamChanged,
    TransportRejected,
)


class Narrator:
    """Tells the events of one session, down to its closing; enter it before the session.

    Args:
        began: When ``connect()`` was called, in monotonic seconds; times count from there.
        verbose: Whether every event is told, or only what concerns the session's survival.
    """

    def __init__(self, began: float, *, verbose: bool = True) -> None:
        self._began = began
        self._verbose = verbose
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            await self._task  # the session is closed, and so events() ends

    def listen(self, session: Session) -> None:
        """Print what has happened, and what happens from now on."""
        self._task = asyncio.create_task(self._tell(session))

    async def _tell(self, session: Session) -> None:
        async for event in session.events():
            if not self._verbose and not isinstance(event, SURVIVAL):
                continue
            line = f"{event.at - self._began:8.3f} s  {describe_event(event)}"
            print(line, file=sys.stderr, flush=True)


def describe_event(event: Event) -> str:
    """One event in words, on one line."""
    return one_line(_words(event))


def _words(event: Event) -> str:
    match event:
        case StateChanged(before=before, state=state):
            return f"state: {before} -> {state}"
        case TransportRejected(transport=transport, following=following, reason=reason):
            return f"{transport} does not work, {following} is next: {reason}"
        case StreamSkipped(stream=stream, error=error):
            return f"{_name(stream)} is left out: {error}"
        case QuirkSeen(identifier=identifier, meaning=meaning, detail=detail):
            return f"quirk {identifier}: {meaning}" + (f" ({detail})" if detail else "")
        case KeepAliveChanged(before=before, method=method, reason=reason):
            return f"keep-alive: {before} -> {method}: {reason}"
        case ServerRequested(method=method, status_code=status_code):
            return f"the server asked {method}, answered {status_code}"
        case SourceChanged(stream=stream, before=before, ssrc=ssrc):
            old = "none" if before is None else f"{before:08x}"
            return f"{_name(stream)} has another source: {old} -> {ssrc:08x}"
        case StreamEnded(stream=stream, reason=reason):
            return f"{_name(stream)} has ended: {reason}"
        case SessionRestored(seconds=seconds):
            return f"the server had dropped the session; restored in {seconds:.3f} s"
        case AttemptFailed(attempt=attempt, error=error):
            return f"attempt {attempt} failed: {error}"
        case Reconnecting():
            return _reconnecting(event)
        case Reconnected(attempt=attempt, seconds=seconds):
            return f"back after {seconds:.2f} s, at attempt {attempt}"
        case StrategyChanged(before=before, strategy=strategy, racing=racing, evidence=evidence):
            names = strategy if strategy == before else f"{before} -> {strategy}"
            return f"strategy: {names}, racing {racing}: {evidence}"
        case StreamChanged(before=changed, stream=stream):
            was = "new" if changed is None else f"was {_name(changed)}"
            return f"{_name(stream)} has come back as another: {was}"
        case StoreProblem(problem=problem):
            return f"what is remembered of servers: {problem}"
        case SessionEnded(error=error):
            return "the session has ended" + (f": {error}" if error is not None else "")
        case _:
            return type(event).__name__


def _reconnecting(event: Reconnecting) -> str:
    """What went wrong, and when it is tried again."""
    number = event.attempt
    before = "lost" if number == 1 else f"attempt {number - 1} failed"
    when = f"in {event.delay:.2f} s" if event.delay >= SOON else "at once"
    how = event.strategy if event.racing == "none" else f"{event.strategy}, racing {event.racing}"
    return f"{before}: {event.cause}; attempt {number} {when} ({how})"


def _name(stream: Stream) -> str:
    return f"stream {stream.index} ({stream.media} {stream.encoding_name})"

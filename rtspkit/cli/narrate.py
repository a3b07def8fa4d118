"""The events of a session, told one line each.

Layer:  cli
In:     ``session.events()``
Out:    lines on standard error
"""

from __future__ import annotations

import asyncio
import sys
from typing import Self

from rtspkit.cli.figures import one_line
from rtspkit.client.session import Session
from rtspkit.engine.events import (
    Event,
    KeepAliveChanged,
    QuirkSeen,
    ServerRequested,
    SessionEnded,
    SessionRestored,
    SourceChanged,
    StateChanged,
    StreamEnded,
    StreamSkipped,
    TransportRejected,
)
from rtspkit.wire.stream import Stream

__all__ = ["Narrator", "describe_event"]


class Narrator:
    """Tells the events of one session, down to its closing; enter it before the session.

    Args:
        began: When ``connect()`` was called, in monotonic seconds; times count from there.
    """

    def __init__(self, began: float) -> None:
        self._began = began
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
        case SessionEnded(error=error):
            return "the session has ended" + (f": {error}" if error is not None else "")
        case _:
            return type(event).__name__


def _name(stream: Stream) -> str:
    return f"stream {stream.index} ({stream.media} {stream.encoding_name})"

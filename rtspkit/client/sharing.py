"""``connect(url, share=True)``: one session for all who ask for the same.

Layer:  client
In:     calls of ``connect`` with equal options, to one URL, in one loop
Out:    for each a session of its own to hold, over one session with the server

Rules
- The first call connects, in a task that is nobody's: whoever is cancelled leaves the others be.
  When it fails, all who wait have its error; when all have gone, it is cancelled.
- Who leaves ends its own iterators. The last one out has the session torn down.
- Only the queue's policy may differ. Other options would make another session of it than was asked
  for, and a second one is what sharing is to avoid: they are an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import fields
from typing import Any

from rtspkit.client.fanout import Fanout
from rtspkit.client.junction import Junction
from rtspkit.client.options import ConnectOptions
from rtspkit.client.session import Session
from rtspkit.engine.events import StateChanged
from rtspkit.engine.statistics import SessionStats
from rtspkit.errors import LocalProtocolError
from rtspkit.wire.header import Range

__all__ = ["SharedSession", "join"]

OWN = ("url", "backpressure")  # options that may differ; of the URL, what names the same does
WORDS = {"kinds": "transport", "credentials": "username or password"}

Key = tuple[tuple[str, str, int], str]
Establish = Callable[[ConnectOptions, Fanout], Coroutine[Any, Any, Session]]


class _Shared:
    """One session with a server, and those who share it."""

    def __init__(self, options: ConnectOptions, establish: Establish) -> None:
        self.options = options
        self.junction = Junction(options.limits)
        self.seats: set[_Seat] = set()
        self.task = asyncio.get_running_loop().create_task(establish(options, self.junction))

    @property
    def is_over(self) -> bool:
        """Whether nobody can join any more."""
        failed = self.task.done() and (self.task.cancelled() or self.task.exception() is not None)
        return failed or self.junction.ended

    async def session(self) -> Session:
        """The session, once it plays."""
        await asyncio.wait([self.task])
        return self.task.result()

    async def close(self) -> None:
        """Tear down what there is, or what is becoming of it."""
        task = self.task
        if not task.done():
            task.cancel()
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()  # a second time: it waits for nothing any more
                raise
        if not task.cancelled() and task.exception() is None:
            await task.result().aclose()


class _Seat:
    """One sharer's part in a session."""

    def __init__(self, key: Key, shared: _Shared, options: ConnectOptions) -> None:
        self._key = key
        self._loop = asyncio.get_running_loop()
        self.shared = shared
        self.fanout = Fanout(options.limits, options.backpressure)
        self.left = False
        shared.seats.add(self)
        shared.junction.join(self.fanout)

    def part(self) -> bool:
        """Take nothing more; whether this was the last one."""
        if self.left:
            return False
        self.left = True
        shared = self.shared
        shared.junction.part(self.fanout)
        shared.seats.discard(self)
        if shared.seats:
            return False
        known = _shared_of(self._loop)
        if known.get(self._key) is shared:
            del known[self._key]
        return True

    async def leave(self) -> None:
        """Take nothing more; the last one out closes the session."""
        if self.part():
            await self.shared.close()

    def abandon(self) -> None:
        """Nobody holds this any more, whether it was closed or not; in any thread."""
        if self.left:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.part)
        warnings.warn(
            f"a session with {self.shared.options.url} that is shared was never closed: use "
            "async with, or aclose()",
            ResourceWarning,
            stacklevel=2,
        )


class SharedSession(Session):
    """A session that others have, too: closed, it leaves theirs as it is.

    While others share it, ``play``, ``pause`` and ``seek`` are refused. Who joins later takes it as
    it is, and has of its events what the first one had.
    """

    def __init__(self, session: Session, seat: _Seat, options: ConnectOptions) -> None:
        super().__init__(options, fanout=seat.fanout, supervisor=session._supervisor)
        self._seat = seat
        self._last_stats: SessionStats | None = None
        weakref.finalize(self, seat.abandon).atexit = False

    @property
    def state(self) -> str:
        """As that of any session; ``"closed"`` when this one is."""
        return "closed" if self._seat.left else super().state

    def stats(self) -> SessionStats:
        """What was counted for all who share it; after ``aclose``, up to then."""
        return self._last_stats or super().stats()

    async def play(
        self,
        range: str | Range | None = None,  # noqa: A002  # the header's name
        *,
        scale: float | None = None,
        speed: float | None = None,
    ) -> None:
        """As ``Session.play``, when nobody else shares it."""
        self._check_alone("play")
        self._seat.shared.junction.restart()
        await super().play(range, scale=scale, speed=speed)

    async def pause(self) -> None:
        """As ``Session.pause``, when nobody else shares it."""
        self._check_alone("pause")
        await super().pause()

    async def _parameters(self, method: str, body: bytes, content_type: str) -> bytes:
        self._check_open()
        return await super()._parameters(method, body, content_type)

    async def aclose(self) -> None:
        """End this one's iterators; the last one out sends TEARDOWN, as ``Session.aclose``."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        before = self.state
        self._last_stats = super().stats()
        try:
            await self._seat.leave()
        finally:
            now = self._now()
            self._fanout.put_event(StateChanged(now, before, "closed"))
            self._fanout.end(None, now)
            self._closed.set()

    def _check_open(self) -> None:
        if self._closing:
            raise LocalProtocolError("the session is closed")

    def _check_alone(self, what: str) -> None:
        self._check_open()
        others = len(self._seat.shared.seats) - 1
        if others:
            raise LocalProtocolError(
                f"{what} would be for {others} more that share this session; connect without share"
            )


async def join(options: ConnectOptions, establish: Establish) -> SharedSession:
    """The session that was asked for, shared.

    Args:
        options: What the user asked for.
        establish: Connects, and gives what comes to the fanout that it is told.

    Raises:
        LocalProtocolError: There is such a session, with other options.
        RtspError: No session could be had.
    """
    known = _shared_of(asyncio.get_running_loop())
    key = (options.url.origin, options.url.request_uri)
    shared = known.get(key)
    if shared is None or shared.is_over:
        shared = known[key] = _Shared(options, establish)
    elif names := _differences(options, shared.options):
        raise LocalProtocolError(
            f"the session with {options.url.userinfo_removed()} is shared with another "
            f"{', '.join(names)}; connect without share"
        )
    seat = _Seat(key, shared, options)
    try:
        session = await shared.session()
    except BaseException:
        await seat.leave()
        raise
    return SharedSession(session, seat, options)


def _differences(one: ConnectOptions, other: ConnectOptions) -> list[str]:
    """The options in which they differ, as ``connect`` calls them."""
    names = [field.name for field in fields(ConnectOptions) if field.name not in OWN]
    return [WORDS.get(n, n) for n in names if getattr(one, n) != getattr(other, n)]


_known: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, _Shared]]
_known = weakref.WeakKeyDictionary()


def _shared_of(loop: asyncio.AbstractEventLoop) -> dict[Key, _Shared]:
    """The sessions of a loop that may be shared."""
    return _known.setdefault(loop, {})

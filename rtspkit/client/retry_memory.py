"""What ``Retry("adaptive")`` has learnt of one server, kept for the next session and program.

Layer:  client
In/Out: the store in this user's cache folder; ``await store.load()`` goes before

Rules
- With ``connect(remember=False)`` nothing is read and nothing is written.
- Whatever is wrong with the store is told once, as an event, and costs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from rtspkit.client.options import ConnectOptions
from rtspkit.engine.events import Event, StoreProblem
from rtspkit.engine.knowledge import Knowledge
from rtspkit.net.store import Store, shared_store

__all__ = ["RetryMemory", "learns"]

SECTION = "retry"


def learns(options: ConnectOptions) -> bool:
    """Whether there is anything to learn."""
    return options.retry is not None and options.retry.strategy == "adaptive"


class RetryMemory:
    """What one session knows of its server.

    Args:
        options: What the user asked for.
        on_event: Told of a store that does not work.
        now: Gives monotonic seconds.
        store: What it is kept in; None for the one of the process.

    Attributes:
        knowledge: Grows as the session goes; None when its strategy learns nothing.
    """

    def __init__(
        self,
        options: ConnectOptions,
        on_event: Callable[[Event], None],
        now: Callable[[], float],
        store: Store | None = None,
    ) -> None:
        self._on_event = on_event
        self._now = now
        self._server = (options.url.host, options.url.port)
        self._store = (store or shared_store()) if options.remember else None
        self.knowledge: Knowledge | None = None
        if learns(options):
            found = None if self._store is None else self._store.get(self._server, SECTION)
            self.knowledge = Knowledge.from_json(found)
        self._kept = None if self.knowledge is None else self.knowledge.to_json()

    def keep(self) -> None:
        """Put what was learnt since the last time into the store."""
        if self._store is None:
            return
        if self.knowledge is not None:
            value = self.knowledge.to_json()
            if value != self._kept:
                self._kept = value
                self._store.put(self._server, SECTION, value)
        problem = self._store.take_problem()
        if problem is not None:
            self._on_event(StoreProblem(self._now(), problem))

    async def flush(self) -> None:
        """Wait until everything is in the file, or cannot be; the store bounds it."""
        if self._store is not None:
            await self._store.flush()
            self.keep()  # and tell

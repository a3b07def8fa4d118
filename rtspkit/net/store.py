"""What is remembered of servers from one run to the next: small values, by server and section.

Layer:  net
In/Out: values that JSON can hold; reading and writing never wait for the disk

Rules
- The memory counts, the file follows: ``get`` and ``put`` do no I/O, and a disk that is full,
  read-only or gone costs nothing but the next run's knowledge. It is told once (``problem``).
- No credentials, and no host names: ``store_file`` says how they are hashed.
- 100 servers, 7 days.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rtspkit.net.daemon import DaemonWork
from rtspkit.net.store_file import MAXIMUM_SERVERS, Contents, Entry, StoreFile

__all__ = ["Store", "default_path", "shared_store"]

LOAD_SECONDS = 1.0  # that a connect may wait for a disk
FLUSH_SECONDS = 1.0  # that closing may
LONGEST_VALUE = 16 * 1024  # characters of JSON
VARIABLE = "RTSPKIT_CACHE"
FOLDER, NAME = "rtspkit", "servers.json"

Server = tuple[str, int]


def default_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the store of this user is, by the conventions of the system; None when it is off.

    ``RTSPKIT_CACHE`` names another file; empty or ``0`` turns it off.

    Source: XDG Base Directory Specification; ``~/Library/Caches``; ``%LOCALAPPDATA%``.
    """
    wished = environment.get(VARIABLE)
    if wished is not None:
        return None if wished in ("", "0") else Path(wished)
    try:
        if sys.platform == "win32":
            local = environment.get("LOCALAPPDATA")
            folder = Path(local) if local else Path.home() / "AppData" / "Local"
            return folder / FOLDER / "Cache" / NAME
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / FOLDER / NAME
        told = environment.get("XDG_CACHE_HOME", "")
        folder = Path(told) if os.path.isabs(told) else Path.home() / ".cache"
        return folder / FOLDER / NAME
    except RuntimeError:  # a user without a home
        return None


class Store:
    """What is known of servers. Safe to use from several threads and loops.

    Args:
        path: The file; None keeps everything in memory only.
        now: Gives wall-clock seconds.
        file: Reads and writes in place of a ``StoreFile`` of the path.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        now: Callable[[], float] = time.time,
        file: StoreFile | None = None,
    ) -> None:
        self._file = StoreFile(path) if file is None and path is not None else file
        self._now = now
        self._lock = threading.Lock()  # never held while there is I/O
        self._contents = Contents("")  # of the file, as it was last read or written
        self._new: dict[Server, dict[str, Entry]] = {}  # not in the file yet
        self._load = DaemonWork(self._read, "rtspkit-store")
        self._waited = False  # for a load that took too long
        self._writing: DaemonWork | None = None
        self._problem: str | None = None
        self._told = False

    @property
    def problem(self) -> str | None:
        """The first thing that went wrong with the file, in words; None while nothing did."""
        return self._problem

    def take_problem(self) -> str | None:
        """``problem`` for whoever asks first, to be told once."""
        with self._lock:
            if self._told or self._problem is None:
                return None
            self._told = True
            return self._problem

    async def load(self) -> None:
        """Read the file, once; for at most a second, and whatever comes later is taken in then."""
        if self._file is None or self._load.done or self._waited:
            return
        self._load.begin()
        if not await self._load.wait(LOAD_SECONDS):
            self._waited = True
            self._note(f"{self._file.path} could not be read within {LOAD_SECONDS:g} s")

    def get(self, server: Server, section: str) -> dict[str, object] | None:
        """What was put last, or None; the caller's own copy."""
        with self._lock:
            entry = self._known(server, section)
        if entry is None or not entry.is_fresh(self._now()):
            return None
        return copy.deepcopy(entry.value)

    def put(self, server: Server, section: str, value: dict[str, object]) -> None:
        """Remember; the file is written soon, by a thread.

        Raises:
            TypeError: JSON cannot hold it.
            ValueError: The same, or it is longer than 16 KiB of JSON.
        """
        text = json.dumps(value, allow_nan=False)
        if len(text) > LONGEST_VALUE:
            raise ValueError(f"a value of {len(text)} characters, at most {LONGEST_VALUE} are kept")
        server = (server[0].lower(), server[1])
        with self._lock:
            known = self._known(server, section)
            # a clock that was set back must not make old knowledge of new
            at = self._now() if known is None else max(self._now(), known.at)
            sections = self._new.pop(server, {})
            self._new[server] = sections | {section: Entry(at, json.loads(text))}
            while len(self._new) > MAXIMUM_SERVERS:
                del self._new[next(iter(self._new))]
        self._write_soon()

    def clear(self) -> None:
        """Forget what is in memory; the file stays."""
        with self._lock:
            self._contents, self._new = Contents(self._contents.salt), {}

    async def flush(self) -> None:
        """Wait until what was put is in the file, or cannot be; for at most a second."""
        with self._lock:
            waiting = bool(self._new)
        if waiting:
            self._write_soon()
        writing = self._writing
        if writing is not None and not await writing.wait(FLUSH_SECONDS):
            path = self._file.path if self._file is not None else ""
            self._note(f"{path} could not be written within {FLUSH_SECONDS:g} s")

    # -- inside ----------------------------------------------------------------------------------

    def _known(self, server: Server, section: str) -> Entry | None:
        server = (server[0].lower(), server[1])
        new = self._new.get(server, {}).get(section)
        return new or self._contents.servers.get(self._contents.key(server), {}).get(section)

    def _note(self, problem: str | None) -> None:
        if problem is not None and self._problem is None:
            self._problem = problem

    def _write_soon(self) -> None:
        if self._file is None:
            return
        with self._lock:
            if self._writing is not None:
                return  # it looks for more before it ends
            writing = self._writing = DaemonWork(self._write, "rtspkit-store")
        writing.begin()
        if writing.done and self._writing is writing:  # there was no thread to be had
            self._writing = None

    def _read(self) -> None:
        """In a thread."""
        assert self._file is not None
        contents = self._file.read()
        with self._lock:
            if not self._contents.salt:  # else, a write has read it already
                self._contents = contents
        self._note(self._file.problem)

    def _write(self) -> None:
        """In a thread: until nothing is new any more, or it cannot be written."""
        assert self._file is not None
        going_on = True
        try:
            while going_on:
                with self._lock:
                    taken = {server: dict(sections) for server, sections in self._new.items()}
                contents = self._file.merge(taken, self._now())
                self._note(self._file.problem)
                with self._lock:
                    if contents is not None:
                        self._contents = contents
                        self._written(taken)
                    going_on = contents is not None and bool(self._new)
                    if not going_on:
                        self._writing = None
        finally:
            with self._lock:
                if going_on:  # a defect
                    self._writing = None

    def _written(self, taken: dict[Server, dict[str, Entry]]) -> None:
        """Forget as new what is in the file now, but not what was put meanwhile."""
        for server, sections in taken.items():
            left = {
                name: entry
                for name, entry in self._new.get(server, {}).items()
                if sections.get(name) is not entry
            }
            if left:
                self._new[server] = left
            else:
                self._new.pop(server, None)


_shared: dict[Path | None, Store] = {}
_shared_lock = threading.Lock()


def shared_store() -> Store:
    """The store of this process for ``default_path()``, as it is at this moment."""
    path = default_path()
    with _shared_lock:
        if path not in _shared:
            _shared[path] = Store(path)
        return _shared[path]

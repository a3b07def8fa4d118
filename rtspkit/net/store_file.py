"""The file behind the store: read, merged and replaced as a whole.

Layer:  net (blocking: for a thread)
In/Out: JSON: ``{"version": 1, "salt": …, "servers": {key: {section: {"at": …, "value": …}}}}``

Rules
- A key is a hash of the server's host and port with the file's salt: who reads the file does not
  learn which cameras there are, unless they know already and try.
- It is replaced in one step, under a lock; what others have written meanwhile is kept: of one
  section of one server, the newest counts. Where there are no locks, the last writer may win.
- What cannot be read is put aside as ``*.corrupt``, for people, and begun afresh.
- It is a cache: it is not forced onto the disk, and a power cut may cost it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rtspkit.net.file_lock import file_lock

__all__ = ["LIFETIME", "MAXIMUM_SERVERS", "Contents", "Entry", "StoreFile"]

VERSION = 1
MAXIMUM_SERVERS = 100
LIFETIME = 7 * 86_400.0  # seconds
MAXIMUM_SIZE = 8 * 1024 * 1024  # bytes of a file that is read
LOCK_SECONDS = 2.0

Server = tuple[str, int]
Value = dict[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known in one section of one server; ``at`` is wall-clock seconds."""

    at: float
    value: Value

    def is_fresh(self, wall: float) -> bool:
        """Not over a lifetime old; nor from the future, which a clock that was wrong makes."""
        return abs(wall - self.at) <= LIFETIME


@dataclass(slots=True)
class Contents:
    """All of a file: sections by the key of their server."""

    salt: str
    servers: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def key(self, server: Server) -> str:
        """What stands for a server."""
        host, port = server
        text = f"{self.salt} {host.lower()} {port}"
        return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()

    def add(self, new: Mapping[Server, Mapping[str, Entry]]) -> None:
        """Take in what is newer than what is there, or as new."""
        for server, sections in new.items():
            known = self.servers.setdefault(self.key(server), {})
            for section, entry in sections.items():
                if section not in known or known[section].at <= entry.at:
                    known[section] = entry

    def tidy(self, wall: float) -> None:
        """Drop what is too old, then the servers longest unheard of past the bound."""
        for key, sections in list(self.servers.items()):
            fresh = {name: entry for name, entry in sections.items() if entry.is_fresh(wall)}
            self.servers[key] = fresh
        newest = {
            key: max(entry.at for entry in sections.values())
            for key, sections in self.servers.items()
            if sections
        }
        kept = sorted(newest, key=lambda key: newest[key], reverse=True)[:MAXIMUM_SERVERS]
        self.servers = {key: self.servers[key] for key in kept}


class _NewerVersion(Exception):
    """The file is one of a version to come."""


class StoreFile:
    """One file, for a thread to work on.

    Args:
        path: Where it is, or is to be.

    Attributes:
        problem: What was met since it was last looked at, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None

    def read(self) -> Contents:
        """What is in it; nothing, when it is not there or cannot be used."""
        try:
            try:
                return self._read()
            except (ValueError, RecursionError):
                with self._locked():
                    return self._read_or_put_aside()
        except (OSError, _NewerVersion) as error:
            self._note("cannot be read", error)
            return _afresh()

    def merge(self, new: Mapping[Server, Mapping[str, Entry]], wall: float) -> Contents | None:
        """Add to the file; gives all that is in it then, or None when it cannot be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as alone:
                contents = self._read_or_put_aside()
                contents.add(new)
                contents.tidy(wall)
                self._replace(_serialize(contents), alone)
            return contents
        except (OSError, _NewerVersion) as error:
            self._note("cannot be written", error)
            return None

    def open_new(self, path: Path) -> BinaryIO:
        """Make a file that was not there; nobody else can read it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(path, flags, 0o600), "wb")

    def _locked(self) -> AbstractContextManager[bool]:
        return file_lock(self.path.with_name(self.path.name + ".lock"), LOCK_SECONDS)

    def _read(self) -> Contents:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAXIMUM_SIZE + 1)
        except FileNotFoundError:
            return _afresh()
        return _parse(data)

    def _read_or_put_aside(self) -> Contents:
        """Under the lock: somebody else may have put it aside already."""
        try:
            return self._read()
        except (ValueError, RecursionError):
            aside = self.path.with_name(self.path.name + ".corrupt")
            os.replace(self.path, aside)
            self.problem = f"{self.path} was corrupt: it is {aside.name} now, and begun afresh"
            return _afresh()

    def _replace(self, data: bytes, alone: bool) -> None:
        """Write beside it, then put it in its place. Under the lock, one name will do."""
        suffix = ".tmp" if alone else f".{os.getpid()}.tmp"
        beside = self.path.with_name(self.path.name + suffix)
        beside.unlink(missing_ok=True)  # of a process that was killed
        try:
            with self.open_new(beside) as file:
                file.write(data)
            os.replace(beside, self.path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _note(self, what: str, error: Exception) -> None:
        if isinstance(error, _NewerVersion):
            reason = "a newer version of rtspkit has written it"
        elif isinstance(error, OSError):
            reason = error.strerror or str(error)
            if error.errno == errno.EISDIR:
                reason += ", and a file is needed"
        self.problem = f"{self.path} {what} ({reason}): what is learnt is kept in memory only"


def _afresh() -> Contents:
    return Contents(secrets.token_hex(16))


def _serialize(contents: Contents) -> bytes:
    servers = {
        key: {name: {"at": entry.at, "value": entry.value} for name, entry in sections.items()}
        for key, sections in contents.servers.items()
    }
    whole = {"version": VERSION, "salt": contents.salt, "servers": servers}
    return json.dumps(whole, separators=(",", ":")).encode()


def _parse(data: bytes) -> Contents:
    """Read a file; single entries that make no sense are left out.

    Raises:
        ValueError: It is none of ours.
        RecursionError: The same.
        _NewerVersion: It is one of a version to come.
    """
    if len(data) > MAXIMUM_SIZE:
        raise ValueError("too long")
    whole = json.loads(data, parse_constant=_refuse)
    if not isinstance(whole, dict):
        raise ValueError("no object")
    version, salt, servers = whole.get("version"), whole.get("salt"), whole.get("servers")
    if isinstance(version, int) and version > VERSION:
        raise _NewerVersion
    if version != VERSION or not isinstance(salt, str) or not salt or not isinstance(servers, dict):
        raise ValueError("not of our form")
    contents = Contents(salt)
    for key, sections in servers.items():
        if isinstance(sections, dict):
            read = {name: _parse_entry(entry) for name, entry in sections.items()}
            contents.servers[key] = {name: entry for name, entry in read.items() if entry}
    return contents


def _parse_entry(entry: object) -> Entry | None:
    if not isinstance(entry, dict):
        return None
    at, value = entry.get("at"), entry.get("value")
    if isinstance(at, bool) or not isinstance(at, int | float) or not isinstance(value, dict):
        return None
    try:
        wall = float(at)
    except OverflowError:
        return None
    return Entry(wall, value) if math.isfinite(wall) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")

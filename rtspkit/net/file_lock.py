"""One process at a time: an advisory lock on a file, which ends with its process.

Layer:  net (blocking: for a thread)
Source: flock(2); Windows: ``msvcrt.locking``
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["file_lock"]

PAUSE = 0.01  # seconds between two tries
TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


@contextmanager
def file_lock(path: Path, seconds: float) -> Iterator[bool]:
    """Hold the lock while the block runs.

    Args:
        path: The lock's own file; it is made, and stays.
        seconds: How long to wait for whoever has it.

    Yields:
        Whether it is held; False on a file system that has no locks.

    Raises:
        TimeoutError: Somebody else has it all the time.
        OSError: The file cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        yield _acquire(descriptor, path, seconds)
    finally:
        os.close(descriptor)  # lets go of the lock as well


def _acquire(descriptor: int, path: Path, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while True:
        try:
            _try(descriptor)
            return True
        except OSError as error:
            if error.errno not in TAKEN:
                return False  # ENOLCK, ENOSYS, EOPNOTSUPP: no locks here
        if time.monotonic() >= until:
            raise TimeoutError(errno.ETIMEDOUT, f"somebody else holds it for over {seconds:g} s")
        threading.Event().wait(PAUSE)


def _try(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

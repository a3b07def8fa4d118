"""Errors that are kept: in events, in statistics, as the cause of the next one.

Layer:  client
Fact the code leans on
- A traceback holds the frames that an exception came through, and all that lies in them: a
  connection with its machines. An outage of hours has hundreds of failed attempts.
"""

from __future__ import annotations

from typing import TypeVar

from rtspkit.errors import ConnectError

__all__ = ["without_frames"]

Error = TypeVar("Error", bound=BaseException)
MOST = 64  # errors that one may bring with it


def without_frames(error: Error) -> Error:
    """The same error, and what it was caused by, without their tracebacks."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < MOST:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, ConnectError):
            waiting += one.causes
    return error

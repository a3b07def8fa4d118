"""Why an attempt failed or a session ended, in one of seven words.

Layer:  engine (no state)
In:     an exception, as the client met it
Out:    what the retry strategies judge by

Words
- ``timeout``: nothing answered: no connection, no response, no name, no way to the host.
- ``refused``: the host answered that nobody listens, at every address.
- ``reset``: there was a connection, and it was closed or broken.
- ``busy``: the server answers, and has no room: 453, 503.
- ``rejected``: the server answers, and says no in another way, or not in RTSP.
- ``silent``: everything was answered, but no media came.
- ``other``: a fault of the local machine, or one that nobody thought of.
"""

from __future__ import annotations

import errno
from typing import Literal

from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    ResponseError,
    ServiceUnavailable,
    TooManySessions,
)

__all__ = ["CAUSES", "Cause", "cause_of"]

Cause = Literal["timeout", "refused", "reset", "busy", "rejected", "silent", "other"]
CAUSES: tuple[Cause, ...] = (
    *("timeout", "refused", "reset", "busy", "rejected", "silent"),
    "other",
)
SILENCES = ("first packet", "media silence")  # phases of DeadlineExceeded
UNREACHABLE = frozenset(
    getattr(errno, name)
    for name in ("ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN")
    if hasattr(errno, name)
)
BROKEN = frozenset((errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED))
DEPTH = 8  # of causes that are looked through; a chain may be a circle


def cause_of(error: BaseException) -> Cause:
    """The word for an exception; any exception has one, and nothing is ever raised."""
    return _cause_of(error, DEPTH)


def _cause_of(error: BaseException, depth: int) -> Cause:
    match error:
        case TooManySessions() | ServiceUnavailable():
            return "busy"
        case ResponseError() | RemoteProtocolError():
            return "rejected"
        case DeadlineExceeded(phase="pool"):
            return "other"
        case DeadlineExceeded():
            return "silent" if error.phase in SILENCES else "timeout"
        case ConnectError():
            return _of_all(error, depth)
        case ConnectionLost():
            found = error.__cause__ and depth and _cause_of(error.__cause__, depth - 1)
            return found if found and found != "other" else "reset"
        case OSError():
            return _of_system(error)
    return "other"


def _of_all(error: ConnectError, depth: int) -> Cause:
    """Of several addresses: refused only if each of them refused; an answer says more than none."""
    if error.phase == "resolve":
        return "timeout"
    within = error.causes or ((error.__cause__,) if error.__cause__ else ())
    if not (within and depth):
        return "other"
    found = {_cause_of(cause, depth - 1) for cause in within}
    for word in ("busy", "rejected", "silent", "timeout", "reset", "refused"):
        if word in found:
            return word
    return "other"


def _of_system(error: OSError) -> Cause:
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED:
        return "refused"
    if isinstance(error, TimeoutError) or error.errno in UNREACHABLE:
        return "timeout"
    if isinstance(error, ConnectionError) or error.errno in BROKEN:
        return "reset"
    return "other"

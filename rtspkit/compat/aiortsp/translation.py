"""Our errors as those of aiortsp.

Layer:  compat
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    ResponseError,
    RtspError,
)

__all__ = ["translate", "translated"]


def translate(error: RtspError) -> RTSPError:
    """The error of aiortsp that says the same; ``error`` is its cause."""
    text = str(error)
    found: RTSPError
    if isinstance(error, ResponseError):
        answer = RTSPResponse.made(error.status_code, error.reason_phrase, error.cseq)
        found = RTSPResponseError(text, answer)
    elif isinstance(error, DeadlineExceeded) and error.phase != "connect":
        found = RTSPTimeoutError(text)
    elif isinstance(error, ConnectError | ConnectionLost | DeadlineExceeded | RemoteProtocolError):
        found = RTSPConnectionError(text)
    elif isinstance(error.__cause__, ResponseError):  # a transport that was refused
        found = translate(error.__cause__)
    else:
        found = RTSPError(text)
    found.__cause__ = error
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors as those of aiortsp."""
    try:
        yield
    except RtspError as error:
        raise translate(error) from error

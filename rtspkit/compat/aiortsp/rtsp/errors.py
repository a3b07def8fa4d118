"""The errors of aiortsp, by their names.

    RTSPError
    ├── RTSPResponseError     the server refused; ``response`` is what it answered
    ├── RTSPConnectionError   there is no connection, or what came is not RTSP
    └── RTSPTimeoutError      also a TimeoutError; no answer, or no media, in time

Each has the error of rtspkit as its ``__cause__``, which says more: ``phase``, ``retryable``.

Layer:  compat
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse

__all__ = ["RTSPConnectionError", "RTSPError", "RTSPResponseError", "RTSPTimeoutError"]


class RTSPError(Exception):
    """The root of what these modules raise."""

    type = "unknown"

    def reason(self) -> dict[str, object]:
        """What it is about, as values."""
        return {"type": self.type}


class RTSPResponseError(RTSPError):
    """The server answered with anything but 2xx.

    Attributes:
        response: Its answer; ``status`` and ``status_msg`` are always there, headers may not be.
    """

    type = "response"

    def __init__(self, msg: str, response: RTSPResponse | None = None) -> None:
        super().__init__(msg, response)
        self.response = response

    def __str__(self) -> str:
        return str(self.args[0])

    def reason(self) -> dict[str, object]:
        """The type, and the status and words of the answer."""
        found = super().reason()
        if self.response is not None:
            found["status"] = self.response.status
            found["message"] = self.response.status_msg
        return found


class RTSPConnectionError(RTSPError):
    """No connection could be made, or it is gone, or its peer does not speak RTSP."""

    type = "connection"


class RTSPTimeoutError(RTSPError, TimeoutError):
    """The server did not answer, or sent no media, in time."""

    type = "timeout"

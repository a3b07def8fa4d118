"""The camera's plain answers: a status and some headers, and the way out with an error.

Layer:  testing
Source: RFC 2326 §7.1.1
"""

from __future__ import annotations

from rtspkit.testing.actions import reason_phrase
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Response

__all__ = ["Refused", "make_response", "path_of", "refuse"]


class Refused(Exception):
    """A request is answered with an error; never leaves the camera."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def make_response(status_code: int, **headers: str) -> Response:
    """A response; ``RTP_Info="x"`` is the header ``RTP-Info: x``."""
    items = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status_code, reason_phrase(status_code), Headers(items))


def refuse(status_code: int, **headers: str) -> Refused:
    """What to raise for that answer; the arguments are those of ``make_response``."""
    return Refused(make_response(status_code, **headers))


def path_of(uri: str) -> str:
    """Path and query of a request URI; of a path without a host, itself."""
    _, found, rest = uri.partition("://")
    if not found:
        return uri
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"

"""What we answer to the server's own requests, and how many of them.

Layer:  engine
Source: RFC 2326 §10.1 (OPTIONS), §7.1.1 (501 Not Implemented)
"""

from __future__ import annotations

from rtspkit.engine.events import ServerRequested
from rtspkit.wire.message import Headers, Request, Response

__all__ = ["ServerRequests"]

METHOD = 32  # characters of a method's name that an event holds
WINDOW = 1.0  # seconds, over which ``limits.server_requests`` counts


class ServerRequests:
    """The server's requests on one connection: at most ``maximum`` answered in a second."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._window_start = float("-inf")
        self._answered = 0

    def answer(
        self, request: Request, now: float
    ) -> tuple[Response | None, ServerRequested | None]:
        """The response to one request; (None, None) when there were too many."""
        if now - self._window_start >= WINDOW:
            self._window_start, self._answered = now, 0
        if self._answered >= self._maximum:
            return None, None
        self._answered += 1
        headers = Headers()
        cseq = request.cseq
        if cseq is not None:
            headers.add("CSeq", str(cseq))
        if request.method == "OPTIONS":
            headers.add("Public", "OPTIONS, TEARDOWN")
            response = Response(200, "OK", headers)
        elif request.method == "TEARDOWN":
            response = Response(200, "OK", headers)
        else:
            response = Response(501, "Not Implemented", headers)
        return response, ServerRequested(now, request.method[:METHOD], response.status_code)

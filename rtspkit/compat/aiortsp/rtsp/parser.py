"""A response as aiortsp gives it.

Layer:  compat
"""

from __future__ import annotations

from rtspkit.wire.message import Headers, Response

__all__ = ["RTSPResponse"]


class RTSPResponse:
    """What the server answered.

    Args:
        response: As our own reader read it.

    Attributes:
        status: The status code.
        status_msg: The server's words for it.
        headers: By name, in lower case; a list of texts where a header came several times.
        headerlist: All of them, in order.
        cseq: The number of the request; -1 without one.
        content_type: Of the body, or None.
        data: The body.
    """

    type = "response"

    def __init__(self, response: Response) -> None:
        self.status = response.status_code
        self.status_msg = response.reason_phrase
        self.headerlist = [(name.lower(), value) for name, value in response.headers]
        self.headers: dict[str, str | list[str]] = {}
        for name, _ in self.headerlist:
            values = response.headers.get_all(name)
            self.headers[name] = values[0] if len(values) == 1 else values
        cseq = response.cseq
        self.cseq = -1 if cseq is None else cseq
        self.content_type = response.headers.get("Content-Type")
        self.data = bytes(response.body)

    @classmethod
    def made(cls, status: int, status_msg: str, cseq: int | None = None) -> RTSPResponse:
        """One without a body, of which only so much is known."""
        headers = Headers([("CSeq", str(cseq))] if cseq is not None else [])
        return cls(Response(status, status_msg, headers))

    @property
    def content(self) -> str:
        """The body as text; what is not UTF-8 in it is replaced."""
        return self.data.decode("utf-8", "replace")

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.data)

    @property
    def content_length(self) -> int:
        """The same."""
        return len(self.data)

    def __repr__(self) -> str:
        return f"<Response status={self.status} msg={self.status_msg!r} length={self.length}>"

"""What the camera can do to an answer: actions, each in the stages it overrides.

Layer:  testing
In:     one request of a client, and the camera's own answer to it
Out:    the bytes that are sent instead, and when; whether the connection lives on
Stages: before (the request is not performed yet), edit (the response is there), shape (its
        bytes are there), hold (nothing more happens before they are written)

Every stage is gone through with all the actions before the next one, so actions compose:
``Delay(0.5), Reply(461)``. ``script.py`` says which actions a request meets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request, Response

__all__ = [
    "Action",
    "Close",
    "Delay",
    "Drop",
    "EditBody",
    "EditBytes",
    "EditHeaders",
    "Exchange",
    "Garbage",
    "MediaCount",
    "MediaFirst",
    "Raw",
    "Reply",
    "Split",
    "Truncate",
    "reason_phrase",
]

SPLIT_PAUSE = 0.002  # seconds: enough for the other side to read a piece by itself

# RFC 2326 §7.1.1
_REASON_PHRASES = {
    100: "Continue",
    200: "OK",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    460: "Only Aggregate Operation Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}


def reason_phrase(status_code: int) -> str:
    """The words of RFC 2326 §7.1.1 for a status; empty for one that it has not."""
    return _REASON_PHRASES.get(status_code, "")


class MediaCount(Protocol):
    """What an action may ask of the connection that a request came on."""

    async def wait_media(self, packets: int) -> None:
        """Wait until so many RTP packets more have been sent to its sessions."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and what becomes of it.

    Attributes:
        request: As it was read.
        connection: Where it came from.
        response: The camera's answer; None before it is made, and for none at all.
        decided: Whether an action has answered in the camera's place: the request is then
            not performed.
        pieces: The bytes to write, each piece in a write of its own.
        pause: Seconds between two pieces.
        close: What happens to the connection afterwards; ``"reset"`` sends a RST.
        after: Called when the answer is written, or before by ``MediaFirst``: starts the media.
    """

    request: Request
    connection: MediaCount
    response: Response | None = None
    decided: bool = False
    pieces: list[bytes] = field(default_factory=list)
    pause: float = 0.0
    close: Literal["no", "close", "reset"] = "no"
    after: list[Callable[[], None]] = field(default_factory=list)

    def answer(self, response: Response | None) -> None:
        """Answer in the camera's place, unless another action already did; None is silence."""
        if not self.decided:
            self.decided, self.response = True, response

    def run_after(self) -> None:
        """Do what waits for the answer, once."""
        waiting, self.after = self.after, []
        for call in waiting:
            call()


class Action:
    """What is done to one exchange; subclass it for what the others cannot do."""

    async def before(self, exchange: Exchange) -> None:
        """Before the request is performed; ``exchange.answer()`` prevents that."""

    def edit(self, exchange: Exchange) -> None:
        """When ``exchange.response`` is there (or None, for silence)."""

    def shape(self, exchange: Exchange) -> None:
        """When ``exchange.pieces`` are there (none for silence)."""

    async def hold(self, exchange: Exchange) -> None:
        """Just before the pieces are written."""


@dataclass(slots=True)
class Reply(Action):
    """Answer this; the request is not performed. ``CSeq`` is added unless given.

    Attributes:
        status: Status code.
        reason: Reason phrase; None for the RFC's own.
        headers: Header fields.
        body: Message body.
    """

    status: int
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def before(self, exchange: Exchange) -> None:
        reason = reason_phrase(self.status) if self.reason is None else self.reason
        response = Response(self.status, reason, Headers(self.headers.items()), self.body)
        exchange.answer(response)


@dataclass(slots=True)
class Delay(Action):
    """Wait before the request is performed, or between performing it and answering.

    Attributes:
        seconds: How long.
        performed: Whether the request is performed first: PLAY then has media before its reply.
    """

    seconds: float
    performed: bool = False

    async def before(self, exchange: Exchange) -> None:
        if not self.performed:
            await asyncio.sleep(self.seconds)

    async def hold(self, exchange: Exchange) -> None:
        if self.performed:
            exchange.run_after()
            await asyncio.sleep(self.seconds)


@dataclass(slots=True)
class MediaFirst(Action):
    """Answer PLAY only after some media: so many RTP packets of this connection's sessions."""

    packets: int = 1

    async def hold(self, exchange: Exchange) -> None:
        exchange.run_after()
        await exchange.connection.wait_media(self.packets)


@dataclass(slots=True)
class Drop(Action):
    """Do not answer.

    Attributes:
        performed: Whether the request is performed all the same.
    """

    performed: bool = False

    async def before(self, exchange: Exchange) -> None:
        if not self.performed:
            exchange.answer(None)

    def edit(self, exchange: Exchange) -> None:
        exchange.response = None


@dataclass(slots=True)
class Close(Action):
    """Close the connection instead of answering, or after the answer.

    Attributes:
        answered: Whether the answer is sent first.
        reset: Whether it ends with a RST rather than a FIN.
    """

    answered: bool = False
    reset: bool = False

    async def before(self, exchange: Exchange) -> None:
        if not self.answered:
            exchange.answer(None)

    def shape(self, exchange: Exchange) -> None:
        exchange.close = "reset" if self.reset else "close"


@dataclass(slots=True)
class EditHeaders(Action):
    """Change header fields of the answer.

    Attributes:
        set: Fields to set; one field with that name stays.
        remove: Names of fields to remove.
        change: For fields that are there, what makes the new value of the old one.
    """

    set: Mapping[str, str] = field(default_factory=dict)
    remove: Collection[str] = ()
    change: Mapping[str, Callable[[str], str]] = field(default_factory=dict)

    def edit(self, exchange: Exchange) -> None:
        if exchange.response is None:
            return
        headers = exchange.response.headers
        for name in self.remove:
            headers.remove(name)
        for name, value in self.set.items():
            headers.set(name, value)
        for name, function in self.change.items():
            values = headers.get_all(name)
            if values:
                headers.remove(name)
                for value in values:
                    headers.add(name, function(value))


@dataclass(slots=True)
class EditBody(Action):
    """Change the body of an answer that has one."""

    function: Callable[[bytes], bytes]

    def edit(self, exchange: Exchange) -> None:
        if exchange.response is not None and exchange.response.body:
            exchange.response.body = self.function(exchange.response.body)


@dataclass(slots=True)
class EditBytes(Action):
    """Change the bytes of the answer: what a strict writer would never write."""

    function: Callable[[bytes], bytes]

    def shape(self, exchange: Exchange) -> None:
        if exchange.pieces:
            exchange.pieces = [self.function(b"".join(exchange.pieces))]


@dataclass(slots=True)
class Raw(Action):
    """Send these bytes as they are; the request is not performed."""

    data: bytes

    async def before(self, exchange: Exchange) -> None:
        exchange.answer(None)

    def shape(self, exchange: Exchange) -> None:
        exchange.pieces = [self.data]


@dataclass(slots=True)
class Garbage(Action):
    """Send these bytes before (or after) the answer.

    Attributes:
        data: The bytes.
        after: Whether they follow the answer.
    """

    data: bytes
    after: bool = False

    def shape(self, exchange: Exchange) -> None:
        exchange.pieces.insert(len(exchange.pieces) if self.after else 0, self.data)


@dataclass(slots=True)
class Truncate(Action):
    """Send only the first bytes of the answer, then close the connection.

    Attributes:
        size: How many bytes.
        close: What happens then; ``"no"`` keeps the connection open and silent.
    """

    size: int
    close: Literal["no", "close", "reset"] = "close"

    def shape(self, exchange: Exchange) -> None:
        exchange.pieces = [b"".join(exchange.pieces)[: self.size]]
        exchange.close = self.close


@dataclass(slots=True)
class Split(Action):
    """Send the answer in pieces.

    Attributes:
        sizes: Bytes of each piece; what is left over is the last one. An int: all of that size.
        pause: Seconds between two pieces.
    """

    sizes: Collection[int] | int
    pause: float = SPLIT_PAUSE

    def shape(self, exchange: Exchange) -> None:
        data = b"".join(exchange.pieces)
        exchange.pause = self.pause
        if isinstance(self.sizes, int):
            step = max(self.sizes, 1)
            exchange.pieces = [data[i : i + step] for i in range(0, len(data), step)]
            return
        exchange.pieces = []
        for size in self.sizes:
            exchange.pieces.append(data[:size])
            data = data[size:]
        exchange.pieces = [piece for piece in (*exchange.pieces, data) if piece]

"""Every exception raised on purpose, one tree; the class says who is to blame.

    RtspError
    ├── LocalProtocolError          we were asked for what cannot be: bad URL, option, order
    │   └── StreamNotFound          the presentation has no stream like the one selected
    ├── RemoteProtocolError         what the peer sent is not the protocol
    │   ├── MalformedPacket         one RTP or RTCP packet
    │   └── LimitExceeded           the peer went past one of ``Limits``
    ├── ConnectError                no connection could be made; every cause is kept
    ├── ConnectionLost              there was a connection, now there is none
    ├── DeadlineExceeded            also a TimeoutError; says which phase, and its seconds
    ├── ResponseError               the server understood, and answered 3xx, 4xx or 5xx
    │   ├── Unauthorized            401
    │   ├── Forbidden               403
    │   ├── NotFound                404
    │   ├── MethodNotAllowed        405
    │   ├── TooManySessions         453
    │   ├── SessionNotFound         454
    │   ├── MethodNotValid          455
    │   ├── UnsupportedTransport    461
    │   ├── ServiceUnavailable      503
    │   └── OptionNotSupported      551
    ├── UnsupportedPayload          no depacketizer for this encoding; packets still flow
    └── MissingExtra                also an ImportError; names what to install

Every exception has ``.phase`` (what we were doing: ``"connect"``, ``"describe"``,
``"first packet"`` …, or None) and ``.retryable`` (whether the same call may well succeed
later). All of them survive pickling, and none of them holds a secret.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ConnectError",
    "ConnectionLost",
    "DeadlineExceeded",
    "Forbidden",
    "LimitExceeded",
    "LocalProtocolError",
    "MalformedPacket",
    "MethodNotAllowed",
    "MethodNotValid",
    "MissingExtra",
    "NotFound",
    "OptionNotSupported",
    "RemoteProtocolError",
    "ResponseError",
    "RtspError",
    "ServiceUnavailable",
    "SessionNotFound",
    "StreamNotFound",
    "TooManySessions",
    "Unauthorized",
    "UnsupportedPayload",
    "UnsupportedTransport",
    "response_error",
]

EVIDENCE = 80  # characters of foreign text that a message quotes at most


def _quote(text: str) -> str:
    """Foreign text, made safe for one line of a terminal and cut to ``EVIDENCE``."""
    safe = "".join(c if c.isprintable() else "?" for c in text[: EVIDENCE + 1])
    return safe if len(safe) <= EVIDENCE else safe[:EVIDENCE] + "…"


class RtspError(Exception):
    """The root of everything this library raises on purpose.

    Args:
        message: What happened, with the numbers in; no secret.

    Attributes:
        phase: What was being done, for example ``"setup"``; None when it does not matter.
        retryable: Whether the same call may succeed later without a change by the user.
    """

    retryable: bool = False

    def __init__(
        self, message: str = "", *, phase: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.phase = phase
        if retryable is not None:
            self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message and the fields: subclasses take keywords that ``args`` lacks."""
        return _rebuild, (type(self), self.args), dict(self.__dict__)


def _rebuild(cls: type[RtspError], args: tuple[Any, ...]) -> RtspError:
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class LocalProtocolError(RtspError):
    """The call cannot be carried out as it stands: bad URL, bad option, wrong state."""


class StreamNotFound(LocalProtocolError):
    """The presentation has no stream like the one selected; the message lists what it has."""


class RemoteProtocolError(RtspError):
    """The peer sent what is not RTSP, SDP, RTP or RTCP, or is so in no sense we can use."""


class MalformedPacket(RemoteProtocolError):
    """One RTP or RTCP packet whose header or lengths cannot be right."""


class LimitExceeded(RemoteProtocolError):
    """The peer went past a bound of ``rtspkit.Limits``.

    Attributes:
        limit: Name of the field of ``Limits``.
        maximum: Its value.
        actual: What was met, or the least that it must have been.
    """

    def __init__(
        self, limit: str, maximum: float, actual: float, *, phase: str | None = None
    ) -> None:
        super().__init__(f"limits.{limit} is {maximum}, met {actual}", phase=phase)
        self.limit = limit
        self.maximum = maximum
        self.actual = actual


class ConnectError(RtspError):
    """No connection could be made.

    Attributes:
        causes: Every failure on the way, one per address tried, in order.
    """

    retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        causes: tuple[BaseException, ...] = (),
        phase: str | None = "connect",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, phase=phase, retryable=retryable)
        self.causes = causes


class ConnectionLost(RtspError):
    """The connection, or the media on it, ended without our asking."""

    retryable = True


class DeadlineExceeded(RtspError, TimeoutError):
    """Something took longer than its deadline.

    Attributes:
        phase: What took too long: ``"connect"``, ``"describe"``, ``"first packet"`` …
        seconds: The deadline it had.
    """

    retryable = True

    def __init__(self, phase: str, seconds: float, *, message: str | None = None) -> None:
        super().__init__(message or f"{phase}: nothing within {seconds:g} s", phase=phase)
        self.seconds = seconds


class ResponseError(RtspError):
    """The server understood the request and answered it with 3xx, 4xx or 5xx.

    Attributes:
        method: Method of the request, as sent: ``"SETUP"``.
        cseq: CSeq of the request; finds the exchange in a packet capture.
        status_code: 300 to 599.
        reason_phrase: The server's own words, for people only; never match on it.

    Source: RFC 2326 §7.1.1.
    """

    advice = ""

    def __init__(
        self,
        method: str,
        status_code: int,
        reason_phrase: str = "",
        *,
        cseq: int | None = None,
        phase: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        words = f"{method} answered {status_code} {_quote(reason_phrase)}".rstrip()
        super().__init__(
            f"{words}: {self.advice}" if self.advice else words,
            phase=phase or method.lower(),
            retryable=retryable,
        )
        self.method = method
        self.status_code = status_code
        self.reason_phrase = reason_phrase
        self.cseq = cseq


class Unauthorized(ResponseError):
    """401: no credentials, or wrong ones. Not retryable: more attempts lock accounts."""

    advice = "user name and password are missing, or not the right ones"


class Forbidden(ResponseError):
    """403: the credentials are right and not enough."""

    advice = "this user may not do this"


class NotFound(ResponseError):
    """404: the server has no such presentation."""

    advice = "check the path of the URL"


class MethodNotAllowed(ResponseError):
    """405: the resource does not take this method."""


class TooManySessions(ResponseError):
    """453, also used by cameras whose viewers are all taken."""

    advice = "the camera has no room for another viewer"
    retryable = True


class SessionNotFound(ResponseError):
    """454: the server has dropped our session."""

    retryable = True


class MethodNotValid(ResponseError):
    """455: not in this state."""


class UnsupportedTransport(ResponseError):
    """461: try another ``transport``."""

    advice = "try another transport"


class ServiceUnavailable(ResponseError):
    """503: busy, or just starting."""

    retryable = True


class OptionNotSupported(ResponseError):
    """551: a feature in our Require header is not there."""


_BY_STATUS: dict[int, type[ResponseError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    453: TooManySessions,
    454: SessionNotFound,
    455: MethodNotValid,
    461: UnsupportedTransport,
    503: ServiceUnavailable,
    551: OptionNotSupported,
}


def response_error(
    method: str,
    status_code: int,
    reason_phrase: str = "",
    *,
    cseq: int | None = None,
    phase: str | None = None,
) -> ResponseError:
    """The exception for one response; 5xx without a class of their own are retryable."""
    cls = _BY_STATUS.get(status_code, ResponseError)
    retryable = True if cls is ResponseError and status_code >= 500 else None
    return cls(method, status_code, reason_phrase, cseq=cseq, phase=phase, retryable=retryable)


class UnsupportedPayload(RtspError):
    """There is no depacketizer for this encoding; ``packets()`` still works.

    Attributes:
        encoding_name: As the SDP spells it.
    """

    def __init__(self, encoding_name: str, *, phase: str | None = None) -> None:
        super().__init__(
            f"no depacketizer for {_quote(encoding_name)!r}; packets() still delivers it",
            phase=phase,
        )
        self.encoding_name = encoding_name


class MissingExtra(RtspError, ImportError):
    """An optional dependency is not installed.

    Attributes:
        extra: Name of the extra: ``pip install 'rtspkit[EXTRA]'``.
    """

    def __init__(self, extra: str, purpose: str = "this") -> None:
        super().__init__(f"{purpose} needs: pip install 'rtspkit[{extra}]'")
        self.extra = extra

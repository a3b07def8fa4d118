"""What a response says of the session it belongs to.

Layer:  engine
Source: RFC 2326 §12.37

Fact the code leans on
- Session identifiers change between responses on some devices: the newest one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.header import parse_session
from rtspkit.wire.message import Response

__all__ = ["LearntSession", "learn_session"]


@dataclass(slots=True)
class LearntSession:
    """The session after a response.

    Attributes:
        session_id: The identifier in force; None without a session.
        timeout: Seconds, when this response told.
        deviations: What the server did wrong.
    """

    session_id: str | None
    timeout: float | None = None
    deviations: tuple[str, ...] = ()


def learn_session(response: Response, known: str | None, *, setting_up: bool) -> LearntSession:
    """Read the Session header of a response of 2xx.

    Args:
        response: The response.
        known: The identifier in force before it.
        setting_up: Whether it answers SETUP: only that begins a session.
    """
    value = response.headers.get("Session")
    if value is None:
        missing = setting_up and known is None
        return LearntSession(known, deviations=("session-missing",) if missing else ())
    try:
        session = parse_session(value)
    except RemoteProtocolError:
        return LearntSession(known, deviations=("session-unreadable",))
    if known is None and not setting_up:
        return LearntSession(None)  # an answer in a session that we have left
    changed = known is not None and session.id != known
    deviations = (*session.deviations, *(("session-id-changed",) if changed else ()))
    return LearntSession(session.id, session.timeout, deviations)

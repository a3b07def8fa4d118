"""What a peer did that no RFC allows and that we put up with: told once, never silently.

Layer:  engine
In:     identifiers that the parsers and machines give (``deviations``)
Out:    one ``QuirkSeen`` for each kind in a session

A deviation without an entry here is still reported, with its identifier for a meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rtspkit.engine.events import QuirkSeen
from rtspkit.wire.headers import redact_userinfo
from rtspkit.wire.url import redact_url

__all__ = ["QUIRKS", "QuirkLog"]

MAXIMUM_KINDS = 256  # a peer that invents kinds is not given memory for them
DETAIL = 120  # characters of foreign text in an event

QUIRKS: dict[str, str] = {
    "cseq-missing": "a response without CSeq was matched to the only open request",
    "cseq-off": "a response with another CSeq was matched to the only open request",
    "response-unmatched": "a response that belongs to no open request was dropped",
    "session-id-changed": "the session identifier changed between responses",
    "session-unreadable": "a Session header has no identifier that can be sent back",
    "session-missing": "SETUP was answered without a Session header",
    "transport-missing": "SETUP was answered without a Transport header",
    "transport-switched": "SETUP was answered with another transport than asked for",
    "interleaved-missing": "SETUP over TCP was answered without channel numbers",
    "interleaved-changed": "the server chose other channel numbers",
    "teardown-unanswered": "a TEARDOWN of a session that was left over was not answered",
    "server-port-missing": "SETUP over UDP was answered without server ports",
    "range-unreadable": "PLAY was answered with a Range that cannot be read",
    "rtp-info-missing": "PLAY was answered without RTP-Info",
    "challenge-missing": "a 401 does not say how to authenticate",
    "challenge-unusable": "a 401 offers no authentication that we have or may use",
    "challenge-weaker": "a 401 asks for the password in the clear, after Digest was offered",
    "channel-unknown": "a frame on a channel that was never set up was dropped",
    "garbage": "bytes between frames and messages were skipped",
    "options-refused": "OPTIONS was refused, although every server has to take it",
    "public-missing": "OPTIONS was answered without a Public header",
    "content-type": "DESCRIBE was answered with another content type than application/sdp",
    "server-request-flood": "more requests of the server than are answered in a second",
    "keepalive-unanswered": "the server did not answer a keep-alive",
    "keepalive-refused": "the server refused the keep-alive method that it advertises",
}


class QuirkLog:
    """The deviations of one session.

    Attributes:
        counts: How often each identifier was met.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, identifier: str, now: float, detail: str = "") -> QuirkSeen | None:
        """Count a deviation; the event is for the first of its kind only."""
        if identifier not in self.counts and len(self.counts) >= MAXIMUM_KINDS:
            return None
        self.counts[identifier] += 1
        if self.counts[identifier] > 1:
            return None
        return QuirkSeen(now, identifier, QUIRKS.get(identifier, identifier), _short(detail))

    def note_all(self, identifiers: Iterable[str], now: float) -> list[QuirkSeen]:
        """Count several; the events for those that are new."""
        events = (self.note(identifier, now) for identifier in identifiers)
        return [event for event in events if event is not None]


def _short(detail: str) -> str:
    """Foreign text for one line of a terminal, without user info."""
    safe = "".join(c if c.isprintable() else "?" for c in redact_url(redact_userinfo(detail)))
    return safe if len(safe) <= DETAIL else safe[:DETAIL] + "…"

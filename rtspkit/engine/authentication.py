"""Which credentials go with a request, and whether a 401 is worth another try.

Layer:  engine (no chance of its own: ``token`` gives client nonces)
In:     the challenges of 401 responses
Out:    the value of an Authorization header
Source: RFC 7616 §3.3 to §3.7 (Digest), RFC 7617 (Basic), RFC 2326 §14

Rules
- Strongest scheme first; after Digest has worked, Basic is never sent on this connection. Where
  Basic is only the last resort, it is not sent after Digest was offered, either.
- After the first challenge every request carries credentials, keep-alive and TEARDOWN too.
- A request is sent with credentials at most twice: again only when its nonce was stale, or was
  an older one that has changed since. A 401 to a nonce that the server has just given says that
  the password is wrong, and more knocking locks accounts. Nonces that other requests have used
  up in between, as the server says itself (stale), do not count.
- A nonce belongs to its connection: a new connection has a new ``Authenticator``, and the next
  session on the same one inherits it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from rtspkit.errors import RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.credentials import (
    Challenge,
    Credentials,
    authorize,
    parse_challenges,
    strongest,
)

__all__ = ["Authenticator"]

OVERTAKEN = 8  # attempts of one request whose nonces other requests use up; the password is right


class Authenticator:
    """The credentials of one connection.

    Args:
        credentials: User name and password; None when there are none.
        token: Gives a fresh client nonce at each call.
        limits: ``authentication_attempts`` is how often a request is tried with credentials.
        allow_basic: When Basic may be sent over a connection in the clear.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        *,
        token: Callable[[], str],
        limits: Limits,
        allow_basic: Literal["always", "only-alternative", "never"] = "only-alternative",
    ) -> None:
        self._credentials = credentials
        self._token = token
        self._limits = limits
        self._allow_basic = allow_basic
        self._challenge: Challenge | None = None
        self._nonce_count = 0
        self._proven: str | None = None  # a nonce that a request was taken with
        self._refused = False  # a request was given up over a 401, and none was taken since
        self.digest_worked = False
        self._deviations: list[str] = []

    @property
    def scheme(self) -> str | None:
        """``"basic"``, ``"digest"`` or None while nothing was asked of us."""
        return None if self._challenge is None else self._challenge.scheme

    @property
    def nonce(self) -> str | None:
        """The Digest nonce in use; a secret of sorts, not to be printed."""
        return self._challenge.nonce if self._challenge and self.scheme == "digest" else None

    @property
    def algorithm(self) -> str | None:
        """The Digest algorithm in use, or None."""
        challenge = self._challenge
        return challenge.algorithm if challenge and challenge.scheme == "digest" else None

    def inherit(self, before: Authenticator) -> None:
        """Go on with what an earlier session was told on the same connection."""
        self._challenge, self._nonce_count = before._challenge, before._nonce_count
        self.digest_worked = before.digest_worked

    def authorization(self, method: str, uri: str, body: bytes = b"") -> str | None:
        """The header for one request, or None while nothing was asked of us."""
        if self._challenge is None or self._credentials is None:
            return None
        self._nonce_count += 1
        return authorize(
            self._challenge,
            self._credentials,
            method,
            uri,
            cnonce=self._token(),
            nonce_count=self._nonce_count,
            body=body,
        )

    def accepted(self, nonce: str | None = None) -> None:
        """A request with our credentials, and this nonce, was not answered 401."""
        self._refused = False
        self._proven = nonce
        if self.scheme == "digest":
            self.digest_worked = True

    def challenged(
        self,
        values: Iterable[str],
        *,
        attempts: int,
        nonce: str | None = None,
        fresh: bool = False,
    ) -> bool:
        """Take the challenges of a 401; never raises, whatever they are.

        Args:
            values: Every WWW-Authenticate header.
            attempts: How often this request was already sent with credentials.
            nonce: The nonce it was last sent with; None without Digest.
            fresh: Whether that nonce came in answer to this very request.

        Returns:
            Whether the request is to be sent again.
        """
        chosen = self._choose(values)
        if chosen is None:
            return False
        newest = None if self._challenge is None else self._challenge.nonce
        overtaken = chosen.stale and nonce is not None
        overtaken = overtaken and (nonce == self._proven or nonce != newest)
        if chosen.nonce != newest:
            self._nonce_count = 0
        self._challenge = chosen
        if overtaken and attempts < OVERTAKEN:
            return True
        maximum = self._limits.authentication_attempts
        if attempts < maximum:
            return True
        renewed = chosen.stale or (chosen.nonce != nonce and not fresh and not self._refused)
        again = chosen.scheme == "digest" and renewed and attempts == maximum
        self._refused = not again
        return again

    def take_deviations(self) -> list[str]:
        """What the server did wrong since the last time."""
        deviations, self._deviations = self._deviations, []
        return deviations

    def _choose(self, values: Iterable[str]) -> Challenge | None:
        """The challenge to answer; None when there is none that we can or may."""
        try:
            challenges = parse_challenges(list(values))
        except RemoteProtocolError:
            self._deviations.append("challenge-missing")
            return None
        for challenge in challenges:
            self._deviations.extend(challenge.deviations)
        if self._credentials is None:
            return None
        chosen = strongest(
            challenges, allow_basic="never" if self.digest_worked else self._allow_basic
        )
        if chosen is None:
            self._deviations.append("challenge-unusable")
            return None
        if chosen.scheme == "basic" and self.scheme == "digest" and self._allow_basic != "always":
            self._deviations.append("challenge-weaker")
            return None
        return chosen

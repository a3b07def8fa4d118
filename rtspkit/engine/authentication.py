"""Which credentials go with a request, and whether a 401 is worth another try.

Layer:  engine (no chance of its own: ``token`` gives client nonces)
In:     the challenges of 401 responses
Out:    the value of an Authorization header
Source: RFC 7616 §3.3 to §3.7 (Digest), RFC 7617 (Basic), RFC 2326 §14

Rules
- Strongest scheme first; after Digest has worked, Basic is never sent on this connection.
- After the first challenge every request carries credentials, keep-alive and TEARDOWN too.
- A request is sent with credentials at most twice: again only for a nonce that was stale or is
  new. More knocking locks accounts.
- A nonce belongs to its connection: a new connection has a new ``Authenticator``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from rtspkit.options import Limits
from rtspkit.wire.credentials import (
    Challenge,
    Credentials,
    authorize,
    parse_challenges,
    strongest,
)

__all__ = ["Authenticator"]


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
        self.digest_worked = False
        self.deviations: list[str] = []

    @property
    def scheme(self) -> str | None:
        """``"basic"``, ``"digest"`` or None while nothing was asked of us."""
        return None if self._challenge is None else self._challenge.scheme

    @property
    def algorithm(self) -> str | None:
        """The Digest algorithm in use, or None."""
        challenge = self._challenge
        return challenge.algorithm if challenge and challenge.scheme == "digest" else None

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

    def accepted(self) -> None:
        """A request with our credentials was not answered 401."""
        if self.scheme == "digest":
            self.digest_worked = True

    def challenged(self, values: Iterable[str], *, attempts: int) -> bool:
        """Take the challenges of a 401.

        Args:
            values: Every WWW-Authenticate header.
            attempts: How often this request was already sent with credentials.

        Returns:
            Whether the request is to be sent again.

        Raises:
            RemoteProtocolError: The challenges cannot be read.
        """
        challenges = parse_challenges(list(values))
        for challenge in challenges:
            self.deviations.extend(challenge.deviations)
        if self._credentials is None:
            return False
        allow = "never" if self.digest_worked else self._allow_basic
        chosen = strongest(challenges, allow_basic=allow)
        if chosen is None:
            return False
        before, self._challenge = self._challenge, chosen
        if before is None or chosen.nonce != before.nonce:
            self._nonce_count = 0
        if attempts < self._limits.authentication_attempts:
            return True
        renewed = before is not None and (
            chosen.stale or (chosen.scheme == "digest" and chosen.nonce != before.nonce)
        )
        return renewed and attempts <= self._limits.authentication_attempts

"""The camera's side of authentication: what it demands, and whether a request shows it.

Layer:  testing (no clock: the camera brings ``now``; nonces come from its own generator)
In:     requests
Out:    None (go on), or the challenges of a 401
Source: RFC 7616 §3; RFC 7617; RFC 2069 (Digest without qop)
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from rtspkit.wire.credentials import (
    Challenge,
    Credentials,
    format_challenge,
    verify_authorization,
)
from rtspkit.wire.message import Request

__all__ = ["Authentication", "Authenticator"]

Scheme = Literal["digest", "basic"]


@dataclass(slots=True, kw_only=True)
class Authentication:
    """What the camera demands.

    Attributes:
        username: The user.
        password: The password.
        schemes: What is offered, in this order.
        algorithms: Of Digest; each is a challenge of its own, in this order.
        qop: Qualities of protection of Digest; empty for the form of RFC 2069.
        realm: The realm.
        one_line: Whether all challenges stand in one header.
        nonce_requests: Requests after which a nonce is stale; None for never.
        nonce_seconds: Seconds after which a nonce is stale; None for never.
        announce_stale: Whether a stale nonce is answered with ``stale=true``.
        nonce_per_connection: Whether a nonce is refused on another connection.
        exempt: Methods that are answered without.
    """

    username: str = "user"
    password: str = field(default="secret", repr=False)
    schemes: tuple[Scheme, ...] = ("digest",)
    algorithms: tuple[str, ...] = ("MD5",)
    qop: tuple[str, ...] = ("auth",)
    realm: str = "rtspkit camera"
    one_line: bool = False
    nonce_requests: int | None = None
    nonce_seconds: float | None = None
    announce_stale: bool = True
    nonce_per_connection: bool = True
    exempt: tuple[str, ...] = ("OPTIONS",)


@dataclass(slots=True)
class _Nonce:
    value: str
    made: float
    used: int = 0


class Authenticator:
    """The challenges of one connection (or of one camera, when they share their nonces).

    Args:
        what: What is demanded; may be changed while the camera runs.
        chance: Where nonces come from.

    Attributes:
        refused: Requests that were answered with 401 although they had an Authorization that
            was not just stale: wrong passwords, mostly.
        challenged: Requests that were answered with 401, all of them.
    """

    def __init__(self, what: Authentication, chance: random.Random) -> None:
        self.what = what
        self.refused = 0
        self.challenged = 0
        self._chance = chance
        self._nonce: _Nonce | None = None
        self._old: set[str] = set()

    def check(self, request: Request, now: float) -> list[str] | None:
        """None when the request may go on, else the WWW-Authenticate headers of a 401."""
        if request.method in self.what.exempt:
            return None
        value = request.headers.get("Authorization")
        nonce = self._fresh(now)
        stale = False
        if value is not None:
            if self._verified(value, request, nonce.value):
                nonce.used += 1
                return None
            stale = any(self._verified(value, request, old, digest=True) for old in self._old)
            self.refused += not stale
        self.challenged += 1
        texts = [format_challenge(one) for one in self._challenges(nonce.value, stale)]
        return [", ".join(texts)] if self.what.one_line else texts

    def _fresh(self, now: float) -> _Nonce:
        """The nonce in force; a new one when the last is used up."""
        what, nonce = self.what, self._nonce
        if nonce is not None:
            used_up = what.nonce_requests is not None and nonce.used >= what.nonce_requests
            too_old = what.nonce_seconds is not None and now - nonce.made >= what.nonce_seconds
            if not used_up and not too_old:
                return nonce
            self._old.add(nonce.value)
            if len(self._old) > 64:
                self._old = {nonce.value}
        self._nonce = _Nonce(f"{self._chance.getrandbits(128):032x}", now)
        return self._nonce

    def renew(self) -> None:
        """Make the nonce in force stale."""
        if self._nonce is not None:
            self._old.add(self._nonce.value)
            self._nonce = None

    def _challenges(self, nonce: str, stale: bool) -> list[Challenge]:
        what, found = self.what, []
        for scheme in what.schemes:
            if scheme == "basic":
                found.append(Challenge("basic", what.realm))
                continue
            for algorithm in what.algorithms:
                found.append(
                    Challenge(
                        "digest",
                        what.realm,
                        nonce,
                        algorithm,
                        algorithm_named=algorithm != "MD5" or len(what.algorithms) > 1,
                        qop=what.qop,
                        stale=stale and what.announce_stale,
                    )
                )
        return found

    def _verified(self, value: str, request: Request, nonce: str, *, digest: bool = False) -> bool:
        credentials = Credentials(self.what.username, self.what.password)
        return any(
            verify_authorization(value, challenge, credentials, request.method, uri=request.uri)
            for challenge in self._challenges(nonce, stale=False)
            if not digest or challenge.scheme == "digest"
        )

"""A NAT between a client and a server: nothing comes in before something went out."""

from __future__ import annotations

import asyncio

from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link


class Nat(Impairment):
    """Lets datagrams down once one of RTP went up; set ``link`` when it is there."""

    link: Link | None = None

    @property
    def blocked(self) -> bool:  # type: ignore[override]
        return self.link is not None and not self.link.counters("up", "rtp").received

    @blocked.setter
    def blocked(self, value: bool) -> None:
        """As its base sets it when it is made."""


class ForgetfulNat(Nat):
    """Outbound packets alone keep it open, each for so many seconds: RFC 4787 asks no more of it.

    Attributes:
        lifetime: Of a mapping, in seconds of the loop.
        refused: How often it was found closed.
    """

    lifetime = 30.0
    refused = 0
    _sent = 0
    _opened = -1e9

    @property
    def blocked(self) -> bool:  # type: ignore[override]
        if self.link is None:
            return True
        now = asyncio.get_running_loop().time()
        sent = self.link.counters("up", "rtp").received
        if sent != self._sent:
            self._sent, self._opened = sent, now
        closed = now - self._opened > self.lifetime
        self.refused += closed
        return closed

    @blocked.setter
    def blocked(self, value: bool) -> None:
        """As its base sets it when it is made."""

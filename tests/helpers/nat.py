"""A NAT between a client and a server: nothing comes in before something went out."""

from __future__ import annotations

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

"""Where the results of a driver go.

Layer:  client
"""

from __future__ import annotations

from typing import Protocol

from rtspkit.engine.events import Event
from rtspkit.errors import RtspError
from rtspkit.wire.rtp import RtpPacket

__all__ = ["NoSink", "Sink"]


class Sink(Protocol):
    """Where a driver's results go."""

    def on_packets(self, packets: list[RtpPacket]) -> None:
        """Packets, in the order of their streams."""

    def on_event(self, event: Event) -> None:
        """Something that a person may want to know."""

    def on_gone(self) -> None:
        """The server does not know our session any more."""

    def on_end(self, error: RtspError | None) -> None:
        """Nothing more will come."""


class NoSink:
    """Where nothing is wanted: a connection that only asks."""

    def on_packets(self, packets: list[RtpPacket]) -> None:
        """Nobody has asked for media."""

    def on_event(self, event: Event) -> None:
        """What a dialogue meets, it reports itself."""

    def on_gone(self) -> None:
        """There is no session to be had again."""

    def on_end(self, error: RtspError | None) -> None:
        """Whoever asks is told by the request that fails."""

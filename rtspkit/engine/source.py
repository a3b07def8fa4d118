"""Whether another source may take a stream over: ``SourceWatch``.

Layer:  engine (state, but no clock and no I/O: the caller brings ``now``)
In:     packets of sources that the stream is not locked to
Out:    the two packets with which one of them takes over

Rules
- Two of its packets must follow each other in order, with none of the present source between: one
  stray packet never switches.
- A source with a payload type of its own may be a retransmission beside the stream's source: it
  takes over only when that has been silent for a while.
"""

from __future__ import annotations

from rtspkit.wire.rtp import RtpPacket

__all__ = ["SourceWatch"]

SILENCE = 2.0  # seconds after which a source with a foreign payload type may take over


class SourceWatch:
    """The candidates of one stream, one at a time."""

    __slots__ = ("_at", "_candidate")

    def __init__(self) -> None:
        self._candidate: RtpPacket | None = None
        self._at = -1

    def confirm(
        self, packet: RtpPacket, *, received: int, expected_type: bool, silence: float
    ) -> RtpPacket | None:
        """Take a packet of another source; the one before it, when the two take over.

        Args:
            packet: The packet.
            received: Packets that the present source has sent so far.
            expected_type: Whether it has the stream's payload type, or nothing is known yet.
            silence: Seconds since the present source was last heard.
        """
        own = packet.moved(memoryview(bytes(packet)), 0)  # it may be kept for long
        before, self._candidate = self._candidate, own
        confirmed = (
            before is not None
            and before.ssrc == packet.ssrc
            and (before.sequence_number + 1) & 0xFFFF == packet.sequence_number
            and received == self._at
            and (expected_type or silence > SILENCE)
        )
        self._at = received
        if not confirmed:
            return None
        self._candidate = None
        return before

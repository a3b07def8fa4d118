"""What a transport has received, by aiortsp's names.

Layer:  compat
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rtspkit.compat.aiortsp.rtcp.parser import RTCP, SR
from rtspkit.engine.statistics import StreamStats

__all__ = ["RTCPStats"]


class RTCPStats:
    """The numbers of one stream. Reports to the server are made and sent without being asked.

    Attributes:
        last_received: Unix seconds of the last RTP packet; 0 before the first.
        last_ntp: Unix seconds that the last sender report tells; None before the first.
        last_ts: RTP timestamp that belongs to it.
    """

    def __init__(self) -> None:
        self.last_received = 0.0
        self.last_ntp: float | None = None
        self.last_ts: int | None = None
        self._snapshot: Callable[[], StreamStats] = StreamStats
        self._clock_rate = 90_000

    def follow(self, snapshot: Callable[[], StreamStats], clock_rate: int) -> None:
        """From now on, the numbers are those that ``snapshot`` gives."""
        self._snapshot = snapshot
        self._clock_rate = clock_rate

    def received_rtp(self) -> None:
        """An RTP packet has come."""
        self.last_received = time.time()

    def handle_rtcp(self, rtcp: RTCP) -> None:
        """Take the sender reports of a compound packet."""
        for packet in rtcp.packets:
            if isinstance(packet, SR):
                self.last_ts, self.last_ntp = packet.ts, packet.ntp

    @property
    def received(self) -> int:
        """RTP packets."""
        return self._snapshot().packets

    @property
    def lost(self) -> int:
        """RTP packets that never came."""
        return self._snapshot().lost

    @property
    def jitter(self) -> float:
        """Interarrival jitter in ticks of the stream's clock."""
        return self._snapshot().jitter * self._clock_rate

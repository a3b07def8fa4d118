"""When to send RTCP for one stream, and what: RR, SDES, and BYE at the end.

Layer:  engine (state, but no clock and no I/O: ``now``, SSRC, CNAME and chance come in)
Out:    deadline, handle_deadline(now), data_to_send(): compound packets
Source: RFC 3550 §6.1 (compound), §6.2, §6.3.1 (interval), §6.6 (BYE)

Facts the code leans on
- A session of one server and one viewer never has so many members, nor so little bandwidth, that
  the interval would grow past its minimum; so it is the minimum, randomised.

Where we leave the RFC
- Never more than 5 s pass between two reports, where the RFC's randomisation allows 6.2 s:
  there are cameras that end a session after that.
"""

from __future__ import annotations

from collections.abc import Callable

from rtspkit.wire.rtcp import (
    CNAME,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SdesChunk,
    SourceDescription,
    serialize_rtcp,
)

__all__ = ["Reports"]

MINIMUM_INTERVAL = 5.0  # seconds, §6.2
MAX_INTERVAL = 5.0  # seconds that some cameras wait for a report
COMPENSATION = 2.71828 - 1.5  # §6.3.1, for what timer reconsideration adds


class Reports:
    """The reports about one stream.

    Args:
        ssrc: Our own.
        cname: Our canonical name, 1 to 255 bytes; the same for all streams of a session.
        random: Gives a number from 0 to 1 each time; spreads the reports of many sessions.
        report_block: Gives what there is to say at ``now``: ``StreamReceiver.report_block``.

    Attributes:
        sent: Compound packets made so far.
    """

    __slots__ = (
        "_data",
        "_deadline",
        "_ended",
        "_random",
        "_report_block",
        "cname",
        "sent",
        "ssrc",
    )

    def __init__(
        self,
        *,
        ssrc: int,
        cname: bytes,
        random: Callable[[], float],
        report_block: Callable[[float], ReportBlock | None],
    ) -> None:
        self.ssrc = ssrc
        self.cname = cname
        self.sent = 0
        self._random = random
        self._report_block = report_block
        self._deadline: float | None = None
        self._data: list[bytes] = []
        self._ended = False

    def start(self, now: float) -> None:
        """PLAY has been sent: the first report is due after half an interval (§6.2)."""
        if not self._ended:
            self._deadline = now + self._interval() / 2

    def stop(self) -> None:
        """PAUSE: no more reports until the next ``start``."""
        self._deadline = None

    @property
    def deadline(self) -> float | None:
        """When the next report is due, in monotonic seconds; None while none is."""
        return self._deadline

    def handle_deadline(self, now: float, *, early: float = 0.0) -> None:
        """Make the report that is due, or that will be in ``early`` seconds."""
        if self._deadline is None or now + early < self._deadline:
            return
        self._deadline = now + self._interval()
        self._make(now)

    def goodbye(self, now: float) -> None:
        """The stream ends: one last report, with BYE; none after that."""
        if self._ended:
            return
        self._ended = True
        self._deadline = None
        self._make(now, Goodbye([self.ssrc]))

    def data_to_send(self) -> list[bytes]:
        """Take what is to be sent: one datagram, or one interleaved frame, each."""
        data, self._data = self._data, []
        return data

    def _interval(self) -> float:
        seconds = MINIMUM_INTERVAL * (0.5 + self._random()) / COMPENSATION
        return min(seconds, MAX_INTERVAL)

    def _make(self, now: float, *more: RtcpPacket) -> None:
        block = self._report_block(now)
        report = ReceiverReport(self.ssrc, [] if block is None else [block])
        description = SourceDescription([SdesChunk(self.ssrc, [(CNAME, self.cname)])])
        self._data.append(serialize_rtcp([report, description, *more]))
        self.sent += 1

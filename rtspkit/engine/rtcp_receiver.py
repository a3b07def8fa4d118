"""The RTCP that arrives for one stream: what of it is about the source we listen to.

Layer:  engine (state, but no clock and no I/O: the caller brings ``now``)
In:     receive(view, now), once it is known to be RTCP
Out:    events; the last sender report to ``Reception`` and ``Timeline``
Source: RFC 3550 §6.4 to §6.6

Rules
- Sender reports and farewells count only for the source that is locked, or that SETUP named
  while no packet has come. A report that comes before the first packet waits for it.
- A broken part of a compound packet is counted; the parts around it are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.engine.events import SourceChanged
from rtspkit.engine.reception import Reception
from rtspkit.engine.timeline import Timeline
from rtspkit.wire.rtcp import Goodbye, SenderReport, salvage_rtcp
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = [
    "ByeReceived",
    "PacketsReceived",
    "ReceiverEvent",
    "RtcpReceiver",
    "SenderReportReceived",
]

MAX_EVENTS = 64  # that wait to be taken; the oldest go first


@dataclass(slots=True)
class ByeReceived:
    """The locked source says that it leaves: a hint, media may still come."""

    stream: Stream
    ssrc: int
    reason: bytes | None
    now: float


@dataclass(slots=True)
class SenderReportReceived:
    """The locked source has reported; ``used`` says whether ``wall_time`` follows it."""

    stream: Stream
    report: SenderReport
    now: float
    used: bool


@dataclass(slots=True)
class PacketsReceived:
    """RTP that came on the RTCP channel: packets whose turn it is."""

    packets: list[RtpPacket]


ReceiverEvent = ByeReceived | SenderReportReceived | SourceChanged | PacketsReceived


class RtcpReceiver:
    """What RTCP says about one stream.

    Args:
        stream: For the events.
        timeline: Gets the wall clock of sender reports.
        hint: The source that SETUP named, or None.

    Attributes:
        events: Oldest first; at most 64 wait.
        packets: RTCP datagrams with a good part in them.
        malformed: Broken parts.
        sender_reports: Of the locked source.
        unknown_ssrc: Sender reports and farewells of other sources.
    """

    __slots__ = (
        "_early",
        "_hint",
        "_reception",
        "_stream",
        "_timeline",
        "events",
        "malformed",
        "packets",
        "sender_reports",
        "unknown_ssrc",
    )

    def __init__(self, stream: Stream, timeline: Timeline, hint: int | None) -> None:
        self.events: list[ReceiverEvent] = []
        self.packets = 0
        self.malformed = 0
        self.sender_reports = 0
        self.unknown_ssrc = 0
        self._stream = stream
        self._timeline = timeline
        self._hint = hint
        self._reception: Reception | None = None
        self._early: tuple[SenderReport, float] | None = None

    def lock(self, reception: Reception) -> None:
        """From now on the stream is the source of ``reception``."""
        early, self._early = self._early, None
        self._reception = reception
        if early is not None:
            self._receive_sender_report(*early)

    def receive(self, view: memoryview | bytes, now: float) -> None:
        """Take one datagram; whatever its bytes are, nothing is raised."""
        packets, bad = salvage_rtcp(view)
        self.malformed += bad
        self.packets += bool(packets)
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._receive_sender_report(packet, now)
            elif isinstance(packet, Goodbye):
                self._receive_goodbye(packet, now)

    def _tell(self, event: ReceiverEvent) -> None:
        if len(self.events) >= MAX_EVENTS:
            del self.events[0]
        self.events.append(event)

    def _receive_sender_report(self, report: SenderReport, now: float) -> None:
        reception = self._reception
        if reception is None and self._hint in (None, report.ssrc):
            self._early = report, now
            return
        if reception is None or report.ssrc != reception.ssrc:
            self.unknown_ssrc += 1
            return
        self.sender_reports += 1
        reception.sender_report(report.ntp, now)
        used = self._timeline.sender_report(report.ntp, report.rtp_timestamp, now)
        self._tell(SenderReportReceived(self._stream, report, now, used))

    def _receive_goodbye(self, goodbye: Goodbye, now: float) -> None:
        ssrc = self._hint if self._reception is None else self._reception.ssrc
        if ssrc is None or ssrc not in goodbye.ssrcs:
            self.unknown_ssrc += 1
            return
        self._tell(ByeReceived(self._stream, ssrc, goodbye.reason, now))

"""What arrives for one stream: RTP in order with its time, RTCP as events.

Layer:  engine (state, but no clock and no I/O: the caller brings ``now``)
In:     receive_rtp(view, now), receive_rtcp(view, now); start(now) at PLAY
Out:    lists of RtpPacket; events; ``deadline`` and ``handle_deadline`` for packets that wait
Source: RFC 3550 §8.2 (sources), A.1; RFC 5761 §4

Rules
- Nothing is raised for what the network sent: it is counted (``StreamStats``).
- The first source wins, or the one that SETUP named. Another one takes over when two of its
  packets follow each other with none of the present source between; one stray packet never does.
- Sender reports and farewells count only for the source that is locked.
- RTCP on the RTP channel and RTP on the RTCP channel are read all the same.
"""

from __future__ import annotations

from rtspkit.engine.events import SourceChanged
from rtspkit.engine.reception import Reception
from rtspkit.engine.reorder import Reorder
from rtspkit.engine.rtcp_receiver import (
    ByeReceived,
    PacketsReceived,
    ReceiverEvent,
    RtcpReceiver,
    SenderReportReceived,
)
from rtspkit.engine.run import receive_run, rows_of, usual_beginning
from rtspkit.engine.source import SourceWatch
from rtspkit.engine.statistics import StreamStats
from rtspkit.engine.timeline import Start, Timeline
from rtspkit.errors import MalformedPacket
from rtspkit.options import Limits
from rtspkit.wire.datagrams import UNKNOWN, Datagrams
from rtspkit.wire.rtcp import ReportBlock, is_rtcp
from rtspkit.wire.rtp import HEADER_SIZE, RtpPacket, parse_rtp_at
from rtspkit.wire.stream import Stream

__all__ = [
    "ByeReceived",
    "PacketsReceived",
    "ReceiverEvent",
    "SenderReportReceived",
    "StreamReceiver",
]

ATTRIBUTES = (
    "_bytes _clock_rate _discontinuities _expected_before _first_packet _held _hint "
    "_last_packet _malformed _misplaced _packets _payload_type _received_before "
    "_reception _reorder _restarts _rtcp _ssrc _started _strays _timeline "
    "_unknown_payload_type _unknown_ssrc _usual _watch events stream "
)
DEFAULT_CLOCK_RATE = 90_000  # where the SDP gives none: that of video


class StreamReceiver:
    """The receiving end of one stream.

    Args:
        stream: Its ``payload_type`` and ``clock_rate`` are used; its ``ssrc`` is filled in.
        limits: ``reorder_packets`` bounds what waits.
        reorder: Seconds that a packet may wait for an earlier one; 0 lets none wait.
        ssrc: The source that the SETUP response named; None or 0 when it named none.

    Attributes:
        stream: As given.
        events: What happened beside the packets, oldest first, for the caller; at most 64.
    """

    __slots__ = tuple(ATTRIBUTES.split())

    def __init__(
        self,
        stream: Stream,
        *,
        limits: Limits | None = None,
        reorder: float = 0.1,
        ssrc: int | None = None,
    ) -> None:
        self.stream = stream
        self._clock_rate = stream.clock_rate if stream.clock_rate > 0 else DEFAULT_CLOCK_RATE
        self._payload_type = stream.payload_type
        self._usual = -1 if stream.payload_type is None else usual_beginning(stream.payload_type)
        self._hint = ssrc or None
        self._ssrc: int | None = None
        self._reception = Reception(self._clock_rate)
        self._reorder = Reorder((limits or Limits()).reorder_packets, reorder)
        self._timeline = Timeline(self._clock_rate)
        self._rtcp = RtcpReceiver(stream, self._timeline, self._hint)
        self.events = self._rtcp.events
        self._held: RtpPacket | None = None  # far from the others, not confirmed yet
        self._watch = SourceWatch()
        self._restarts = 0
        self._started: float | None = None
        self._first_packet: float | None = None
        self._last_packet = 0.0
        self._expected_before = self._received_before = 0  # of earlier sources
        self._packets = self._bytes = 0
        self._strays = self._unknown_ssrc = self._unknown_payload_type = 0
        self._malformed = self._misplaced = self._discontinuities = 0

    def carry_on(self, media_time: float, arrival: float) -> None:
        """Go on where another connection stopped: its last packet's time and arrival."""
        self._timeline.carry_on(media_time, arrival)

    def start(
        self,
        now: float,
        rtptime: int | None = None,
        sequence_number: int | None = None,
        npt_start: float | None = None,
    ) -> None:
        """PLAY is being sent, or was answered: the next packet begins.

        Args:
            now: When PLAY was sent, the same for all streams of a session: without better
                knowledge the first packet has the seconds since then as its time.
            rtptime: From RTP-Info; believed within 10 s of the first packet's timestamp.
            sequence_number: From RTP-Info; after a second PLAY, tells packets in flight.
            npt_start: Where the presentation begins, from the Range of the response.
        """
        if self._started is None:
            self._started = now
        start = Start(now, rtptime, sequence_number, npt_start)
        self._timeline.start(start)

    def inform(
        self,
        rtptime: int | None = None,
        sequence_number: int | None = None,
        npt_start: float | None = None,
    ) -> bool:
        """The response to PLAY; False when the first packet came before it, and nothing is used."""
        return self._timeline.inform(
            rtptime=rtptime, sequence_number=sequence_number, npt_start=npt_start
        )

    def receive_rtp(self, view: memoryview | bytes, now: float) -> list[RtpPacket]:
        """Take one datagram of the RTP channel.

        Args:
            view: The whole datagram; packets keep it alive and must not see it change.
            now: Monotonic seconds of its arrival, never less than before.

        Returns:
            Packets whose turn it is, in order, mostly the one that came in. What else came
            of it is in ``events``.
        """
        memory = memoryview(view).toreadonly()
        return self._receive_one(memory, 0, len(memory), now)

    def receive_rtp_batch(self, datagrams: Datagrams) -> list[RtpPacket]:
        """Take the datagrams of one wake-up; as ``receive_rtp`` of each, and cheaper."""
        lengths = datagrams.lengths
        packets: list[RtpPacket] = []
        if datagrams.headers is None and min(lengths, default=0) < HEADER_SIZE:
            for view, arrival in zip(datagrams, datagrams.arrivals, strict=False):
                packets += self._receive_one(view, 0, len(view), arrival)
            return packets
        rows, size = rows_of(datagrams), datagrams.size
        if size == UNKNOWN:
            size = sum(lengths)
        while True:
            before = len(packets)
            odd = receive_run(
                rows,
                packets,
                stream=self.stream,
                usual=self._usual,
                reception=self._reception,
                reorder=self._reorder,
                timeline=self._timeline,
            )
            if len(packets) > before:
                self._packets += len(packets) - before
                self._last_packet = packets[-1].arrival
            if odd is None:
                break
            memory, start, length, arrival = odd
            size -= length
            packets += self._receive_one(memory, start, length, arrival)
        self._bytes += size
        return packets

    def _receive_one(
        self, memory: memoryview, start: int, size: int, now: float
    ) -> list[RtpPacket]:
        """What lies at ``start``, whatever it is."""
        try:
            packet = parse_rtp_at(memory, start, size)
        except MalformedPacket:
            return self._receive_other(memory[start : start + size], now)
        packet.stream = self.stream
        packet.arrival = now
        if packet.ssrc != self._ssrc or packet.payload_type != self._payload_type:
            return self._receive_unusual(packet, now)
        return self._receive(packet, now)

    def _receive(self, packet: RtpPacket, now: float) -> list[RtpPacket]:
        """A packet of the locked source."""
        self._bytes += len(packet)
        self._last_packet = now
        extended = self._reception.receive(packet.sequence_number, packet.timestamp, now)
        reorder = self._reorder
        if extended == reorder.next and not reorder.waiting:
            reorder.next = extended + 1  # type: ignore[operator]  # equal, so no None
            self._timeline.stamp(packet)
            self._packets += 1
            return [packet]
        return self._receive_out_of_order(extended, packet, now)

    def _receive_out_of_order(
        self, extended: int | None, packet: RtpPacket, now: float
    ) -> list[RtpPacket]:
        """A packet of the locked source that is not the next, or the first one of all."""
        reorder = self._reorder
        if extended is None:
            self._strays += 1
            self._held = packet.moved(memoryview(bytes(packet)), 0)  # for as long as it takes
            return []
        held, self._held = self._held, None
        if self._reception.restarts != self._restarts:
            assert held is not None, "the packet before confirmed no jump alone"
            self._strays -= 1
            return self._begin_anew(extended - 1, [held, packet], now)
        if reorder.next is None and self._first_packet is None:
            self._first_packet = now
        packets = reorder.push(extended, packet, now)
        if reorder.stuck(now):
            extended = self._reception.restart(packet.sequence_number)
            return self._begin_anew(extended, [packet], now)
        return self._hand_on(packets)

    def _begin_anew(self, extended: int, packets: list[RtpPacket], now: float) -> list[RtpPacket]:
        """Go on with ``packets``, which follow nothing that was before."""
        self._restarts = self._reception.restarts
        handed_on = self._hand_on(self._reorder.restart(extended))
        packets[0].discontinuity = True
        self._discontinuities += 1
        self._timeline.restart(packets[0].timestamp, packets[0].arrival)
        for offset, packet in enumerate(packets):
            handed_on += self._hand_on(self._reorder.push(extended + offset, packet, now))
        return handed_on

    def _hand_on(self, packets: list[RtpPacket]) -> list[RtpPacket]:
        for packet in packets:
            self._timeline.stamp(packet)
        self._packets += len(packets)
        return packets

    def _receive_unusual(self, packet: RtpPacket, now: float) -> list[RtpPacket]:
        """A packet of another source or payload type, or one that is RTCP."""
        payload_type = packet.payload_type
        expected = payload_type == self._payload_type
        if not expected:
            view = packet.memory[packet.start : packet.start + packet.size]
            if is_rtcp(view):
                return self._receive_other(view, now)
        if packet.ssrc != self._ssrc:
            if self._ssrc is not None or self._hint not in (None, packet.ssrc):
                return self._receive_foreign(packet, now)
            self._lock(packet.ssrc)
        if self._payload_type is None:
            self._payload_type = payload_type
            self._usual = usual_beginning(payload_type)
        elif not expected:
            self._unknown_payload_type += 1
        return self._receive(packet, now)

    def _receive_foreign(self, packet: RtpPacket, now: float) -> list[RtpPacket]:
        """A packet of a source that is not the locked one; two in order take over."""
        payload_type = packet.payload_type
        before = self._watch.confirm(
            packet,
            received=self._reception.received,
            expected_type=self._ssrc is None or self._payload_type in (None, payload_type),
            silence=now - self._last_packet,
        )
        if before is None:
            self._unknown_ssrc += 1
            return []
        self._unknown_ssrc -= 1
        previous = self._ssrc
        self._lock(packet.ssrc)
        self._bytes += len(before) + len(packet)
        self._last_packet = now
        extended = before.sequence_number  # where a source begins, its numbers are those sent
        for each in (before, packet):
            self._reception.receive(each.sequence_number, each.timestamp, each.arrival)
        if previous is not None:
            self.events.append(SourceChanged(now, self.stream, previous, packet.ssrc))
            return self._begin_anew(extended, [before, packet], now)
        self._first_packet = before.arrival
        packets = self._reorder.push(extended, before, now)
        return self._hand_on(packets + self._reorder.push(extended + 1, packet, now))

    def _lock(self, ssrc: int) -> None:
        """From now on the stream is this source."""
        self._expected_before += self._reception.expected
        self._received_before += self._reception.received
        self._ssrc = self.stream.ssrc = ssrc
        self._reception = Reception(self._clock_rate, ssrc)
        self._restarts = 0
        self._held = None
        self._rtcp.lock(self._reception)

    def receive_rtcp(self, view: memoryview | bytes, now: float) -> list[ReceiverEvent]:
        """Take one datagram of the RTCP channel.

        Args:
            view: The whole datagram.
            now: Monotonic seconds of its arrival.

        Returns:
            What it means for us, together with all else in ``events``, which is empty then.
        """
        if is_rtcp(view):
            self._rtcp.receive(view, now)
        else:
            malformed = self._malformed
            packets = self.receive_rtp(view, now)
            self._misplaced += self._malformed == malformed
            if packets:
                self.events.append(PacketsReceived(packets))
        events = list(self.events)
        self.events.clear()
        return events

    def _receive_other(self, view: memoryview | bytes, now: float) -> list[RtpPacket]:
        """What came on the RTP channel and is not RTP."""
        if is_rtcp(view):
            self._misplaced += 1
            self._rtcp.receive(view, now)
        else:
            self._malformed += 1
        return []

    def next_event(self) -> ReceiverEvent | None:
        """The oldest event, taken out; None when there is none."""
        return self.events.pop(0) if self.events else None

    @property
    def deadline(self) -> float | None:
        """When ``handle_deadline`` is due, in monotonic seconds; None while nothing waits."""
        return self._reorder.deadline if self._reorder.waiting else None

    def handle_deadline(self, now: float) -> list[RtpPacket]:
        """Give the packets that have waited long enough for an earlier one."""
        return self._hand_on(self._reorder.handle_deadline(now))

    def flush(self) -> list[RtpPacket]:
        """The stream has ended: give the packets that still wait."""
        return self._hand_on(self._reorder.flush())

    def report_block(self, now: float) -> ReportBlock | None:
        """What to report about the source; begins its next interval. None before a packet."""
        return None if self._ssrc is None else self._reception.report_block(now)

    def snapshot(self) -> StreamStats:
        """What was counted so far."""
        reception, reorder = self._reception, self._reorder
        expected = self._expected_before + reception.expected
        unique = self._received_before + reception.received - reorder.duplicates
        first = self._first_packet
        seconds = self._last_packet - first if first is not None else 0.0
        return StreamStats(
            index=self.stream.index,
            media=self.stream.media,
            encoding_name=self.stream.encoding_name,
            ssrc=self._ssrc,
            packets=self._packets,
            bytes=self._bytes,
            expected=expected,
            lost=max(expected - unique, 0),
            skipped=reorder.skipped,
            duplicates=reorder.duplicates,
            late=reorder.late,
            reordered=reorder.reordered,
            waiting=len(reorder.waiting),
            strays=self._strays,
            unknown_ssrc=self._unknown_ssrc,
            unknown_payload_type=self._unknown_payload_type,
            malformed=self._malformed + self._rtcp.malformed,
            discontinuities=self._discontinuities + self._timeline.jumps,
            jitter=reception.jitter,
            rtcp_packets=self._rtcp.packets,
            sender_reports=self._rtcp.sender_reports,
            rtcp_unknown_ssrc=self._rtcp.unknown_ssrc,
            misplaced=self._misplaced,
            first_packet=(
                None if first is None or self._started is None else max(first - self._started, 0.0)
            ),
            last_packet=None if first is None else self._last_packet,
            media_time=self._timeline.last,
            bitrate=8 * self._bytes / seconds if seconds > 0 else 0.0,
        )

"""The media plane of one session: its receivers, its reports, its end.

Layer:  engine (no clock and no I/O: the caller brings ``now``)
In:     datagrams by stream, or interleaved frames by channel
Out:    lists of packets; reports to send; events; ``deadline``
Source: RFC 2326 §10.12 (channels), RFC 3550 §6.6 (BYE)

Rules
- BYE is a hint: media within ``timeouts.bye_grace`` takes it back; after it the stream has ended.
- The session has ended in order when all its streams have, or when media has stopped at the end
  of the range that the server announced.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from rtspkit.engine.continuity import Change, Moment
from rtspkit.engine.events import Event, QuirkSeen, SourceChanged, StreamEnded
from rtspkit.engine.handshake import Played
from rtspkit.engine.liveness import Liveness
from rtspkit.engine.punches import Punches
from rtspkit.engine.quirks import QUIRKS
from rtspkit.engine.receiver import (
    ByeReceived,
    PacketsReceived,
    ReceiverEvent,
    StreamReceiver,
)
from rtspkit.engine.reports import Reports
from rtspkit.errors import RtspError
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["CONTINUOUS_MEDIA", "Playback"]

CONTINUOUS_MEDIA = frozenset({"audio", "video"})
REPORTS_TOGETHER = 0.5  # seconds that a report may be early, to go out with another stream's
END_TOLERANCE = 1.0  # seconds before the announced end at which media may stop in order


class Playback:
    """What a session plays.

    Args:
        limits: Bounds on what is kept.
        timeouts: ``bye_grace``, ``first_packet_tcp`` and ``media_silence`` are used.
        reorder: Seconds that a packet may wait for an earlier one.
        cname: Our canonical name in reports.
        new_ssrc: Gives a random 32-bit number each time: our own source in one stream's reports.
        random: Gives a number from 0 to 1 each time: spreads the reports.
        punch: Whether packets of ours open the way for streams over UDP.

    Attributes:
        liveness: The watch over silence.
        punches: Those packets.
        receivers: One for each stream, by its index.
        started_at: When PLAY was first sent; None before.
        unknown_channel: Interleaved frames on channels that nobody set up.
        stirred: Whether something has happened, beside packets, that the owner is to look into:
            an event, or an earlier deadline. The owner sets it back.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        timeouts: Timeouts,
        reorder: float,
        cname: bytes,
        new_ssrc: Callable[[], int],
        random: Callable[[], float],
        punch: bool = False,
    ) -> None:
        self.liveness = Liveness()
        receivers = self.receivers = dict[int, StreamReceiver]()
        self.punches = Punches(lambda index: receivers[index].snapshot().packets, on=punch)
        self._reports: dict[int, Reports] = {}
        self._cname = cname
        self._new_ssrc = new_ssrc
        self._random = random
        self.unknown_channel = 0
        self._limits = limits
        self._timeouts = timeouts
        self._reorder = reorder
        self._channels: dict[int, tuple[StreamReceiver, bool]] = {}
        self._farewells: dict[int, tuple[float, str]] = {}
        self._ended: set[int] = set()
        self._events: deque[Event] = deque()
        self._range_end: float | None = None
        self._carried: float | None = None  # the time that it goes on from
        self._ahead = 0.0  # seconds that time is ahead of the place in the presentation
        self.started_at: float | None = None
        self.stirred = False
        self._held = False

    def add(self, stream: Stream, channels: tuple[int, int] | None = None) -> StreamReceiver:
        """A stream was set up; over TCP, on these channels of RTP and RTCP."""
        receiver = self.receivers.get(stream.index)
        if receiver is None:
            receiver = StreamReceiver(
                stream, limits=self._limits, reorder=self._reorder, ssrc=stream.ssrc
            )
            self.receivers[stream.index] = receiver
            self._reports[stream.index] = Reports(
                ssrc=self._new_ssrc(),
                cname=self._cname,
                random=self._random,
                report_block=receiver.report_block,
            )
        if channels is None:
            ssrc = self._reports[stream.index].ssrc
            self.punches.add(stream, ssrc=ssrc, cname=self._cname)
        else:
            self.punches.remove(stream)
            for number in [n for n, (r, _) in self._channels.items() if r is receiver]:
                del self._channels[number]
            self._channels[channels[0]] = (receiver, False)
            self._channels[channels[1]] = (receiver, True)
        return receiver

    def moments(self) -> dict[Stream, Moment]:
        """Where each stream is that has played: what another connection carries on."""
        moments = {}
        for receiver in self.receivers.values():
            stats = receiver.snapshot()
            if stats.last_packet is not None:
                moments[receiver.stream] = Moment(stats.media_time, stats.last_packet)
        return moments

    def carry_on(self, moments: Mapping[Stream, Moment], changes: Iterable[Change]) -> None:
        """Go on where another connection has stopped; called before PLAY.

        Args:
            moments: Where its streams were.
            changes: Which of them are others now.
        """
        origins = {change.stream: change.before for change in changes}
        for receiver in self.receivers.values():
            stream = receiver.stream
            moment = moments.get(origins.get(stream) or stream)
            if moment is None:  # it did not play yet, or was not there: the others tell the time
                moment = max(moments.values(), key=lambda m: m.arrival, default=None)
            if moment is not None:
                receiver.carry_on(moment.media_time, moment.arrival)
                self._carried = moment.media_time

    def start(self, now: float, *, first_packet: float, keepalive_interval: float) -> None:
        """PLAY is being sent."""
        if self.started_at is None:
            self.started_at = now
        media = {receiver.stream.media.lower() for receiver in self.receivers.values()}
        continuous = bool(media & CONTINUOUS_MEDIA)
        silence = self._timeouts.media_silence
        if not continuous:
            silence = max(silence, 2 * keepalive_interval + self._timeouts.response)
        self.liveness.start(now, first_packet=first_packet, silence=silence, continuous=continuous)
        self._farewells.clear()
        self._ended.clear()
        for receiver in self.receivers.values():
            receiver.start(now)
        for reports in self._reports.values():
            reports.start(now)
        self.punches.start(now)

    def inform(self, played: Played, *, resumed: bool = False) -> None:
        """PLAY was answered.

        Args:
            played: What the response told.
            resumed: Whether it only went on after a pause: time goes on too, whatever range a
                live camera names.
        """
        start = played.range.start if played.range is not None else None
        end = played.range.end if played.range is not None else None
        npt = played.range is not None and played.range.unit == "npt"
        npt_start = start if npt and not resumed and isinstance(start, float | int) else None
        self._range_end = None
        if npt and isinstance(end, float | int):
            begin = start if isinstance(start, float | int) else 0.0
            self._range_end = end if end > begin else None  # live cameras say npt=0-0
        self._ahead = 0.0
        for index, receiver in self.receivers.items():
            entry = played.rtp_info.get(index)
            rtptime, number = (entry.rtptime, entry.sequence_number) if entry else (None, None)
            used = receiver.inform(rtptime=rtptime, sequence_number=number, npt_start=npt_start)
            if not used and npt_start is not None and self._carried is not None:
                self._ahead = self._carried - npt_start  # time does not go back for it

    @property
    def position(self) -> float | None:
        """Seconds into a presentation that has an end; None for a live one."""
        times = [receiver.snapshot().media_time for receiver in self.receivers.values()]
        return max(times, default=0.0) - self._ahead if self._range_end is not None else None

    @property
    def at_end(self) -> bool:
        """Whether all that the server announced was played, or nearly so."""
        position, end = self.position, self._range_end
        return position is not None and end is not None and position >= end - END_TOLERANCE

    def pause(self) -> None:
        """Media stops at our wish: silence is right, until ``start``."""
        self.liveness.stop()
        self._farewells.clear()
        for reports in self._reports.values():
            reports.stop()
        self.punches.stop()

    def leave(self, now: float) -> None:
        """We leave: the last reports, with BYE, are made."""
        self.liveness.stop()
        self.punches.stop()
        for index, reports in self._reports.items():
            if self.receivers[index].stream.ssrc is not None:
                reports.goodbye(now)

    # -- what arrives -------------------------------------------------------------------------

    def receive_frames(self, frames: Iterable[FrameRun]) -> list[RtpPacket]:
        """Take interleaved frames, in their order."""
        packets: list[RtpPacket] = []
        for run in frames:
            known = self._channels.get(run.channel)
            if known is None:
                self._drop(run)
                continue
            receiver, is_rtcp = known
            if is_rtcp:
                packets += self._receive_rtcp(receiver, run.datagrams)
            else:
                packets += self.receive_rtp(receiver.stream.index, run.datagrams)
        return packets

    def _drop(self, run: FrameRun) -> None:
        """Frames on a channel that was never set up: counted, and told the first time."""
        if not self.unknown_channel:
            now, meaning = run.datagrams.latest, QUIRKS["channel-unknown"]
            detail = f"channel {run.channel}"
            self._events.append(QuirkSeen(now, "channel-unknown", meaning, detail))
            self.stirred = True
        self.unknown_channel += len(run.datagrams)

    def receive_rtp(self, index: int, datagrams: Datagrams) -> list[RtpPacket]:
        """Take the datagrams of one stream's RTP port."""
        receiver = self.receivers[index]
        packets = receiver.receive_rtp_batch(datagrams)
        if packets:
            self.liveness.media(datagrams.latest)
            if self._farewells:
                self._take_back(index, packets[-1].arrival)
        elif not datagrams.lengths:  # dropped for want of memory
            self.liveness.media(datagrams.latest)
        else:
            self.liveness.control(datagrams.latest)
        if receiver.events:
            self._take_all_events(receiver)
        if receiver.deadline is not None:
            self.stirred = True
        return packets

    def receive_rtcp(self, index: int, datagrams: Datagrams) -> list[RtpPacket]:
        """Take the datagrams of one stream's RTCP port."""
        return self._receive_rtcp(self.receivers[index], datagrams)

    def _receive_rtcp(self, receiver: StreamReceiver, datagrams: Datagrams) -> list[RtpPacket]:
        packets: list[RtpPacket] = []
        now = datagrams.latest
        for view in datagrams:
            packets += self._take_events(receiver, receiver.receive_rtcp(view, now))
        if packets:
            self.liveness.media(now)
        else:
            self.liveness.control(now)
        self.stirred = True
        return packets

    def _take_all_events(self, receiver: StreamReceiver) -> None:
        """What the receiver found beside the media."""
        events = list(receiver.events)
        receiver.events.clear()
        self._take_events(receiver, events)
        self.stirred = True

    def _take_events(
        self, receiver: StreamReceiver, events: Iterable[ReceiverEvent]
    ) -> list[RtpPacket]:
        """What a receiver tells besides its packets; RTP found among RTCP is given back."""
        packets: list[RtpPacket] = []
        for event in events:
            if isinstance(event, PacketsReceived):
                packets += event.packets
                self._take_back(receiver.stream.index, math.inf)
            elif isinstance(event, ByeReceived):
                reason = bytes(event.reason or b"").decode("utf-8", "replace")
                until = event.now + self._timeouts.bye_grace
                self._farewells.setdefault(receiver.stream.index, (until, reason))
            elif isinstance(event, SourceChanged):
                self._events.append(event)
        return packets

    def _take_back(self, index: int, arrival: float) -> None:
        """Media has come: a farewell before it was none."""
        farewell = self._farewells.get(index)
        if farewell is not None and arrival >= farewell[0] - self._timeouts.bye_grace:
            del self._farewells[index]

    def hold(self, held: bool, now: float) -> None:
        """No media is read, at our own wish, or it is again; the time between is no silence."""
        self.liveness.hold(held, now)
        self._held = held
        if not held:
            until = now + self._timeouts.bye_grace
            for index, (_, reason) in self._farewells.items():
                self._farewells[index] = (until, reason)

    # -- what follows -------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether every stream has ended."""
        return bool(self.receivers) and len(self._ended) == len(self.receivers)

    def ended(self, stream: Stream) -> bool:
        """Whether this stream has ended."""
        return stream.index in self._ended

    @property
    def deadline(self) -> float | None:
        """When ``handle_deadline`` is to be called."""
        times = [] if self._held else [until for until, _ in self._farewells.values()]
        times += [t for r in self.receivers.values() if (t := r.deadline) is not None]
        times += [t for t in (self.liveness.deadline, self.punches.deadline) if t is not None]
        times += [t for r in self._reports.values() if (t := r.deadline) is not None]
        return min(times, default=None)

    def handle_deadline(self, now: float) -> list[RtpPacket]:
        """Do what is due; packets that have waited long enough are given.

        Raises:
            RtspError: Silence has lasted too long.
        """
        packets: list[RtpPacket] = []
        for receiver in self.receivers.values():
            if receiver.deadline is not None and receiver.deadline <= now:
                packets += receiver.handle_deadline(now)
        for index, (until, reason) in list(self._farewells.items()):
            if until <= now and not self._held:
                del self._farewells[index]
                self._end(index, reason or "BYE", now)
        if any(r.deadline is not None and r.deadline <= now for r in self._reports.values()):
            for reports in self._reports.values():
                reports.handle_deadline(now, early=REPORTS_TOGETHER)
        self.punches.handle_deadline(now)
        if self.finished:
            self.liveness.stop()
            return packets
        error = self.liveness.handle_deadline(now)
        if error is not None:
            self._end_or_raise(error, now)
        return packets

    def _end_or_raise(self, error: RtspError, now: float) -> None:
        """Silence is in order at the end of the announced range."""
        if not self.at_end or not self.liveness.seen_media:
            raise error
        for index in self.receivers:
            self._end(index, "the presentation is over", now)

    def _end(self, index: int, reason: str, now: float) -> None:
        if index not in self._ended:
            self._ended.add(index)
            self._events.append(StreamEnded(now, self.receivers[index].stream, reason))

    def data_to_send(self) -> list[tuple[Stream, bytes]]:
        """RTCP packets that are to be sent, each with its stream."""
        return [
            (self.receivers[index].stream, data)
            for index, reports in self._reports.items()
            for data in reports.data_to_send()
        ]

    def flush(self) -> list[RtpPacket]:
        """The session is over: what still waits for an earlier packet."""
        packets: list[RtpPacket] = []
        for receiver in self.receivers.values():
            packets += receiver.flush()
        return packets

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

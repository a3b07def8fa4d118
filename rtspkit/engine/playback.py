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

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from rtspkit.engine.events import Event, QuirkSeen, SourceChanged, StreamEnded
from rtspkit.engine.handshake import Played
from rtspkit.engine.liveness import Liveness
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
from rtspkit.wire.message import InterleavedFrame
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["CONTINUOUS_MEDIA", "Playback"]

CONTINUOUS_MEDIA = frozenset({"audio", "video"})
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

    Attributes:
        liveness: The watch over silence.
        receivers: One for each stream, by its index.
        started_at: When PLAY was first sent; None before.
        unknown_channel: Interleaved frames on channels that nobody set up.
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
    ) -> None:
        self.liveness = Liveness()
        self.receivers: dict[int, StreamReceiver] = {}
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
        self.started_at: float | None = None

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
        if channels is not None:
            for number in [n for n, (r, _) in self._channels.items() if r is receiver]:
                del self._channels[number]
            self._channels[channels[0]] = (receiver, False)
            self._channels[channels[1]] = (receiver, True)
        return receiver

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
        for index, receiver in self.receivers.items():
            entry = played.rtp_info.get(index)
            receiver.inform(
                rtptime=entry.rtptime if entry else None,
                sequence_number=entry.sequence_number if entry else None,
                npt_start=npt_start,
            )

    @property
    def position(self) -> float | None:
        """Seconds into a presentation that has an end; None for a live one."""
        times = [receiver.snapshot().media_time for receiver in self.receivers.values()]
        return max(times, default=None) if self._range_end is not None else None

    def pause(self) -> None:
        """Media stops at our wish: silence is right, until ``start``."""
        self.liveness.stop()
        self._farewells.clear()
        for reports in self._reports.values():
            reports.stop()

    def leave(self, now: float) -> None:
        """We leave: the last reports, with BYE, are made."""
        self.liveness.stop()
        for index, reports in self._reports.items():
            if self.receivers[index].stream.ssrc is not None:
                reports.goodbye(now)

    # -- what arrives -------------------------------------------------------------------------

    def receive_frames(self, frames: Sequence[InterleavedFrame], now: float) -> list[RtpPacket]:
        """Take interleaved frames, in their order."""
        packets: list[RtpPacket] = []
        for frame in frames:
            known = self._channels.get(frame.channel)
            if known is None:
                self._drop(frame.channel, now)
                continue
            receiver, is_rtcp = known
            if is_rtcp:
                packets += self._take_events(receiver, receiver.receive_rtcp(frame.payload, now))
            else:
                received = receiver.receive_rtp(frame.payload, now)
                if received and self._farewells:
                    self._farewells.pop(receiver.stream.index, None)
                packets += received
        self._received(packets, now)
        return packets

    def _drop(self, channel: int, now: float) -> None:
        """A frame on a channel that was never set up: counted, and told the first time."""
        if not self.unknown_channel:
            meaning = QUIRKS["channel-unknown"]
            self._events.append(QuirkSeen(now, "channel-unknown", meaning, f"channel {channel}"))
        self.unknown_channel += 1

    def receive_rtp(self, index: int, views: Iterable[memoryview], now: float) -> list[RtpPacket]:
        """Take the datagrams of one stream's RTP port."""
        packets = self.receivers[index].receive_rtp_batch(views, now)
        if packets and self._farewells:
            self._farewells.pop(index, None)
        self._received(packets, now)
        return packets

    def receive_rtcp(self, index: int, views: Iterable[memoryview], now: float) -> list[RtpPacket]:
        """Take the datagrams of one stream's RTCP port."""
        receiver = self.receivers[index]
        packets: list[RtpPacket] = []
        for view in views:
            packets += self._take_events(receiver, receiver.receive_rtcp(view, now))
        self._received(packets, now)
        return packets

    def _received(self, packets: list[RtpPacket], now: float) -> None:
        """Something came: a sign of life, and what the receivers found beside the media."""
        if packets:
            self.liveness.media(now)
        else:
            self.liveness.control(now)
        for receiver in self.receivers.values():
            if receiver.events:
                events = list(receiver.events)
                receiver.events.clear()
                self._take_events(receiver, events)

    def _take_events(
        self, receiver: StreamReceiver, events: Iterable[ReceiverEvent]
    ) -> list[RtpPacket]:
        """What a receiver tells besides its packets; RTP found among RTCP is given back."""
        packets: list[RtpPacket] = []
        for event in events:
            if isinstance(event, PacketsReceived):
                packets += event.packets
                self._farewells.pop(receiver.stream.index, None)
            elif isinstance(event, ByeReceived):
                reason = bytes(event.reason or b"").decode("utf-8", "replace")
                until = event.now + self._timeouts.bye_grace
                self._farewells.setdefault(receiver.stream.index, (until, reason))
            elif isinstance(event, SourceChanged):
                self._events.append(event)
        return packets

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
        times = [until for until, _ in self._farewells.values()]
        times += [t for r in self.receivers.values() if (t := r.deadline) is not None]
        if self.liveness.deadline is not None:
            times.append(self.liveness.deadline)
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
            if until <= now:
                del self._farewells[index]
                self._end(index, reason or "BYE", now)
        for reports in self._reports.values():
            reports.handle_deadline(now)
        if self.finished:
            self.liveness.stop()
            return packets
        error = self.liveness.handle_deadline(now)
        if error is not None:
            self._end_or_raise(error, now)
        return packets

    def _end_or_raise(self, error: RtspError, now: float) -> None:
        """Silence is in order at the end of the announced range."""
        end = self._range_end
        times = [receiver.snapshot().media_time for receiver in self.receivers.values()]
        early = end is None or not times or max(times) < end - END_TOLERANCE
        if early or not self.liveness.seen_media:
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

"""What a session delivers, measured where a user would: at the iterators' doors.

Layer:  cli
In:     a session that plays
Out:    Reading: the numbers at one moment, for tables and for JSON

Facts the code leans on
- Times to the first packet and keyframe count from the call of ``connect()``: resolving,
  connecting, requests and fallbacks are in them. They end when the packet arrived, not when it
  was read.
- Both iterators are woken in one turn of the loop; one turn after the last packet the access
  units have caught up.
- uvloop rounds its timers to milliseconds, and so may end a wait a little early.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from rtspkit.cli.figures import one_line
from rtspkit.client.access_units import AccessUnitIterator
from rtspkit.client.session import Session
from rtspkit.engine.statistics import StreamStats
from rtspkit.errors import RtspError, UnsupportedPayload
from rtspkit.net.clock import monotonic_clock

__all__ = ["Meter", "Reading", "StreamReading"]

WINDOW = 2.0  # seconds that the rates of a live reading look back
SHORTEST = 0.1  # seconds; a rate over less says nothing
TIMER_STEP = 0.001  # seconds that a timer may be early


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReading:
    """One stream. Times in seconds; what cannot be told is None.

    Attributes:
        index: Place in the description.
        media: As the SDP spells it.
        encoding_name: Empty when unknown.
        packets: RTP packets received, in order.
        bytes: Of these, headers included.
        lost: Packets that never came.
        duplicates: Packets that came again.
        late: Packets that came when their place had been given up.
        malformed: Datagrams that were no RTP or RTCP.
        jitter: Interarrival jitter (RFC 3550 §6.4.1).
        access_units: Whole units for a decoder; 0 for encodings without a depacketizer.
        keyframes: Of video; 0 for other media.
        packet_rate: Packets per second.
        bitrate: Bits per second.
        frame_rate: Of video, access units per second.
        time_to_first_packet: From the call of ``connect()``.
        time_to_first_keyframe: From the call of ``connect()``; of video only.
    """

    index: int = 0
    media: str = ""
    encoding_name: str = ""
    packets: int = 0
    bytes: int = 0
    lost: int = 0
    duplicates: int = 0
    late: int = 0
    malformed: int = 0
    jitter: float = 0.0
    access_units: int = 0
    keyframes: int = 0
    packet_rate: float | None = None
    bitrate: float | None = None
    frame_rate: float | None = None
    time_to_first_packet: float | None = None
    time_to_first_keyframe: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One session at one moment; what is not of ``streams`` is their sum, or as told here.

    Attributes:
        transport: ``"udp"`` or ``"tcp"``.
        seconds: From when ``connect()`` was done to this moment.
        consumer_dropped: Packets that this program was too slow for.
        kernel_dropped: Packets, of those lost, that found the kernel's queue full.
        receiver: How the bytes come in, as in ``SessionStats``.
        reconnects: Times that the session was lost and came back.
        outage: Seconds that this took in all.
        attempts: To connect, by the strategy they were made by.
        strategy: Of the last one.
        last_error: What was in the way last, in words; None when nothing was.
        streams: One each.
    """

    transport: str
    seconds: float
    consumer_dropped: int = 0
    kernel_dropped: int = 0
    receiver: str = ""
    reconnects: int = 0
    outage: float = 0.0
    attempts: Mapping[str, int] = field(default_factory=dict)
    strategy: str = ""
    last_error: str | None = None
    streams: tuple[StreamReading, ...] = ()

    def total(self, name: str) -> int:
        """The sum of a count over all streams."""
        return sum(getattr(stream, name) for stream in self.streams)

    def earliest(self, name: str) -> float | None:
        """The least of a time over all streams; None where none has it."""
        times = [getattr(stream, name) for stream in self.streams]
        return min((time for time in times if time is not None), default=None)

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints; ``jitter`` is that of the worst stream."""
        rates = [stream.bitrate for stream in self.streams if stream.bitrate is not None]
        return {
            "transport": self.transport,
            "seconds": round(self.seconds, 6),
            **{name: self.total(name) for name in ("packets", "bytes", "lost", "duplicates")},
            **{name: self.total(name) for name in ("late", "malformed")},
            "consumer_dropped": self.consumer_dropped,
            "kernel_dropped": self.kernel_dropped,
            "receiver": self.receiver,
            "reconnects": self.reconnects,
            "outage": round(self.outage, 6),
            "attempts": dict(self.attempts),
            "strategy": self.strategy,
            "last_error": self.last_error,
            "jitter": max((stream.jitter for stream in self.streams), default=0.0),
            "bitrate": sum(rates) if rates else None,
            "access_units": self.total("access_units"),
            "keyframes": self.total("keyframes"),
            "time_to_first_packet": self.earliest("time_to_first_packet"),
            "time_to_first_keyframe": self.earliest("time_to_first_keyframe"),
            "streams": [asdict(stream) for stream in self.streams],
        }


@dataclass(slots=True)
class _Seen:
    """What came through the doors of one stream; times in monotonic seconds."""

    first_packet: float | None = None
    first_unit: float = 0.0
    last_unit: float = 0.0
    first_keyframe: float | None = None
    units: int = 0
    keyframes: int = 0


@dataclass(slots=True)
class _Mark:
    """Counts at an earlier moment, by the stream's index: packets, bytes, units."""

    at: float
    counts: dict[int, tuple[int, int, int]] = field(default_factory=dict)


class Meter:
    """Reads a session and keeps the book.

    Args:
        session: Just connected.
        began: When ``connect()`` was called, in monotonic seconds.
    """

    def __init__(self, session: Session, began: float) -> None:
        self._session = session
        self._now = monotonic_clock(asyncio.get_running_loop())
        self._began = began
        self._connected = self._now()
        self._seen: defaultdict[int, _Seen] = defaultdict(_Seen)  # streams may come later, too
        self._marks: deque[_Mark] = deque()
        self._batches = session.batches()
        self._units: AccessUnitIterator | None
        try:
            self._units = session.access_units()
        except UnsupportedPayload:
            self._units = None

    async def watch(self, *, seconds: float | None = None, packets: int | None = None) -> None:
        """Read until the stream ends, or a bound is met.

        Args:
            seconds: At most so long.
            packets: At most until so many packets are there; a few more may have come with them.

        Raises:
            RtspError: The session ended out of order.
        """
        units = asyncio.create_task(self._watch_units())
        bound = asyncio.timeout(None if seconds is None else seconds + TIMER_STEP)
        try:
            async with bound:
                if await self._watch_packets(packets):
                    await units
        except TimeoutError as error:
            if isinstance(error, RtspError) or not bound.expired():
                raise
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                units.cancel()
                await asyncio.wait([units])

    async def _watch_packets(self, bound: int | None) -> bool:
        """Whether the stream has ended, and not the bound was met."""
        count = 0
        async for packets in self._batches:
            for packet in packets:
                assert packet.stream is not None
                seen = self._seen[packet.stream.index]
                if seen.first_packet is None:
                    seen.first_packet = packet.arrival
            count += len(packets)
            if bound is not None and count >= bound:
                return False
        return True

    async def _watch_units(self) -> None:
        if self._units is None:
            return
        try:
            async for unit in self._units:
                assert unit.stream is not None
                seen = self._seen[unit.stream.index]
                seen.units += 1
                seen.last_unit = unit.arrival
                if seen.units == 1:
                    seen.first_unit = unit.arrival
                if unit.keyframe and unit.stream.media == "video":
                    seen.keyframes += 1
                    if seen.first_keyframe is None:
                        seen.first_keyframe = unit.arrival
        except RtspError:
            return  # the packets' iterator raises it too

    def reading(self, *, live: bool = False) -> Reading:
        """The numbers up to now.

        Args:
            live: Whether rates are those of the last two seconds, or of the whole time from the
                first packet to the last one.
        """
        now = self._now()
        stats = self._session.stats()
        mark = self._mark(now, stats.streams) if live else None
        return Reading(
            transport=stats.transport or "",
            seconds=now - self._connected,
            consumer_dropped=stats.consumer_dropped,
            kernel_dropped=stats.kernel_dropped,
            receiver=stats.receiver,
            reconnects=stats.reconnects,
            outage=stats.outage,
            attempts=stats.attempts,
            strategy=stats.strategy,
            last_error=None if stats.last_error is None else one_line(str(stats.last_error)),
            streams=tuple(self._stream(one, now, mark) for one in stats.streams),
        )

    def _mark(self, now: float, streams: tuple[StreamStats, ...]) -> _Mark:
        """Remember the counts of now; give those of two seconds ago, or the oldest there are."""
        counts = {one.index: (one.packets, one.bytes, self._units_of(one)) for one in streams}
        self._marks.append(_Mark(now, counts))
        while len(self._marks) > 1 and self._marks[1].at <= now - WINDOW:
            self._marks.popleft()
        return self._marks[0]

    def _units_of(self, stats: StreamStats) -> int:
        return self._seen[stats.index].units

    def _stream(self, stats: StreamStats, now: float, mark: _Mark | None) -> StreamReading:
        seen = self._seen[stats.index]
        rates = self._recent(stats, now, mark) if mark is not None else None
        packet_rate, bitrate, frame_rate = rates or self._average(stats)
        return StreamReading(
            index=stats.index,
            media=stats.media,
            encoding_name=stats.encoding_name,
            packets=stats.packets,
            bytes=stats.bytes,
            lost=stats.lost,
            duplicates=stats.duplicates,
            late=stats.late,
            malformed=stats.malformed,
            jitter=stats.jitter,
            access_units=seen.units,
            keyframes=seen.keyframes,
            packet_rate=packet_rate,
            bitrate=bitrate,
            frame_rate=frame_rate if stats.media == "video" else None,
            time_to_first_packet=self._since_began(seen.first_packet),
            time_to_first_keyframe=self._since_began(seen.first_keyframe),
        )

    def _since_began(self, at: float | None) -> float | None:
        return None if at is None else max(at - self._began, 0.0)

    def _average(self, stats: StreamStats) -> tuple[float | None, float | None, float | None]:
        """Packets, bits and units a second: intervals between them, not the fence's posts."""
        seen = self._seen[stats.index]
        if seen.first_packet is None or stats.last_packet is None:
            return None, None, None
        seconds = stats.last_packet - seen.first_packet
        if seconds < SHORTEST:
            return None, None, None
        frame_seconds = seen.last_unit - seen.first_unit
        frames = (seen.units - 1) / frame_seconds if frame_seconds >= SHORTEST else None
        return (stats.packets - 1) / seconds, 8 * stats.bytes / seconds, frames

    def _recent(
        self, stats: StreamStats, now: float, mark: _Mark
    ) -> tuple[float, float, float] | None:
        """The same since ``mark``; None when that is too short a time, or before the first."""
        packets, size, units = mark.counts.get(stats.index, (0, 0, 0))
        seconds = now - mark.at
        if seconds < WINDOW / 2 or not packets:
            return None
        return (
            (stats.packets - packets) / seconds,
            8 * (stats.bytes - size) / seconds,
            (self._units_of(stats) - units) / seconds,
        )

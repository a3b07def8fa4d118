"""Packets of ours that open the way in through a NAT, and keep it open while media flow.

Layer:  engine (state, but no clock and no I/O: ``now`` and our sources come in)
In:     streams over UDP; start(now) with PLAY, and again when it was answered
Out:    deadline, handle_deadline(now), data_to_send(): RTP and RTCP for the server's ports
Source: RFC 6263 §4.6 (unknown payload type), §7 (15 s); RFC 3550 §5.1, §6.1

Facts the code leans on
- One packet opens a NAT, if it gets there: the first goes out before PLAY, two more follow as long
  as a stream is silent. A server that answers to where packets come from (symmetric RTP) learns
  our port from them, too.
- What comes in need not keep a mapping, what goes out does (RFC 4787 §4.3). RTCP has its reports.
- RTP without payload, of a type that nobody has agreed on, is for every receiver to ignore.

Where we leave the RFC
- Who has sent RTP owes sender reports (RFC 3550 §6.4): these packets carry no media, and what we
  send remain receiver reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtspkit.wire.rtcp import CNAME, ReceiverReport, SdesChunk, SourceDescription, serialize_rtcp
from rtspkit.wire.rtp import serialize_rtp
from rtspkit.wire.stream import Stream

__all__ = ["Punches"]

ROUNDS = 3  # to open the way
SPACING = 0.25  # seconds between two of them
INTERVAL = 15.0  # seconds between two packets that keep it open, RFC 6263 §7
LAST_DYNAMIC = 127  # of the payload types, RFC 3551 §6


@dataclass(slots=True)
class _Source:
    """Where packets to one stream's ports come from."""

    stream: Stream
    ssrc: int
    cname: bytes
    sequence_number: int
    before: int = 0  # packets received when the way was to be opened


class Punches:
    """Those of one connection.

    Args:
        received: Gives how many packets the stream with this index has received.
        on: Whether any are sent.

    Attributes:
        sent: Rounds since ``start``, to open the way; at most three.
    """

    def __init__(self, received: Callable[[int], int], *, on: bool = True) -> None:
        self._received = received
        self._on = on
        self._sources: dict[int, _Source] = {}
        self._data: list[tuple[Stream, bytes, bytes]] = []
        self._deadline: float | None = None
        self.sent = 0

    def add(self, stream: Stream, *, ssrc: int, cname: bytes) -> None:
        """A stream was set up over UDP, perhaps with other ports than before.

        Args:
            stream: The stream.
            ssrc: Our source in the reports about it.
            cname: Our name in them.
        """
        if not self._on:
            return
        self._deadline = None  # the next ``start`` opens the way anew
        if stream.index not in self._sources:
            self._sources[stream.index] = _Source(stream, ssrc, cname, ssrc & 0xFFFF)

    def remove(self, stream: Stream) -> None:
        """The stream does not come over UDP."""
        self._sources.pop(stream.index, None)

    def start(self, now: float) -> None:
        """PLAY is being sent, and a first round with it; or it was answered."""
        if not self._sources:
            return
        if self._deadline is None:
            self.sent = 0
            for source in self._sources.values():
                source.before = self._received(source.stream.index)
            self._open(now)
        elif self.sent < ROUNDS:
            self._deadline = now + SPACING

    def stop(self) -> None:
        """Nothing is to come any more, until the next ``start``."""
        self._deadline = None
        self._data.clear()

    @property
    def deadline(self) -> float | None:
        """When ``handle_deadline`` is to be called, in monotonic seconds."""
        return self._deadline

    def handle_deadline(self, now: float) -> None:
        """Make the packets that are due."""
        if self._deadline is None or now < self._deadline:
            return
        if self.sent < ROUNDS and any(map(self._is_silent, self._sources.values())):
            self._open(now)
            return
        if self.sent < ROUNDS:  # everything came
            self.sent = ROUNDS
        else:
            self._make(list(self._sources.values()))
        self._deadline = now + INTERVAL

    def data_to_send(self) -> list[tuple[Stream, bytes, bytes]]:
        """Take what is to be sent: for each stream, an RTP and an RTCP packet."""
        data, self._data = self._data, []
        return data

    def _is_silent(self, source: _Source) -> bool:
        return self._received(source.stream.index) <= source.before

    def _open(self, now: float) -> None:
        """One round for the streams that are silent."""
        self._make([source for source in self._sources.values() if self._is_silent(source)])
        self.sent += 1
        self._deadline = now + (SPACING if self.sent < ROUNDS else INTERVAL)

    def _make(self, sources: list[_Source]) -> None:
        for source in sources:
            rtp = serialize_rtp(
                b"",
                payload_type=LAST_DYNAMIC - (source.stream.payload_type == LAST_DYNAMIC),
                sequence_number=source.sequence_number,
                timestamp=0,
                ssrc=source.ssrc,
            )
            source.sequence_number = (source.sequence_number + 1) & 0xFFFF
            rtcp = serialize_rtcp(
                [
                    ReceiverReport(source.ssrc, []),
                    SourceDescription([SdesChunk(source.ssrc, [(CNAME, source.cname)])]),
                ]
            )
            self._data.append((source.stream, rtp, rtcp))

"""One track of one session on its way out: numbering, timestamps, sender reports.

Layer:  testing (no clock: the session says when)
In:     the units of a track, from the place where a PLAY begins
Out:    RTP packets, SR with SDES, BYE
Source: RFC 3550 §5.1, §6.4.1, §6.5, §6.6; RFC 2326 appendix B (numbers go on over PLAYs)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtspkit.payload.registry import packetizer
from rtspkit.testing.outlet import Outlet
from rtspkit.testing.presentation import Track
from rtspkit.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
    serialize_rtcp,
)
from rtspkit.wire.rtp import HEADER_SIZE

__all__ = ["TrackSender"]

CNAME = 1  # RFC 3550 §6.5.1
WRAP_32 = 0xFFFFFFFF


class TrackSender:
    """Packets of one track for one session.

    Args:
        track: What is sent.
        index: Its place in the presentation.
        outlet: Where it goes.
        ssrc: Its source.
        sequence_number: Of the first packet.
        timestamp: RTP time of the first PLAY's start.
        max_packet_size: Bytes of one RTP packet.

    Attributes:
        made: Packets made so far.
        packets: Packets sent so far.
        octets: Payload bytes sent so far.
        url: Its control URL as the client asked for it.
    """

    def __init__(
        self,
        track: Track,
        index: int,
        outlet: Outlet,
        *,
        ssrc: int,
        sequence_number: int,
        timestamp: int,
        max_packet_size: int,
    ) -> None:
        self.track = track
        self.index = index
        self.outlet = outlet
        self.ssrc = ssrc
        self.made = 0
        self.packets = 0
        self.octets = 0
        self.url = ""
        self._packetizer = packetizer(
            track.encoding_name,
            payload_type=track.payload_type,
            ssrc=ssrc,
            sequence_number=sequence_number,
            max_packet_size=max_packet_size,
            **track.packetizer_options,
        )
        self._rtptime = timestamp  # of the segment's start
        self._start = 0.0  # npt of the segment's start
        self._scale = 1.0
        self._next = 0
        self._begun = False

    @property
    def sequence_number(self) -> int:
        """Of the next packet."""
        return self._packetizer.sequence_number

    @property
    def next_npt(self) -> float:
        """When the next unit is played, in seconds of the presentation."""
        return self.track.ticks(self._next) / self.track.clock_rate

    def timestamp(self, npt: float) -> int:
        """RTP time of a moment of the presentation, in the segment that plays."""
        elapsed = (npt - self._start) / self._scale
        return (self._rtptime + round(elapsed * self.track.clock_rate)) & WRAP_32

    def begin(self, npt: float, *, stopped: float, scale: float, seek: bool) -> None:
        """Begin a segment at ``npt``; RTP time goes on from where the last one stopped.

        Args:
            npt: Where it begins.
            stopped: Where the last segment stopped.
            scale: How much faster the presentation passes than the RTP clock.
            seek: Whether the next unit is looked for, or the one after the last is taken.
        """
        self._rtptime = self.timestamp(stopped)
        self._start, self._scale = npt, scale
        if seek or not self._begun:
            self._next = self.track.first_at(npt)
            self._begun = True

    def skip(self) -> None:
        """Leave out the next unit: no number is used."""
        self._next += 1

    def packetize(self, limit: int | None = None) -> list[bytes]:
        """The packets of the next unit, at most ``limit`` in all with those made before."""
        unit, timestamp = self.track.unit(self._next), self.timestamp(self.next_npt)
        self._next += 1
        packets = self._packetizer.push(unit.data, timestamp)
        if limit is not None:
            packets = packets[: max(limit - self.made, 0)]
        self.made += len(packets)
        return packets

    def send(self, packet: bytes) -> bool:
        """Send one RTP packet; False when it could not be."""
        if not self.outlet.send(packet):
            return False
        self.packets += 1
        self.octets += max(len(packet) - HEADER_SIZE, 0)
        return True

    def send_many(self, packets: Sequence[bytes]) -> int:
        """Send RTP packets together; how many could be, from the front."""
        taken = self.outlet.send_many(packets)
        self.packets += taken
        self.octets += sum(max(len(packet) - HEADER_SIZE, 0) for packet in packets[:taken])
        return taken

    def report(
        self, ntp: int, npt: float, edit: Callable[[int, SenderReport], SenderReport | None]
    ) -> bool:
        """Send a sender report that maps ``ntp`` to the RTP time of ``npt``.

        Args:
            ntp: Wall-clock time, 64-bit NTP.
            npt: The moment of the presentation.
            edit: May change the report, or return None for none.
        """
        made = SenderReport(
            self.ssrc, ntp, self.timestamp(npt), self.packets & WRAP_32, self.octets & WRAP_32
        )
        report = edit(self.index, made)
        if report is None:
            return False
        return self.outlet.send(serialize_rtcp([report, self._description()]), rtcp=True)

    def goodbye(self) -> bool:
        """Send a BYE, in a compound packet as the RFC wants it."""
        packets: list[RtcpPacket] = [
            ReceiverReport(self.ssrc),
            self._description(),
            Goodbye([self.ssrc]),
        ]
        return self.outlet.send(serialize_rtcp(packets), rtcp=True)

    def _description(self) -> SourceDescription:
        return SourceDescription([SdesChunk(self.ssrc, [(CNAME, b"rtspkit-camera")])])

"""What every payload format has in common: access units out of RTP payloads, and back.

Layer:  payload (state of one stream; no clock and no I/O)
In:     push(packet) or push_many(packets), in the order of sequence numbers
Out:    AccessUnit; RTP packets from a packetizer
Rules:  a payload that breaks its RFC costs its access unit, is counted, and the next start is
        taken up again; nothing is ever raised for what the network sent; a packet that comes
        late or twice is left out
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rtspkit.options import Limits
from rtspkit.wire.rtp import HEADER_SIZE, RtpPacket, serialize_rtp
from rtspkit.wire.serial import difference_16

if TYPE_CHECKING:
    from rtspkit.wire.stream import Stream

__all__ = ["AccessUnit", "Depacketizer", "DepacketizerCounters", "Packetizer"]

DEFAULT_MAX_PACKET_SIZE = 1400  # bytes of one RTP packet: 1500 less IP, UDP and a tunnel or two


@dataclass(slots=True)
class AccessUnit:
    """What a decoder takes at once: one picture, or the audio of one timestamp.

    Attributes:
        data: Bytes that the unit owns. H.264 and H.265: an Annex B byte stream; a keyframe always
            begins with the parameter sets in force. AAC: one raw frame. PCM: samples as sent.
        timestamp: RTP ticks, 32 bits, as sent.
        stream: The stream it belongs to; None outside of a session.
        media_time: Seconds on the session's timeline.
        wall_time: Unix seconds, or None while nobody has told.
        wall_source: Where ``wall_time`` comes from.
        arrival: Monotonic seconds when its last packet was received.
        keyframe: Whether decoding can begin here. Audio: always.
        complete: Whether every byte the sender put in is there.
        lost: Packets missing in it, or just before it.
        discontinuity: Whether the stream began anew here.
        parameter_sets_changed: Whether the parameter sets differ from those of the unit before.
    """

    data: bytes
    timestamp: int
    stream: Stream | None = None
    media_time: float = 0.0
    wall_time: float | None = None
    wall_source: str | None = None
    arrival: float = 0.0
    keyframe: bool = True
    complete: bool = True
    lost: int = 0
    discontinuity: bool = False
    parameter_sets_changed: bool = False

    def __repr__(self) -> str:
        name = self.stream.encoding_name if self.stream is not None else None
        return (
            f"AccessUnit(stream={name!r}, timestamp={self.timestamp}, "
            f"media_time={self.media_time:.6f}, keyframe={self.keyframe}, "
            f"complete={self.complete}, lost={self.lost}, data={len(self.data)} bytes)"
        )


@dataclass(slots=True)
class DepacketizerCounters:
    """What did not become an access unit, and why.

    Attributes:
        malformed: Payloads that broke their RFC.
        dropped_units: Access units given up: broken, or past a limit.
        incomplete_units: Access units delivered with a part missing.
    """

    malformed: int = 0
    dropped_units: int = 0
    incomplete_units: int = 0


class Depacketizer(ABC):
    """Access units out of the RTP payloads of one stream.

    Args:
        clock_rate: Ticks per second.
        fmtp: Format parameters of the SDP, names in lower case; may be wrong or empty.
        channels: Audio channels, or None.
        limits: Bounds on what is kept.
    """

    encoding_name: ClassVar[str] = ""

    def __init__(
        self,
        clock_rate: int,
        fmtp: Mapping[str, str],
        channels: int | None,
        limits: Limits,
    ) -> None:
        self.clock_rate = clock_rate
        self.fmtp = fmtp
        self.channels = channels
        self.limits = limits
        self.counters = DepacketizerCounters()
        self._expected: int | None = None

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """What a decoder needs before the first unit; in band wins over the SDP."""
        return ()

    @property
    def deviations(self) -> tuple[str, ...]:
        """What was put up with so far, each kind once."""
        return ()

    @abstractmethod
    def push(self, packet: RtpPacket) -> list[AccessUnit]:
        """Take one packet; give the units it completes, mostly none or one."""

    def push_many(self, packets: Sequence[RtpPacket]) -> list[AccessUnit]:
        """Take packets, in order; give the units they complete: the same as ``push`` of each."""
        units: list[AccessUnit] = []
        for packet in packets:
            units += self.push(packet)
        return units

    @abstractmethod
    def flush(self) -> list[AccessUnit]:
        """The stream has ended or begins anew: give what is still waiting."""

    def _seconds(self, ticks: int) -> float:
        """How long that is; 0 when the SDP has a clock rate that cannot be."""
        return ticks / self.clock_rate if self.clock_rate > 0 else 0.0

    def _is_behind(self, packet: RtpPacket) -> bool:
        """Whether it comes late, or has the number of one that was pushed: it is left out."""
        if self._expected is None or packet.discontinuity:
            return False
        ahead = difference_16(packet.sequence_number, self._expected)
        return -self.limits.reorder_packets <= ahead < 0

    def _missing_before(self, packet: RtpPacket) -> int:
        """How many packets are missing between the last one pushed and this one.

        A packet that lies behind the last one has nothing missing before it. A late one leaves
        the next number expected as it is; one further behind begins anew.
        """
        sequence_number = packet.sequence_number
        expected = self._expected
        following = (sequence_number + 1) & 0xFFFF
        if expected is None or packet.discontinuity:
            self._expected = following
            return packet.lost
        missing = difference_16(sequence_number, expected)
        if not -self.limits.reorder_packets <= missing < 0:
            self._expected = following
        return max(missing, 0)


class Packetizer(ABC):
    """RTP packets out of access units, by the RFC of one payload format.

    Args:
        payload_type: 0 to 127.
        ssrc: Of all its packets.
        sequence_number: Of the first packet.
        max_packet_size: Bytes of one RTP packet, its 12 of header included.
    """

    encoding_name: ClassVar[str] = ""

    def __init__(
        self,
        *,
        payload_type: int,
        ssrc: int,
        sequence_number: int = 0,
        max_packet_size: int = DEFAULT_MAX_PACKET_SIZE,
    ) -> None:
        if max_packet_size < HEADER_SIZE + 16:
            raise ValueError(f"max_packet_size must be at least {HEADER_SIZE + 16}")
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.sequence_number = sequence_number & 0xFFFF
        self.max_payload_size = max_packet_size - HEADER_SIZE

    def push(self, data: bytes, timestamp: int) -> list[bytes]:
        """Cut one access unit into RTP packets.

        Args:
            data: As in ``AccessUnit.data``.
            timestamp: Ticks of the unit; taken modulo 2**32.
        """
        packets = []
        for payload, offset_ticks, marker in self.payloads(data):
            packets.append(
                serialize_rtp(
                    payload,
                    payload_type=self.payload_type,
                    sequence_number=self.sequence_number,
                    timestamp=(timestamp + offset_ticks) & 0xFFFFFFFF,
                    ssrc=self.ssrc,
                    marker=marker,
                )
            )
            self.sequence_number = (self.sequence_number + 1) & 0xFFFF
        return packets

    @abstractmethod
    def payloads(self, data: bytes) -> Iterable[tuple[bytes, int, bool]]:
        """The payloads of one unit, each with its offset in ticks and its marker bit."""

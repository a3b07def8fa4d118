"""What is counted, as snapshots that do not change any more.

Layer:  engine (plain values)
Out:    StreamStats of one stream, SessionStats of one session
Rules:  a bad packet is a number here, never an exception in the user's loop

What a stream received adds up: ``packets`` + ``duplicates`` + ``late`` + ``strays`` +
``unknown_ssrc`` + those that still wait for an earlier one are all its well-formed RTP packets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtspkit.errors import RtspError

__all__ = ["PoolStats", "SessionStats", "StreamStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """What one stream has received; counts from the session's first PLAY on.

    Attributes:
        index: The stream's place in the description.
        media: Its media, as the SDP spells it.
        encoding_name: Its encoding.
        ssrc: The source it is locked to; None before the first packet.
        packets: RTP packets handed on, in order.
        bytes: Bytes of all RTP packets of the locked source, headers included.
        expected: Packets that the source has sent, by its sequence numbers.
        lost: Packets of these that never came; a late one came.
        kernel_dropped: Datagrams of these that did come, and found the kernel's queue full; of
            joined ones the kernel may count all as one.
        skipped: Packets that were given up when ``packets`` went on without them.
        duplicates: Packets that came again.
        late: Packets that came when their place had been given up.
        reordered: Packets that came behind a later one and were put in their place.
        waiting: Packets that wait for an earlier one at this moment.
        strays: Packets far from the others in sequence, with no second one to confirm them.
        unknown_ssrc: Packets of other sources.
        unknown_payload_type: Packets of a payload type that the SDP does not give this
            stream; they are handed on.
        malformed: Datagrams that were no RTP or RTCP, and broken parts of RTCP packets.
        discontinuities: Times that the stream began anew: another source, a jump.
        jitter: Interarrival jitter (RFC 3550 §6.4.1), in seconds.
        rtcp_packets: RTCP datagrams received.
        sender_reports: Sender reports of the locked source.
        rtcp_unknown_ssrc: Sender reports and farewells of other sources.
        misplaced: RTCP on the RTP channel, and the reverse; read all the same.
        first_packet: Seconds from PLAY to the first RTP packet; None before it.
        last_packet: Monotonic seconds of the latest RTP packet; None before the first.
        media_time: Of the last packet handed on, in seconds.
        bitrate: Bits per second, headers included, averaged from the first packet to the last.
        access_units: Access units made of the packets; 0 while nobody asks for any.
        keyframes: Access units of these where decoding can begin.
        before_keyframe: Pictures left out because no keyframe had come before them.
        dropped_units: Access units given up.
        incomplete_units: Access units handed on with a part missing.
        malformed_payloads: Payloads that broke their RFC.
        first_keyframe: Seconds from PLAY to the first keyframe; None before it.
    """

    index: int = 0
    media: str = ""
    encoding_name: str = ""
    ssrc: int | None = None
    packets: int = 0
    bytes: int = 0
    expected: int = 0
    lost: int = 0
    kernel_dropped: int = 0
    skipped: int = 0
    duplicates: int = 0
    late: int = 0
    reordered: int = 0
    waiting: int = 0
    strays: int = 0
    unknown_ssrc: int = 0
    unknown_payload_type: int = 0
    malformed: int = 0
    discontinuities: int = 0
    jitter: float = 0.0
    rtcp_packets: int = 0
    sender_reports: int = 0
    rtcp_unknown_ssrc: int = 0
    misplaced: int = 0
    first_packet: float | None = None
    last_packet: float | None = None
    media_time: float = 0.0
    bitrate: float = 0.0
    access_units: int = 0
    keyframes: int = 0
    before_keyframe: int = 0
    dropped_units: int = 0
    incomplete_units: int = 0
    malformed_payloads: int = 0
    first_keyframe: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """The memory that one event loop receives into; all its sessions share it.

    Attributes:
        limit: Bytes that it may have.
        allocated: Bytes that it has.
        pinned: Bytes of slabs that are being filled, or that somebody holds a packet of.
        pinned_slabs: How many slabs these are.
        fresh: Slabs that were allocated.
        reuses: Times that a slab was used again.
        copies: Packets that were copied because memory was short.
        drops: Packets that were dropped because there was none.
    """

    limit: int = 0
    allocated: int = 0
    pinned: int = 0
    pinned_slabs: int = 0
    fresh: int = 0
    reuses: int = 0
    copies: int = 0
    drops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStats:
    """What one session has received and done.

    Attributes:
        streams: One each, in the order of the session's streams.
        transport: ``"udp"``, ``"tcp"``; None before SETUP.
        duration: Seconds since the session's first PLAY; 0 before it.
        requests: Requests sent.
        responses: Responses received.
        keepalives: Requests of these that kept the session alive.
        server_requests: Requests of the server.
        unmatched_responses: Responses that answered nothing that was open.
        unknown_channel: Interleaved frames on channels that were never set up.
        foreign_datagrams: Datagrams that did not come from the peer.
        skipped_bytes: Bytes skipped on the control connection to find the next message.
        consumer_dropped: Packets that a full queue of an iterator dropped.
        receiver: How datagrams come in: ``"recvmmsg"``, ``"recv_into"``, ``"datagram"``; over TCP
            ``"stream"``.
        wake_ups: Times that the event loop has looked at the sockets of the media.
        system_calls: Reads of these sockets.
        largest_batch: Datagrams that one read has brought at most.
        joined: Datagrams that the kernel had joined to others.
        copied: Packets copied on their way: put together from two places.
        kernel_dropped: Datagrams that found the kernel's queue full.
        receive_buffer: Bytes that the kernel keeps for each RTP port; Linux counts its own needs
            in. 0 over TCP.
        pool: The memory that the loop receives into, for all its sessions.
        reconnects: Times that the session was lost and came back.
        attempts: Attempts to connect, by the retry strategy that they were made by.
        strategy: The retry strategy of the last one.
        outage: Seconds, from losses to the first packets after them, up to now.
        last_error: Why the session was lost, or the last attempt failed; None if it never did.
    """

    streams: tuple[StreamStats, ...] = ()
    transport: str | None = None
    duration: float = 0.0
    requests: int = 0
    responses: int = 0
    keepalives: int = 0
    server_requests: int = 0
    unmatched_responses: int = 0
    unknown_channel: int = 0
    foreign_datagrams: int = 0
    skipped_bytes: int = 0
    consumer_dropped: int = 0
    receiver: str = ""
    wake_ups: int = 0
    system_calls: int = 0
    largest_batch: int = 0
    joined: int = 0
    copied: int = 0
    kernel_dropped: int = 0
    receive_buffer: int = 0
    pool: PoolStats = PoolStats()
    reconnects: int = 0
    attempts: Mapping[str, int] = field(default_factory=dict)
    strategy: str = ""
    outage: float = 0.0
    last_error: RtspError | None = None

    @property
    def zero_copy(self) -> float:
        """The share of the packets that lie where the network wrote them, 0 to 1."""
        return 1.0 - min(self.copied / self.packets, 1.0) if self.packets else 1.0

    @property
    def packets(self) -> int:
        """RTP packets handed on, of all streams."""
        return sum(stream.packets for stream in self.streams)

    @property
    def bytes(self) -> int:
        """Bytes of RTP, of all streams."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def lost(self) -> int:
        """Packets that never came, of all streams."""
        return sum(stream.lost for stream in self.streams)

    @property
    def duplicates(self) -> int:
        """Packets that came again, of all streams."""
        return sum(stream.duplicates for stream in self.streams)

    @property
    def access_units(self) -> int:
        """Access units, of all streams."""
        return sum(stream.access_units for stream in self.streams)

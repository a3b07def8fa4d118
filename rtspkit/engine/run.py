"""The inner loop of the receive path: packets that come one after the other, as they should.

Layer:  engine (state, but no clock and no I/O: the caller brings the times of arrival)
In:     rows: the beginning of a header, and where its packet lies
Out:    packets, complete; the first row that is anything else

What each packet pays here is all that it pays: one look at its header, one comparison of its
sequence number, one object, one step of the jitter. Everything that can be left out is read from
the packet when somebody asks, or written back once for the whole run.

Facts the code leans on
- A packet follows the one before it when nothing waits in the reorder buffer and it has the number
  that is due: then ``Reception``, ``Reorder`` and ``Timeline`` only count on. ``StreamReceiver``
  does the same for one packet alone, and a test holds the two to equal results.
- A header is three numbers here. The first has version, padding, extension, CSRC count, marker and
  payload type: with the marker masked out, one comparison says that there is nothing unusual. The
  last has the timestamp and the source: one comparison says that both are those of the packet
  before, whose numbers are then used again. Numbers of 16 bits are quicker than those of 32.
- Packets that were joined, or read at once, share the object that says when they arrived.
- Some senders put an extension or padding into every packet: only its bounds are more to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rtspkit.engine.reception import Reception
from rtspkit.engine.reorder import Reorder
from rtspkit.engine.timeline import Timeline
from rtspkit.wire.datagrams import Datagrams, Header
from rtspkit.wire.rtp import RtpPacket, UnusualPacket, is_sound, unpack_header
from rtspkit.wire.stream import Stream

__all__ = ["Place", "receive_run", "rows_of", "usual_beginning"]

Place = tuple[memoryview, int, int, float]  # the view, where in it, the size, the arrival
Row = tuple[Header, memoryview, int, int, float]
NO_MARKER = 0xFF7F
VERSION_AND_TYPE = 0xC07F
LOW = 0xFFFF_FFFF
NEVER = -1  # equal to no number of the wire


def usual_beginning(payload_type: int) -> int:
    """The first 16 bits of a packet without padding, extension, CSRCs and marker."""
    return 0x8000 | payload_type


def rows_of(datagrams: Datagrams) -> Iterator[Row]:
    """The rows of packets that all have at least a header."""
    views, starts = datagrams.views, datagrams.starts
    headers: Iterable[Header] | None = datagrams.headers
    if headers is None:
        headers = map(unpack_header, views, starts)
    return zip(headers, views, starts, datagrams.lengths, datagrams.arrivals, strict=False)


def _kind(head: int, usual: int, view: memoryview, start: int, size: int) -> type[RtpPacket] | None:
    """What a packet is whose header has more in it, or another type: then None."""
    like = head & VERSION_AND_TYPE == usual
    return UnusualPacket if like and is_sound(view, start, size) else None


def receive_run(
    rows: Iterator[Row],
    packets: list[RtpPacket],
    *,
    stream: Stream,
    usual: int,
    reception: Reception,
    reorder: Reorder,
    timeline: Timeline,
) -> Place | None:
    """Take rows for as long as each is the next packet of its source.

    Args:
        rows: Taken from the front; their packets are added to ``packets``.
        stream, usual: What they belong to, and their ``usual_beginning``.
        reception, reorder, timeline: Those of the source that the stream is locked to.

    Returns:
        Where the first packet lies that is not like that, its row taken; None when there is none.
    """
    before, append = len(packets), packets.append
    odd: Place | None = None
    due = reception.due if not reorder.waiting and reorder.next == reception.highest + 1 else NEVER
    ssrc, clock_rate, jitter = reception.ssrc, reception.clock_rate, reception.jitter_ticks
    previous, stamped = reception.arrival, timeline.arrival
    timestamp, media_time, wall_clock = timeline.unchanged, timeline.last, timeline.wall_clock
    same = timestamp << 32 | ssrc if timestamp == reception.timestamp else NEVER
    for (head, number, rest), view, start, size, arrival in rows:
        kind = RtpPacket if head & NO_MARKER == usual else _kind(head, usual, view, start, size)
        if number != due or kind is None or (rest != same and rest & LOW != ssrc):
            odd = view, start, size, arrival
            break
        packet = kind()
        due = (due + 1) & 0xFFFF
        packet.memory = view
        packet.start = start
        packet.size = size
        packet.sequence_number = number
        packet.stream = stream
        packet.arrival = arrival
        packet.lost = 0
        packet.discontinuity = False
        append(packet)
        if rest == same:
            packet.timestamp = timestamp
            packet.media_time = media_time
            packet.wall_clock = wall_clock
            if arrival is previous:
                stamped = arrival
                jitter -= jitter * 0.0625  # A.8: a sixteenth, of a transit of 0
                continue
            transit = (arrival - previous) * clock_rate
        else:
            timestamp = packet.timestamp = rest >> 32
            transit = (arrival - previous) * clock_rate
            if timestamp != reception.timestamp:
                transit = reception.advance(timestamp, transit)
            timeline.arrival = stamped
            timeline.stamp(packet)
            media_time, wall_clock = packet.media_time, packet.wall_clock
            same = rest if timeline.unchanged == timestamp else NEVER
        previous = stamped = arrival
        jitter += ((transit if transit >= 0 else -transit) - jitter) * 0.0625
    if count := len(packets) - before:
        reception.due, reception.jitter_ticks = due, jitter
        reception.highest += count
        reception.received += count
        reception.arrival = timeline.arrival = previous
        reorder.next = reception.highest + 1
    return odd

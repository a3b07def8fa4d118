"""The small loops of the receive path, each alone: what pyperf times, and what regress compares.

A loop is made once and called many times; each call handles a known number of packets, so that a
figure is nanoseconds per packet. A revision that lacks what a loop needs has no such loop, and
says what is missing.

As a program (``python -m bench.loops``) it is a child of ``bench regress``: it prints which loops
it has, then reads one JSON request a line from its input, ``{"loop": NAME, "calls": N}``, and
answers with the CPU nanoseconds per packet. It imports the ``rtspkit`` that comes first on its
path, which may be another revision.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtspkit.client.packet_source import PacketSource
    from rtspkit.engine.receiver import StreamReceiver

__all__ = ["LOOPS", "Loop", "Missing", "make", "time_calls"]

BATCH = 64  # packets of one wake-up
CYCLE = 1 << 16  # sequence numbers; a loop begins again without a jump
DATAGRAM = 1200  # bytes
SMALL = 44  # bytes of a datagram where 65,536 of them must be at hand
NAL_UNIT = 60_000  # bytes: a keyframe at 4 Mbit/s and 30 frames/s, fifty fragments
TCP_CHUNK = 64 * 1024  # bytes of one read


class Missing(Exception):
    """This revision, or this machine, lacks what a loop needs."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop, ready to be called.

    Attributes:
        call: Handles ``packets`` packets.
        packets: How many.
        close: Lets go of what it holds besides memory.
    """

    call: Callable[[], object]
    packets: int
    close: Callable[[], object] = lambda: None


def _datagram(sequence_number: int, size: int, marker: bool = False) -> bytes:
    """An RTP packet; 8 packets a frame, timestamps that wrap when the sequence numbers do."""
    timestamp = (sequence_number >> 3) << 19
    second = 96 | (0x80 if marker else 0)
    header = pack("!BBHII", 0x80, second, sequence_number, timestamp, 0x1234)
    return header + bytes(size - len(header))


def _cycle() -> list[memoryview]:
    """65,536 datagrams in order, 64 a slab: the sequence numbers go around exactly once."""
    return [
        memoryview(b"".join(_datagram(number, SMALL) for number in range(begin, begin + BATCH)))
        for begin in range(0, CYCLE, BATCH)
    ]


def parse_rtp() -> Loop:
    """``parse_rtp`` on 64 datagrams of 1200 bytes that lie in one slab."""
    from rtspkit.wire.rtp import parse_rtp as parse

    slab = memoryview(b"".join(_datagram(number, DATAGRAM) for number in range(BATCH)))
    views = [slab[at : at + DATAGRAM] for at in range(0, len(slab), DATAGRAM)]

    def call() -> None:
        for view in views:
            parse(view)

    return Loop(call, BATCH)


def receive_batch() -> Loop:
    """``StreamReceiver`` on batches of 64 packets that are all in order."""
    from rtspkit.engine.receiver import StreamReceiver
    from rtspkit.wire.stream import Stream

    receiver = StreamReceiver(Stream(0, "video", "H264", 96, 90_000))
    receiver.start(0.0)
    receive, batches = _receive(receiver, _cycle())
    state = [0, 0.0]
    step = BATCH / 8 * (1 << 19) / 90_000  # seconds of media in a batch

    def call() -> object:
        at = int(state[0])
        state[0] = at + 1 if at + 1 < len(batches) else 0
        state[1] = now = state[1] + step
        return receive(batches[at], now)

    return Loop(call, BATCH)


def _receive(
    receiver: StreamReceiver, slabs: list[memoryview]
) -> tuple[Callable[..., object], list[object]]:
    """How batches go in, and what goes in: columns over a slab, or views in older revisions."""
    receive: Callable[..., object] = receiver.receive_rtp_batch
    starts, lengths = range(0, BATCH * SMALL, SMALL), [SMALL] * BATCH
    try:
        from rtspkit.wire.datagrams import Datagrams
    except ImportError:
        return receive, [[slab[at : at + SMALL] for at in starts] for slab in slabs]

    def call(slab: memoryview, now: float) -> object:
        return receive(Datagrams(repeat(slab), starts, lengths, repeat(now), now))

    return call, list(slabs)


def queue() -> Loop:
    """A queue that gets 64 packets at a time, and ``async for`` that takes them out."""
    from rtspkit.client.iterators import PacketIterator
    from rtspkit.wire.rtp import parse_rtp as parse

    slab = memoryview(b"".join(_datagram(number, DATAGRAM) for number in range(BATCH)))
    packets = [parse(slab[at : at + DATAGRAM]) for at in range(0, len(slab), DATAGRAM)]
    source = _source()
    iterator = PacketIterator(source)
    rounds = 64  # of one call, so that entering the event loop weighs nothing
    loop = asyncio.new_event_loop()

    async def consume() -> None:
        for _ in range(rounds):
            source.put(packets)
            left = BATCH
            async for _packet in iterator:
                left -= 1
                if not left:
                    break

    return Loop(lambda: loop.run_until_complete(consume()), BATCH * rounds, loop.close)


def _source() -> PacketSource:
    """The queue of an iterator, as this revision makes it."""
    try:
        from rtspkit.client.packet_source import Backlog, PacketSource
    except ImportError:
        from rtspkit.client import iterators
        from rtspkit.options import Limits

        older: PacketSource = iterators.PacketSource(None, Limits(), "drop_oldest")
        return older
    return PacketSource(None, Backlog(8192))


def message_reader() -> Loop:
    """``MessageReader`` on 64 KiB of interleaved frames, the last one in two pieces."""
    from rtspkit.wire.message import MessageReader, serialize_frame

    frame = serialize_frame(0, _datagram(1, DATAGRAM))
    count = TCP_CHUNK // len(frame) + 1
    data = memoryview(frame * count)
    first, second = data[:TCP_CHUNK], data[TCP_CHUNK:]
    reader = MessageReader(channels=(0, 1))

    def call() -> None:
        reader.receive_data(first)
        reader.next_events()
        reader.receive_data(second)
        reader.next_events()

    return Loop(call, count)


def depacketize_h264() -> Loop:
    """``depacketizer("H264")`` on pictures of 60,000 bytes in FU-A fragments.

    Each packet is parsed anew: what a packet has not read yet belongs to the cost of reading it.
    """
    from rtspkit.payload import depacketizer
    from rtspkit.payload.registry import packetizer
    from rtspkit.wire.rtp import parse_rtp as parse

    picture = b"\x00\x00\x00\x01\x65\x88" + b"\x55" * (NAL_UNIT - 2)
    maker = packetizer("H264", payload_type=96, ssrc=1, max_packet_size=DATAGRAM)
    times = range(0, 16 * 3000, 3000)  # ticks
    first, *others = (
        memoryview(datagram) for ticks in times for datagram in maker.push(picture, ticks)
    )
    push = depacketizer("H264", 90_000).push

    def call() -> int:
        packet = parse(first)
        packet.discontinuity = True  # it begins again
        units = len(push(packet))
        for datagram in others:
            units += len(push(parse(datagram)))
        return units

    if call() != len(times) or call() != len(times):
        raise Missing("its depacketizer does not read its packetizer's fragments")
    return Loop(call, 1 + len(others))


def columns() -> Loop:
    """The headers of 65,536 datagrams as columns, with numpy, and what they tell."""
    from rtspkit.engine.columns import analyze_columns
    from rtspkit.wire.columns import parse_columns

    slab = b"".join(_datagram(number, SMALL) for number in range(CYCLE))
    lengths = array("q", [SMALL] * CYCLE)
    arrival = array("d", [number * 0.001 for number in range(CYCLE)])

    def call() -> object:
        columns = parse_columns(slab, lengths, arrival=arrival, engine="numpy")
        return analyze_columns(columns, 90_000)

    return Loop(call, CYCLE)


def packet_by_packet() -> Loop:
    """What ``columns`` tells, by ``parse_rtp`` and ``Reception`` for each packet."""
    from rtspkit.engine.reception import Reception
    from rtspkit.wire.rtp import parse_rtp as parse

    slab = memoryview(b"".join(_datagram(number, SMALL) for number in range(CYCLE)))

    def call() -> object:
        reception = Reception(90_000)
        for number in range(CYCLE):
            packet = parse(slab[number * SMALL : (number + 1) * SMALL])
            reception.receive(packet.sequence_number, packet.timestamp, number * 0.001)
        return reception

    return Loop(call, CYCLE)


LOOPS: dict[str, Callable[[], Loop]] = {
    "parse_rtp": parse_rtp,
    "receive_batch": receive_batch,
    "queue": queue,
    "message_reader": message_reader,
    "depacketize_h264": depacketize_h264,
    "columns": columns,
    "packet_by_packet": packet_by_packet,
}


def make(name: str) -> Loop:
    """One loop, warmed up.

    Raises:
        Missing: This revision, or this machine, cannot run it; the message says what lacks.
    """
    try:
        loop = LOOPS[name]()
        loop.call()
    except (ImportError, AttributeError, TypeError) as error:
        raise Missing(f"{type(error).__name__}: {error}") from error
    return loop


def time_calls(loop: Loop, calls: int) -> float:
    """CPU nanoseconds per packet over that many calls; the garbage collector rests."""
    call = loop.call
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        before = time.process_time_ns()
        for _ in range(calls):
            call()
        spent = time.process_time_ns() - before
    finally:
        if was_enabled:
            gc.enable()
    return spent / (calls * loop.packets)


def serve() -> None:
    """Time what is asked for, a line at a time, until the input ends."""
    loops: dict[str, Loop] = {}
    missing: dict[str, str] = {}
    for name in LOOPS:
        try:
            loops[name] = make(name)
        except Missing as error:
            missing[name] = str(error)
    hello = {"packets": {name: loop.packets for name, loop in loops.items()}, "missing": missing}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        spent = time_calls(loops[request["loop"]], request["calls"])
        print(json.dumps({"ns": spent}), flush=True)


if __name__ == "__main__":
    serve()

from __future__ import annotations

import asyncio
import gc

import pytest

from rtspkit.client.iterators import (
    AccessUnitIterator,
    BatchIterator,
    EventIterator,
    PacketIterator,
    PacketSource,
    make_depacketizers,
)
from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event
from rtspkit.errors import ConnectionLost, UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket, parse_rtp
from rtspkit.wire.stream import Stream

AUDIO = Stream(0, "audio", "PCMU", 0, 8000, channels=1)
VIDEO = Stream(1, "video", "H264", 96, 90_000)
ODD = Stream(2, "application", "x-odd", 97, 90_000)


def packet(stream: Stream, number: int, size: int = 160) -> RtpPacket:
    head = [0x80, stream.payload_type or 0, *number.to_bytes(2, "big")]
    data = bytes(head) + (number * 160).to_bytes(4, "big") + bytes(4) + bytes(size)
    made = parse_rtp(memoryview(data))
    made.stream = stream
    made.arrival = float(number)
    return made


def source(*streams: Stream, policy: str = "drop_oldest", **limits: int) -> PacketSource:
    return PacketSource(streams or None, Limits(**limits), policy)


async def test_packets_come_one_by_one_and_keep_their_identity():
    one = source()
    sent = [packet(AUDIO, 0), packet(VIDEO, 1), packet(ODD, 2)]
    one.put(sent)
    one.end(None)
    received = [each async for each in PacketIterator(one)]
    assert all(a is b for a, b in zip(received, sent, strict=True))


async def test_a_source_takes_only_its_streams():
    one = source(VIDEO)
    one.put([packet(AUDIO, 0)])
    one.put([packet(AUDIO, 1), packet(VIDEO, 2)])
    one.end(None)
    assert [p.sequence_number async for p in PacketIterator(one)] == [2]


async def test_batches_are_all_that_has_arrived_since():
    one = source()
    iterator = BatchIterator(one)
    one.put([packet(AUDIO, 0), packet(AUDIO, 1)])
    one.put([packet(AUDIO, 2)])
    assert [p.sequence_number for p in await anext(iterator)] == [0, 1, 2]
    waiting = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    one.put([packet(AUDIO, 3)])
    assert [p.sequence_number for p in await waiting] == [3]
    one.end(None)
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


async def test_a_slow_consumer_loses_by_number_and_by_bytes():
    one = source(queue_packets=3)
    one.put([packet(AUDIO, n) for n in range(10)])
    assert PacketIterator(one).dropped == BatchIterator(one).dropped == 7
    one = source(queue_memory=1000)
    one.put([packet(AUDIO, n, size=388) for n in range(10)])  # 400 bytes each
    assert [p.sequence_number for p in one.queue.items] == [8, 9]


async def test_a_source_ends_with_the_last_of_its_streams():
    one = source(AUDIO, VIDEO)
    one.stream_ended(AUDIO)
    one.stream_ended(ODD)
    one.put([packet(VIDEO, 1)])
    one.stream_ended(VIDEO)
    assert [p.sequence_number async for p in PacketIterator(one)] == [1]


async def test_streams_that_go_on_after_play_do_not_end_the_source():
    one = source(AUDIO, VIDEO)
    one.stream_ended(AUDIO)
    one.restart()
    one.stream_ended(VIDEO)
    one.put([packet(AUDIO, 1)])
    assert (await anext(PacketIterator(one))).sequence_number == 1


async def test_a_source_over_all_streams_ends_with_the_session():
    one = source()
    one.stream_ended(AUDIO)
    one.stream_ended(VIDEO)
    one.put([packet(ODD, 1)])
    one.end(None)
    assert len([p async for p in PacketIterator(one)]) == 1


@pytest.mark.parametrize("kind", [PacketIterator, BatchIterator])
async def test_an_end_out_of_order_raises_after_the_last_packet(kind):
    one = source()
    one.put([packet(AUDIO, 0)])
    one.end(ConnectionLost("gone"))
    iterator = kind(one)
    await anext(iterator)
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await anext(iterator)


# -- access units -----------------------------------------------------------------------------


def units_of(*streams: Stream) -> tuple[PacketSource, AccessUnitIterator]:
    makers = make_depacketizers(streams, Limits(), required=True)
    one = source(*streams)
    return one, AccessUnitIterator(one, makers)


async def test_access_units_know_their_stream_and_are_counted():
    one, iterator = units_of(AUDIO)
    one.put([packet(AUDIO, n) for n in range(3)])
    one.end(None)
    units = [unit async for unit in iterator]
    assert [unit.stream for unit in units] == [AUDIO] * 3
    assert all(len(unit.data) == 160 for unit in units)
    counters = iterator.counters[0]
    assert counters.access_units == 3
    assert iterator.dropped == 0


def idr(number: int, *, marker: bool) -> RtpPacket:
    """A single NAL unit packet: an IDR slice."""
    made = packet(VIDEO, number, 0)
    data = bytearray(bytes(made)) + b"\x65" + bytes(20)
    data[1] |= 0x80 if marker else 0
    made = parse_rtp(memoryview(bytes(data)))
    made.stream, made.arrival = VIDEO, 5.0
    return made


@pytest.mark.parametrize("error", [None, ConnectionLost("gone")])
async def test_what_a_depacketizer_still_holds_comes_before_the_end(error):
    one, iterator = units_of(VIDEO)
    one.put([idr(1, marker=False)])
    one.end(error)
    unit = await anext(iterator)
    assert unit.keyframe
    assert (iterator.counters[1].keyframes, iterator.counters[1].first_keyframe) == (1, 5.0)
    for _ in range(2):
        with pytest.raises(StopAsyncIteration if error is None else ConnectionLost):
            await anext(iterator)


async def test_broken_payloads_are_counted_and_nothing_raises():
    one, iterator = units_of(VIDEO)
    broken = packet(VIDEO, 1, 0)
    data = bytes(broken) + b"\x7c"  # FU-A without its header
    made = parse_rtp(memoryview(data))
    made.stream = VIDEO
    one.put([made, idr(2, marker=True)])
    one.end(None)
    assert len([unit async for unit in iterator]) == 1
    assert iterator.counters[1].malformed_payloads == 1


def test_an_encoding_without_a_depacketizer_is_left_out_or_an_error():
    limits = Limits()
    assert set(make_depacketizers((AUDIO, ODD), limits, required=False)) == {0}
    with pytest.raises(UnsupportedPayload, match="x-odd"):
        make_depacketizers((AUDIO, ODD), limits, required=True)
    with pytest.raises(UnsupportedPayload, match="x-odd"):
        make_depacketizers((ODD,), limits, required=False)


# -- events -----------------------------------------------------------------------------------


async def test_events_end_without_raising():
    queue: BoundedQueue[Event] = BoundedQueue(10)
    queue.put([Event(1.0), Event(2.0)])
    queue.end(None)
    assert [event.at async for event in EventIterator(queue)] == [1.0, 2.0]


def test_an_iterator_is_no_part_of_a_cycle():
    """It goes as soon as nobody holds it, so that ``break`` detaches it at once."""
    import weakref

    gc.disable()
    try:
        for make in (lambda: PacketIterator(source()), lambda: units_of(AUDIO)[1]):
            iterator = make()
            reference = weakref.ref(iterator)
            del iterator
            assert reference() is None
    finally:
        gc.enable()

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from rtspkit.client.iterators import BatchIterator, EventIterator, PacketIterator
from rtspkit.client.packet_source import Backlog, PacketSource
from rtspkit.client.queue import BoundedQueue
from rtspkit.engine.events import Event
from rtspkit.errors import ConnectionLost
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


def source(*streams: Stream, maximum: int = 8192, **options: Any) -> PacketSource:
    return PacketSource(streams or None, Backlog(maximum, **options))


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


async def test_what_a_slow_consumer_lost_is_told():
    one = source(maximum=3)
    one.put([packet(AUDIO, n) for n in range(10)])
    assert PacketIterator(one).dropped == BatchIterator(one).dropped == 7


@pytest.mark.parametrize("kind", [PacketIterator, BatchIterator])
async def test_a_consumer_that_has_caught_up_lets_the_source_go_on(kind):
    told: list[bool] = []
    one = source(maximum=8, policy="block", on_hold=told.append)
    one.put([packet(AUDIO, n) for n in range(10)])
    iterator = kind(one)
    assert told == [True]
    taken = 0
    while told == [True]:
        item = await anext(iterator)
        taken += len(item) if isinstance(item, list) else 1
    assert taken == (6 if kind is PacketIterator else 10)  # down to half of the room
    assert told == [True, False]
    assert iterator.dropped == 0


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


# -- events -----------------------------------------------------------------------------------


async def test_events_end_without_raising():
    queue: BoundedQueue[Event] = BoundedQueue(10)
    queue.put([Event(1.0), Event(2.0)])
    queue.end(None)
    assert [event.at async for event in EventIterator(queue)] == [1.0, 2.0]


@pytest.mark.parametrize("kind", [PacketIterator, BatchIterator])
def test_an_iterator_is_no_part_of_a_cycle(kind):
    """It goes as soon as nobody holds it, so that ``break`` detaches it at once."""
    gc.disable()
    try:
        for _ in range(2):
            iterator = kind(source())
            reference = weakref.ref(iterator)
            del iterator
            assert reference() is None
    finally:
        gc.enable()

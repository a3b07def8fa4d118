from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.fanout import Fanout
from rtspkit.client.iterators import PacketIterator
from rtspkit.client.junction import Junction
from rtspkit.engine.events import PacketsDropped, SessionEnded, StateChanged, StreamEnded
from rtspkit.errors import ConnectionLost
from rtspkit.net.slab import pool_of
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket, parse_rtp
from rtspkit.wire.stream import Stream

LIMITS = Limits(queue_packets=4)
STREAM = Stream(0, "video", "H264", 96, 90_000)


def packet(number: int) -> RtpPacket:
    data = bytes([0x80, 96]) + number.to_bytes(2, "big") + bytes(8) + b"payload"
    made = parse_rtp(memoryview(data))
    made.stream, made.arrival = STREAM, float(number)
    return made


def sharing(number: int, policy: str = "drop_oldest") -> tuple[Junction, list[Fanout]]:
    junction = Junction(LIMITS)
    members = [Fanout(LIMITS, policy) for _ in range(number)]
    for member in members:
        junction.join(member)
    return junction, members


def door(fanout: Fanout, *streams: Stream) -> PacketIterator:
    source = fanout.new_source(streams or None)
    iterator = PacketIterator(source)
    fanout.attach(iterator, source)
    return iterator


async def test_a_packet_goes_to_each_by_reference():
    junction, members = sharing(3)
    doors = [door(member) for member in members]
    sent = packet(1)
    junction.put_packets([sent])
    assert all([(await anext(one)) is sent for one in doors])


async def test_what_comes_before_the_first_iterator_of_one_waits_for_it():
    junction, (first, second) = sharing(2)
    early = door(first)
    junction.put_packets([packet(1)])
    late = door(second)
    for one in (early, late):
        assert (await anext(one)).sequence_number == 1


async def test_each_loses_what_it_is_too_slow_for():
    junction, (slow, quick) = sharing(2)
    waiting, reading = door(slow), door(quick)
    for number in range(6):
        junction.put_packets([packet(number)])
        await anext(reading)
    assert (slow.dropped, quick.dropped) == (2, 0)
    assert (await anext(waiting)).sequence_number == 2
    assert {type(event) for event in slow._history} == {PacketsDropped}
    assert list(quick._history) == []


async def test_whoever_has_left_hears_nothing_more():
    junction, (stays, leaves) = sharing(2)
    staying, leaving = door(stays), door(leaves)
    junction.part(leaves)
    junction.part(leaves)
    junction.put_packets([packet(1)])
    junction.put_event(StateChanged(0.0, "ready", "playing"))
    junction.end(None, 1.0)
    assert not leaves.ended
    assert list(leaves._history) == []
    assert (await anext(staying)).sequence_number == 1
    assert not leaving._queue.items


async def test_whoever_joins_later_knows_what_has_happened():
    junction, _ = sharing(1)
    junction.pool = pool_of(asyncio.get_running_loop())
    changed, ended = StateChanged(0.0, "ready", "playing"), StreamEnded(1.0, STREAM, "bye")
    junction.put_event(changed)
    junction.put_event(ended)
    later = Fanout(LIMITS, "drop_oldest")
    junction.join(later)
    assert later.pool is junction.pool
    events = later.events()
    assert [await anext(events), await anext(events)] == [changed, ended]
    with pytest.raises(StopAsyncIteration):
        await anext(door(later, STREAM))


async def test_where_streams_come_back_no_sharers_iterators_end_with_them():
    junction, (member,) = sharing(1)
    junction.parting = False
    junction.put_event(StreamEnded(1.0, STREAM, "bye"))
    later = Fanout(LIMITS, "drop_oldest")
    junction.join(later)
    doors = [door(one, STREAM) for one in (member, later)]
    junction.put_packets([packet(1)])
    for one in doors:
        assert (await anext(one)).sequence_number == 1


async def test_played_again_nothing_has_ended_for_anybody():
    junction, (member,) = sharing(1)
    junction.put_event(StreamEnded(1.0, STREAM, "bye"))
    junction.restart()
    later = Fanout(LIMITS, "drop_oldest")
    junction.join(later)
    doors = [door(one, STREAM) for one in (member, later)]
    junction.put_packets([packet(1)])
    for one in doors:
        assert (await anext(one)).sequence_number == 1


async def test_a_change_of_streams_is_one_for_all():
    junction, members = sharing(2)
    doors = [door(member, STREAM) for member in members]
    after = Stream(0, "video", "H265", 96, 90_000)
    junction.interrupt(iter([(STREAM, after)]))
    sent = packet(1)
    sent.stream = after
    junction.put_packets([sent])
    assert all([(await anext(one)) is sent for one in doors])


async def test_the_end_is_told_once_to_each():
    junction, members = sharing(2)
    events = [member.events() for member in members]
    mine = junction.events()
    error = ConnectionLost("gone")
    junction.end(error, 5.0)
    junction.end(None, 6.0)
    for iterator in (*events, mine):
        assert [event async for event in iterator] == [SessionEnded(5.0, error)]
    for member in members:
        with pytest.raises(ConnectionLost):
            await anext(door(member))


async def test_reading_is_held_up_as_long_as_one_wants_it():
    held: list[bool] = []
    junction, (first, second) = sharing(2, "block")
    junction.on_hold = held.append
    slow, slower = door(first), door(second)
    junction.put_packets([packet(n) for n in range(5)])
    assert (held, junction.holding) == ([True], True)
    for _ in range(5):
        await anext(slow)
    assert held == [True]
    junction.part(second)
    assert (held, junction.holding) == ([True, False], False)
    for _ in range(5):
        await anext(slower)
    assert held == [True, False]

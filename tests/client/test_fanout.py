from __future__ import annotations

import pytest

from rtspkit.client.fanout import Fanout
from rtspkit.client.iterators import PacketIterator
from rtspkit.engine.events import Event, PacketsDropped, SessionEnded, StreamEnded
from rtspkit.errors import ConnectionLost
from rtspkit.net.slab import DATAGRAMS, SlabPool
from rtspkit.options import Limits
from rtspkit.wire.rtp import RtpPacket, parse_rtp
from rtspkit.wire.stream import Stream

AUDIO = Stream(0, "audio", "PCMU", 0, 8000)
VIDEO = Stream(1, "video", "H264", 96, 90_000)


def packets(*numbers: int, stream: Stream = AUDIO) -> list[RtpPacket]:
    made = []
    for number in numbers:
        data = bytes([0x80, 0, *number.to_bytes(2, "big")]) + bytes(8)
        one = parse_rtp(memoryview(data))
        one.stream = stream
        made.append(one)
    return made


def attached(fanout: Fanout, *streams: Stream) -> PacketIterator:
    source = fanout.new_source(streams or None)
    iterator = PacketIterator(source)
    fanout.attach(iterator, source)
    return iterator


def waiting(iterator: PacketIterator) -> list[int]:
    return [packet.sequence_number for packet in iterator._queue.take_all()]


def test_what_arrives_before_the_first_iterator_waits_for_it():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets(packets(1, 2))
    first = attached(fanout)
    fanout.put_packets(packets(3))
    assert waiting(first) == [1, 2, 3]


def test_what_waits_without_an_iterator_is_bounded():
    fanout = Fanout(Limits(queue_packets=5), "drop_oldest")
    for number in range(100):
        fanout.put_packets(packets(number))
    assert fanout.dropped == 0  # nobody misses them yet
    first, second = attached(fanout), attached(fanout)
    assert waiting(first) == waiting(second) == [95, 96, 97, 98, 99]
    assert fanout.dropped == 95


def test_iterators_made_together_both_get_what_has_waited():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets(packets(1))
    one, other = attached(fanout), attached(fanout)
    fanout.put_packets(packets(2))
    late = attached(fanout)
    assert (waiting(one), waiting(other), waiting(late)) == ([1, 2], [1, 2], [])


def test_a_packet_goes_to_each_by_reference():
    fanout = Fanout(Limits(), "drop_oldest")
    one, other = attached(fanout), attached(fanout, AUDIO)
    fanout.put_packets(packets(1))
    assert one._queue.pop() is other._queue.pop()


def test_a_slow_iterator_does_not_hold_up_another():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    slow, quick = attached(fanout), attached(fanout)
    received = []
    for number in range(10):
        fanout.put_packets(packets(number))
        received += waiting(quick)
    assert received == list(range(10))
    assert waiting(slow) == [8, 9]
    assert (slow.dropped, quick.dropped, fanout.dropped) == (8, 0, 8)
    del slow
    assert fanout.dropped == 8  # also when it is gone


def test_an_iterator_that_nobody_holds_is_gone_and_its_rest_waits():
    fanout = Fanout(Limits(), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(packets(1, 2, 3))
    iterator._queue.pop()
    del iterator
    assert fanout._sources == {}
    fanout.put_packets(packets(4))
    assert waiting(attached(fanout)) == [2, 3, 4]


def test_the_rest_of_one_stream_waits_too():
    fanout = Fanout(Limits(), "drop_oldest")
    iterator = attached(fanout, AUDIO)
    fanout.put_packets(packets(1))
    del iterator
    fanout.put_packets(packets(2, stream=VIDEO))
    assert waiting(attached(fanout)) == [1, 2]


async def test_the_end_reaches_every_iterator_early_and_late():
    fanout = Fanout(Limits(), "drop_oldest")
    early = attached(fanout)
    events = fanout.events()
    fanout.put_packets(packets(1))
    fanout.end(ConnectionLost("gone"), 5.0)
    fanout.end(None, 6.0)  # the first end counts
    await anext(early)
    late = attached(fanout)
    for iterator in (early, late):
        with pytest.raises(ConnectionLost):
            await anext(iterator)
    for each in (events, fanout.events()):
        (event,) = [event async for event in each]
        assert isinstance(event, SessionEnded)
        assert (event.at, event.error) == (5.0, fanout.error)


async def test_what_waits_when_the_session_ends_is_still_there():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets(packets(1, 2))
    fanout.end(None, 5.0)
    assert [p.sequence_number async for p in attached(fanout)] == [1, 2]


async def test_the_end_of_a_stream_ends_its_iterators_early_and_late():
    fanout = Fanout(Limits(events=1), "drop_oldest")
    early = attached(fanout, AUDIO)
    fanout.put_event(StreamEnded(1.0, AUDIO, "BYE"))
    fanout.put_event(Event(2.0))  # pushes the other one out of the history
    late, other = attached(fanout, AUDIO), attached(fanout, VIDEO)
    for iterator in (early, late):
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
    fanout.put_packets(packets(7, stream=VIDEO))
    assert (await anext(other)).sequence_number == 7


async def test_after_play_a_stream_that_had_ended_goes_on():
    fanout = Fanout(Limits(), "drop_oldest")
    both = attached(fanout, AUDIO, VIDEO)
    fanout.put_event(StreamEnded(1.0, AUDIO, "BYE"))
    fanout.restart()
    again = attached(fanout, AUDIO)
    fanout.put_event(StreamEnded(2.0, VIDEO, "BYE"))
    fanout.put_packets(packets(1))
    assert (await anext(again)).sequence_number == 1
    assert (await anext(both)).sequence_number == 1


async def test_events_come_with_their_history_within_the_bound():
    fanout = Fanout(Limits(events=3), "drop_oldest")
    for at in range(10):
        fanout.put_event(Event(float(at)))
    first = fanout.events()
    fanout.put_event(Event(10.0))
    fanout.end(None, 11.0)
    assert [event.at async for event in first] == [9.0, 10.0, 11.0]


def test_an_iterator_of_events_that_nobody_holds_is_gone():
    fanout = Fanout(Limits(), "drop_oldest")
    events = fanout.events()
    assert len(fanout._event_queues) == 1
    del events
    assert len(fanout._event_queues) == 0


def test_what_an_iterator_has_read_before_it_went_is_not_given_again():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets(packets(1, 2, 3))
    first = attached(fanout)
    assert first._queue.pop().sequence_number == 1
    del first
    assert waiting(attached(fanout)) == [2, 3]


def test_an_iterator_that_went_takes_only_its_own_streams_out_of_what_waits():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets([*packets(1, 2), *packets(11, stream=VIDEO)])
    audio = attached(fanout, AUDIO)
    assert audio._queue.pop().sequence_number == 1
    del audio
    assert waiting(attached(fanout)) == [2, 11]


# -- back-pressure ------------------------------------------------------------------------------


def blocking(told: list[bool], packets: int = 4) -> Fanout:
    fanout = Fanout(Limits(queue_packets=packets), "block")
    fanout.on_hold = told.append
    return fanout


def test_a_full_queue_holds_the_source_until_it_is_half_empty():
    told: list[bool] = []
    fanout = blocking(told)
    iterator = attached(fanout)
    fanout.put_packets(packets(*range(6)))
    assert told == [True]
    iterator._queue.take(3)
    assert told == [True]
    iterator._queue.take(1)
    assert told == [True, False]
    assert fanout.dropped == 0


def test_the_source_is_held_for_as_long_as_anybody_needs_it():
    told: list[bool] = []
    fanout = blocking(told)
    one, other = attached(fanout), attached(fanout)
    fanout.put_packets(packets(*range(6)))
    one._queue.take_all()
    assert told == [True]
    other._queue.take_all()
    assert told == [True, False]


def test_one_that_is_gone_does_not_hold_it():
    told: list[bool] = []
    fanout = blocking(told)
    one, other = attached(fanout), attached(fanout)
    fanout.put_packets(packets(*range(6)))
    other._queue.take_all()
    del one
    assert told == [True, False]


def test_an_iterator_may_have_a_policy_of_its_own():
    told: list[bool] = []
    fanout = blocking(told)
    source = fanout.new_source(None, policy="latest")
    iterator = PacketIterator(source)
    fanout.attach(iterator, source)
    fanout.put_packets(packets(*range(6)))
    assert told == []
    assert waiting(iterator) == [5]


def test_what_waits_for_the_first_iterator_holds_the_source_too():
    told: list[bool] = []
    fanout = blocking(told)
    fanout.put_packets(packets(*range(6)))
    assert told == [True]


def test_and_lets_it_go_on_when_that_iterator_has_caught_up():
    told: list[bool] = []
    fanout = blocking(told)
    fanout.put_packets(packets(*range(6)))
    iterator = attached(fanout)
    assert told == [True]  # it is the iterator's queue that is full now
    assert waiting(iterator) == list(range(6))
    assert told == [True, False]
    assert fanout.dropped == 0


def test_the_first_iterator_with_room_enough_lets_it_go_on_at_once():
    """What waited holds nobody up any more: it is the iterator's policy that counts."""
    told: list[bool] = []
    fanout = blocking(told)
    fanout.put_packets(packets(*range(6)))
    source = fanout.new_source(None, policy="drop_oldest")
    iterator = PacketIterator(source)
    fanout.attach(iterator, source)
    assert told == [True, False]
    assert waiting(iterator) == [2, 3, 4, 5]


def test_a_second_iterator_over_what_waited_holds_it_as_well():
    told: list[bool] = []
    fanout = blocking(told)
    fanout.put_packets(packets(*range(6)))
    one, other = attached(fanout), attached(fanout)
    assert waiting(one) == list(range(6))
    assert told[-1] is True
    assert waiting(other) == list(range(6))
    assert told[-1] is False
    fanout.put_packets(packets(6))
    assert (waiting(one), waiting(other)) == ([6], [6])


def test_the_end_holds_nothing():
    told: list[bool] = []
    fanout = blocking(told)
    iterator = attached(fanout)
    fanout.put_packets(packets(*range(6)))
    fanout.end(None, 5.0)
    assert told == [True, False]
    assert waiting(iterator) == list(range(6))


def test_what_waits_for_the_first_iterator_takes_no_more_memory_than_it_must():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.pool = pool = SlabPool(128 * DATAGRAMS.size)
    for number in range(200):  # each in a slab of its own
        slab = pool.current(DATAGRAMS, DATAGRAMS.size)
        assert slab is not None
        (one,) = packets(number)
        slab.writable[:12] = bytes(one)
        slab.used = DATAGRAMS.size
        fanout.put_packets([one.moved(slab.view, 0)])
        del slab
    assert pool.copies > 60
    assert pool.stats().pinned < 128 * DATAGRAMS.size
    assert waiting(attached(fanout)) == list(range(200))


# -- drops --------------------------------------------------------------------------------------


def told_drops(fanout: Fanout) -> list[tuple[float, int]]:
    return [(e.at, e.count) for e in fanout._history if isinstance(e, PacketsDropped)]


def at(now: float, *numbers: int) -> list[RtpPacket]:
    made = packets(*numbers)
    for one in made:
        one.arrival = now
    return made


def test_drops_are_told_at_once_then_at_most_once_a_second():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(at(1.0, 0, 1))
    assert told_drops(fanout) == []
    fanout.put_packets(at(1.1, 2, 3, 4))
    assert told_drops(fanout) == [(1.1, 3)]
    for now in (1.2, 1.6, 2.0):
        fanout.put_packets(at(now, 5))
    assert told_drops(fanout) == [(1.1, 3)]
    fanout.put_packets(at(2.1, 6))
    assert told_drops(fanout) == [(1.1, 3), (2.1, 4)]
    assert iterator.dropped == fanout.dropped == 7


def test_what_was_dropped_within_the_second_is_told_when_it_is_over():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(at(1.0, 0, 1, 2))
    fanout.put_packets(at(1.5, 3))
    iterator._queue.take_all()
    fanout.put_packets(at(9.0, 4))
    assert told_drops(fanout) == [(1.0, 1), (9.0, 1)]


def test_the_last_drops_are_told_at_the_end_however_soon_it_comes():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(at(1.0, 0, 1, 2))
    fanout.put_packets(at(1.5, 3, 4))
    fanout.end(None, 1.6)
    assert told_drops(fanout) == [(1.0, 1), (1.6, 2)]
    assert isinstance(fanout._history[-1], SessionEnded)
    assert iterator.dropped == fanout.dropped == 3


def test_so_are_those_of_an_iterator_that_is_gone():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(at(1.0, 0, 1, 2))
    fanout.put_packets(at(1.5, 3, 4))
    del iterator
    fanout.end(ConnectionLost("gone"), 1.6)
    assert told_drops(fanout) == [(1.0, 1), (1.6, 2)]


def test_an_end_without_drops_tells_of_none():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    fanout.put_packets(at(1.0, 0, 1, 2))
    fanout.end(None, 1.6)
    assert told_drops(fanout) == [(1.0, 1)]
    assert iterator.dropped == 1


def test_nothing_is_told_while_nothing_is_dropped():
    fanout = Fanout(Limits(queue_packets=2), "drop_oldest")
    iterator = attached(fanout)
    for number in range(20):
        fanout.put_packets(at(float(number), number))
        iterator._queue.take_all()
    assert told_drops(fanout) == []


# -- another connection ---------------------------------------------------------------------------


def test_iterators_go_on_with_the_stream_that_has_come_back_as_another():
    fanout, other = Fanout(Limits(), "drop_oldest"), Stream(1, "video", "H265", 97, 90_000)
    every, video, audio = attached(fanout), attached(fanout, VIDEO), attached(fanout, AUDIO)
    fanout.put_packets(packets(1, stream=VIDEO))
    fanout.interrupt([(VIDEO, other)])
    fanout.put_packets([*packets(2, stream=other), *packets(3)])
    assert (waiting(every), waiting(video), waiting(audio)) == ([1, 2, 3], [1, 2], [3])


def test_what_is_interrupted_is_marked_in_every_queue_that_asks_for_it():
    fanout = Fanout(Limits(), "drop_oldest")
    units, holder = fanout.new_source((AUDIO,), whole_units=True), Fanout(Limits(), "drop_oldest")
    fanout.attach(holder, units)
    fanout.put_packets(packets(1))
    fanout.interrupt([])
    fanout.put_packets(packets(2))
    assert len(units.queue.take(64)) == 1
    assert units.queue.pass_gap() is True


async def test_a_stream_that_had_ended_may_go_on_over_another_connection():
    fanout = Fanout(Limits(), "drop_oldest")
    both = attached(fanout, AUDIO, VIDEO)
    fanout.put_event(StreamEnded(1.0, AUDIO, "BYE"))
    fanout.interrupt([])
    late = attached(fanout, AUDIO)
    fanout.put_event(StreamEnded(2.0, VIDEO, "BYE"))
    fanout.put_packets(packets(1))
    assert (await anext(both)).sequence_number == 1
    assert (await anext(late)).sequence_number == 1


async def test_where_streams_come_back_their_end_is_not_that_of_their_iterators():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.parting = False
    early = attached(fanout, AUDIO)
    fanout.put_event(StreamEnded(1.0, AUDIO, "BYE"))
    late = attached(fanout, AUDIO)
    fanout.interrupt([])
    fanout.put_packets(packets(1))
    assert ((await anext(early)).sequence_number, (await anext(late)).sequence_number) == (1, 1)
    fanout.end(None, 2.0)
    assert [packet async for packet in early] == []


def test_what_waits_for_the_first_iterator_outlives_an_interruption():
    fanout = Fanout(Limits(), "drop_oldest")
    fanout.put_packets(packets(1))
    fanout.interrupt([])
    fanout.put_packets(packets(2))
    assert waiting(attached(fanout)) == [1, 2]


async def test_one_that_follows_another_knows_what_that_was_told():
    first, second = Fanout(Limits(), "drop_oldest"), Fanout(Limits(), "drop_oldest")
    first.pool = SlabPool()
    ended = StreamEnded(1.0, AUDIO, "BYE")
    first.put_event(ended)
    first.put_packets(packets(1))
    second.follow(first)
    assert second.pool is first.pool
    assert await anext(second.events()) == ended
    assert [packet async for packet in attached(second, AUDIO)] == []
    assert waiting(attached(second)) == []

"""What happens to packets while they wait: they are kept, moved together, or lost and counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.client.packet_source import FEW, Backlog, PacketSource
from rtspkit.errors import ConnectionLost
from rtspkit.net.slab import DATAGRAMS, SlabPool
from rtspkit.wire.rtp import RtpPacket, parse_rtp_at, serialize_rtp
from rtspkit.wire.stream import Stream

AUDIO = Stream(0, "audio", "PCMU", 0, 8000, channels=1)
VIDEO = Stream(1, "video", "H264", 96, 90_000)
ODD = Stream(2, "application", "x-odd", 97, 90_000)

SMALL_POOL = 1024 * 1024  # eight slabs


def payload_of(number: int) -> bytes:
    return number.to_bytes(4, "big") * 40


class Network:
    """Writes packets into the slabs of a pool, one here and there: the rest is other streams'."""

    def __init__(self, pool: SlabPool, *, every: int = DATAGRAMS.slots) -> None:
        self.pool = pool
        self.every = every
        self.number = 0

    def packet(self, stream: Stream = AUDIO) -> RtpPacket | None:
        """The next one; None when the pool has no room."""
        data = serialize_rtp(
            payload_of(self.number),
            payload_type=stream.payload_type or 0,
            sequence_number=self.number & 0xFFFF,
            timestamp=self.number * 160,
            ssrc=stream.index,
        )
        slab = self.pool.current(DATAGRAMS, DATAGRAMS.slot_size)
        if slab is None:
            return None
        start = slab.used
        slab.writable[start : start + len(data)] = data
        slab.used = min(start + self.every * DATAGRAMS.slot_size, DATAGRAMS.size)
        made = parse_rtp_at(slab.view, start, len(data))
        made.stream, made.arrival = stream, float(self.number)
        self.number += 1
        return made

    def packets(self, count: int, stream: Stream = AUDIO) -> list[RtpPacket]:
        made = [self.packet(stream) for _ in range(count)]
        return [packet for packet in made if packet is not None]

    def overwrite(self, slabs: int = 1000) -> None:
        """Use everything that is free again, as long as traffic goes on."""
        for _ in range(slabs):
            slab = self.pool.current(DATAGRAMS, DATAGRAMS.slot_size)
            if slab is not None:
                slab.writable[slab.used :] = b"\xee" * (DATAGRAMS.size - slab.used)
                slab.used = DATAGRAMS.size


def source(
    *streams: Stream, maximum: int = 8192, whole_units: bool = False, **options: Any
) -> PacketSource:
    return PacketSource(streams or None, Backlog(maximum, **options), whole_units=whole_units)


def numbers(one: PacketSource) -> list[int]:
    return [packet.sequence_number for packet in one.queue.items]


def is_sound(packet: RtpPacket) -> bool:
    return bytes(packet.payload) == payload_of(packet.timestamp // 160)


def put_one_by_one(one: PacketSource, network: Network, count: int) -> None:
    for _ in range(count):
        one.put(network.packets(1))


# -- which streams ------------------------------------------------------------------------------


def test_a_source_takes_only_its_streams():
    one, network = source(VIDEO), Network(SlabPool())
    one.put(network.packets(1, AUDIO))
    one.put([*network.packets(1, AUDIO), *network.packets(1, VIDEO)])
    assert numbers(one) == [2]


async def test_a_source_ends_with_the_last_of_its_streams():
    one, network = source(AUDIO, VIDEO), Network(SlabPool())
    one.stream_ended(AUDIO)
    one.stream_ended(ODD)
    one.put(network.packets(1, VIDEO))
    one.stream_ended(VIDEO)
    assert await one.queue.wait() is True
    one.queue.pop()
    assert await one.queue.wait() is False


async def test_streams_that_go_on_after_play_do_not_end_the_source():
    one, network = source(AUDIO, VIDEO), Network(SlabPool())
    one.stream_ended(AUDIO)
    one.restart()
    one.stream_ended(VIDEO)
    one.put(network.packets(1, AUDIO))
    one.queue.pop()
    one.stream_ended(AUDIO)
    assert await one.queue.wait() is False


async def test_whoever_took_a_stream_takes_the_one_that_has_come_back_in_its_place():
    other = Stream(1, "video", "H265", 97, 90_000)
    one, network = source(VIDEO, AUDIO), Network(SlabPool())
    one.change(VIDEO, other)
    assert one.streams == (other, AUDIO)
    one.put([*network.packets(1, other), *network.packets(1, VIDEO)])
    assert numbers(one) == [0]
    one.stream_ended(AUDIO)
    one.stream_ended(other)
    one.queue.pop()
    assert await one.queue.wait() is False


async def test_a_stream_that_had_ended_goes_on_as_another():
    one, other = source(VIDEO, AUDIO), Stream(5, "video", "H265", 97, 90_000)
    network = Network(SlabPool())
    one.stream_ended(VIDEO)
    one.change(VIDEO, other)
    one.stream_ended(AUDIO)
    one.put(network.packets(1, other))
    assert await one.queue.wait() is True


@pytest.mark.parametrize("streams", [(), (AUDIO,)])
def test_the_change_of_a_stream_that_is_not_its_own_changes_nothing(streams):
    one, other = source(*streams), Stream(1, "video", "H265", 97, 90_000)
    before = one.streams
    one.change(VIDEO, other)
    assert one.streams == before


async def test_a_source_over_all_streams_ends_with_the_session():
    one = source()
    one.stream_ended(AUDIO)
    one.stream_ended(VIDEO)
    one.put(Network(SlabPool()).packets(1, ODD))
    one.end(ConnectionLost("gone"))
    one.queue.pop()
    with pytest.raises(ConnectionLost):
        await one.queue.wait()


def test_room_for_whole_units_is_half_of_the_queue():
    network = Network(SlabPool())
    one, units = source(maximum=10), source(maximum=10, whole_units=True)
    for each in (one, units):
        each.put(network.packets(10))
        each.put(network.packets(1))
    assert (len(one.queue.items), one.queue.dropped) == (10, 1)
    assert (len(units.queue.items), units.queue.dropped) == (5, 6)


# -- memory -------------------------------------------------------------------------------------


def test_with_memory_to_spare_packets_stay_where_they_are():
    pool = SlabPool()
    one, network = source(pool=pool), Network(pool, every=1)
    packets = network.packets(1000)
    places = [(packet.memory, packet.start) for packet in packets]
    one.put(packets)
    assert not pool.pressed
    assert [(packet.memory, packet.start) for packet in packets] == places
    assert pool.copies == 0


def test_when_memory_is_short_what_waits_is_moved_together():
    """Each packet pins a slab of 128 KiB; by themselves they need some 10 KiB."""
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(pool=pool), Network(pool)
    one.put(network.packets(80))
    assert pool.pressed
    assert numbers(one) == list(range(80))
    assert all(map(is_sound, one.queue.items))
    assert pool.stats().pinned < SMALL_POOL
    network.overwrite()
    assert all(map(is_sound, one.queue.items))
    assert (pool.copies, one.queue.dropped, pool.drops) == (80, 0, 0)


def test_a_consumer_that_lags_by_thousands_pins_little_more_than_it_has():
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(pool=pool), Network(pool)
    put_one_by_one(one, network, 5000)
    assert numbers(one) == list(range(5000))
    assert all(map(is_sound, one.queue.items))
    assert pool.stats().allocated <= pool.limit
    assert one.queue.dropped == 0


def test_each_packet_is_moved_once():
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(pool=pool), Network(pool)
    put_one_by_one(one, network, 500)
    assert FEW < pool.copies <= 500
    assert len({id(packet) for packet in one.queue.items}) == 500


@pytest.mark.parametrize("policy", ["drop_newest", "block"])
def test_nothing_is_moved_again_for_what_was_dropped(policy):
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(maximum=100, policy=policy, pool=pool), Network(pool)
    put_one_by_one(one, network, 500)
    assert FEW < pool.copies <= 100


def test_a_few_that_wait_are_nobodys_concern():
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(pool=pool), Network(pool)
    others = network.packets(80)  # somebody else's
    assert len(others) == 80
    for _ in range(200):
        one.put(network.packets(1))
        if len(one.queue.items) > FEW // 2:
            one.queue.pop()
    assert pool.pressed
    assert pool.copies == 0


def test_what_the_user_holds_stays_as_it_was():
    pool = SlabPool(SMALL_POOL * 16)
    one, network = source(pool=pool), Network(pool)
    packets = network.packets(30)
    held = [(packet.payload, bytes(packet.payload)) for packet in packets]
    owners = [view.obj for view, _ in held]
    one.put(packets)
    one.put(network.packets(60))
    network.overwrite()
    assert pool.copies == 90
    waiting = list(one.queue.items)[:30]
    assert all(a.memory.obj is not b for a, b in zip(waiting, owners, strict=True))
    assert all(packet.memory.obj is b for packet, b in zip(packets, owners, strict=True))
    assert all(view.obj is owner for (view, _), owner in zip(held, owners, strict=True))
    assert all(view == before for view, before in held)


def test_another_iterator_sees_the_same_packets_as_before():
    pool = SlabPool(SMALL_POOL * 16)
    slow, quick, network = source(pool=pool), source(pool=pool), Network(pool)
    for _ in range(100):
        packets = network.packets(1)
        for each in (slow, quick):
            each.put(packets)
        taken = quick.queue.take_all()
        assert taken == packets
        assert all(map(is_sound, taken))
    packets = network.packets(20)
    for each in (slow, quick):
        each.put(packets)
    network.overwrite()
    assert all(a is b for a, b in zip(quick.queue.items, packets, strict=True))
    assert all(map(is_sound, quick.queue.items))
    assert all(map(is_sound, slow.queue.items))


def test_without_room_for_that_the_consumer_that_lags_loses_its_oldest():
    pool = SlabPool(SMALL_POOL)
    lagging, network = source(pool=pool), Network(pool, every=1)
    put_one_by_one(lagging, network, 10_000)
    kept = numbers(lagging)
    assert network.number == 10_000  # the network always had room
    assert kept == list(range(10_000 - len(kept), 10_000))
    assert len(kept) >= FEW
    assert lagging.queue.dropped == 10_000 - len(kept)
    assert all(map(is_sound, lagging.queue.items))
    assert pool.stats().allocated <= SMALL_POOL


def test_who_keeps_up_loses_nothing_to_one_who_lags():
    pool = SlabPool(SMALL_POOL)
    lagging, quick, network = source(pool=pool), source(pool=pool), Network(pool, every=4)
    received = []
    for _ in range(2000):
        packets = network.packets(4)
        lagging.put(packets)
        quick.put(packets)
        taken = quick.queue.take_all()
        assert all(map(is_sound, taken))
        received += [packet.timestamp // 160 for packet in taken]
    assert received == list(range(8000))
    assert quick.queue.dropped == 0
    assert lagging.queue.dropped > 0


def test_a_user_who_keeps_every_packet_costs_the_bound_and_no_more():
    pool = SlabPool(SMALL_POOL)
    one, network, kept = source(pool=pool), Network(pool, every=1), []
    for _ in range(5000):
        one.put(network.packets(1))
        kept += one.queue.take_all()
    assert 300 < len(kept) < 5000
    assert pool.stats().allocated <= SMALL_POOL
    assert all(map(is_sound, kept))


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 90), st.sampled_from(["", "one", "some", "all", "hold"])),
        max_size=40,
    ),
    every=st.sampled_from([1, 8, 64]),
    maximum=st.sampled_from([70, 200, 8192]),
    policy=st.sampled_from(["drop_oldest", "drop_newest", "block"]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_taken_and_held_no_packet_changes_and_each_is_accounted_for(
    steps, every, maximum, policy
):
    pool = SlabPool(SMALL_POOL)
    one = source(maximum=maximum, policy=policy, pool=pool)
    network, held, taken = Network(pool, every=every), [], []
    for count, action in steps:
        one.put(network.packets(count))
        queue = one.queue
        if action == "one" and queue.items:
            taken.append(queue.pop().timestamp)
        elif action in ("some", "all"):
            taken += [packet.timestamp for packet in queue.take(20 if action == "some" else 9999)]
        elif action == "hold":
            held += [(packet, packet.payload) for packet in queue.items]
        assert len(queue.items) <= maximum
        assert all(map(is_sound, queue.items))
        assert all(is_sound(packet) and view == packet.payload for packet, view in held)
        assert pool.stats().allocated <= SMALL_POOL
    rest = [packet.timestamp for packet in one.queue.items]
    assert len(taken) + len(rest) + one.queue.dropped == network.number
    assert taken + rest == sorted({*taken, *rest})


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 90),
            st.integers(0, 1),
            st.sampled_from(["", "", "one", "some", "all", "hold"]),
        ),
        max_size=40,
    ),
    every=st.sampled_from([1, 8, 64]),
    maximum=st.tuples(st.sampled_from([70, 200, 8192]), st.sampled_from([100, 8192])),
    policies=st.tuples(*[st.sampled_from(["drop_oldest", "drop_newest", "latest", "block"])] * 2),
    whole_units=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_two_that_lag_in_a_pressed_pool_have_every_payload_as_it_was_sent(
    steps, every, maximum, policies, whole_units
):
    """What one has moved together is what the other has, and neither is ever written over."""
    pool = SlabPool(SMALL_POOL)
    network = Network(pool, every=every)
    both = [
        source(maximum=most, policy=policy, pool=pool, on_hold=lambda held: None, whole_units=units)
        for most, policy, units in zip(maximum, policies, (False, whole_units), strict=True)
    ]
    taken: list[list[int]] = [[], []]
    held = []
    for count, who, action in steps:
        packets = network.packets(count)
        for each in both:
            each.put(packets)
        queue = both[who].queue
        if action == "hold":
            held += [(packet, packet.payload) for packet in list(queue.items)[::7]]
        elif action and queue.items:
            items = queue.take({"one": 1, "some": 20, "all": 9999}[action])
            assert all(map(is_sound, items))
            taken[who] += [packet.timestamp for packet in items]
        network.overwrite(slabs=10)
        assert all(is_sound(packet) for each in both for packet in each.queue.items)
        assert all(is_sound(packet) and view == packet.payload for packet, view in held)
        assert pool.stats().allocated <= SMALL_POOL
    for each, out in zip(both, taken, strict=True):
        rest = [packet.timestamp for packet in each.queue.items]
        assert len(out) + len(rest) + each.queue.dropped == network.number
        assert out + rest == sorted({*out, *rest})

"""The pool of memory: nothing that is held is written over, and nothing grows without end."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.net.slab import (
    BYTES,
    DATAGRAMS,
    SURPLUS,
    SizeClass,
    Slab,
    SlabPool,
    pool_of,
)

KINDS = [DATAGRAMS, BYTES]


def take(pool: SlabPool, data: bytes, kind: SizeClass = DATAGRAMS) -> memoryview | None:
    """As a socket does: write into the slab, and hand out a view of that."""
    room = kind.slot_size if kind.slots > 1 else len(data)
    slab = pool.current(kind, room)
    if slab is None:
        return None
    begin = slab.used
    slab.writable[begin : begin + len(data)] = data
    slab.used += room
    assert slab.view is not None
    return slab.view[begin : begin + len(data)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_slabs_that_nobody_holds_are_used_again(kind):
    pool = SlabPool()
    size = kind.slot_size if kind.slots > 1 else 1000
    for number in range(20 * kind.size // size):
        assert take(pool, number.to_bytes(4, "big") * (size // 4), kind) is not None
    stats = pool.stats()
    assert stats.fresh <= 2
    assert stats.reuses >= 17
    assert stats.pinned == kind.size


@pytest.mark.parametrize("counts_tell", [True, False])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5])
def test_what_is_held_is_never_written_over(counts_tell, share):
    chance = random.Random(share)
    pool = SlabPool(16 * 1024 * 1024, counts_tell=counts_tell)
    held: dict[int, memoryview] = {}
    for number in range(30_000):
        data = number.to_bytes(8, "big") * chance.randrange(1, 150)
        view = take(pool, data, chance.choice([DATAGRAMS, BYTES]))
        if view is None:
            held.pop(chance.choice(list(held)))
            continue
        if chance.random() < share:
            held[number] = view[8 * chance.randrange(1, 150) :] if chance.random() < 0.5 else view
        if len(held) > 300:
            held.pop(chance.choice(list(held)))
        del view
    for number, view in held.items():
        assert bytes(view) == number.to_bytes(8, "big") * (len(view) // 8)
    assert pool.stats().allocated <= pool.limit


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_of_taking_and_letting_go_keeps_what_is_held(data):
    pool = SlabPool(data.draw(st.integers(1, 24)) * 128 * 1024)
    held: list[tuple[bytes, memoryview]] = []
    for number in range(data.draw(st.integers(0, 400))):
        choice = data.draw(st.integers(0, 9))
        if choice < 7:
            content = number.to_bytes(4, "big") * 256
            view = take(pool, content, data.draw(st.sampled_from(KINDS)))
            if view is not None and choice < 5:
                held.append((content, memoryview(view)[4:] if choice == 0 else view))
            del view
        elif held:
            held.pop(data.draw(st.integers(0, len(held) - 1)))
        assert pool.stats().allocated <= pool.limit
    for content, view in held:
        assert bytes(view) == content[-len(view) :]


@pytest.mark.parametrize("way", ["slice", "view of a view", "bytes kept", "array"])
def test_every_way_to_hold_something_counts(way):
    pool = SlabPool(128 * 1024 * 8)
    view = take(pool, b"precious")
    assert view is not None
    if way == "slice":
        kept: object = view[2:4]
    elif way == "view of a view":
        kept = memoryview(view)
    elif way == "bytes kept":
        kept = bytes(view)
    else:
        kept = pytest.importorskip("numpy").frombuffer(view, dtype="u1")
    slab = pool._current[DATAGRAMS]
    del view
    slab.view = None
    assert slab.idle == (way == "bytes kept")
    del kept
    gc.collect()
    assert slab.idle


def test_who_keeps_everything_gets_drops_and_no_growth():
    pool = SlabPool(4 * 1024 * 1024)
    kept, copies, refused = [], [], 0
    for number in range(20_000):
        data = number.to_bytes(4, "big") * 300
        view = take(pool, data)
        if view is not None:
            kept.append((number, view))
            continue
        scratch = pool.scratch(DATAGRAMS)
        scratch.writable[: len(data)] = data
        copy = pool.copy_out(scratch.writable[: len(data)])
        if copy is None:
            refused += 1
        else:
            copies.append((number, copy))
    stats = pool.stats()
    assert stats.allocated <= pool.limit
    assert (stats.copies, stats.drops) == (len(copies), refused)
    assert min(len(kept), len(copies), refused) > 300
    assert stats.pinned > stats.limit * 0.9
    for number, view in kept + copies:
        assert bytes(view) == number.to_bytes(4, "big") * 300
    kept.clear()
    copies.clear()
    del view
    while take(pool, b"free again") is None:
        refused -= 1
        assert refused > 0


def test_a_copy_is_by_itself_and_its_room_is_free_when_it_is_gone():
    pool = SlabPool(80_000)
    large = memoryview(bytes(range(250)) * 36)
    copy = pool.copy_out(large)
    assert copy == large
    assert copy.readonly
    assert pool.stats().pinned == 9000
    part = copy[10:20]
    assert pool.copy(memoryview(bytes(1001))) is None
    assert pool.copy_out(memoryview(bytes(1001))) is None
    assert pool.stats().drops == 1
    del copy
    assert pool.stats().pinned == 9000
    del part
    assert pool.stats().pinned == 0
    assert pool.copy(memoryview(bytes(10_000))) is not None


def test_the_reserve_is_for_copies_alone():
    pool = SlabPool(DATAGRAMS.size * 8)
    kept = [take(pool, b"x") for _ in range(64 * 8)]
    assert kept.count(None) == 64  # one of eight slabs was not given
    assert pool.copy(memoryview(b"copy")) is not None


def test_who_keeps_a_few_of_each_slab_goes_on_with_copies():
    """Every 64th packet is kept, 600 of them: a megabyte of packets that pins all there is."""
    pool = SlabPool()
    kept: deque[memoryview] = deque(maxlen=600)
    delivered = 0
    for number in range(64 * 2000):
        data = number.to_bytes(4, "big") * 300
        view = take(pool, data) or pool.copy_out(memoryview(data))
        delivered += view is not None
        if view is not None and number % 64 == 0:
            kept.append(view)
    assert delivered == 64 * 2000
    assert [int.from_bytes(view[:4], "big") for view in kept] == list(
        range(64 * 1400, 64 * 2000, 64)
    )


def test_one_kind_makes_room_for_another():
    pool = SlabPool(2 * 1024 * 1024)
    burst = []
    while (view := take(pool, b"x")) is not None:
        burst.append(view)
    burst.clear()
    given = [take(pool, bytes(1000), BYTES) is not None for _ in range(2000)]
    assert given.count(False) < 10
    assert all(given[10:])
    assert pool.stats().allocated <= pool.limit


def test_a_burst_does_not_keep_its_memory_for_ever():
    pool = SlabPool()
    burst = [take(pool, b"x") for _ in range(64 * 100)]
    assert pool.stats().allocated >= 100 * DATAGRAMS.size
    burst.clear()
    for _ in range(SURPLUS * 120):
        slab = pool.current(DATAGRAMS, DATAGRAMS.slot_size)
        assert slab is not None
        slab.used += DATAGRAMS.size
    assert pool.stats().allocated < 10 * DATAGRAMS.size


def test_one_packet_held_for_ever_costs_one_slab():
    pool = SlabPool()
    held = []
    for number in range(64 * 2000):
        view = take(pool, b"x")
        if number % (64 * 100) == 0:
            held.append(view)
    del view
    assert len(held) == 20
    assert pool.stats().pinned_slabs <= 22
    assert pool.stats().fresh <= 30


def test_where_counts_do_not_tell_a_fresh_slab_is_taken_and_the_bound_holds():
    pool = SlabPool(4 * DATAGRAMS.size, counts_tell=False)
    for _ in range(64 * 50):
        assert take(pool, b"x") is not None
    assert pool.stats().reuses == 0
    assert pool.stats().fresh >= 50
    assert pool.stats().allocated <= pool.limit


def test_scratch_is_written_over():
    pool = SlabPool()
    first = pool.scratch(BYTES)
    first.used = 100
    again = pool.scratch(BYTES)
    assert again is first
    assert again.used == 0


def test_pressed_is_half_of_the_bound_for_as_long_as_little_is_free():
    pool = SlabPool(DATAGRAMS.size * 8)
    kept = []
    while not pool.pressed:
        kept.append(take(pool, b"x"))
        assert len(kept) < 64 * 7
    assert len(kept) > 64 * 4
    kept.clear()
    for _ in range(64 * 10):
        take(pool, b"x")
    assert not pool.pressed


def test_a_slab_is_idle_only_without_views():
    slab = Slab(DATAGRAMS)
    view = slab.open()
    slab.view = None
    assert not slab.idle
    part = view[:1]
    del view
    assert not slab.idle
    del part
    assert slab.idle


async def test_a_loop_has_one_pool_and_the_largest_limit_holds():
    loop = asyncio.get_running_loop()
    pool = pool_of(loop, 8_000_000)
    assert pool_of(loop, 9_000_000) is pool
    assert pool_of(loop, 1_000_000).limit == 9_000_000
    assert pool_of(loop).limit == 9_000_000

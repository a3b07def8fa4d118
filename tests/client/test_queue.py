from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.client.queue import BoundedQueue
from rtspkit.errors import ConnectionLost


def itself(item: bytes) -> bytes:
    return item


def test_items_come_out_in_the_order_they_came_in():
    queue: BoundedQueue[int] = BoundedQueue(10)
    queue.put([1, 2])
    queue.put([3])
    assert [queue.pop(), queue.pop()] == [1, 2]
    assert queue.take_all() == [3]
    assert queue.dropped == 0


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("drop_oldest", [7, 8, 9]), ("drop_newest", [0, 1, 2]), ("latest", [9])],
)
def test_a_full_queue_does_what_its_policy_says(policy, kept):
    queue: BoundedQueue[int] = BoundedQueue(3, policy=policy)
    for i in range(10):
        queue.put([i])
    assert queue.take_all() == kept
    assert queue.dropped == 10 - len(kept)


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_bytes_are_bounded_too(policy):
    queue: BoundedQueue[bytes] = BoundedQueue(100, 10, memory_of=itself, policy=policy)
    queue.put([b"aaaa", b"bbbb", b"cccc"])
    assert queue.take_all() == (
        [b"bbbb", b"cccc"] if policy == "drop_oldest" else [b"aaaa", b"bbbb"]
    )


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest"])
def test_one_item_larger_than_the_bound_passes_alone(policy):
    queue: BoundedQueue[bytes] = BoundedQueue(100, 10, memory_of=itself, policy=policy)
    queue.put([bytes(50)])
    assert queue.pop() == bytes(50)
    queue.put([b"next"])
    assert queue.take_all() == [b"next"]
    assert queue.dropped == 0


def kept_alive(waiting: list[bytes]) -> int:
    return sum(len(item) for item in {id(item): item for item in waiting}.values())


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_memory_that_items_share_counts_once_and_whole(policy):
    slabs = [bytearray(100) for _ in range(3)]
    views = [memoryview(slab)[i : i + 1] for slab in slabs for i in range(4)]
    queue: BoundedQueue[memoryview] = BoundedQueue(
        100, 200, memory_of=lambda view: view.obj, policy=policy
    )
    queue.put(views)
    kept = views[4:] if policy == "drop_oldest" else views[:8]
    assert list(queue.items) == kept
    assert queue.dropped == 4
    for _ in kept:
        queue.pop()
    queue.put(views[:8])  # what was taken is not counted any more
    assert len(queue.items) == 8


@given(
    batches=st.lists(st.lists(st.binary(max_size=9), max_size=6), max_size=12),
    maximum_items=st.integers(1, 5),
    maximum_bytes=st.integers(1, 20),
    policy=st.sampled_from(["drop_oldest", "drop_newest", "latest"]),
    taken=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_the_bounds_hold_and_every_item_is_accounted_for(
    batches, maximum_items, maximum_bytes, policy, taken
):
    queue: BoundedQueue[bytes] = BoundedQueue(
        maximum_items, maximum_bytes, memory_of=itself, policy=policy
    )
    out: list[bytes] = []
    for batch, take in zip(batches, taken, strict=False):
        queue.put(batch)
        waiting = list(queue.items)
        assert len(waiting) <= (1 if policy == "latest" else maximum_items)
        assert len(waiting) == 1 or kept_alive(waiting) <= maximum_bytes
        if take and waiting:
            out.append(queue.pop())
    out += queue.take_all()
    every = [item for batch in batches for item in batch]
    assert len(out) + queue.dropped == len(every)
    rest = iter(every)
    assert all(item in rest for item in out)  # in order


async def test_a_consumer_that_waits_is_woken():
    queue: BoundedQueue[int] = BoundedQueue(10)
    task = asyncio.create_task(queue.wait())
    await asyncio.sleep(0)
    queue.put([])
    queue.put([1])
    queue.put([2])
    assert await task is True
    assert queue.take_all() == [1, 2]


async def test_after_the_end_what_waits_comes_first():
    queue: BoundedQueue[int] = BoundedQueue(10)
    queue.put([1])
    queue.end(None)
    assert await queue.wait() is True
    queue.pop()
    assert await queue.wait() is False


async def test_an_end_out_of_order_raises_again_and_again():
    queue: BoundedQueue[int] = BoundedQueue(10)
    task = asyncio.create_task(queue.wait())
    await asyncio.sleep(0)
    queue.end(ConnectionLost("gone"))
    queue.end(None)  # the first end counts
    for waiting in (task, queue.wait()):
        with pytest.raises(ConnectionLost, match="gone"):
            await waiting


async def test_a_cancelled_consumer_loses_nothing():
    queue: BoundedQueue[int] = BoundedQueue(10)
    task = asyncio.create_task(queue.wait())
    await asyncio.sleep(0)
    queue.put([1])
    task.cancel()
    await asyncio.wait([task])
    assert await queue.wait() is True
    assert queue.pop() == 1


async def test_two_consumers_at_once_are_refused():
    queue: BoundedQueue[int] = BoundedQueue(10)
    task = asyncio.create_task(queue.wait())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one consumer"):
        await queue.wait()
    queue.put([1])
    assert await task is True

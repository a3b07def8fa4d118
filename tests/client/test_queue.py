from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.client.queue import BoundedQueue
from rtspkit.errors import ConnectionLost

POLICIES = ["drop_oldest", "drop_newest", "latest", "block"]


def test_items_come_out_in_the_order_they_came_in():
    queue: BoundedQueue[int] = BoundedQueue(10)
    queue.put([1, 2])
    queue.put([3])
    assert [queue.pop(), queue.pop()] == [1, 2]
    assert queue.take_all() == [3]
    assert queue.dropped == 0


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("drop_oldest", [7, 8, 9]),
        ("drop_newest", [0, 1, 2]),
        ("latest", [9]),
        ("block", [0, 1, 2, 3]),
    ],
)
def test_a_full_queue_does_what_its_policy_says(policy, kept):
    queue: BoundedQueue[int] = BoundedQueue(3, policy=policy, on_hold=lambda held: None)
    for i in range(10):
        queue.put([i])
    assert queue.take_all() == kept
    assert queue.dropped == 10 - len(kept)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("drop_oldest", [7, 8, 9]),
        ("drop_newest", [0, 1, 2]),
        ("latest", [9]),
        ("block", list(range(10))),
    ],
)
def test_more_at_once_than_there_is_room_for_is_the_same_or_all_that_is_held_up(policy, kept):
    queue: BoundedQueue[int] = BoundedQueue(3, policy=policy, on_hold=lambda held: None)
    assert queue.put(list(range(10))) == len(kept)
    assert queue.take_all() == kept
    assert queue.dropped == 10 - len(kept)


def test_with_nobody_to_hold_block_drops_the_newest():
    queue: BoundedQueue[int] = BoundedQueue(3, policy="block")
    queue.put(list(range(10)))
    assert queue.take_all() == [0, 1, 2]
    assert (queue.dropped, queue.holding) == (7, False)


def test_what_fits_exactly_is_kept():
    for policy in POLICIES[:2]:
        queue: BoundedQueue[int] = BoundedQueue(3, policy=policy, spare=2)
        queue.put([1, 2, 3])
        assert queue.take_all() == [1, 2, 3]


def test_a_full_queue_makes_more_room_at_once_where_it_shall():
    """One gap in the stream instead of one for each packet that comes."""
    queue: BoundedQueue[int] = BoundedQueue(10, spare=5)
    queue.put(list(range(10)))
    queue.put([10])
    assert list(queue.items) == [6, 7, 8, 9, 10]
    assert queue.dropped == 6
    queue.put([11, 12, 13, 14, 15])
    assert (len(queue.items), queue.dropped) == (10, 6)


@pytest.mark.parametrize("policy", ["drop_newest", "block", "latest"])
def test_the_other_policies_have_nothing_to_spare(policy):
    queue: BoundedQueue[int] = BoundedQueue(4, policy=policy, spare=2)
    queue.put(list(range(5)))
    assert len(queue.items) == (1 if policy == "latest" else 4)


def test_some_are_taken_the_oldest_first():
    queue: BoundedQueue[int] = BoundedQueue(10)
    queue.put(list(range(5)))
    assert queue.take(2) == [0, 1]
    assert queue.take(9) == [2, 3, 4]
    assert queue.take(9) == []


def test_the_oldest_may_be_dropped_from_without():
    queue: BoundedQueue[int] = BoundedQueue(10)
    queue.put(list(range(5)))
    queue.drop_oldest(2)
    assert (list(queue.items), queue.dropped) == ([2, 3, 4], 2)
    queue.drop_oldest(9)
    assert (list(queue.items), queue.dropped) == ([], 5)


# -- block --------------------------------------------------------------------------------------


class Held:
    """What a queue under ``"block"`` says of its source."""

    def __init__(self, maximum: int = 4, policy: str = "block") -> None:
        self.told: list[bool] = []
        self.queue: BoundedQueue[int] = BoundedQueue(
            maximum, policy=policy, on_hold=self.told.append
        )

    def fill(self) -> None:
        self.queue.put(list(range(10)))


def test_the_source_is_held_once_however_much_comes():
    held = Held()
    held.queue.put([1, 2])
    assert held.told == []
    held.fill()
    held.fill()
    held.fill()
    assert held.told == [True]
    assert held.queue.holding


@pytest.mark.parametrize("take", ["pop", "take", "take_all"])
def test_it_goes_on_when_half_of_the_room_is_free(take):
    held = Held(maximum=8)
    held.fill()
    while held.queue.items:
        waiting = len(held.queue.items)
        assert held.told == ([True] if waiting > 4 else [True, False])
        if take == "pop":
            held.queue.pop()
        elif take == "take":
            held.queue.take(3)
        else:
            held.queue.take_all()
    assert held.told == [True, False]
    assert not held.queue.holding


def test_with_room_for_one_it_goes_on_when_all_is_taken():
    held = Held(maximum=1)
    held.queue.put([1, 2])
    assert (held.queue.pop(), held.told) == (1, [True])
    assert (held.queue.pop(), held.told) == (2, [True, False])


def test_what_came_with_the_item_that_filled_it_is_kept_whole():
    """It was read with one system call, or is one record of TCP: nobody could have left it."""
    held = Held(maximum=4)
    held.queue.put([0, 1, 2])
    assert held.queue.put([3, 4, 5, 6]) == 4
    assert list(held.queue.items) == list(range(7))
    assert (held.queue.dropped, held.told) == (0, [True])


def test_what_comes_while_it_is_held_is_dropped_where_there_is_no_room():
    held = Held(maximum=4)
    held.queue.put(list(range(6)))
    assert held.queue.put([6, 7]) == 0
    assert [held.queue.pop() for _ in range(3)] == [0, 1, 2]
    assert held.queue.holding
    assert held.queue.put([8, 9]) == 1
    assert list(held.queue.items) == [3, 4, 5, 8]
    assert held.queue.dropped == 3


def test_when_it_has_gone_on_the_next_that_fills_it_is_kept_whole_again():
    held = Held(maximum=4)
    for _ in range(3):
        held.fill()
        assert len(held.queue.take_all()) == 10
    assert (held.told, held.queue.dropped) == ([True, False] * 3, 0)


def test_the_end_holds_nothing_and_nothing_holds_after_it():
    held = Held()
    held.fill()
    held.queue.end(None)
    assert held.told == [True, False]
    held.fill()
    assert held.told == [True, False]
    assert held.queue.dropped == 10  # nobody can be held any more


def test_a_consumer_that_goes_away_releases_its_source_once():
    held = Held()
    held.queue.release()
    held.fill()
    held.queue.release()
    held.queue.release()
    assert held.told == [True, False]


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest"])
def test_no_other_policy_holds_anything(policy):
    held = Held(policy=policy)
    held.fill()
    held.queue.take_all()
    held.queue.end(None)
    assert held.told == []
    assert not held.queue.holding


@given(
    batches=st.lists(st.lists(st.integers(), max_size=6), max_size=12),
    maximum=st.integers(1, 8),
    policy=st.sampled_from(POLICIES),
    spare=st.booleans(),
    taken=st.lists(st.sampled_from(["", "pop", "take", "take_all"]), min_size=12, max_size=12),
)
def test_the_bound_holds_and_every_item_is_accounted_for(batches, maximum, policy, spare, taken):
    told: list[bool] = []
    queue: BoundedQueue[int] = BoundedQueue(
        maximum, policy=policy, spare=maximum // 2 if spare else 0, on_hold=told.append
    )
    out: list[int] = []
    for batch, take in zip(batches, taken, strict=False):
        held, waiting, dropped = queue.holding, len(queue.items), queue.dropped
        queue.put(batch)
        if policy == "block" and not held:
            assert (len(queue.items), queue.dropped) == (waiting + len(batch), dropped)
            assert queue.holding == (len(queue.items) > maximum)
        else:
            assert len(queue.items) <= max(waiting, 1 if policy == "latest" else maximum)
        if take == "pop" and queue.items:
            out.append(queue.pop())
        elif take == "take":
            out += queue.take(2)
        elif take == "take_all":
            out += queue.take_all()
        assert told == [True, False] * (len(told) // 2) + [True] * queue.holding
        assert not queue.holding or len(queue.items) > maximum // 2
    out += queue.take_all()
    every = [item for batch in batches for item in batch]
    assert len(out) + queue.dropped == len(every)
    rest = iter(every)
    assert all(item in rest for item in out)  # in order
    assert not queue.holding


# -- gaps ---------------------------------------------------------------------------------------


def taken(queue: BoundedQueue[int], most: int = 3) -> list[list[int]]:
    """All that waits, in pieces between its gaps."""
    pieces: list[list[int]] = [[]]
    while queue.items:
        if queue.pass_gap():
            pieces.append([])
        pieces[-1] += queue.take(most)
    return pieces


def gappy(maximum: int, policy: str, spare: int = 0) -> BoundedQueue[int]:
    return BoundedQueue(maximum, policy=policy, spare=spare, on_hold=lambda held: None, gaps=True)


def test_a_gap_is_in_front_when_the_oldest_went():
    queue = gappy(6, "drop_oldest", spare=3)
    queue.put(list(range(8)))
    assert taken(queue) == [[], [5, 6, 7]]
    queue.put([8, 9])
    assert taken(queue) == [[8, 9]]


@pytest.mark.parametrize(("policy", "kept"), [("drop_newest", 4), ("block", 7)])
def test_a_gap_is_behind_what_waits_when_the_newest_went(policy, kept):
    queue = gappy(4, policy)
    queue.put(list(range(7)))
    queue.put([7, 8])  # dropped
    first = queue.take(3)
    queue.take(kept - 4)
    queue.put([9])
    assert first == [0, 1, 2]
    assert taken(queue) == [[kept - 1], [9]]


def test_nobody_who_does_not_want_to_know_is_told_of_gaps():
    queue: BoundedQueue[int] = BoundedQueue(4)
    queue.put(list(range(10)))
    assert taken(queue) == [[6, 7, 8, 9]]


@given(
    batches=st.lists(st.integers(0, 9), max_size=12),
    maximum=st.integers(1, 8),
    policy=st.sampled_from(POLICIES),
    takes=st.lists(st.integers(0, 6), min_size=12, max_size=12),
    spare=st.integers(0, 4),
)
def test_a_piece_between_gaps_has_none_inside(batches, maximum, policy, takes, spare):
    queue = gappy(maximum, policy, spare)
    number, last = 0, -1
    for count, most in zip(batches, takes, strict=False):
        queue.put(range(number, number + count))
        number += count
        while most and queue.items:
            told = queue.pass_gap()
            piece = queue.take(most)
            assert piece == list(range(piece[0], piece[0] + len(piece)))
            assert told or piece[0] == last + 1
            last, most = piece[-1], most // 2


# -- the consumer -------------------------------------------------------------------------------


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


# -- interruptions --------------------------------------------------------------------------------


def interrupted(*before: int, gaps: bool = True, **options: Any) -> BoundedQueue[int]:
    queue: BoundedQueue[int] = BoundedQueue(10, gaps=gaps, **options)
    queue.put(before)
    queue.interrupt()
    return queue


def test_what_waits_is_not_taken_together_with_what_comes_behind_an_interruption():
    queue = interrupted(1, 2, 3)
    queue.put([4, 5])
    assert queue.pass_gap() is False
    assert queue.take(64) == [1, 2, 3]
    assert queue.pass_gap() is True
    assert queue.pass_gap() is False
    assert queue.take(64) == [4, 5]
    assert queue.pass_gap() is False
    assert queue.dropped == 0


def test_an_interruption_of_an_empty_queue_is_before_what_comes_next():
    queue = interrupted()
    queue.put([1])
    assert queue.pass_gap() is True
    assert queue.take(64) == [1]


def test_an_interruption_behind_what_was_taken_is_found():
    queue: BoundedQueue[int] = BoundedQueue(10, gaps=True)
    queue.put([1, 2])
    assert queue.take(64) == [1, 2]
    queue.interrupt()
    queue.put([3])
    assert queue.pass_gap() is True
    assert queue.take(64) == [3]


def test_interruptions_without_anything_between_are_one():
    queue = interrupted(1)
    for _ in range(1000):
        queue.interrupt()
    queue.put([2])
    assert queue.take(64) == [1]
    assert queue.pass_gap() is True
    assert queue.pass_gap() is False
    assert len(queue._gaps) == 0


def test_a_loss_in_front_of_an_interruption_is_told_before_it():
    queue = interrupted(*range(10))
    queue.put(range(10, 15))  # the oldest go, and it is marked where they were
    assert queue.pass_gap() is True
    assert queue.take(64) == [5, 6, 7, 8, 9]
    assert queue.pass_gap() is True
    assert queue.take(64) == [10, 11, 12, 13, 14]


def test_an_interruption_that_was_overtaken_by_a_loss_is_told_with_it():
    queue = interrupted(1, 2)
    queue.put(range(10, 25))
    assert queue.pass_gap() is True
    assert queue.take(64) == list(range(15, 25))
    assert queue.pass_gap() is False


def test_who_does_not_ask_for_gaps_is_not_told():
    queue = interrupted(1, gaps=False)
    queue.put([2])
    assert queue.pass_gap() is False
    assert queue.take(64) == [1, 2]


@given(st.lists(st.sampled_from(["put", "interrupt", "take"]), max_size=60))
def test_nothing_is_ever_taken_across_an_interruption(steps):
    queue: BoundedQueue[tuple[int, int]] = BoundedQueue(1000, gaps=True)
    connection = number = 0
    taken: list[tuple[int, int]] = []

    def take() -> None:
        gap = queue.pass_gap()
        items = queue.take(7)
        assert len({one for one, _ in items}) <= 1
        if taken and items:
            assert (items[0][0] != taken[-1][0]) <= gap
        taken.extend(items)

    for step in steps:
        if step == "put":
            queue.put([(connection, number + place) for place in range(5)])
            number += 5
        elif step == "interrupt":
            connection += 1
            queue.interrupt()
        elif queue.items:
            take()
    while queue.items:
        take()
    assert [place for _, place in taken] == list(range(number))

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from virtual_loop import VirtualLoop

from rtspkit.net.budget import LESSON, Budget, Places, budget_of

CAMERA = ("camera", 554)
OTHER = ("camera", 8554)


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Watching:
    def __init__(self) -> None:
        self.told: list[tuple[tuple[str, int], int]] = []

    def freed(self, places: Places) -> None:
        self.told.append((places.server, places.number))


def with_sessions(budget: Budget, number: int) -> list[Places]:
    taken = [budget.take(CAMERA, 1) for _ in range(number)]
    for places in taken:
        places.in_session = lambda: True
    return taken


def test_counts_what_a_race_may_have_open_until_it_is_given_back():
    budget = Budget(Clock())
    race = budget.take(CAMERA, 3)
    assert (race.number, budget.taken(CAMERA), budget.taken(OTHER)) == (3, 3, 0)
    race.shrink(1)
    assert budget.taken(CAMERA) == 1
    race.shrink(2)  # it cannot grow
    assert budget.taken(CAMERA) == 1
    race.shrink(0)
    race.shrink(0)
    assert budget.taken(CAMERA) == 0


def test_as_long_as_a_server_has_not_refused_there_is_no_bound():
    budget = Budget(Clock())
    assert [budget.take(CAMERA, 3).number for _ in range(50)] == [3] * 50
    assert budget.room(CAMERA) is None
    assert budget.bears(CAMERA) is None


@pytest.mark.parametrize(("sessions", "bears"), [(0, 1), (1, 1), (2, 2), (5, 5)])
def test_a_refusal_teaches_how_many_it_bears_and_one_in_any_case(sessions, bears):
    budget = Budget(Clock())
    budget.refused(CAMERA, sessions)
    assert budget.bears(CAMERA) == bears
    assert budget.bears(OTHER) is None


def test_races_are_as_narrow_as_the_server_bears_and_nobody_is_kept_out():
    budget = Budget(Clock())
    budget.refused(CAMERA, 4)
    assert budget.take(CAMERA, 3).number == 3
    assert budget.room(CAMERA) == 1
    assert budget.take(CAMERA, 3).number == 1
    assert budget.room(CAMERA) == 0
    assert budget.take(CAMERA, 3).number == 1
    assert budget.take(OTHER, 3).number == 3


def test_a_refusal_is_forgotten_after_an_hour():
    clock = Clock()
    budget = Budget(clock)
    budget.refused(CAMERA, 1)
    clock.time += LESSON - 1
    assert budget.bears(CAMERA) == 1
    clock.time += 1
    assert budget.bears(CAMERA) is None
    assert budget.take(CAMERA, 3).number == 3


def test_a_refusal_is_forgotten_when_the_server_has_taken_more():
    budget = Budget(Clock())
    sessions = with_sessions(budget, 2)
    budget.refused(CAMERA, budget.sessions(CAMERA))
    budget.accepted(CAMERA)
    assert budget.bears(CAMERA) == 2  # as many are no more
    sessions += with_sessions(budget, 1)
    budget.accepted(CAMERA)
    assert budget.bears(CAMERA) is None


def test_only_what_carries_a_session_counts_as_one():
    budget = Budget(Clock())
    with_sessions(budget, 2)
    budget.take(CAMERA, 3)
    assert (budget.sessions(CAMERA), budget.taken(CAMERA)) == (2, 5)


def test_nothing_is_kept_of_servers_that_are_gone():
    clock = Clock()
    budget = Budget(clock)
    for port in range(100):
        budget.take(("camera", port), 2).shrink(0)
        budget.refused(("camera", port), 1)
    clock.time += LESSON
    budget.refused(CAMERA, 1)
    assert list(budget._records) == [CAMERA]
    clock.time += LESSON
    assert budget.bears(CAMERA) is None
    assert budget._records == {}


def test_whoever_watches_is_told_of_each_place_that_becomes_free():
    budget, watching = Budget(Clock()), Watching()
    budget.watchers.add(watching)
    race = budget.take(CAMERA, 3)
    race.shrink(1)
    race.shrink(0)
    assert watching.told == [(CAMERA, 1), (CAMERA, 0)]


async def test_a_connection_keeps_one_place_until_it_is_closed():
    budget = Budget(Clock())
    closed = asyncio.get_running_loop().create_future()
    race = budget.take(CAMERA, 3)
    race.bind(closed, lambda: True)
    assert budget.places_of(closed) is race
    assert (budget.taken(CAMERA), budget.sessions(CAMERA)) == (1, 1)
    race.bind(closed, lambda: False)  # it goes on with another session
    assert (budget.taken(CAMERA), budget.sessions(CAMERA)) == (1, 0)
    closed.set_result(None)
    await asyncio.sleep(0)
    assert budget.taken(CAMERA) == 0
    assert budget.places_of(closed) is None


async def test_each_loop_has_its_own_with_its_time():
    loop = asyncio.get_running_loop()
    budget = budget_of(loop)
    assert budget_of(loop) is budget
    budget.refused(CAMERA, 1)
    assert budget.bears(CAMERA) == 1


def test_a_loop_is_not_kept_alive_by_its_budget():
    loop = VirtualLoop()
    loop.hurry(LESSON)
    budget_of(loop).refused(CAMERA, 1)
    loop.pass_time(LESSON - 1)
    assert budget_of(loop).bears(CAMERA) == 1
    known = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()
    assert known() is None

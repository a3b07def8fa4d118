"""Attempts take turns, and nobody who hangs is in the way of others."""

from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.gate import PLACES, Gate, gate_of

pytestmark = pytest.mark.virtual_clock


async def stay(gate: Gate, seconds: float, begun: list[float]) -> None:
    async with gate.place():
        begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)


async def began(gate: Gate, count: int, seconds: float) -> list[float]:
    """When each of so many was let in, from the first one on."""
    begun: list[float] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(stay(gate, seconds, begun))
    return [round(at - begun[0], 6) for at in begun]


async def test_so_many_at_a_time_and_the_others_in_line():
    assert await began(Gate(2, longest=9), 5, 0.1) == [0, 0, 0.1, 0.1, 0.2]


async def test_who_takes_long_keeps_no_place():
    assert await began(Gate(2, longest=0.25), 5, 60) == [0, 0, 0.25, 0.25, 0.5]


async def test_afterwards_every_place_is_free_again():
    gate = Gate(3, longest=0.25)
    await began(gate, 7, 0.1)
    await began(gate, 7, 1.0)
    assert gate.free == 3


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15, 0.25, 0.3])
async def test_who_is_cancelled_takes_no_place_with_him(after):
    gate = Gate(1, longest=0.1)
    begun: list[float] = []
    tasks = [asyncio.create_task(stay(gate, 1.0, begun)) for _ in range(3)]
    await asyncio.sleep(after)
    for task in tasks[:2]:
        task.cancel()
    await asyncio.wait(tasks)
    assert tasks[2].exception() is None
    assert gate.free == 1


async def test_who_is_cancelled_in_the_turn_that_lets_him_in_passes_it_on():
    gate = Gate(1, longest=9)
    await gate.take()
    waiting, last = (asyncio.create_task(gate.take()) for _ in range(2))
    await asyncio.sleep(0)
    gate.give()
    waiting.cancel()
    await asyncio.wait([waiting])
    async with asyncio.timeout(1):
        await last
    gate.give()
    assert gate.free == 1


async def test_who_is_cancelled_in_the_turn_before_it_would_let_him_in_is_passed_over():
    gate = Gate(1, longest=9)
    await gate.take()
    waiting, last = (asyncio.create_task(gate.take()) for _ in range(2))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.give()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    async with asyncio.timeout(1):
        await last
    gate.give()
    assert gate.free == 1


async def test_each_loop_has_its_own():
    gate = gate_of(asyncio.get_running_loop())
    assert gate is gate_of(asyncio.get_running_loop())
    assert gate.free == PLACES

from __future__ import annotations

import asyncio

import pytest

import rtspkit
from rtspkit.client import run as module


async def loop_module() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_runs_on_uvloop_where_it_is_installed():
    pytest.importorskip("uvloop")
    assert rtspkit.run(loop_module()) == "uvloop"


def test_runs_on_asyncio_elsewhere(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    assert module.run(loop_module()) == "asyncio"


def test_gives_the_result_and_raises_the_exception_of_main():
    async def divide(number: int) -> float:
        return 1 / number

    assert rtspkit.run(divide(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        rtspkit.run(divide(0))


def test_debug_is_handed_on():
    async def is_debug() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert rtspkit.run(is_debug(), debug=True) is True
    assert rtspkit.run(is_debug(), debug=False) is False

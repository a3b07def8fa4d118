"""Work in a daemon thread: waited for as long as one likes, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rtspkit.net.daemon import DaemonWork

LONG = 10.0  # seconds: never passes


async def test_is_waited_for():
    done = []
    work = DaemonWork(lambda: done.append(threading.current_thread()), "test-work")
    assert not work.done
    work.begin()
    assert await work.wait(LONG)
    assert work.done
    (thread,) = done
    assert thread.daemon
    assert thread.name == "test-work"
    assert await work.wait(LONG)  # and again, at once


async def test_is_begun_once():
    done = []
    work = DaemonWork(lambda: done.append(1), "test-work")
    work.begin()
    work.begin()
    await work.wait(LONG)
    work.begin()
    assert done == [1]


async def test_many_wait_and_one_that_is_cancelled_keeps_nobody():
    release = threading.Event()
    work = DaemonWork(lambda: release.wait(LONG) and None, "test-work")
    work.begin()
    waiting = [asyncio.ensure_future(work.wait(LONG)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    release.set()
    assert await waiting[0]
    assert await waiting[2]


async def test_work_that_hangs_is_waited_for_no_longer_than_allowed():
    release = threading.Event()
    work = DaemonWork(lambda: release.wait(LONG) and None, "test-work")
    work.begin()
    assert not await work.wait(0.001)
    assert not work.done
    release.set()
    assert await work.wait(LONG)


def test_a_loop_that_has_ended_meanwhile_is_no_harm():
    release = threading.Event()
    work = DaemonWork(lambda: release.wait(LONG) and None, "test-work")

    async def leave() -> None:
        work.begin()
        waiting = asyncio.ensure_future(work.wait(LONG))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    asyncio.run(leave())
    release.set()

    async def look() -> bool:
        return await work.wait(LONG)

    assert asyncio.run(look())


async def test_without_a_thread_to_be_had_it_is_over(monkeypatch):
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    work = DaemonWork(lambda: None, "test-work")
    work.begin()
    assert work.done
    assert await work.wait(LONG)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_defect_in_the_work_ends_the_waiting():
    work = DaemonWork(lambda: 1 / 0 and None, "test-work")
    work.begin()
    assert await work.wait(LONG)

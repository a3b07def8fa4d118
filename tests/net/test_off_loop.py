from __future__ import annotations

import asyncio
import threading

import pytest

from rtspkit.net.off_loop import off_loop


async def test_gives_the_result_of_a_daemon_thread():
    thread = await off_loop(threading.current_thread, "a-name")
    assert thread is not threading.main_thread()
    assert (thread.daemon, thread.name) == (True, "a-name")
    thread.join(10)


async def test_raises_what_the_work_raises():
    with pytest.raises(ZeroDivisionError):
        await off_loop(lambda: 1 // 0, "a-name")


@pytest.mark.parametrize("fails", [False, True])
async def test_what_nobody_waits_for_any_more_is_dropped(fails):
    released, threads = threading.Event(), []

    def work() -> int:
        threads.append(threading.current_thread())
        released.wait(10)
        return 1 // (0 if fails else 1)

    future = off_loop(work, "a-name")
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    released.set()
    threads[0].join(10)
    await asyncio.sleep(0)


def test_it_does_not_mind_that_the_loop_is_closed():
    released, threads = threading.Event(), []

    def work() -> None:
        threads.append(threading.current_thread())
        released.wait(10)

    async def leave() -> None:
        off_loop(work, "a-name").cancel()

    asyncio.run(leave())
    released.set()
    threads[0].join(10)  # an exception in it is an error of the test
    assert not threads[0].is_alive()


async def test_no_thread_to_be_had_is_an_os_error(monkeypatch):
    def refuses(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(OSError, match="can't start new thread"):
        await off_loop(print, "a-name")

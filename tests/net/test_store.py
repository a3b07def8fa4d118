"""The store: in memory at once, in the file soon, and never in the way."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rtspkit.net import store as module
from rtspkit.net.store import LONGEST_VALUE, Store, default_path, shared_store
from rtspkit.net.store_file import LIFETIME, MAXIMUM_SERVERS, Contents, StoreFile

ROOT = Path(__file__).parent.parent.parent
CAMERA, OTHER = ("camera", 554), ("other", 554)
LONG = 10.0  # seconds: never passes


class Clock:
    """Wall-clock seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "servers.json"


@pytest.fixture(autouse=True)
def _no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks of test machines may be slow."""
    monkeypatch.setattr(module, "LOAD_SECONDS", LONG)
    monkeypatch.setattr(module, "FLUSH_SECONDS", LONG)


# -- in memory


def test_gives_what_was_put(clock):
    store = Store(None, now=clock)
    assert store.get(CAMERA, "s") is None
    store.put(CAMERA, "s", {"x": 1})
    store.put(CAMERA, "t", {"x": 2})
    store.put(CAMERA, "s", {"x": 3})
    assert store.get(CAMERA, "s") == {"x": 3}
    assert store.get(CAMERA, "t") == {"x": 2}
    assert store.get(("CAMERA", 554), "s") == {"x": 3}
    assert store.get(("camera", 555), "s") is None


def test_nobody_changes_what_is_in_it_from_outside(clock):
    store = Store(None, now=clock)
    value: dict[str, object] = {"x": [1]}
    store.put(CAMERA, "s", value)
    value["x"] = 2
    store.get(CAMERA, "s")["x"].append(3)
    assert store.get(CAMERA, "s") == {"x": [1]}


def test_forgets_after_its_lifetime(clock):
    store = Store(None, now=clock)
    store.put(CAMERA, "s", {"x": 1})
    clock.now += LIFETIME
    assert store.get(CAMERA, "s") == {"x": 1}
    clock.now += 1
    assert store.get(CAMERA, "s") is None


def test_holds_so_many_servers_and_no_more(clock):
    store = Store(None, now=clock)
    for number in range(MAXIMUM_SERVERS + 1):
        store.put((f"camera{number}", 554), "s", {"x": number})
        store.put(("camera1", 554), "s", {"x": 1})
    assert store.get(("camera0", 554), "s") is None
    assert store.get(("camera1", 554), "s") == {"x": 1}
    assert store.get(("camera2", 554), "s") == {"x": 2}


def test_can_be_cleared(clock):
    store = Store(None, now=clock)
    store.put(CAMERA, "s", {"x": 1})
    store.clear()
    assert store.get(CAMERA, "s") is None


@pytest.mark.parametrize("value", [{"x": b""}, {"x": {1, 2}}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(TypeError):
        Store(None).put(CAMERA, "s", value)


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": "a" * LONGEST_VALUE}])
def test_what_is_no_number_or_too_long_is_refused(value):
    with pytest.raises(ValueError, match=r"JSON|characters"):
        Store(None).put(CAMERA, "s", value)


async def test_without_a_path_there_is_nothing_to_load_or_flush(clock):
    store = Store(None, now=clock)
    await store.load()
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    assert store.problem is None


# -- in the file


async def test_the_next_one_knows_it(path, clock):
    store = Store(path, now=clock)
    await store.load()
    store.put(CAMERA, "s", {"x": 1})
    store.put(OTHER, "s", {"x": 2})
    await store.flush()
    assert store.get(CAMERA, "s") == {"x": 1}
    after = Store(path, now=clock)
    assert after.get(CAMERA, "s") is None
    await after.load()
    assert after.get(CAMERA, "s") == {"x": 1}
    assert after.get(OTHER, "s") == {"x": 2}
    assert store.problem is after.problem is None


async def test_what_is_put_before_it_is_loaded_counts(path, clock):
    store = Store(path, now=clock)
    store.put(CAMERA, "s", {"x": "before"})
    await store.flush()
    clock.now += 1
    after = Store(path, now=clock)
    after.put(CAMERA, "s", {"x": "after"})
    await after.load()
    assert after.get(CAMERA, "s") == {"x": "after"}


async def test_what_others_have_written_is_learnt_by_writing(path, clock):
    one, two = Store(path, now=clock), Store(path, now=clock)
    await one.load()
    await two.load()
    one.put(CAMERA, "s", {"x": 1})
    await one.flush()
    assert two.get(CAMERA, "s") is None
    two.put(OTHER, "s", {"x": 2})
    await two.flush()
    assert two.get(CAMERA, "s") == {"x": 1}


async def test_a_clock_that_was_set_back_does_not_make_old_knowledge_of_new(path, clock):
    store = Store(path, now=clock)
    store.put(CAMERA, "s", {"x": "first"})
    await store.flush()
    clock.now -= 3600.0
    store.put(CAMERA, "s", {"x": "second"})
    await store.flush()
    after = Store(path, now=clock)
    await after.load()
    assert after.get(CAMERA, "s") == {"x": "second"}


async def test_what_is_put_while_the_file_is_written_gets_there_too(path, clock):
    writing, go_on = threading.Event(), threading.Event()

    class Slow(StoreFile):
        def merge(self, new, wall):
            writing.set()
            assert go_on.wait(LONG)
            return super().merge(new, wall)

    store = Store(None, now=clock, file=Slow(path))
    store.put(CAMERA, "s", {"x": 1})
    assert writing.wait(LONG)
    store.put(CAMERA, "s", {"x": 2})
    store.put(OTHER, "s", {"x": 3})
    assert store.get(CAMERA, "s") == {"x": 2}
    go_on.set()
    await store.flush()
    after = Store(path, now=clock)
    await after.load()
    assert after.get(CAMERA, "s") == {"x": 2}
    assert after.get(OTHER, "s") == {"x": 3}


WRITER = """
import asyncio, sys
from pathlib import Path
from rtspkit.net.store import Store

async def main():
    for number in range(20):
        store = Store(Path(sys.argv[1]), now=lambda: 1_000_000.0)
        store.put((f"{sys.argv[2]}{number}", 554), "s", {"x": number})
        await store.flush()
        assert store.problem is None, store.problem

asyncio.run(main())
"""


def test_two_processes_that_write_at_once_lose_nothing(path, clock):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], env=environment)
        for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = Store(path, now=clock)
    asyncio.run(store.load())
    for name in ("a", "b"):
        for number in range(20):
            assert store.get((f"{name}{number}", 554), "s") == {"x": number}


# -- what goes wrong


async def test_a_corrupt_file_is_told_once_and_begun_afresh(path, clock):
    path.parent.mkdir()
    path.write_text("{")
    store = Store(path, now=clock)
    await store.load()
    assert "corrupt" in store.problem
    assert store.take_problem() == store.problem
    assert store.take_problem() is None
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    assert len(json.loads(path.read_text())["servers"]) == 1
    assert store.take_problem() is None


async def test_a_disk_that_takes_nothing_costs_the_file_only(tmp_path, clock):
    path = tmp_path / "servers.json"
    path.mkdir()
    store = Store(path, now=clock)
    await store.load()
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    store.put(CAMERA, "s", {"x": 2})
    await store.flush()
    assert store.get(CAMERA, "s") == {"x": 2}
    assert "cannot be read" in store.take_problem()
    assert store.take_problem() is None


async def test_what_could_not_be_written_is_written_when_it_can(tmp_path, clock):
    path = tmp_path / "servers.json"
    path.mkdir()
    store = Store(path, now=clock)
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    path.rmdir()
    store.put(OTHER, "s", {"x": 2})
    await store.flush()
    after = Store(path, now=clock)
    await after.load()
    assert after.get(CAMERA, "s") == {"x": 1}
    assert after.get(OTHER, "s") == {"x": 2}


class Hanging(StoreFile):
    """A disk that does not answer until it is released."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.released = threading.Event()

    def read(self) -> Contents:
        assert self.released.wait(LONG)
        return super().read()

    def merge(self, new, wall):
        assert self.released.wait(LONG)
        return super().merge(new, wall)


async def test_a_disk_that_hangs_keeps_nobody(path, clock, monkeypatch):
    monkeypatch.setattr(module, "LOAD_SECONDS", 0.001)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.001)
    file = Hanging(path)
    store = Store(None, now=clock, file=file)
    await store.load()
    assert "could not be read within" in store.problem
    await store.load()  # at once: it is not waited for again
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    assert store.get(CAMERA, "s") == {"x": 1}
    monkeypatch.setattr(module, "FLUSH_SECONDS", LONG)
    file.released.set()
    await store.flush()
    assert path.exists()


async def test_without_a_thread_to_be_had_it_stays_in_memory(path, clock, monkeypatch):
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    store = Store(path, now=clock)
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        await store.load()
        store.put(CAMERA, "s", {"x": 1})
        await store.flush()
    assert store.get(CAMERA, "s") == {"x": 1}
    assert not path.exists()
    await store.flush()
    assert path.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_defect_while_writing_does_not_stop_the_next(path, clock):
    class Defect(StoreFile):
        defects = 1

        def merge(self, new, wall):
            if self.defects:
                self.defects -= 1
                raise ZeroDivisionError
            return super().merge(new, wall)

    store = Store(None, now=clock, file=Defect(path))
    store.put(CAMERA, "s", {"x": 1})
    await store.flush()
    await store.flush()
    assert path.exists()


def test_the_thread_that_writes_does_not_keep_the_program(path):
    code = (
        "import threading\n"
        "from pathlib import Path\n"
        "from rtspkit.net.store import Store\n"
        "from rtspkit.net.store_file import StoreFile\n"
        "class Hanging(StoreFile):\n"
        "    def merge(self, new, wall):\n"
        "        threading.Event().wait(60)\n"
        f"Store(None, file=Hanging(Path({str(path)!r}))).put(('camera', 554), 's', {{}})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=30, check=False)
    assert done.returncode == 0


async def test_several_loops_may_use_one_store(path, clock):
    store = Store(path, now=clock)

    async def use(number: int) -> None:
        await store.load()
        store.put((f"camera{number}", 554), "s", {"x": number})
        await store.flush()

    def in_a_loop(number: int) -> None:
        asyncio.run(use(number))

    threads = [threading.Thread(target=in_a_loop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    after = Store(path, now=clock)
    await after.load()
    for number in range(4):
        assert after.get((f"camera{number}", 554), "s") == {"x": number}


# -- where it is


def test_the_cache_folder_of_the_user(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    monkeypatch.setattr(sys, "platform", "linux")
    usual = Path("/home/somebody/.cache/rtspkit/servers.json")
    assert default_path({}) == usual
    assert default_path({"XDG_CACHE_HOME": "relative"}) == usual
    assert default_path({"XDG_CACHE_HOME": "/x"}) == Path("/x/rtspkit/servers.json")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_path({}) == Path("/home/somebody/Library/Caches/rtspkit/servers.json")
    monkeypatch.setattr(sys, "platform", "win32")
    assert default_path({"LOCALAPPDATA": "/l"}) == Path("/l/rtspkit/Cache/servers.json")
    assert default_path({}) == Path("/home/somebody/AppData/Local/rtspkit/Cache/servers.json")


@pytest.mark.parametrize("off", ["", "0"])
def test_can_be_turned_off(off):
    assert default_path({"RTSPKIT_CACHE": off}) is None


def test_can_be_elsewhere():
    assert default_path({"RTSPKIT_CACHE": "/x/y.json"}) == Path("/x/y.json")


def test_a_user_without_a_home_has_none(monkeypatch):
    def nowhere() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    assert default_path({}) is None


def test_there_is_one_for_a_process_and_path(monkeypatch, tmp_path):
    monkeypatch.setenv("RTSPKIT_CACHE", str(tmp_path / "a"))
    assert shared_store() is shared_store()
    a = shared_store()
    monkeypatch.setenv("RTSPKIT_CACHE", str(tmp_path / "b"))
    assert shared_store() is not a


def test_the_tests_have_none():
    assert default_path() is None

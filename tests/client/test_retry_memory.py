"""What "adaptive" has learnt outlives the session, unless the user says otherwise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from faulty import wait

import rtspkit
from rtspkit import Retry
from rtspkit.client.options import ConnectOptions, build_options
from rtspkit.client.retry_memory import RetryMemory, learns
from rtspkit.client.session import Session
from rtspkit.engine.events import Event, Reconnected, StoreProblem
from rtspkit.engine.knowledge import Knowledge
from rtspkit.net.store import Store
from rtspkit.testing.actions import Reply
from rtspkit.testing.camera import Camera

URL = "rtsp://camera/stream"
SERVER = ("camera", 554)
ADAPTIVE = Retry(strategy="adaptive")


def options(retry: Retry | None = ADAPTIVE, **rest: Any) -> ConnectOptions:
    return build_options(URL, None, None, "auto", None, retry=retry, **rest)


class Told:
    """The events that a memory tells."""

    def __init__(self, store: Store | None, wish: ConnectOptions | None = None) -> None:
        self.events: list[Event] = []
        self.memory = RetryMemory(wish or options(), self.events.append, lambda: 7.0, store)


@pytest.mark.parametrize("retry", [None, Retry(), Retry(strategy="none"), Retry(strategy="linear")])
def test_other_strategies_have_nothing_to_learn(retry):
    store = Store(None)
    store.put(SERVER, "retry", Knowledge(tried=3.0).to_json())
    told = Told(store, options(retry))
    assert not learns(options(retry))
    assert told.memory.knowledge is None
    told.memory.keep()


def test_what_one_session_has_learnt_the_next_one_knows():
    store = Store(None)
    first = Told(store).memory
    assert first.knowledge == Knowledge()
    first.knowledge.arm("timed").successes = 3
    first.keep()
    assert Told(store).memory.knowledge.arms["timed"].successes == 3


def test_of_another_server_nothing_is_known():
    store = Store(None)
    store.put(("camera", 8554), "retry", Knowledge(tried=3.0).to_json())
    assert Told(store).memory.knowledge == Knowledge()


def test_what_is_damaged_is_left_out():
    store = Store(None)
    store.put(SERVER, "retry", {"format": "another", "arms": 3})
    assert Told(store).memory.knowledge == Knowledge()


def test_nothing_new_is_not_written():
    class Counting(Store):
        puts = 0

        def put(self, *arguments: Any) -> None:
            self.puts += 1
            super().put(*arguments)

    store = Counting(None)
    memory = Told(store).memory
    memory.keep()
    assert store.puts == 0
    memory.knowledge.tried = 1.0
    memory.keep()
    memory.keep()
    assert store.puts == 1


async def test_off_with_one_argument():
    store = Store(None)
    store.put(SERVER, "retry", Knowledge(tried=3.0).to_json())
    told = Told(store, options(remember=False))
    assert told.memory.knowledge == Knowledge()  # for this session alone
    told.memory.knowledge.tried = 9.0
    told.memory.keep()
    await told.memory.flush()
    assert store.get(SERVER, "retry") == Knowledge(tried=3.0).to_json()


async def test_a_store_that_does_not_work_is_told_once(tmp_path):
    store = Store(tmp_path)  # a folder
    first, second = Told(store), Told(store)
    first.memory.knowledge.tried = 1.0
    first.memory.keep()
    await first.memory.flush()
    await second.memory.flush()
    (event,) = first.events + second.events
    assert isinstance(event, StoreProblem)
    assert event.at == 7.0
    assert str(tmp_path) in event.problem


# -- by way of a session ----------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "servers.json"
    monkeypatch.setenv("RTSPKIT_CACHE", str(path))
    return path


@pytest.fixture
async def camera() -> AsyncIterator[Camera]:
    async with Camera() as one:
        yield one


def knowledge_of(session: Session) -> Knowledge:
    return session._supervisor.attempts.memory.knowledge


async def learn(url: str, **rest: Any) -> None:
    async with rtspkit.connect(url, retry=ADAPTIVE, **rest) as session:
        knowledge_of(session).tried = 5.0


@pytest.mark.parametrize("transport", ["auto", "tcp"])
async def test_it_is_in_the_file_when_the_session_is_closed(cache, camera, transport):
    await learn(camera.url, transport=transport)
    written = json.loads(cache.read_text())
    assert '"tried": 5.0' in json.dumps(written)
    assert "127.0.0.1" not in cache.read_text()
    async with rtspkit.connect(camera.url, retry=ADAPTIVE) as session:
        assert knowledge_of(session).tried == 5.0


async def test_a_session_that_remembers_nothing_leaves_no_file(cache, camera):
    await learn(camera.url, remember=False)
    assert not cache.exists()


async def test_a_session_that_remembers_nothing_reads_nothing(cache, camera):
    await learn(camera.url, transport="tcp")
    async with rtspkit.connect(camera.url, retry=ADAPTIVE, remember=False) as session:
        assert knowledge_of(session).tried == 0.0


async def test_a_session_tells_of_a_store_that_does_not_work(cache, camera):
    cache.mkdir()
    session = await rtspkit.connect(camera.url, retry=ADAPTIVE)
    await session.aclose()
    told = [event async for event in session.events()]
    assert [type(event) for event in told].count(StoreProblem) == 1
    assert session.state == "closed"


@pytest.mark.virtual_clock
@pytest.mark.parametrize(("seconds", "successes"), [(12, 1), (5, 0)])
async def test_who_plays_well_at_the_end_counts_as_a_success(seconds, successes):
    """What the server had answered with a no before it let us in again."""
    busy = Reply(453, "Not Enough Bandwidth")
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url, transport="tcp", retry=ADAPTIVE)
        await wait(12)
        camera.script("SETUP", busy, nth=(1, 2))
        camera.kill()
        async for event in session.events():
            if isinstance(event, Reconnected):
                break
        await wait(seconds)
        knowledge = knowledge_of(session)
        assert sum(arm.successes for arm in knowledge.arms.values()) == 0
        await session.aclose()
    assert sum(arm.successes for arm in knowledge.arms.values()) == successes

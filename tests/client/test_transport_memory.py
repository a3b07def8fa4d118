from __future__ import annotations

from rtspkit.client.transport_memory import (
    LIFETIME,
    REFRESH,
    SECTION,
    TransportMemory,
    remembered_transports,
)
from rtspkit.net.store import Store, shared_store

KINDS = ("udp", "tcp")
SERVER = ("camera", 554)


class Clock:
    """Wall-clock seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def new_memory() -> TransportMemory:
    return TransportMemory(Store(None, now=Clock()))


def test_knows_nothing_of_an_unknown_server():
    assert new_memory().order(SERVER, KINDS, 0.0) == KINDS


def test_what_worked_comes_first_and_the_others_stay():
    memory = new_memory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, KINDS, 1.0) == ("tcp", "udp")
    assert memory.order(("camera", 8554), KINDS, 1.0) == KINDS


def test_the_latest_counts():
    memory = new_memory()
    memory.remember(SERVER, "tcp", 0.0)
    memory.remember(SERVER, "udp", 1.0)
    assert memory.order(SERVER, ("tcp", "udp"), 2.0) == ("udp", "tcp")


def test_a_transport_that_is_not_wished_for_does_not_come_back():
    memory = new_memory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, ("udp",), 1.0) == ("udp",)


def test_a_memory_fades_after_its_lifetime():
    memory = new_memory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, KINDS, LIFETIME) == ("tcp", "udp")
    assert memory.order(SERVER, KINDS, LIFETIME + 1) == KINDS


def test_can_be_cleared():
    memory = new_memory()
    memory.remember(SERVER, "tcp", 0.0)
    memory.clear()
    assert memory.order(SERVER, KINDS, 0.0) == KINDS


def test_what_is_known_is_put_again_once_a_day_only():
    store = Store(None, now=Clock())
    memory = TransportMemory(store)
    for now in (0.0, 1.0, REFRESH):
        memory.remember(SERVER, "tcp", now)
        assert store.get(SERVER, SECTION) == {"kind": "tcp", "at": 0.0}
    memory.remember(SERVER, "tcp", REFRESH + 1)
    assert store.get(SERVER, SECTION) == {"kind": "tcp", "at": REFRESH + 1}


async def test_the_next_program_knows_it_too(tmp_path):
    path = tmp_path / "servers.json"
    before = TransportMemory(Store(path, now=Clock()))
    before.remember(SERVER, "tcp", 0.0)
    await before.store.flush()
    after = TransportMemory(Store(path, now=Clock()))
    assert after.order(SERVER, KINDS, 1.0) == KINDS
    await after.store.load()
    assert after.order(SERVER, KINDS, 1.0) == ("tcp", "udp")


def test_an_entry_that_makes_no_sense_is_no_entry():
    for value in ({}, {"kind": 5, "at": 0.0}, {"kind": "tcp"}, {"kind": "tcp", "at": "now"}):
        store = Store(None, now=Clock())
        store.put(SERVER, SECTION, value)
        assert TransportMemory(store).order(SERVER, KINDS, 0.0) == KINDS


def test_the_common_memory_is_in_the_store_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setenv("RTSPKIT_CACHE", str(tmp_path / "servers.json"))
    assert remembered_transports.store is shared_store()
    monkeypatch.setenv("RTSPKIT_CACHE", "")
    assert remembered_transports.store is shared_store()

from __future__ import annotations

from rtspkit.client.transport_memory import LIFETIME, MAXIMUM_SERVERS, TransportMemory

KINDS = ("udp", "tcp")
SERVER = ("camera", 554)


def test_knows_nothing_of_an_unknown_server():
    assert TransportMemory().order(SERVER, KINDS, 0.0) == KINDS


def test_what_worked_comes_first_and_the_others_stay():
    memory = TransportMemory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, KINDS, 1.0) == ("tcp", "udp")
    assert memory.order(("camera", 8554), KINDS, 1.0) == KINDS


def test_the_latest_counts():
    memory = TransportMemory()
    memory.remember(SERVER, "tcp", 0.0)
    memory.remember(SERVER, "udp", 1.0)
    assert memory.order(SERVER, ("tcp", "udp"), 2.0) == ("udp", "tcp")


def test_a_transport_that_is_not_wished_for_does_not_come_back():
    memory = TransportMemory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, ("udp",), 1.0) == ("udp",)


def test_a_memory_fades_after_its_lifetime():
    memory = TransportMemory()
    memory.remember(SERVER, "tcp", 0.0)
    assert memory.order(SERVER, KINDS, LIFETIME) == ("tcp", "udp")
    assert memory.order(SERVER, KINDS, LIFETIME + 1) == KINDS


def test_the_oldest_makes_room():
    memory = TransportMemory()
    for number in range(MAXIMUM_SERVERS + 1):
        memory.remember((f"camera{number}", 554), "tcp", float(number))
    assert memory.order(("camera0", 554), KINDS, 0.0) == KINDS
    assert memory.order(("camera1", 554), KINDS, 0.0) == ("tcp", "udp")


def test_can_be_cleared():
    memory = TransportMemory()
    memory.remember(SERVER, "tcp", 0.0)
    memory.clear()
    assert memory.order(SERVER, KINDS, 0.0) == KINDS

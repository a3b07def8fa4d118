"""One call for each datagram."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from rtspkit.net.single import AT_ONCE, SingleReader
from rtspkit.net.slab import BYTES, SlabPool


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with receiver, sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        yield receiver, sender


def test_datagrams_lie_behind_each_other(ends):
    receiver, sender = ends
    reader = SingleReader(receiver, SlabPool(), time.monotonic)
    for data in (b"one", b"", b"three", bytes(65_507)):
        sender.send(data)
        time.monotonic()
    datagrams = reader.read()
    assert datagrams is not None
    assert [bytes(view) for view in datagrams] == [b"one", b"three", bytes(65_507)]
    assert list(datagrams.starts) == [0, 3, 8]
    assert reader.drained
    assert reader.read() is None


def test_a_read_is_bounded(ends):
    receiver, sender = ends
    reader = SingleReader(receiver, SlabPool(), time.monotonic)
    for _ in range(AT_ONCE + 5):
        sender.send(b"x")
    first, second = reader.read(), reader.read()
    assert first is not None
    assert second is not None
    assert (len(first), len(second)) == (AT_ONCE, 5)


def test_senders_are_looked_at(ends):
    receiver, sender = ends
    reader = SingleReader(receiver, SlabPool(), time.monotonic)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"evil", receiver.getsockname())
        sender.send(b"good")
        stranger.sendto(b"evil", receiver.getsockname())
        found = reader.read_from(lambda address: address == sender.getsockname())
    assert found is not None
    assert list(found) == [b"good"]


def test_at_the_bound_packets_are_copied_and_then_dropped(ends):
    receiver, sender = ends
    pool = SlabPool(2 * BYTES.size)
    reader = SingleReader(receiver, pool, time.monotonic)
    kept: list[tuple[int, memoryview]] = []
    number = 0
    while not pool.drops:
        for _ in range(20):
            sender.send(number.to_bytes(4, "big") * 300)
            number += 1
        while (datagrams := reader.read()) is not None:
            kept += [(int.from_bytes(view[:4], "big"), view) for view in datagrams]
        assert number < 5000
    assert pool.copies > 20
    assert len(kept) + pool.drops == number
    for n, view in kept:
        assert bytes(view) == n.to_bytes(4, "big") * 300

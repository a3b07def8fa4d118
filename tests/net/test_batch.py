"""recvmmsg: many datagrams a call, joined ones taken apart, the kernel's times and drops."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from rtspkit.net.batch import WINDOW, BatchReader, recvmmsg_works
from rtspkit.net.slab import DATAGRAMS, SlabPool
from rtspkit.wire.datagrams import Datagrams

pytestmark = pytest.mark.skipif(not recvmmsg_works(), reason="no recvmmsg here")

UDP_SEGMENT = 103


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A receiver and its sender."""
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with receiver, sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        sender.connect(receiver.getsockname())
        yield receiver, sender


def reader_of(sock: socket.socket, pool: SlabPool | None = None) -> BatchReader:
    return BatchReader(sock, pool or SlabPool(), time.monotonic)


def send_joined(sender: socket.socket, data: bytes, size: int) -> None:
    """One call, one packet on the loopback: the kernel hands it on joined."""
    control = [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("H", size))]
    try:
        sender.sendmsg([data], control)
    except OSError:
        pytest.skip("this kernel does not cut datagrams")


def all_of(reader: BatchReader) -> list[bytes]:
    found: list[bytes] = []
    while (datagrams := reader.read()) is not None or not reader.drained:
        found += map(bytes, datagrams or ())
    return found


def test_what_was_sent_comes_in_order_and_in_one_call(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    sent = [b"%d" % n * (1 + n * 11) for n in range(60)]
    for data in sent:
        sender.send(data)
    datagrams = reader.read()
    assert datagrams is not None
    assert list(datagrams) == sent
    assert all(view.readonly for view in datagrams)
    assert (reader.calls, reader.drained) == (1, True)
    assert reader.read() is None


def test_a_slab_is_filled_and_the_next_one_taken(ends):
    receiver, sender = ends
    pool = SlabPool()
    reader = reader_of(receiver, pool)
    for n in range(150):
        sender.send(b"%d" % n)
    sizes = []
    while (datagrams := reader.read()) is not None:
        sizes.append(len(datagrams))
    assert sizes == [64, 64, 22]
    sender.send(b"behind them")
    assert all_of(reader) == [b"behind them"]
    assert pool.stats().fresh <= 3


def test_sockets_share_a_slab(ends):
    receiver, sender = ends
    pool = SlabPool()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.setblocking(False)
        readers = reader_of(receiver, pool), reader_of(other, pool)
        held = []
        for n in range(20):
            sender.send(b"one %d" % n)
            sender.sendto(b"other %d" % n, other.getsockname())
            for reader in readers:
                datagrams = reader.read()
                assert datagrams is not None
                held += list(datagrams)
    assert [bytes(view) for view in held[::2]] == [b"one %d" % n for n in range(20)]
    assert [bytes(view) for view in held[1::2]] == [b"other %d" % n for n in range(20)]
    assert pool.stats().fresh == 1


@pytest.mark.parametrize("size", [1, 700, 1200, 1472])
def test_joined_datagrams_are_taken_apart(ends, size):
    receiver, sender = ends
    reader = reader_of(receiver)
    chance = random.Random(size)
    for tail in (0, 1, size - 1):
        for _ in range(3):
            data = chance.randbytes(size * 20 + tail)
            parts = [data[i : i + size] for i in range(0, len(data), size)]
            send_joined(sender, data, size)
            sender.send(b"alone")
            assert all_of(reader) == [*parts, b"alone"]
    assert reader.joined >= 9 * 20


def test_joined_datagrams_of_a_full_slab_keep_their_order(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    sent = []
    for n in range(50):
        data = b"".join(struct.pack("!I", n * 40 + i) * 300 for i in range(40))
        sent += [data[i : i + 1200] for i in range(0, len(data), 1200)]
        send_joined(sender, data, 1200)
    found, calls = [], 0
    while (datagrams := reader.read()) is not None:
        if calls:
            assert len(datagrams) == 40
        found += map(bytes, datagrams)
        calls += 1
    assert found == sent


def test_joined_messages_are_read_one_by_one_for_as_long_as_it_pays(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    send_joined(sender, bytes(12_000), 1200)
    all_of(reader)
    assert reader._lone is not None
    for _ in range(2 * WINDOW):
        sender.send(b"alone")
        assert all_of(reader) == [b"alone"]
    assert reader._lone is None


def test_it_asks_for_another_message_while_there_mostly_is_one(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    for _ in range(6):
        send_joined(sender, bytes(12_000), 1200)
        send_joined(sender, bytes(12_000), 1200)
        found = 0
        while found < 20 or not reader.drained:
            found += len(reader.read() or ())
    assert reader._luck > 0
    for _ in range(20):  # from now on they come alone
        reader._last_read = 0.0
        send_joined(sender, bytes(12_000), 1200)
        found = 0
        while found < 10 or not reader.drained:
            found += len(reader.read() or ())
    assert reader._luck == 0
    send_joined(sender, bytes(12_000), 1200)
    reader._last_read = 0.0
    calls = reader.calls
    assert len(reader.read() or ()) == 10
    assert (reader.drained, reader.calls) == (True, calls + 1)


@pytest.mark.parametrize("to_the_end", [True, False])
def test_who_reads_to_the_end_is_not_told_that_it_is_before_it_is(ends, to_the_end):
    receiver, sender = ends
    reader = BatchReader(receiver, SlabPool(), time.monotonic, to_the_end=to_the_end)
    send_joined(sender, bytes(2400), 1200)
    all_of(reader)
    assert reader._lone is not None
    clock = iter(range(1000, 2000))
    reader._clock = lambda: float(next(clock))  # nothing seems to be there at once
    for _ in range(3):
        send_joined(sender, bytes(2400), 1200)
    number = 0
    while reader.read() is not None:
        number += 1
        if reader.drained:
            break
    assert number == (3 if to_the_end else 1)


def test_many_small_joined_messages_take_little_memory(ends):
    receiver, sender = ends
    pool = SlabPool()
    reader = reader_of(receiver, pool)
    held = []
    for n in range(300):
        send_joined(sender, n.to_bytes(2, "big") * 300, 300)
        held += [view for view in [reader.read()] if view is not None]
    assert sum(map(len, held)) == 600
    assert pool.stats().allocated <= DATAGRAMS.size + 2 * 256 * 1024


@pytest.mark.parametrize("size", [2047, 2048, 2049, 9000, 65_507])
def test_giant_datagrams_are_whole(ends, size):
    receiver, sender = ends
    reader = reader_of(receiver)
    data = random.Random(size).randbytes(size)
    for _ in range(3):
        sender.send(b"before")
        sender.send(data)
        sender.send(b"behind")
        assert all_of(reader) == [b"before", data, b"behind"]
    assert reader.copies == (size > DATAGRAMS.slot_size)  # then the slots are larger


def test_empty_datagrams_are_passed_over(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    for data in (b"", b"1", b"", b"", b"2", b""):
        sender.send(data)
    assert all_of(reader) == [b"1", b"2"]
    sender.send(b"")
    assert reader.read() is None
    assert reader.drained


def test_times_of_arrival_are_the_kernels(ends):
    receiver, sender = ends
    reader = reader_of(receiver)
    sent = []
    for n in range(30):
        sent.append(time.monotonic())
        sender.send(b"%d" % n)
    busy_until = time.monotonic() + 0.02
    while time.monotonic() < busy_until:
        pass  # the loop is late; the packets were not
    datagrams = reader.read()
    assert datagrams is not None
    arrivals = list(datagrams.arrivals)
    assert arrivals == sorted(arrivals)
    assert datagrams.latest >= busy_until
    for before, at in zip(sent, arrivals, strict=True):
        assert before - 0.005 < at < busy_until


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_a_clock_that_was_set_harms_no_time(ends, monkeypatch, off):
    receiver, sender = ends
    reader = reader_of(receiver)
    wall = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall() + int(off * 1e9))
    for joined in (False, True):
        before = time.monotonic()
        if joined:
            send_joined(sender, bytes(2400), 1200)
        else:
            sender.send(b"now")
        datagrams = reader.read()
        assert datagrams is not None
        arrivals = [at for _, at in zip(datagrams, datagrams.arrivals, strict=False)]
        assert all(before <= at <= time.monotonic() for at in arrivals)


def test_what_found_the_queue_full_is_counted(ends):
    receiver, sender = ends
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader = reader_of(receiver)
    for _ in range(100):
        sender.send(bytes(1000))
    got = len(all_of(reader))
    assert 0 < got < 100
    sender.send(b"tells")
    assert all_of(reader) == [b"tells"]
    assert reader.kernel_drops == 100 - got
    for n in range(3):  # from now on every datagram tells, and it is as fast as ever
        sender.send(b"%d" % n)
    assert all_of(reader) == [b"0", b"1", b"2"]
    assert reader.kernel_drops == 100 - got


def test_icmp_errors_are_counted_and_what_arrived_is_read():
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        one.setblocking(False)
        one.connect(other.getsockname())
        reader = reader_of(one)
        other.sendto(b"there", one.getsockname())
        other.close()
        one.send(b"nobody")
        assert all_of(reader) == [b"there"]
        assert reader.errors == 1


def test_a_closed_socket_is_counted_and_nothing_raises(ends):
    receiver, _ = ends
    reader = reader_of(receiver)
    receiver.close()
    assert reader.read() is None
    assert (reader.errors, reader.drained) == (1, True)


def test_at_the_bound_packets_are_copied_and_then_dropped(ends):
    receiver, sender = ends
    pool = SlabPool(8 * DATAGRAMS.size)
    reader = reader_of(receiver, pool)
    kept: list[tuple[int, memoryview]] = []
    number = 0
    while not pool.drops:
        for _ in range(50):
            sender.send(number.to_bytes(4, "big") * 300)
            number += 1
        datagrams = reader.read()
        while datagrams is not None:
            kept += [(int.from_bytes(view[:4], "big"), view) for view in datagrams]
            datagrams = reader.read()
        assert number < 5000
    stats = pool.stats()
    assert stats.copies > 50
    assert stats.allocated <= stats.limit
    assert len(kept) + stats.drops == number
    for n, view in kept:
        assert bytes(view) == n.to_bytes(4, "big") * 300
    kept.clear()
    del view, datagrams
    sender.send(b"room again")
    assert all_of(reader) == [b"room again"]
    assert pool.stats().drops == stats.drops


def test_a_batch_knows_its_length(ends):
    receiver, sender = ends
    for n in range(3):
        sender.send(b"%d" % n)
    datagrams = reader_of(receiver).read()
    assert isinstance(datagrams, Datagrams)
    assert len(datagrams) == 3

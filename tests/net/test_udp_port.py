"""One UDP port: trust, holding, moderation, and what it counts."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.net import udp_port
from rtspkit.net.batch import recvmmsg_works
from rtspkit.net.moderation import Moderation
from rtspkit.net.slab import SlabPool
from rtspkit.net.udp_port import UdpPort, choose_receiver
from rtspkit.wire.datagrams import Datagrams

HOST = "127.0.0.1"
TURNS = 100_000  # of the loop, at most, until the kernel has told something
SOL_UDP, UDP_SEGMENT = 17, 103  # Linux
needs_recvmmsg = pytest.mark.skipif(not recvmmsg_works(), reason="no recvmmsg here")
WAYS_IN = [pytest.param("recvmmsg", marks=needs_recvmmsg), "recv_into", "datagram"]


def bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((HOST, 0))
    one.setblocking(False)
    return one


class Receiver:
    """A port, its sender, and what has come."""

    def __init__(self, receiver: str, moderation: Moderation | None = None) -> None:
        self.came: list[bytes] = []
        self.changed = asyncio.Event()
        self.sender = bound()
        self.port = UdpPort(
            bound(),
            self.take,
            connects=True,
            receiver=receiver,
            pool=SlabPool(),
            moderation=moderation,
        )

    def take(self, datagrams: Datagrams) -> None:
        self.came += map(bytes, datagrams)
        self.changed.set()

    def send(self, *data: bytes) -> None:
        for each in data:
            self.sender.sendto(each, (HOST, self.port.port))

    def start(self) -> None:
        self.port.lock(HOST, self.sender.getsockname()[1])
        self.port.start()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def close(self) -> None:
        self.port.close()
        self.sender.close()


def test_the_best_way_in_is_chosen(monkeypatch):
    assert choose_receiver("auto") == ("recvmmsg" if recvmmsg_works() else "recv_into")
    monkeypatch.setattr(udp_port, "recvmmsg_works", lambda: False)
    assert choose_receiver("auto") == "recv_into"
    with pytest.raises(LocalProtocolError, match="no recvmmsg; use receiver='auto'"):
        choose_receiver("recvmmsg")
    with pytest.raises(LocalProtocolError, match="not 'io_uring'"):
        choose_receiver("io_uring")


@needs_recvmmsg
async def test_trust_comes_with_the_first_empty_queue():
    one = Receiver("recvmmsg")
    one.send(*[b"early"] * 10)
    one.start()
    await one.until(lambda: len(one.came) == 10)
    one.send(*[b"late"] * 5)
    await one.until(lambda: len(one.came) == 15)
    single, batch = one.port.readers
    assert single.calls == 11  # each of the early ones, and the end of the queue
    assert batch.calls <= 2
    assert one.port.receiver == "recvmmsg"
    one.close()


@needs_recvmmsg
async def test_locked_again_it_still_takes_apart_what_the_sender_has_joined():
    """As after a 454: the session is set up anew on the same ports."""
    one = Receiver("recvmmsg")
    one.start()
    one.send(b"first")
    await one.until(lambda: len(one.came) == 1)
    one.sender.close()
    one.sender = bound()
    one.port.lock(HOST, one.sender.getsockname()[1])
    joined = bytes(range(250)) * 4
    control = [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 250))]
    for number in (1, 2):
        one.sender.sendmsg([joined], control, 0, (HOST, one.port.port))
        await one.until(lambda number=number: len(one.came) >= 1 + 4 * number)
    assert one.came[1:] == [joined[:250]] * 8
    assert one.port.readers[1].joined > 0  # the second time, the kernel has joined them
    one.close()


@needs_recvmmsg
async def test_trust_comes_too_when_the_queue_is_never_empty():
    one = Receiver("recvmmsg")
    one.start()
    sent = 0
    while len(one.port.readers) == 1:
        one.send(*[bytes(60_000)] * 8)
        sent += 8
        assert sent * 60_000 < 2 * one.port.receive_buffer + 4_000_000
        one.port.read()
    assert len(one.port.readers) == 2
    one.close()


@pytest.mark.parametrize("receiver", WAYS_IN)
async def test_the_kernels_drops_are_told_however_it_is_read(receiver):
    one = Receiver(receiver)
    one.port._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.port.lock(HOST, one.sender.getsockname()[1])
    one.send(*[bytes(1000)] * 60)
    one.port.start()
    dropped = one.port.kernel_dropped
    assert 0 < dropped < 60
    await one.until(lambda: len(one.came) == 60 - dropped)
    one.close()
    assert one.port.kernel_dropped == dropped


@pytest.mark.parametrize("receiver", WAYS_IN[:2])
async def test_held_it_reads_nothing_and_then_what_the_kernel_kept(receiver):
    one = Receiver(receiver)
    one.start()
    one.send(b"1")
    await one.until(lambda: one.came == [b"1"])
    one.port.pause()
    one.send(b"2", b"3")
    for _ in range(10):
        await asyncio.sleep(0)
    assert one.came == [b"1"]
    one.port.resume()
    one.port.resume()
    await one.until(lambda: one.came == [b"1", b"2", b"3"])
    one.close()
    one.port.pause()
    one.port.resume()  # harmless


async def test_held_within_a_batch_it_stops_there():
    one = Receiver("recv_into")
    take = one.port._on_datagrams

    def take_and_hold(datagrams: Datagrams) -> None:
        take(datagrams)
        one.port.pause()

    one.port._on_datagrams = take_and_hold
    one.start()
    one.send(*[b"x"] * 100)
    await one.until(lambda: len(one.came) == 64)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(one.came) == 64
    one.close()


@pytest.mark.parametrize("receiver", WAYS_IN[:2])
async def test_under_moderation_one_wake_up_serves_many_datagrams(receiver):
    moderation = Moderation(0.001)
    some = [Receiver(receiver, moderation) for _ in range(4)]
    for one in some:
        one.start()
        one.send(b"first")
    for one in some:
        await one.until(lambda one=one: one.came == [b"first"])
    for round_ in range(5):
        for one in some:
            one.send(b"%d" % round_)
        for one in some:
            await one.until(lambda one=one, n=round_: len(one.came) == 2 + n)
    assert sum(one.port.wake_ups for one in some) == 24
    assert moderation.ticks <= 6 * 6
    for one in some:
        one.close()
    assert moderation._timer is None


@pytest.mark.parametrize("receiver", WAYS_IN[:2])
async def test_under_moderation_it_can_be_held(receiver):
    moderation = Moderation(0.0005)
    one = Receiver(receiver, moderation)
    one.start()
    one.port.pause()
    one.send(b"waits")
    for _ in range(20):
        await asyncio.sleep(0)
    assert one.came == []
    one.port.resume()
    await one.until(lambda: one.came == [b"waits"])
    one.close()


async def test_where_nothing_can_be_moderated_it_is_watched_alone(monkeypatch):
    moderation = Moderation(0.001)
    monkeypatch.setattr(moderation, "add", lambda sock, reader: False)
    one = Receiver("recv_into", moderation)
    one.start()
    one.send(b"there")
    await one.until(lambda: one.came == [b"there"])
    one.close()


@pytest.mark.parametrize("coalesce", [None, 0.001])
@pytest.mark.parametrize("receiver", WAYS_IN)
async def test_a_peer_that_refuses_what_we_send_is_heard_all_the_same(receiver, coalesce):
    one = Receiver(receiver, None if coalesce is None else Moderation(coalesce))
    one.start()
    address = one.sender.getsockname()
    for number in range(1, 4):
        one.send(b"media")
        await one.until(lambda number=number: len(one.came) == number)
        one.sender.close()  # now the kernel answers with ICMP: port unreachable
        errors = one.port.errors
        assert one.port.send(b"to nobody")
        for _ in range(TURNS):
            if one.port.errors > errors:
                break
            await asyncio.sleep(0)
        assert one.port.errors > errors
        one.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.sender.bind(address)
    one.send(b"media")
    await one.until(lambda: len(one.came) == 4)
    one.close()


async def test_what_it_counts():
    one = Receiver("auto")
    one.port._receiver = choose_receiver("auto")
    one.start()
    one.send(b"four", b"four")
    await one.until(lambda: len(one.came) == 2)
    port = one.port
    assert (port.datagrams, port.bytes_received, port.errors, port.refused) == (2, 8, 0, 0)
    assert 1 <= port.wake_ups <= 2
    assert port.receive_buffer >= 4096
    one.close()

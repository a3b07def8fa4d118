from __future__ import annotations

import asyncio
import socket

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.net.batch import recvmmsg_works
from rtspkit.net.slab import BYTES
from rtspkit.net.udp import UdpPair, open_pair, receiving
from rtspkit.net.udp_port import WAKE_UP
from rtspkit.wire.datagrams import Datagrams

HOST = "127.0.0.1"


class Collector:
    """What a pair of ports tells."""

    def __init__(self) -> None:
        self.rtp: list[memoryview] = []
        self.rtcp: list[memoryview] = []
        self.batches: list[int] = []
        self.changed = asyncio.Event()

    def on_rtp(self, datagrams: Datagrams) -> None:
        self.rtp += list(datagrams)
        self.batches.append(len(datagrams))
        times = zip(datagrams, datagrams.arrivals, strict=False)
        assert all(at <= datagrams.latest for _, at in times)
        self.changed.set()

    def on_rtcp(self, datagrams: Datagrams) -> None:
        self.rtcp += list(datagrams)
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def senders():
    """Sockets at the other end: the server's RTP and RTCP port, and a stranger's."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for one in sockets:
        one.bind((HOST, 0))
        one.setblocking(False)
    yield sockets
    for one in sockets:
        one.close()


def port_of(one: socket.socket) -> int:
    return one.getsockname()[1]


WAYS_IN = [
    pytest.param(
        "recvmmsg", marks=pytest.mark.skipif(not recvmmsg_works(), reason="no recvmmsg here")
    ),
    "recv_into",
    "datagram",
]


@pytest.fixture(params=WAYS_IN)
def receiver(request) -> str:
    """Each way in: all of them keep the same promises."""
    return request.param


def pair_of(
    collector: Collector, receiver: str = "auto", coalesce: float = 0.0, **options: object
) -> UdpPair:
    how = receiving(receiver, coalesce=coalesce)
    return open_pair(HOST, collector.on_rtp, collector.on_rtcp, how=how, **options)


async def test_the_ports_are_an_even_one_and_the_next():
    pair = pair_of(Collector())
    rtp, rtcp = pair.ports
    assert rtp % 2 == 0
    assert rtcp == rtp + 1
    pair.close()
    pair.close()


async def test_the_ports_can_be_confined():
    first = pair_of(Collector())
    low, high = first.ports
    with pytest.raises(LocalProtocolError, match=f"no free pair of UDP ports in {low}-{high}"):
        pair_of(Collector(), client_ports=(low, high))
    first.close()
    again = pair_of(Collector(), client_ports=(low - 1, high))
    assert again.ports == (low, high)
    again.close()


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_pair_with_one_port_taken_is_passed_over_whole(taken):
    first = pair_of(Collector())
    ports = first.ports
    (first.rtcp, first.rtp)[taken].close()
    with pytest.raises(LocalProtocolError):
        pair_of(Collector(), client_ports=ports)
    first.close()


async def test_ports_without_the_right_to_them_are_none():
    with pytest.raises(LocalProtocolError):
        open_pair("192.0.2.1", print, print, client_ports=(40_000, 40_010))
    with pytest.raises(OSError, match="assign requested address"):
        open_pair("192.0.2.1", print, print)


async def test_datagrams_of_both_ports_arrive(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    senders[0].sendto(b"rtp", (HOST, pair.ports[0]))
    senders[1].sendto(b"rtcp", (HOST, pair.ports[1]))
    await collector.until(lambda: collector.rtp and collector.rtcp)
    assert (collector.rtp, collector.rtcp) == ([b"rtp"], [b"rtcp"])
    assert collector.rtp[0].readonly
    assert pair.bytes_received == 7
    assert pair.rtcp.send(b"report")
    await readable(senders[1])
    assert senders[1].recv(100) == b"report"
    pair.close()
    assert not pair.rtcp.send(b"report")


async def readable(one: socket.socket) -> None:
    """Wait for a datagram at our own end."""
    async with asyncio.timeout(5):
        while True:
            try:
                one.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                await asyncio.sleep(0)
            else:
                return


@pytest.mark.parametrize("size", [1, 12, 1200, 60_000, 65_507])
async def test_datagrams_of_every_size_are_whole(senders, receiver, size):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    for number in range(6):
        senders[0].sendto(bytes([number]) * size, (HOST, pair.ports[0]))
        await collector.until(lambda number=number: len(collector.rtp) > number)
    assert [bytes(view) for view in collector.rtp] == [bytes([n]) * size for n in range(6)]
    pair.close()


async def test_empty_datagrams_are_passed_over(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    for data in (b"", b"1", b"", b"2"):
        senders[0].sendto(data, (HOST, pair.ports[0]))
    await collector.until(lambda: len(collector.rtp) == 2)
    assert collector.rtp == [b"1", b"2"]
    pair.close()


async def test_what_was_handed_out_is_never_overwritten(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    number = 3 * BYTES.size // 1000
    for i in range(number):
        senders[0].sendto(i.to_bytes(4, "big") * 250, (HOST, pair.ports[0]))
        await collector.until(lambda i=i: len(collector.rtp) == i + 1)
    assert [bytes(view[:4]) for view in collector.rtp] == [
        i.to_bytes(4, "big") for i in range(number)
    ]
    pair.close()


@pytest.mark.parametrize("receiver", WAYS_IN[:2])
async def test_one_wake_up_takes_a_bounded_batch(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    for _ in range(400):
        senders[0].sendto(b"x", (HOST, pair.ports[0]))
    in_a_row = largest = 0

    def breathe() -> None:
        nonlocal in_a_row, largest
        largest = max(largest, len(collector.rtp) - in_a_row)
        in_a_row = len(collector.rtp)
        if in_a_row < 400:
            asyncio.get_running_loop().call_soon(breathe)

    breathe()
    await collector.until(lambda: len(collector.rtp) == 400)
    assert 0 < largest <= 2 * WAKE_UP
    assert len(collector.batches) < 20
    assert pair.rtp.largest_batch == max(collector.batches) <= WAKE_UP
    assert pair.rtp.datagrams == 400
    pair.close()


# -- M1: only the peer ------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False], ids=["ports-named", "ports-latched"])
async def test_m1_a_stranger_gets_nothing_in_before_or_after_the_lock(senders, receiver, named):
    server, server_rtcp, stranger = senders
    collector = Collector()
    pair = pair_of(collector, receiver)
    other_host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other_host.bind(("127.0.0.2", 0))
    target = (HOST, pair.ports[0])
    other_host.sendto(b"evil before", target)
    if named:
        stranger.sendto(b"evil before", target)
    pair.lock(HOST, (port_of(server), port_of(server_rtcp)) if named else None)
    other_host.sendto(b"evil between", target)
    server.sendto(b"good 1", target)
    other_host.sendto(b"evil after the first", target)
    stranger.sendto(b"evil of the same host", target)
    server.sendto(b"good 2", target)
    await collector.until(lambda: len(collector.rtp) == 2)
    for _ in range(3):
        other_host.sendto(b"evil much later", target)
        stranger.sendto(b"evil much later", target)
    server.sendto(b"good 3", target)
    await collector.until(lambda: len(collector.rtp) == 3)
    assert collector.rtp == [b"good 1", b"good 2", b"good 3"]
    assert pair.rtp.refused >= (2 if named else 3)
    assert pair.bytes_received == 18
    other_host.close()
    pair.close()


async def test_a_peer_that_does_not_name_its_ports_is_answered_where_it_sends_from(
    senders, receiver
):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, None)
    assert not pair.rtcp.send(b"nobody is known yet")
    senders[1].sendto(b"report", (HOST, pair.ports[1]))
    await collector.until(lambda: collector.rtcp)
    pair.lock(HOST, None)  # SETUP again
    assert pair.rtcp.send(b"answer")
    await readable(senders[1])
    assert senders[1].recv(100) == b"answer"
    pair.close()


async def test_a_second_setup_may_name_other_ports(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    pair.lock(HOST, (port_of(senders[2]), port_of(senders[1])))
    senders[0].sendto(b"old", (HOST, pair.ports[0]))
    senders[2].sendto(b"new", (HOST, pair.ports[0]))
    await collector.until(lambda: collector.rtp)
    assert collector.rtp == [b"new"]
    pair.close()


async def test_icmp_errors_harm_nothing(senders, receiver):
    """On uvloop, one that waits on a connected socket would end the reading for good."""
    collector = Collector()
    pair = pair_of(collector, receiver)
    server_port = port_of(senders[1])
    pair.lock(HOST, (port_of(senders[0]), server_port))
    for number in range(1, 11):
        senders[1].close()  # the server listens on its RTCP port no more
        pair.rtcp.send(b"report")
        for _ in range(number % 3):
            await asyncio.sleep(0)
        pair.rtcp.send(b"report")
        senders[1] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        senders[1].bind((HOST, server_port))
        senders[1].sendto(b"back again", (HOST, pair.ports[1]))
        await collector.until(lambda number=number: len(collector.rtcp) == number)
    pair.close()


async def test_a_stranger_is_not_let_in_on_the_port_that_sends(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    for one in (senders[2], senders[0], senders[1], senders[2]):
        one.sendto(b"%d" % port_of(one), (HOST, pair.ports[1]))
    await collector.until(lambda: pair.rtcp.refused == 3)
    assert collector.rtcp == [b"%d" % port_of(senders[1])]
    pair.close()


async def test_closing_while_datagrams_wait_delivers_none_of_them(senders, receiver):
    collector = Collector()
    pair = pair_of(collector, receiver)
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    senders[0].sendto(b"late", (HOST, pair.ports[0]))
    pair.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert collector.rtp == []
    pair.lock(HOST, None)  # harmless
    pair.rtp.start()


async def test_closing_within_a_batch_ends_it(senders, receiver):
    pair: UdpPair

    def close(datagrams: Datagrams) -> None:
        pair.close()
        done.set()

    done = asyncio.Event()
    pair = open_pair(HOST, close, close, how=receiving(receiver))
    pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
    senders[0].sendto(b"x", (HOST, pair.ports[0]))
    async with asyncio.timeout(5):
        await done.wait()


async def test_ipv6():
    collector = Collector()
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::1", 0))
    pair = open_pair("::1", collector.on_rtp, collector.on_rtcp)
    pair.lock("::1", None)
    server.sendto(b"six", ("::1", pair.ports[0]))
    await collector.until(lambda: collector.rtp)
    assert collector.rtp == [b"six"]
    server.close()
    pair.close()


# -- Windows ----------------------------------------------------------------------------------


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """As Windows' own loop: it completes calls, and watches no sockets."""

    def add_reader(self, *_):
        raise NotImplementedError


def test_a_loop_that_watches_no_sockets_receives_all_the_same(senders):
    async def main() -> None:
        collector = Collector()
        pair = pair_of(collector)
        pair.lock(HOST, (port_of(senders[0]), port_of(senders[1])))
        target = (HOST, pair.ports[0])
        for data in (b"1", b"", b"2" * 60_000):
            senders[0].sendto(data, target)
        senders[2].sendto(b"evil", target)
        senders[1].sendto(b"report", (HOST, pair.ports[1]))
        await collector.until(lambda: len(collector.rtp) == 2 and collector.rtcp)
        assert collector.rtp == [b"1", b"2" * 60_000]
        assert pair.rtp.receiver == "datagram"
        pair.close()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=LoopWithoutReaders) as runner:
        runner.run(main())

from __future__ import annotations

import asyncio
import socket

import pytest

from rtspkit.client.ports import NO_PORTS, MediaPorts
from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.net.udp import receiving
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.stream import Stream

HOST = "127.0.0.1"
VIDEO = Stream(0, "video", "H264", 96, 90_000)
AUDIO = Stream(1, "audio", "PCMU", 0, 8000)


class Collector:
    """What came, by stream."""

    def __init__(self, client_ports: tuple[int, int] | None = None, receiver: str = "auto") -> None:
        self.datagrams: list[tuple[str, int, bytes]] = []
        self.arrived = asyncio.Event()
        self.ports = MediaPorts(
            lambda index, datagrams: self.take("rtp", index, datagrams),
            lambda index, datagrams: self.take("rtcp", index, datagrams),
            receiving(receiver),
            client_ports,
        )

    def take(self, kind: str, index: int, datagrams: Datagrams) -> None:
        self.datagrams += [(kind, index, bytes(view)) for view in datagrams]
        self.arrived.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.datagrams) < count:
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
def server():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((HOST, 0))
    yield one
    one.close()


async def test_datagrams_are_told_apart_by_stream_and_port(server):
    collector = Collector()
    ports = [collector.ports.open_pair(stream, HOST) for stream in (VIDEO, AUDIO)]
    assert len({number for pair in ports for number in pair}) == 4
    for stream, (rtp, rtcp) in zip((VIDEO, AUDIO), ports, strict=True):
        collector.ports.lock(stream, HOST, None)
        server.sendto(b"1", (HOST, rtp))
        server.sendto(b"2", (HOST, rtcp))
    await collector.until(4)
    assert set(collector.datagrams) == {
        (kind, index, data) for index in (0, 1) for kind, data in (("rtp", b"1"), ("rtcp", b"2"))
    }
    assert collector.ports.foreign_datagrams == 0
    collector.ports.close()
    collector.ports.close()


async def test_a_second_setup_keeps_the_ports():
    collector = Collector()
    assert collector.ports.open_pair(VIDEO, HOST) == collector.ports.open_pair(VIDEO, HOST)
    collector.ports.close()


async def test_reports_go_to_the_peer_and_only_with_ports(server):
    collector = Collector()
    assert collector.ports.send_report(VIDEO, b"x") is False
    collector.ports.open_pair(VIDEO, HOST)
    port = server.getsockname()[1]
    collector.ports.lock(VIDEO, HOST, (port, port))
    assert collector.ports.send_report(VIDEO, b"report") is True
    assert server.recv(100) == b"report"
    collector.ports.close_pair(VIDEO)
    collector.ports.close_pair(VIDEO)
    assert collector.ports.send_report(VIDEO, b"x") is False


async def test_a_punch_goes_out_of_both_ports(server):
    collector = Collector()
    assert collector.ports.punch(VIDEO, b"rtp", b"rtcp") is False
    ports = collector.ports.open_pair(VIDEO, HOST)
    assert collector.ports.punch(VIDEO, b"rtp", b"rtcp") is False  # nobody knows where to
    port = server.getsockname()[1]
    collector.ports.lock(VIDEO, HOST, (port, port))
    assert collector.ports.punch(VIDEO, b"rtp", b"rtcp") is True
    came = {server.recvfrom(100) for _ in range(2)}
    assert came == {(b"rtp", (HOST, ports[0])), (b"rtcp", (HOST, ports[1]))}
    collector.ports.close()


async def test_no_free_pair_is_an_error_of_its_own_phase():
    first = Collector()
    ports = first.ports.open_pair(VIDEO, HOST)
    with pytest.raises(LocalProtocolError) as caught:
        Collector(ports).ports.open_pair(VIDEO, HOST)
    assert caught.value.phase == NO_PORTS
    first.ports.close()


async def test_a_system_without_sockets_left_is_an_error_that_says_so():
    resource = pytest.importorskip("resource")  # Unix
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as one:
        next_free = one.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, hard))
    try:
        with pytest.raises(LocalProtocolError) as caught:
            Collector().ports.open_pair(VIDEO, HOST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.phase == NO_PORTS
    assert "the system gives no UDP ports (Too many open files)" in str(caught.value)
    assert "transport='tcp'" in str(caught.value)


async def test_a_server_whose_ports_cannot_be_reached_is_an_error():
    collector = Collector()
    collector.ports.open_pair(VIDEO, HOST)
    with pytest.raises(RemoteProtocolError, match="out of reach"):
        collector.ports.lock(VIDEO, "192.0.2.1", (5000, 5001))
    collector.ports.close()


@pytest.mark.parametrize("receiver", ["auto", "recv_into"])
async def test_while_they_are_held_rtp_waits_in_the_kernel_and_rtcp_is_read(server, receiver):
    collector = Collector(receiver=receiver)
    rtp, rtcp = collector.ports.open_pair(VIDEO, HOST)
    collector.ports.lock(VIDEO, HOST, None)
    collector.ports.hold(True)
    for number in range(3):
        server.sendto(b"%d" % number, (HOST, rtp))
    server.sendto(b"report", (HOST, rtcp))
    await collector.until(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert collector.datagrams == [("rtcp", 0, b"report")]
    collector.ports.hold(False)
    await collector.until(4)
    assert collector.datagrams[1:] == [("rtp", 0, b"%d" % number) for number in range(3)]
    collector.ports.close()
    collector.ports.hold(True)
    collector.ports.hold(False)


@pytest.mark.parametrize("receiver", ["recv_into", "datagram"])
async def test_they_tell_how_they_read(server, receiver):
    collector = Collector(receiver=receiver)
    rtp, _ = collector.ports.open_pair(VIDEO, HOST)
    collector.ports.lock(VIDEO, HOST, None)
    server.sendto(b"1", (HOST, rtp))
    await collector.until(1)
    before = collector.ports.measure(None)
    pool = collector.ports.pool.stats()
    collector.ports.close()
    assert (before.receiver, before.largest_batch) == (receiver, 1)
    assert before.wake_ups == 1
    assert before.kernel_dropped_by_stream == {0: 0}
    assert before.pool == pool
    after = collector.ports.measure(None)
    assert (after.wake_ups, after.largest_batch) == (before.wake_ups, 1)

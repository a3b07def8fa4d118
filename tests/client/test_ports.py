from __future__ import annotations

import asyncio
import socket

import pytest

from rtspkit.client.ports import NO_PORTS, MediaPorts
from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.stream import Stream

HOST = "127.0.0.1"
VIDEO = Stream(0, "video", "H264", 96, 90_000)
AUDIO = Stream(1, "audio", "PCMU", 0, 8000)


class Collector:
    """What came, by stream."""

    def __init__(self, client_ports: tuple[int, int] | None = None) -> None:
        self.datagrams: list[tuple[str, int, bytes]] = []
        self.arrived = asyncio.Event()
        self.ports = MediaPorts(
            lambda index, views, now: self.take("rtp", index, views),
            lambda index, views, now: self.take("rtcp", index, views),
            client_ports,
        )

    def take(self, kind: str, index: int, views: list[memoryview]) -> None:
        self.datagrams += [(kind, index, bytes(view)) for view in views]
        self.arrived.set()


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
    async with asyncio.timeout(5):
        while len(collector.datagrams) < 4:
            collector.arrived.clear()
            await collector.arrived.wait()
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

from __future__ import annotations

import asyncio

import pytest

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtcp.parser import RTCP, SR
from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import RTSPTimeoutError
from rtspkit.compat.aiortsp.transport.base import RTPTransport, RTPTransportClient
from rtspkit.testing.camera import Camera
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

virtual_clock = pytest.mark.virtual_clock
PACKET = parse_rtp(serialize_rtp(b"abc", payload_type=96, sequence_number=1, timestamp=2, ssrc=3))


async def seconds(number: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(number, passed.set_result, None)
    await passed


class Recorder(RTPTransportClient):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.packets: list[RTP] = []
        self.reports: list[RTCP] = []
        self.closed: list[Exception | None] = []

    def handle_rtp(self, rtp):
        self.packets.append(rtp)

    def handle_rtcp(self, rtcp):
        self.reports.append(rtcp)

    def handle_closed(self, error):
        self.closed.append(error)


class Broken(RTPTransportClient):
    def handle_rtp(self, rtp):
        raise KeyError("rtp")

    def handle_rtcp(self, rtcp):
        raise KeyError("rtcp")

    def handle_closed(self, error):
        raise KeyError("closed")


async def test_every_client_gets_everything_whatever_another_one_does(caplog):
    transport = RTPTransport(RTSPConnection("127.0.0.1", 9))
    one, other = Recorder(), Recorder()
    for client in (one, Broken(), other):
        transport.subscribe(client)
    transport.receive_rtp(PACKET)
    transport.receive_rtcp(memoryview(bytes(RTCP([SR(1, 5.0, ts=6)]))))
    transport.receive_rtcp(memoryview(b"nothing"))
    transport.close()
    transport.close(ValueError("late"))
    for client in (one, other):
        assert [packet.seq for packet in client.packets] == [1]
        assert [report.get(200).ts for report in client.reports] == [6]
        assert client.closed == [None]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert transport.stats.last_ntp == 5.0


async def test_a_client_may_come_and_go():
    transport = RTPTransport(RTSPConnection("127.0.0.1", 9))
    client = Recorder()
    transport.subscribe(client)
    transport.unsubscribe(client)
    transport.unsubscribe(client)
    transport.receive_rtp(PACKET)
    assert client.packets == []


async def test_a_client_that_overrides_nothing_is_fine():
    transport = RTPTransport(RTSPConnection("127.0.0.1", 9))
    transport.subscribe(RTPTransportClient())
    transport.receive_rtp(PACKET)
    transport.tell_rtcp(RTCP())
    transport.close()
    assert not transport.running
    assert await transport.result is False


@virtual_clock
async def test_silence_closes_it_and_a_pause_is_no_silence():
    loop = asyncio.get_running_loop()
    client = Recorder()
    async with (
        Camera() as camera,
        RTSPConnection("127.0.0.1", camera.port) as connection,
        RTPTransport(connection, timeout=5) as transport,
    ):
        transport.subscribe(client)
        await transport.warmup()
        transport.paused = True
        await seconds(20)
        assert transport.running
        transport.begin()
        begun = loop.time()
        await seconds(3)
        transport.receive_rtp(PACKET)
        with pytest.raises(RTSPTimeoutError, match="5 s"):
            await transport.result
        assert 7.9 < loop.time() - begun < 8.2
        assert not transport.running
    assert [type(error) for error in client.closed] == [RTSPTimeoutError]


@virtual_clock
async def test_without_a_deadline_silence_may_last():
    async with (
        Camera() as camera,
        RTSPConnection("127.0.0.1", camera.port) as connection,
        RTPTransport(connection, timeout=0) as transport,
    ):
        await transport.warmup()
        await seconds(150)
        assert transport.running
    assert not transport.running


async def test_an_exception_within_it_is_told():
    client = Recorder()
    error = ValueError("mine")
    transport = RTPTransport(RTSPConnection("127.0.0.1", 9))
    transport.subscribe(client)
    with pytest.raises(ValueError, match="mine"):
        async with transport:
            raise error
    assert client.closed == [error]

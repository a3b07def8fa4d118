from __future__ import annotations

import asyncio
import contextlib

import pytest
from rtspkit_raw import RawClient, until

from rtspkit.errors import LocalProtocolError
from rtspkit.testing.camera import Camera
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link
from rtspkit.wire.header import parse_transport
from rtspkit.wire.rtcp import ReceiverReport, serialize_rtcp
from rtspkit.wire.rtp import parse_rtp

PACKETS = 250


async def play_through(link: Link, camera: Camera, client: RawClient) -> list[int]:
    """Play a bounded number of packets over UDP; their sequence numbers, as they arrived."""
    await client.play(0, transport="udp")
    counters = link.counters
    await camera.wait_until(lambda: camera.packets_sent[0] == PACKETS)
    async with asyncio.timeout(5):
        while counters().received < PACKETS or counters().delivered > len(arrived(client)):
            client.arrived.clear()
            with contextlib.suppress(TimeoutError):  # the last ones may have been lost
                await asyncio.wait_for(client.arrived.wait(), 0.01)
    return arrived(client)


def arrived(client: RawClient) -> list[int]:
    return [parse_rtp(data).sequence_number for _, port, data in client.datagrams if port == 0]


def camera_of_packets(**options) -> Camera:
    return Camera(packets=PACKETS, speed=100, sequence_number=0, tracks=("H264",), **options)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_passes_everything_when_there_is_no_impairment(transport):
    async with Camera(speed=20) as camera, Link(camera.url) as link, RawClient(link.url) as client:
        answer = await client.request("DESCRIBE")
        assert answer.headers.get("Content-Base") == link.url + "/"
        await client.play(0, transport=transport)
        if transport == "tcp":
            packets = await client.packets(30)
        else:
            packets = [parse_rtp(data) for data in await client.received(30)]
        assert (await client.request("TEARDOWN")).status_code == 200
        assert camera.sessions == {}
        assert link.counters().dropped == 0
    numbers = [packet.sequence_number for packet in packets[:30]]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(30)]


async def test_udp_passes_through_ports_of_the_link():
    async with Camera() as camera, Link(camera.url) as link, RawClient(link.url) as client:
        answer = await client.set_up(0, transport="udp")
        agreed = parse_transport(answer.headers.get("Transport"))
        seen = parse_transport(camera.requests[-1].headers.get("Transport"))
        (relay,) = link.relays
        ours = tuple(port.port for port in client.udp[0])
        assert agreed.client_port == relay.client == ours
        assert agreed.server_port == relay.toward_client != relay.server
        assert seen.client_port == relay.toward_server
        await client.request("PLAY")
        await client.received(1, port=1)
        report = serialize_rtcp([ReceiverReport(5)])
        client.udp[0][1].send(report, ("127.0.0.1", agreed.server_port[1]))
        await camera.wait_until(lambda: len(camera.rtcp_received) == 1)
        assert link.counters("up", "rtcp").delivered == 1
        assert link.counters("down", "rtcp", stream=0).delivered >= 1


async def test_loss_is_counted_exactly():
    async with (
        camera_of_packets() as camera,
        Link(camera.url, down=Impairment(loss=0.2), seed=3) as link,
        RawClient(link.url) as client,
    ):
        numbers = await play_through(link, camera, client)
        counters = link.counters()
    assert counters.received == PACKETS
    assert PACKETS * 0.1 < counters.dropped < PACKETS * 0.3
    assert len(set(numbers)) == len(numbers) == PACKETS - counters.dropped
    assert numbers == sorted(numbers)


async def test_a_seed_loses_the_same_packets_again():
    lost = []
    for seed in (5, 5, 6):
        async with (
            camera_of_packets() as camera,
            Link(camera.url, down=Impairment(loss=0.1), seed=seed) as link,
            RawClient(link.url) as client,
        ):
            numbers = await play_through(link, camera, client)
        lost.append(set(range(PACKETS)) - set(numbers))
    assert lost[0] == lost[1] != lost[2]
    assert lost[0]


async def test_reordered_and_duplicated_are_counted_exactly():
    what = Impairment(reorder=0.1, duplicate=0.1)
    async with (
        camera_of_packets() as camera,
        Link(camera.url, down=what, seed=1) as link,
        RawClient(link.url) as client,
    ):
        numbers = await play_through(link, camera, client)
        counters = link.counters()
    assert set(numbers) == set(range(PACKETS))
    assert counters.dropped == 0
    assert len(numbers) == PACKETS + counters.duplicated
    highest, late = -1, set()
    for number in numbers:
        if number < highest:
            late.add(number)
        highest = max(highest, number)
    assert len(late) == counters.reordered > 10
    assert counters.duplicated > 10


async def test_delays_both_tcp_and_udp():
    loop = asyncio.get_running_loop()
    slow = {"tcp_up": Impairment(delay=0.03), "tcp_down": Impairment(delay=0.03)}
    async with Camera() as camera, Link(camera.url, **slow) as link, RawClient(link.url) as client:
        begun = loop.time()
        assert (await client.request("OPTIONS")).status_code == 200
        assert loop.time() - begun >= 0.058


async def test_rate_holds_tcp_back_without_losing_a_byte():
    loop = asyncio.get_running_loop()
    async with (
        camera_of_packets() as camera,
        Link(camera.url, tcp_down=Impairment(rate=2_000_000, queue=20_000)) as link,
        RawClient(link.url) as client,
    ):
        begun = loop.time()
        await client.play(0)
        packets = await client.packets(PACKETS)
        taken = loop.time() - begun
    assert [packet.sequence_number for packet in packets] == list(range(PACKETS))
    size = sum(len(packet) for packet in packets)
    assert taken >= size / 2_000_000 * 0.9


async def test_cut_resets_both_sides():
    async with Camera() as camera, Link(camera.url) as link, RawClient(link.url) as client:
        await client.play(0)
        link.cut()
        with pytest.raises(ConnectionResetError):
            await client.until_end()
        await camera.wait_until(lambda: camera.connections == [])
        assert camera.sessions == {}
        assert link.circuits == []
        async with RawClient(link.url) as again:
            assert (await again.request("OPTIONS")).status_code == 200


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_stalled_link_passes_nothing_until_it_is_resumed(transport):
    async with Camera(speed=20) as camera, Link(camera.url) as link, RawClient(link.url) as client:
        await client.play(0, transport=transport)
        link.stall()
        client.send("GET_PARAMETER")
        before = camera.packets_sent[0]
        await camera.wait_until(lambda: camera.packets_sent[0] >= before + 40)
        assert [request.method for request in camera.requests] == ["SETUP", "PLAY"]
        link.resume()
        assert (await client.answer()).status_code == 200
        assert (link.counters().dropped > 0) == (transport == "udp")


async def test_connections_to_a_stalled_link_are_served_when_it_is_resumed():
    async with Camera() as camera, Link(camera.url) as link:
        link.stall()
        async with RawClient(link.url) as client:
            client.send("OPTIONS")
            await until(lambda: bool(link.circuits))
            assert camera.connections == []
            link.resume()
            assert (await client.answer()).status_code == 200


async def test_blocked_udp_leaves_the_control_connection_alone():
    async with (
        Camera(speed=20) as camera,
        Link(camera.url, down=Impairment(blocked=True)) as link,
        RawClient(link.url) as client,
    ):
        await client.play(0, transport="udp")
        await camera.wait_until(lambda: camera.packets_sent[0] >= 20)
        assert (await client.request("GET_PARAMETER")).status_code == 200
        assert client.datagrams == []


async def test_refuses_when_told_and_when_the_server_is_gone():
    async with Camera() as camera, Link(camera.url) as link:
        link.refusing = True
        with pytest.raises(ConnectionError):
            async with RawClient(link.url) as client:
                await client.request("OPTIONS")
        link.refusing = False
        await camera.aclose()
        with pytest.raises(ConnectionError):
            async with RawClient(link.url) as client:
                await client.request("OPTIONS")


async def test_an_end_on_one_side_reaches_the_other_after_what_was_sent():
    async with Camera() as camera, Link(camera.url) as link:
        async with RawClient(link.url) as client:
            client.send("OPTIONS")
            client.output.write_eof()
            await camera.wait_until(lambda: camera.connections_made == 1)
            await camera.wait_until(lambda: camera.connections == [])
            assert (await client.answer()).status_code == 200
            assert await client.event() is None
        async with RawClient(link.url) as client:
            client.output.write(b"no RTSP\r\n\r\n")
            assert (await client.answer()).status_code == 400
            assert await client.event() is None


async def test_closing_twice_or_with_everything_going_on_leaves_nothing():
    async with Camera(speed=50) as camera:
        what = Impairment(delay=0.05, reorder=0.2)
        link = Link(camera.url, down=what, tcp_down=what)
        await link.aclose()
        async with link, RawClient(link.url) as tcp, RawClient(link.url) as udp:
            await tcp.play(0, 1)
            await udp.play(0, 1, transport="udp")
            await camera.wait_until(lambda: camera.packets_sent.total() > 200)
            await link.aclose()
            await link.aclose()
            assert link.circuits == []


async def test_a_target_must_be_a_url():
    with pytest.raises(LocalProtocolError):
        Link("nowhere")

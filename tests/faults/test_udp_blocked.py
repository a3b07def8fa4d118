"""FAULTS.md, 24: a firewall lets RTSP pass and no datagram."""

from __future__ import annotations

import asyncio

import pytest
from faulty import clean_camera, open_plainly

from rtspkit import DeadlineExceeded, Timeouts
from rtspkit.engine.events import TransportRejected
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link

pytestmark = pytest.mark.virtual_clock

DELAY = 0.02  # seconds each way
ROUND_TRIPS = 12  # two handshakes of five, TEARDOWN between them, and the first frame
SLACK = 0.05  # seconds


def firewall(camera, *, delay: float = 0.0) -> Link:
    blocked = Impairment(blocked=True)
    slow = [Impairment(delay=delay) for _ in range(2)]
    return Link(camera.url, down=blocked, up=blocked, tcp_down=slow[0], tcp_up=slow[1])


@pytest.mark.parametrize("first_packet", [0.5, 1.5, 3.0])
async def test_the_first_frame_comes_after_the_deadline_and_a_handshake(first_packet):
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(first_packet=first_packet)
    async with clean_camera() as camera, firewall(camera, delay=DELAY) as link:
        begun = loop.time()
        async with open_plainly(link.url, timeouts=timeouts) as session:
            unit = await anext(session.access_units("video"))
            taken = loop.time() - begun
            assert session.transport == "tcp"
        rejected = [e async for e in session.events() if isinstance(e, TransportRejected)]
        assert camera.sessions_made == 2
    assert unit.keyframe
    assert unit.complete
    assert first_packet < taken < first_packet + ROUND_TRIPS * 2 * DELAY + SLACK
    assert [(event.transport, event.following) for event in rejected] == [("udp", "tcp")]


async def test_it_is_remembered_for_this_server():
    loop = asyncio.get_running_loop()
    async with clean_camera() as camera, firewall(camera) as link:
        async with open_plainly(link.url) as session:
            assert session.transport == "tcp"
        begun, made = loop.time(), camera.sessions_made
        async with open_plainly(link.url) as session:
            assert session.transport == "tcp"
            await anext(session.access_units("video"))
            assert loop.time() - begun < 0.5
        assert camera.sessions_made == made + 1


async def test_with_the_firewall_gone_the_wish_for_udp_is_heard():
    async with clean_camera() as camera, firewall(camera) as link:
        async with open_plainly(link.url):
            pass
        link.down.blocked = link.up.blocked = False
        async with open_plainly(link.url, transport="udp") as session:
            assert (await anext(session.access_units("video"))).complete


async def test_udp_alone_is_silent_and_says_what_to_do():
    timeouts = Timeouts(first_packet_tcp=2.0)
    async with clean_camera() as camera, firewall(camera) as link:
        with pytest.raises(DeadlineExceeded) as caught:
            async with open_plainly(link.url, transport="udp", timeouts=timeouts) as session:
                await anext(session.packets())
    assert caught.value.phase == "first packet"
    assert "try another transport" in str(caught.value)


async def test_datagrams_that_stop_later_are_a_loss_not_a_hang():
    loop = asyncio.get_running_loop()
    down = Impairment()
    async with clean_camera(session_timeout=None) as camera, Link(camera.url, down=down) as link:
        timeouts = Timeouts(media_silence=3.0)
        async with open_plainly(link.url, transport="udp", timeouts=timeouts) as session:
            packets = session.packets()
            await anext(packets)
            down.blocked = True
            begun = loop.time()
            with pytest.raises(Exception, match="no media and no reply for 3 s"):
                async for _ in packets:
                    pass
            assert loop.time() - begun == pytest.approx(3.0, abs=0.5)

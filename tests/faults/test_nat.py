"""A NAT in front of the client: UDP comes in when packets of ours have opened the way, or TCP does.

The last ones go through the kernel's own NAT, between network namespaces (marker ``netlab``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from faulty import clean_camera, open_plainly, units_until, wait
from nat import ForgetfulNat, Nat
from netlab_tools import FarCamera, load

from rtspkit import LocalProtocolError, Retry, Timeouts
from rtspkit.engine.events import Reconnected, TransportRejected
from rtspkit.testing.camera import Camera
from rtspkit.testing.link import Link
from rtspkit.wire.rtcp import ReceiverReport

virtual = pytest.mark.virtual_clock


def behind(camera: Camera, nat: Nat) -> Link:
    nat.link = Link(camera.url, down=nat)
    return nat.link


@virtual
async def test_udp_comes_at_once_through_a_nat():
    loop = asyncio.get_running_loop()
    async with clean_camera() as camera, behind(camera, Nat()) as link:
        begun = loop.time()
        async with open_plainly(link.url) as session:
            unit = await anext(session.access_units("video"))
            assert loop.time() - begun < 0.5
            assert session.transport == "udp"
            assert session.stats().lost == 0
        assert camera.sessions_made == 1
    assert unit.keyframe


@virtual
async def test_without_punches_tcp_takes_over():
    async with clean_camera() as camera, behind(camera, Nat()) as link:
        async with open_plainly(link.url, nat="off") as session:
            await anext(session.packets())
            assert session.transport == "tcp"
        assert link.counters("up", "rtp").received == 0
        rejected = [e async for e in session.events() if isinstance(e, TransportRejected)]
    assert [event.transport for event in rejected] == ["udp"]


@virtual
async def test_one_packet_for_each_stream_is_enough_when_nothing_is_in_the_way():
    async with (
        clean_camera() as camera,
        behind(camera, Nat()) as link,
        open_plainly(link.url, transport="udp") as session,
    ):
        await units_until(session.access_units(), lambda unit: unit.media_time > 5)
        assert link.counters("up", "rtp").received == len(session.streams) == 2


@virtual
async def test_a_mapping_is_kept_open_for_as_long_as_the_session_plays():
    nat = ForgetfulNat()
    async with (
        clean_camera() as camera,
        behind(camera, nat) as link,
        open_plainly(link.url, transport="udp", retry=None) as session,
    ):
        await anext(session.packets())
        closed = nat.refused
        await units_until(session.access_units("audio"), lambda unit: unit.media_time > 50)
        assert session.stats().lost == 0
        assert nat.refused == closed
        assert link.counters("up", "rtp").received == 2 * (1 + 50 // 15)


@virtual
async def test_a_mapping_that_was_forgotten_in_a_pause_is_opened_again():
    nat = ForgetfulNat()
    async with (
        clean_camera() as camera,
        behind(camera, nat) as link,
        open_plainly(link.url, transport="udp", retry=None) as session,
    ):
        await anext(session.packets())
        await session.pause()
        sent = link.counters("up", "rtp").received
        await wait(40)
        assert link.counters("up", "rtp").received == sent
        await session.play()
        before = session.stats().packets
        await wait(1)
        assert session.stats().packets > before + 20


@virtual
async def test_what_opens_the_way_harms_no_server():
    async with clean_camera() as camera:
        async with open_plainly(camera.url, transport="udp") as session:
            await anext(session.packets())
            await wait(6)
            streams = len(session.streams)
        reports = [packet for entry in camera.rtcp_received for packet in entry.packets]
    firsts = [r for r in reports if isinstance(r, ReceiverReport) and not r.report_blocks]
    assert len(firsts) == streams
    sources = {r.ssrc for r in reports if isinstance(r, ReceiverReport)}
    assert len(sources) == streams  # those of the reports that follow


async def test_a_wish_that_is_none_is_refused_at_once():
    with pytest.raises(LocalProtocolError, match="nat is 'punch' or 'off', not 'stun'"):
        open_plainly("rtsp://127.0.0.1/", nat="stun")


# -- through the kernel -----------------------------------------------------------------------

FIRST_PACKET = 0.5


class Router:
    """A camera outside, a client inside, and a NAT in between."""

    def __init__(self, stack: ExitStack, kind: str) -> None:
        self.net = stack.enter_context(load().NetLab(ipv6=False, nat=kind))
        self.far = stack.enter_context(FarCamera(self.net.server))
        stack.enter_context(self.net.client.inside())
        self.url = self.far.url


@pytest.fixture
def make_router() -> Iterator[Any]:
    load()
    with ExitStack() as stack:
        yield lambda kind: Router(stack, kind)


@pytest.mark.netlab
@pytest.mark.parametrize("kind", ["full-cone", "restricted"])
async def test_the_kernels_nat_is_opened(make_router, kind):
    router = make_router(kind)
    begun = time.monotonic()
    async with open_plainly(router.url, timeouts=Timeouts(first_packet=FIRST_PACKET)) as session:
        unit = await anext(session.access_units("video"))
        taken = time.monotonic() - begun
        assert session.transport == "udp"
        assert session.stats().lost == 0
    assert unit.complete
    assert taken < FIRST_PACKET


@pytest.mark.netlab
@pytest.mark.parametrize(
    ("kind", "nat"), [("restricted", "off"), ("symmetric", "punch"), ("symmetric", "off")]
)
async def test_where_the_kernels_nat_stays_closed_tcp_takes_over(make_router, kind, nat):
    router = make_router(kind)
    begun = time.monotonic()
    timeouts = Timeouts(first_packet=FIRST_PACKET)
    async with open_plainly(router.url, timeouts=timeouts, nat=nat) as session:
        assert (await anext(session.access_units("video"))).complete
        taken = time.monotonic() - begun
        assert session.transport == "tcp"
    assert FIRST_PACKET < taken < FIRST_PACKET + 1


@pytest.mark.netlab
async def test_a_router_that_was_switched_off_and_on_is_opened_again(make_router):
    router = make_router("restricted")
    timeouts = Timeouts(first_packet=FIRST_PACKET, media_silence=1.0)
    options = {"transport": "udp", "timeouts": timeouts, "retry": Retry()}
    async with open_plainly(router.url, **options) as session:
        await anext(session.packets())
        router.net.nat("restricted")  # forgets all
        async with asyncio.timeout(5):
            async for event in session.events():
                if isinstance(event, Reconnected):
                    break
        assert (session.transport, session.stats().reconnects) == ("udp", 1)

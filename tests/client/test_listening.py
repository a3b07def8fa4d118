"""One session, listened to: what works, what does not, and nothing left behind."""

from __future__ import annotations

import asyncio
import time

import pytest
from nat import Nat

from rtspkit.client.heard import Heard
from rtspkit.client.listening import listen
from rtspkit.client.options import build_options
from rtspkit.errors import ConnectionLost, DeadlineExceeded, UnsupportedTransport
from rtspkit.options import Timeouts
from rtspkit.testing.actions import Close, Drop, Reply
from rtspkit.testing.camera import Camera
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link

pytestmark = pytest.mark.virtual_clock

SECONDS = 4.0


async def hear(
    url: str, kind: str = "udp", *, seconds: float = SECONDS, keep_alive: bool = True
) -> Heard:
    options = build_options(url, None, None, "auto", None, timeouts=Timeouts())
    loop = asyncio.get_running_loop()
    zero = time.time() - loop.time()
    return await listen(
        options, kind, seconds, keep_alive=keep_alive, wall=lambda: zero + loop.time()
    )


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_a_camera_that_is_well(kind):
    async with Camera() as camera:
        heard = await hear(camera.url, kind)
        assert camera.sessions == {}
        assert [request.method for request in camera.requests][-1] == "TEARDOWN"
    assert heard.error is None
    assert heard.works
    assert not heard.punched
    assert heard.seconds == pytest.approx(SECONDS, abs=0.05)
    assert 0 <= heard.first_packet < 0.5
    assert heard.session_timeout == 60
    assert heard.quirks == {}
    assert heard.kept_alive.method == "GET_PARAMETER"
    assert heard.kept_alive.refused == {}
    assert heard.stats.lost == 0
    video, audio = heard.streams
    assert (video.pictures, audio.pictures) == (True, False)
    assert video.drift.rate == pytest.approx(1, abs=0.01)
    assert audio.drift.rate == pytest.approx(1, abs=0.01)
    assert video.wall_offset == pytest.approx(0, abs=0.1)
    assert video.keyframes >= 2
    assert 0.5 < video.longest_gap < 1.5
    assert video.units > 50
    assert heard.stats.packets == sum(stream.packets for stream in heard.stats.streams) > 100


async def test_keep_alive_may_be_left_out():
    async with Camera() as camera:
        heard = await hear(camera.url, keep_alive=False)
        assert "GET_PARAMETER" not in [request.method for request in camera.requests]
    assert heard.kept_alive is None


async def test_a_transport_that_is_refused():
    async with Camera(transports=("tcp",)) as camera:
        heard = await hear(camera.url)
        assert camera.sessions == {}
    assert isinstance(heard.error, UnsupportedTransport)
    assert not heard.played
    assert not heard.works


async def test_a_firewall_is_given_up_after_the_punches():
    async with Camera() as camera, Link(camera.url, down=Impairment(blocked=True)) as link:
        heard = await hear(link.url)
        assert link.counters("up", "rtp").received > 0
        assert camera.sessions == {}
    assert heard.played
    assert not heard.works
    assert not heard.punched
    assert isinstance(heard.error, DeadlineExceeded)
    assert heard.error.seconds == pytest.approx(3.0, abs=0.1)


async def test_a_nat_is_opened_by_a_packet_of_ours():
    nat = Nat()
    async with Camera() as camera, Link(camera.url, down=nat) as link:
        nat.link = link
        heard = await hear(link.url)
    assert heard.works
    assert heard.punched
    assert heard.first_packet == pytest.approx(1.5, abs=0.3)
    assert heard.seconds == pytest.approx(SECONDS, abs=0.05)


async def test_a_camera_that_plays_nothing_over_tcp():
    async with Camera() as camera:
        camera.media_stopped = True
        heard = await hear(camera.url, "tcp")
        assert camera.sessions == {}
    assert heard.played
    assert isinstance(heard.error, DeadlineExceeded)
    assert heard.error.seconds == pytest.approx(10.0, abs=0.1)


async def test_loss_is_counted_as_it_was():
    async with Camera() as camera, Link(camera.url, down=Impairment(every=20)) as link:
        heard = await hear(link.url)
        dropped = link.counters("down", "rtp").dropped
    assert dropped > 0
    assert abs(heard.stats.lost - dropped) <= 2  # the last of each stream may be among them


@pytest.mark.parametrize(
    ("quirk", "refused", "method"),
    [
        ("get-parameter-405", ["GET_PARAMETER"], "OPTIONS"),
        ("get-parameter-silent", ["GET_PARAMETER"], "OPTIONS"),
    ],
)
async def test_the_next_method_is_tried_when_one_does_not_work(quirk, refused, method):
    async with Camera(quirks={quirk}) as camera:
        heard = await hear(camera.url)
    assert list(heard.kept_alive.refused) == refused
    assert heard.kept_alive.method == method
    assert heard.error is None


async def test_no_method_works():
    async with Camera() as camera:
        for method in ("GET_PARAMETER", "SET_PARAMETER", "OPTIONS"):
            camera.script(method, Reply(501))
        heard = await hear(camera.url)
    assert heard.kept_alive.method is None
    assert set(heard.kept_alive.refused) == {"GET_PARAMETER", "SET_PARAMETER", "OPTIONS"}


async def test_a_server_that_hangs_up_on_a_keep_alive_is_not_asked_again():
    async with Camera() as camera:
        camera.script("GET_PARAMETER", Close())
        heard = await hear(camera.url)
    assert heard.kept_alive.method is None
    assert list(heard.kept_alive.refused) == ["GET_PARAMETER"]
    assert heard.works


async def test_a_session_that_is_lost_while_it_is_listened_to():
    async with Camera() as camera, Link(camera.url) as link:
        asyncio.get_running_loop().call_later(2.0, link.cut)
        heard = await hear(link.url, "tcp")
    assert heard.works
    assert isinstance(heard.error, ConnectionLost)
    assert 1 < heard.seconds < 2.1
    assert heard.stats.packets > 0
    assert heard.kept_alive is None


async def test_a_presentation_that_ends_is_no_error():
    async with Camera(packets=50) as camera:
        heard = await hear(camera.url)
    assert heard.error is None
    assert heard.works
    assert heard.seconds < SECONDS


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
async def test_what_is_not_answered_is_given_up_in_time(method):
    async with Camera() as camera:
        camera.script(method, Drop())
        before = asyncio.get_running_loop().time()
        heard = await hear(camera.url)
        took = asyncio.get_running_loop().time() - before
    assert isinstance(heard.error, DeadlineExceeded)
    assert took < 10 + 2 + 0.1  # connect and teardown
    assert not heard.works


@pytest.mark.parametrize("after", [0.0, 0.1, 1.0, 2.0])
async def test_one_who_gives_up_leaves_nothing_behind(after):
    async with Camera() as camera:
        task = asyncio.ensure_future(hear(camera.url))
        asyncio.get_running_loop().call_later(after, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        await camera.wait_until(lambda: not camera.sessions)

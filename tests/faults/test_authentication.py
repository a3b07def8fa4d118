"""FAULTS.md, 22: 401 in the middle of a session; nonces that expire; another realm; a wrong one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from faulty import Consumer, clean_camera, open_plainly, slow_track, steps, wait

from rtspkit import Unauthorized
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

pytestmark = pytest.mark.virtual_clock

USER = {"username": "user", "password": "secret"}
SECONDS = 20.3  # virtual, of playing; no request of ours meets a keep-alive
MEDIA = {"tracks": [slow_track(0.1)], "session_timeout": 5.0}
LONGEST_PAUSE = 0.2  # seconds


async def play(camera: Camera, transport: str, *, seconds: float = SECONDS, during=None) -> None:
    """Play with keep-alives and requests of the user; nothing of the media may be missing."""
    async with open_plainly(camera.url, transport=transport, **USER) as session:
        async with Consumer(session.packets()) as consumer:
            for turn in range(10):
                await wait(seconds / 10)
                if during is not None:
                    during(turn)
                if turn % 3 == 2:
                    await session.get_parameter()
        stats = session.stats()
        assert session.state == "playing"
        assert (stats.lost, stats.consumer_dropped) == (0, 0)
        arrivals = [packet.arrival for packet in consumer.items]
        assert max(steps(arrivals)) < LONGEST_PAUSE
        assert arrivals[-1] - arrivals[0] > seconds - 1
    assert camera.sessions_expired == 0
    assert (camera.connections_made, camera.sessions_made) == (1, 1)
    assert camera.requests[-1].method == "TEARDOWN"


@pytest.mark.parametrize("announced", [True, False], ids=["stale", "without-stale"])
@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_nonce_that_is_stale_every_few_requests(transport, every, announced):
    authentication = Authentication(nonce_requests=every, announce_stale=announced, exempt=())
    async with clean_camera(authentication=authentication, **MEDIA) as camera:
        await play(camera, transport)
        assert camera.challenged > 10 / every
        assert camera.refused == 0


@pytest.mark.parametrize("every", [1, 2])
async def test_requests_that_are_under_way_together_use_up_the_nonces_of_each_other(every):
    authentication = Authentication(nonce_requests=every, exempt=())
    async with (
        clean_camera(authentication=authentication, **MEDIA) as camera,
        open_plainly(camera.url, transport="udp", **USER) as session,
    ):
        answers = await asyncio.gather(
            *(session.get_parameter() for _ in range(6)), return_exceptions=True
        )
    assert answers == [b""] * 6


@pytest.mark.parametrize("seconds", [2.0, 5.0])
async def test_a_nonce_that_is_stale_after_some_time(seconds):
    authentication = Authentication(nonce_seconds=seconds)
    async with clean_camera(authentication=authentication, **MEDIA) as camera:
        await play(camera, "udp")
        assert camera.challenged >= SECONDS / seconds - 1
        assert camera.refused == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_401_in_the_middle_of_it(transport):
    """The camera has forgotten all its nonces, as after a restart of its control process."""
    async with clean_camera(authentication=Authentication(), **MEDIA) as camera:
        await play(camera, transport, during=lambda turn: camera.renew_nonces())
        assert camera.challenged >= 9


@pytest.mark.parametrize(
    "change",
    [
        {"realm": "another realm"},
        {"algorithms": ("SHA-256",)},
        {"qop": ()},
        {"algorithms": ("SHA-256", "MD5"), "realm": "both"},
    ],
    ids=["realm", "algorithm", "no-qop", "more"],
)
async def test_what_is_demanded_changes_in_the_middle_of_it(change):
    async with clean_camera(authentication=Authentication(), **MEDIA) as camera:

        def during(turn: int) -> None:
            if turn == 4:
                camera.authentication = replace(camera.authentication, **change)

        await play(camera, "udp", during=during)
        assert camera.challenged >= 2


async def test_never_basic_after_digest_however_the_server_asks():
    """And the media goes on: it is the keep-alive that is refused, not the stream."""
    authentication = Authentication(exempt=())
    async with (
        clean_camera(authentication=authentication, session_timeout=8.0, patience=30.0) as camera,
        open_plainly(camera.url, transport="udp", **USER) as session,
    ):
        await wait(1.0)
        camera.authentication = replace(authentication, schemes=("basic",))
        asked = len(camera.requests)
        with pytest.raises(Unauthorized):
            await session.get_parameter()
        sent = [request.headers.get("Authorization") for request in camera.requests[asked:]]
    assert not any(value is not None and value.startswith("Basic") for value in sent)


@pytest.mark.parametrize("schemes", [("digest",), ("basic",), ("basic", "digest")])
async def test_a_wrong_password_costs_two_requests(schemes):
    loop = asyncio.get_running_loop()
    async with clean_camera(authentication=Authentication(schemes=schemes)) as camera:
        begun = loop.time()
        with pytest.raises(Unauthorized) as caught:
            await open_plainly(camera.url, username="user", password="wrong")
        assert loop.time() - begun < 0.1
        await wait(60.0)  # and nobody knocks again
        assert [request.method for request in camera.requests] == ["DESCRIBE"] * 2
        assert (camera.refused, camera.connections_made) == (1, 1)
    assert not caught.value.retryable


async def test_a_wrong_password_that_gets_a_new_nonce_each_time_costs_three_at_most():
    """Some cameras renew the nonce with each refusal: that is no reason to go on for ever."""
    authentication = Authentication(nonce_seconds=1e-9)
    async with clean_camera(authentication=authentication) as camera:
        with pytest.raises(Unauthorized):
            await open_plainly(camera.url, username="user", password="wrong")
        assert len(camera.requests) <= 3
        assert camera.connections_made == 1


async def test_the_password_is_changed_in_the_middle_of_it():
    """No storm of attempts that could lock the user out; and media that flows is kept."""
    authentication = Authentication()
    options = {"tracks": [slow_track(0.1)], "session_timeout": None, "patience": 30.0}
    async with clean_camera(authentication=authentication, **options) as camera:
        async with (
            open_plainly(camera.url, transport="tcp", **USER) as session,
            Consumer(session.packets()) as consumer,
        ):
            await wait(1.0)
            camera.authentication = replace(authentication, password="another")
            await wait(120.0)
            assert session.state == "playing"
            assert not consumer.task.done()
        assert camera.refused <= 2 + 1  # two for the keep-alive, one for taking leave

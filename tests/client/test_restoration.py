from __future__ import annotations

import pytest
from faulty import wait

import rtspkit
from rtspkit import ConnectionLost, SessionNotFound, Timeouts
from rtspkit.client.restoration import set_up_again
from rtspkit.testing.actions import Drop, Reply
from rtspkit.testing.camera import Camera


async def dropped(camera: Camera, session: rtspkit.Session) -> None:
    """Have the server drop the session, without its being restored."""
    session._supervisor.on_gone = lambda: None
    camera.end_sessions()
    with pytest.raises(SessionNotFound):
        await session.get_parameter()


@pytest.mark.parametrize("playing", [True, False])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_same_streams_are_set_up_over_the_same_transport(transport, playing):
    async with Camera(speed=10) as camera:
        async with rtspkit.connect(camera.url, transport=transport, retry=None) as session:
            await dropped(camera, session)
            number = len(camera.requests)
            driver, presentation = session._supervisor.driver, session._supervisor.presentation
            await set_up_again(driver, presentation, Timeouts(), playing=playing)
            later = list(camera.requests)[number:]
            wanted = ["SETUP", "SETUP"] + ["PLAY"] * playing
            assert [request.method for request in later] == wanted
            assert later[0].headers.get("Session") is None
            transports = [request.headers.get("Transport") for request in later[:2]]
            assert all(("TCP" in value) == (transport == "tcp") for value in transports)
            (alive,) = camera.sessions.values()
            assert alive.state == ("playing" if playing else "ready")
        assert camera.sessions == {}


@pytest.mark.virtual_clock
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_time_goes_on_by_the_seconds_without_media(transport):
    options = {"transport": transport, "retry": None}
    async with Camera() as camera, rtspkit.connect(camera.url, **options) as session:
        packets, last = session.packets(), {}
        async for packet in packets:
            last[packet.stream.index] = packet
            if packet.media_time > 1.0:
                break
        camera.end_sessions()
        await wait(3.0)
        with pytest.raises(SessionNotFound):
            await session.get_parameter()
        first = {}
        async for packet in packets:
            if packet.discontinuity:
                first[packet.stream.index] = packet
            if len(first) == 2:
                break
        for index, packet in first.items():
            passed = packet.arrival - last[index].arrival
            assert passed > 2.9
            since = packet.media_time - last[index].media_time
            assert since == pytest.approx(passed, abs=0.05)


@pytest.mark.virtual_clock
@pytest.mark.parametrize(
    ("action", "reason"),
    [(Reply(503), "SETUP answered 503"), (Drop(), "not within 3 s")],
    ids=["refused", "silent"],
)
async def test_a_session_that_is_not_given_again_is_lost_with_the_reason(action, reason):
    async with Camera() as camera, rtspkit.connect(camera.url, retry=None) as session:
        await dropped(camera, session)
        camera.script("SETUP", action)
        parts = (session._supervisor.driver, session._supervisor.presentation, Timeouts(connect=3))
        with pytest.raises(ConnectionLost, match="did not give it again") as caught:
            await set_up_again(*parts, playing=True)
        assert reason in str(caught.value)
        assert caught.value.__cause__ is not None

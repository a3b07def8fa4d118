from __future__ import annotations

import rtspkit
from rtspkit import testing
from rtspkit.testing import Camera, Delay, Impairment, Link, Reply


def test_every_name_of_the_front_page_is_there():
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []


async def test_the_example_of_the_front_page_works():
    async with Camera(session_timeout=5, speed=10) as camera:
        refusal = camera.script("SETUP", Reply(461), nth=1)
        camera.script("PLAY", Delay(0.01))
        async with (
            Link(camera.url, down=Impairment(loss=0.05), seed=7) as link,
            rtspkit.connect(link.url) as session,
        ):
            async for _ in session.packets():
                break
        assert refusal.hits == 1
        assert [request.method for request in camera.requests][-1] == "TEARDOWN"
        assert camera.sessions == {}

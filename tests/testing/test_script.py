from __future__ import annotations

import pytest
from rtspkit_raw import RawClient

from rtspkit.testing.actions import (
    Action,
    Close,
    Delay,
    Drop,
    EditHeaders,
    Garbage,
    MediaFirst,
    Reply,
    Split,
    Truncate,
)
from rtspkit.testing.camera import Camera
from rtspkit.testing.script import Script
from rtspkit.wire.message import InterleavedFrame, Request, Response


def ask(script: Script, *methods: str) -> list[int]:
    """How many actions each request meets."""
    return [len(script.actions_for(Request(m, "rtsp://a/b/track1"))) for m in methods]


@pytest.mark.parametrize(
    ("method", "condition", "expected"),
    [
        ("SETUP", {}, [1, 0, 1, 1]),
        (None, {}, [1, 1, 1, 1]),
        ("SETUP", {"nth": 1}, [1, 0, 0, 0]),
        ("SETUP", {"nth": 3}, [0, 0, 0, 1]),
        ("SETUP", {"nth": range(2, 99)}, [0, 0, 1, 1]),
        (None, {"nth": {1, 4}}, [1, 0, 0, 1]),
        (None, {"url": "track1"}, [1, 1, 1, 1]),
        (None, {"url": "track2"}, [0, 0, 0, 0]),
        (None, {"when": lambda request: request.method == "PLAY"}, [0, 1, 0, 0]),
    ],
)
def test_a_rule_applies_to_what_it_names(method, condition, expected):
    script = Script()
    rule = script.add(method, [Drop()], **condition)
    assert ask(script, "SETUP", "PLAY", "SETUP", "SETUP") == expected
    assert rule.hits == sum(expected)


def test_all_rules_that_match_apply_in_order():
    script, first, second = Script(), Drop(), Reply(200)
    script.add("PLAY", [first])
    script.add(None, [second])
    assert script.actions_for(Request("PLAY", "*")) == [first, second]


def test_requests_are_counted_from_the_moment_a_rule_is_made():
    script = Script()
    ask(script, "PLAY", "PLAY")
    script.add("PLAY", [Drop()], nth=1)
    assert ask(script, "PLAY", "PLAY") == [1, 0]


def test_a_cancelled_rule_applies_no_more():
    script = Script()
    rule = script.add(None, [Drop()])
    rule.cancel()
    assert ask(script, "PLAY") == [0]
    assert script.rules == []


def test_only_actions_are_taken():
    with pytest.raises(TypeError, match="no Action"):
        Script().add(None, [404])


class TestOnACamera:
    async def test_replies_in_the_cameras_place(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            rule = camera.script("SETUP", Reply(461), nth=1)
            assert (await client.set_up(0)).status_code == 461
            assert camera.sessions == {}
            assert (await client.set_up(0)).status_code == 200
            assert (rule.seen, rule.hits) == (2, 1)

    async def test_the_answer_has_the_cseq_of_the_request(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("OPTIONS", Reply(200), nth=1)
            camera.script("OPTIONS", Reply(200, headers={"CSeq": "77"}), nth=2)
            assert (await client.request("OPTIONS")).cseq == 1
            assert (await client.request("OPTIONS")).cseq == 77

    async def test_drops_and_goes_on(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("OPTIONS", Drop(), nth=1)
            client.send("OPTIONS")
            assert (await client.request("OPTIONS")).cseq == 2

    async def test_dies_in_the_middle_of_an_answer(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("DESCRIBE", Truncate(30))
            client.send("DESCRIBE")
            assert len(await client.input.read()) == 30

    async def test_closes_instead_of_answering(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("OPTIONS", Close())
            client.send("OPTIONS")
            assert await client.input.read() == b""

    async def test_resets_after_answering(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("OPTIONS", Close(answered=True, reset=True))
            client.send("OPTIONS")
            with pytest.raises(ConnectionResetError):
                await client.input.read()

    async def test_splits_an_answer_between_frames_of_media_without_mixing_them(self):
        async with Camera(speed=20) as camera, RawClient(camera.url) as client:
            await client.play(0, 1)
            camera.script("GET_PARAMETER", Split(20, pause=0.01))
            assert (await client.request("GET_PARAMETER")).status_code == 200
            await client.frames(50)
            assert client.reader.skipped_bytes == 0

    async def test_sends_garbage_between_frames(self):
        async with Camera(speed=20) as camera, RawClient(camera.url) as client:
            camera.script("PLAY", Garbage(b"\x00\x01\x02", after=True))
            await client.play(0)
            await client.frames(20)
            assert client.reader.skipped_bytes == 3

    async def test_sends_media_before_the_answer_to_play(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("PLAY", MediaFirst(3))
            await client.play(0)
            early = [event for event in client.events if isinstance(event, InterleavedFrame)]
            assert len([frame for frame in early if frame.channel == 0]) >= 3

    async def test_composes_and_takes_actions_of_the_user(self):
        class Shout(Action):
            def edit(self, exchange):
                assert isinstance(exchange.response, Response)
                exchange.response.reason_phrase = "FINE"

        async with Camera() as camera, RawClient(camera.url) as client:
            camera.script("OPTIONS", Delay(0.001), Shout(), EditHeaders(remove=("Public",)))
            answer = await client.request("OPTIONS")
        assert answer.reason_phrase == "FINE"
        assert "Public" not in answer.headers

from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.options import build_options
from rtspkit.client.sink import NoSink
from rtspkit.compat.aiortsp.eavesdropper import Eavesdropper
from rtspkit.engine.handshake import describe, set_up_streams
from rtspkit.options import Limits
from rtspkit.testing.camera import Camera
from rtspkit.wire.rtcp import SenderReport, parse_rtcp


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_responses_and_rtcp_are_seen_and_the_session_has_them_too(kind):
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    async with Camera(speed=5) as camera:
        driver = Eavesdropper(
            build_options(camera.url, None, None, kind, None),
            NoSink(),
            lambda view: seen.put_nowait(bytes(view)),
        )
        try:
            await driver.open()
            assert driver.answer is None
            presentation = await driver.run(describe(camera.url, driver.note, Limits()))
            assert b"m=video" in driver.answer.body
            streams = presentation.streams[:1]
            await driver.run(set_up_streams(streams, kind, driver.note, required=True))
            if kind == "tcp":
                driver.rtcp_channel = 1
            presentation.chosen = streams
            await driver.play(presentation, 5.0)
            datagram = await seen.get()
            assert isinstance(parse_rtcp(datagram)[0], SenderReport)
            receiver = driver.playback.receivers[0]
            assert receiver.snapshot().rtcp_packets == 1
        finally:
            await driver.leave()

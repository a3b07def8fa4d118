"""FAULTS.md, 19: the server comes back with another description."""

from __future__ import annotations

import asyncio

import pytest
from faulty import Consumer, wait
from recovery import (
    brief_audio,
    brief_camera,
    brief_video,
    h265_video,
    left_clean,
    watched,
)

from rtspkit.engine.events import StreamChanged

pytestmark = pytest.mark.virtual_clock

BACK = 1.5  # seconds from when it serves again

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


async def restart(camera, *tracks, outage: float = 0.5) -> float:
    """Start again with other tracks; gives when."""
    await camera.aclose()
    camera.tracks = tracks
    await wait(outage)
    await camera.start()
    return asyncio.get_running_loop().time()


def changes(watch) -> list[StreamChanged]:
    return [event for event in watch.events if isinstance(event, StreamChanged)]


@pytest.mark.parametrize("outage", [0.0, 0.5, 5.0])
@transports
async def test_other_pictures_are_told_of_before_the_first_of_them(transport, outage):
    loop = asyncio.get_running_loop()
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            await watch.played(1.3)
            killed = loop.time()
            before = watch.session.streams
            serving = await restart(camera, h265_video(), brief_audio(), outage=outage)
            back = await watch.recovered(killed)
            assert back.at - serving < BACK
            await watch.played(1.0)
            after = watch.session.streams
            watch.assert_time_went_on()
        await left_clean(camera)
    assert [stream.encoding_name for stream in before] == ["H264", "PCMU"]
    assert [stream.encoding_name for stream in after] == ["H265", "PCMU"]
    assert after[1] is before[1]
    (change,) = changes(watch)
    assert (change.before, change.stream) == (before[0], after[0])
    old = [one for one in watch.seen if one.unit.stream is before[0]]
    new = [one for one in watch.seen if one.unit.stream is after[0]]
    assert len(old) + len(new) == len(watch.seen)
    assert max(one.at for one in old) <= killed
    assert change.at <= min(one.unit.arrival for one in new)
    assert new[0].unit.keyframe
    assert new[0].unit.discontinuity
    assert all(one.unit.complete for one in new)


@transports
async def test_another_payload_type_and_another_sound(transport):
    """Nothing of the old sound comes under the new name, and nothing of the new under the old."""
    loop = asyncio.get_running_loop()
    async with brief_camera(tracks=[brief_video(), "AAC"]) as camera:
        async with watched(camera.url, transport=transport) as watch:
            packets = watch.session.packets()
            async with Consumer(packets) as consumer:
                await watch.played(1.3)
                killed = loop.time()
                serving = await restart(camera, brief_video(payload_type=101), brief_audio())
                back = await watch.recovered(killed)
                assert back.at - serving < BACK
                await watch.played(1.0)
        await left_clean(camera)
    told = [(e.before.encoding_name, e.stream.encoding_name) for e in changes(watch)]
    assert sorted(told) == [("H264", "H264"), ("MPEG4-GENERIC", "PCMU")]
    kinds = {
        (p.stream.encoding_name, p.stream.payload_type, p.payload_type) for p in consumer.items
    }
    assert kinds == {
        ("H264", 96, 96),
        ("H264", 101, 101),
        ("MPEG4-GENERIC", 97, 97),
        ("PCMU", 0, 0),
    }


@transports
async def test_without_its_sound_the_server_is_not_back(transport):
    """All that played has to return; a server that just starts may lack some of it for a while."""
    loop = asyncio.get_running_loop()
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            await watch.played(1.3)
            killed = loop.time()
            await restart(camera, brief_video())
            await wait(3.0)
            assert watch.back(killed) is None
            assert watch.session.state == "reconnecting"
            await restart(camera, brief_video(), brief_audio())
            await watch.recovered(killed)
            await watch.played(1.0)
            assert watch.session.state == "playing"
        await left_clean(camera)
    assert changes(watch) == []


@transports
async def test_a_path_that_is_gone_for_good_ends_the_session(transport):
    async with brief_camera() as camera:
        async with watched(camera.url, transport=transport) as watch:
            await watch.played(1.3)
            await camera.aclose()
            camera.path = "/elsewhere"
            await camera.start()
            await wait(2.0)
            assert watch.session.state == "lost"
            assert watch.ended.status_code == 404
        await left_clean(camera)

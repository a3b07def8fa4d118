from __future__ import annotations

import math

import pytest

import rtspkit
from rtspkit.testing.camera import Camera


@pytest.mark.virtual_clock
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_numbers_are_those_of_the_camera(transport):
    async with Camera(packets=50, speed=10) as camera:
        async with rtspkit.connect(camera.url, transport=transport) as session:
            units = session.access_units()
            received = [packet async for packet in session.packets()]
            pictures = [unit async for unit in units if unit.stream.media == "video"]
            stats = session.stats()
        sent = camera.packets_sent
    assert stats.transport == transport
    assert stats.packets == len(received) == sent.total() == 100
    assert (stats.lost, stats.duplicates, stats.consumer_dropped) == (0, 0, 0)
    assert (stats.foreign_datagrams, stats.skipped_bytes, stats.unknown_channel) == (0, 0, 0)
    assert stats.bytes == sum(len(packet) for packet in received)
    assert stats.requests == stats.responses == 5  # DESCRIBE, two SETUP, PLAY, OPTIONS
    video, audio = stats.streams
    assert (video.index, video.media, audio.encoding_name) == (0, "video", "MPEG4-GENERIC")
    assert (video.packets, audio.packets) == (50, 50)
    assert video.access_units == len(pictures)
    assert video.keyframes == sum(unit.keyframe for unit in pictures) >= 1
    assert 0 <= video.first_packet <= video.first_keyframe < 1
    assert stats.duration > 0


async def test_before_play_everything_is_zero():
    async with Camera() as camera, rtspkit.connect(camera.url, play=False) as session:
        stats = session.stats()
    assert (stats.packets, stats.bytes, stats.duration) == (0, 0, 0.0)
    assert [stream.first_packet for stream in stats.streams] == [None, None]


async def test_a_snapshot_does_not_change_any_more():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url) as session:
        iterator = session.packets()
        await anext(iterator)
        before = session.stats()
        packets = before.packets
        for _ in range(20):
            await anext(iterator)
        assert before.packets == packets
        assert session.stats().packets > packets


@pytest.mark.virtual_clock
async def test_what_a_slow_consumer_lost_is_told():
    limits = rtspkit.Limits(queue_packets=10)
    async with Camera(packets=200, speed=math.inf) as camera:
        url = camera.url
        async with rtspkit.connect(url, transport="tcp", limits=limits) as session:
            slow = session.packets()
            events = [event async for event in session.events()]
            assert len([packet async for packet in slow]) == 10
            assert session.stats().consumer_dropped == slow.dropped == 390
            assert session.stats().lost == 0
    assert events[-1].error is None

"""FAULTS.md, 1: packets lost over UDP, at random and every n-th."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from faulty import Originals, clean_camera, open_plainly, units_until

from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.testing.clip import load_clip
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link
from rtspkit.testing.presentation import Track, Unit
from rtspkit.wire.rtcp import ReceiverReport

pytestmark = pytest.mark.virtual_clock

LOSSES = [{"loss": 0.01}, {"loss": 0.05}, {"loss": 0.2}, {"every": 10}, {"every": 3}]
BEFORE, UNTIL, AFTER = 0.5, 5.5, 6.5  # seconds of media: without loss, with it, without


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: str(loss)[1:-1])
@pytest.mark.parametrize("seed", [1, 2])
async def test_losses_are_counted_exactly_and_no_broken_unit_passes_for_a_whole_one(loss, seed):
    down = Impairment()
    async with (
        clean_camera(seed=seed, session_timeout=10.0) as camera,
        Link(camera.url, down=down, seed=seed) as link,
    ):
        originals = Originals(camera)
        async with open_plainly(link.url, transport="udp") as session:
            units = session.access_units()
            received = await units_until(units, lambda unit: unit.media_time > BEFORE)
            for name, value in loss.items():
                setattr(down, name, value)
            received += await units_until(units, lambda unit: unit.media_time > UNTIL)
            down.loss, down.every = 0.0, 0
            received += await units_until(units, lambda unit: unit.media_time > AFTER)
            stats = session.stats()
            assert session.state == "playing"
        await camera.wait_until(lambda: not camera.sessions)
        injected = [link.counters(stream=place).dropped for place in range(2)]
        told = _losses_told(camera)
        assert camera.sessions_expired == 0
    assert min(injected) > 0
    assert [stream.lost for stream in stats.streams] == injected
    assert told == injected
    assert originals.corrupt(received) == []
    assert sum(unit.complete for unit in received) > len(received) / 4
    assert any(unit.lost or not unit.complete for unit in received)


def _losses_told(camera) -> list[int]:
    """The packets lost that the last receiver report on each track has told the server."""
    told = {}
    for received in camera.rtcp_received:
        for packet in received.packets:
            if isinstance(packet, ReceiverReport) and packet.report_blocks:
                told[received.track] = packet.report_blocks[0].packets_lost
    return [told[track] for track in sorted(told)]


def sliced_track() -> Track:
    """The clip's parameter sets, and pictures of four slices each: parts of them can be missing."""
    clip = next(track for track in load_clip() if track.encoding_name == "H264")
    sets = [nal for nal in split_annex_b(clip.units[0].data) if nal[0] & 31 in (7, 8)]
    generator, units = random.Random(4), []
    for place in range(50):
        keyframe = place % 12 == 0
        head = 0x65 if keyframe else 0x41
        slices = [
            bytes([head, first]) + bytes(generator.choices(range(16, 256), k=size))
            for first, size in zip((0x88, 0x48, 0x48, 0x48), (400, 2000, 300, 900), strict=True)
        ]
        data = join_annex_b([*sets, *slices] if keyframe else slices)
        units.append(Unit(data, place * 3600, keyframe))
    return replace(clip, units=units, duration_ticks=50 * 3600)


@pytest.mark.parametrize("share", [0.05, 0.2])
async def test_pictures_that_lack_a_slice_are_flagged(share):
    down = Impairment()
    async with (
        clean_camera(tracks=[sliced_track()], seed=5) as camera,
        Link(camera.url, down=down, seed=5) as link,
    ):
        originals = Originals(camera)
        async with open_plainly(link.url, transport="udp") as session:
            units = session.access_units()
            received = await units_until(units, lambda unit: unit.media_time > BEFORE)
            assert all(unit.complete for unit in received)
            down.loss = share
            received += await units_until(units, lambda unit: unit.media_time > UNTIL)
            stats = session.stats()
    parts = [unit for unit in received if not unit.complete]
    assert len(parts) > 5
    assert all(unit.lost for unit in parts)
    assert stats.streams[0].incomplete_units == len(parts)
    assert originals.corrupt(received) == []


async def test_every_complete_unit_that_was_sent_whole_comes_through():
    """Only the units that a lost packet belonged to are missing or flagged."""
    down = Impairment()
    async with (
        clean_camera(seed=3) as camera,
        Link(camera.url, down=down, seed=3) as link,
    ):
        originals = Originals(camera)
        async with open_plainly(link.url, transport="udp", streams="audio") as session:
            units = session.access_units()
            received = await units_until(units, lambda unit: unit.media_time > BEFORE)
            down.loss = 0.1
            received += await units_until(units, lambda unit: unit.media_time > UNTIL)
            lost = link.counters().dropped
    first, last = received[0].timestamp, received[-1].timestamp
    sent = [stamp for _, stamp in originals.units]
    wanted = len(sent[sent.index(first) : sent.index(last) + 1])
    whole = [unit for unit in received if unit.complete]
    assert lost > 10
    assert wanted - len(whole) <= lost
    assert originals.corrupt(received) == []

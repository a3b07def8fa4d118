"""QUIRKS.md, "Life": what devices do in the course of a session, each line by name.

What the section "RTP and RTCP" says of packets and reports is in ``test_quirks_rtp.py``:

- first packets with another SSRC, another one at each keyframe, RTCP of an unrelated one
- RTCP on the RTP channel and the reverse, invalid RTCP over TCP
- two packets with one sequence number; timestamps repeated, jumping, of another clock, restarted
- the marker never or always set; datagrams of any size; bad padding; header extensions
- no report for the first seconds, NTP zero, an hour off, a mapping that jumps, years corrected

Here, those that a whole session has to live with, through ``session.access_units()``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from faulty import (
    Consumer,
    Originals,
    clean_camera,
    open_plainly,
    slow_track,
    steps,
    units_until,
    wait,
)

from rtspkit import ConnectionLost, DeadlineExceeded, SessionNotFound, Timeouts
from rtspkit.payload.base import AccessUnit
from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.testing.actions import Reply
from rtspkit.testing.clip import load_clip
from rtspkit.testing.presentation import Track, Unit
from rtspkit.wire.rtcp import ReceiverReport

pytestmark = pytest.mark.virtual_clock

YEAR = 365.25 * 86_400  # seconds
transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


# -- keep-alive -------------------------------------------------------------------------------


@transports
async def test_closes_after_60_s_without_keep_alive(transport):
    """Dahua: the connection, too."""
    asyncio.get_running_loop().hurry(2000)
    options = {"tracks": [slow_track(5.0)], "close_on_expiry": True}
    async with clean_camera(session_timeout=60.0, **options) as camera:
        async with open_plainly(camera.url, transport=transport) as session:
            await wait(900)
            assert session.state == "playing"
        assert (camera.sessions_expired, camera.connections_made) == (0, 1)


@transports
@pytest.mark.parametrize("advertised", [20.0, None])
async def test_session_timeout_of_20_s(transport, advertised):
    """Told by the server; one that does not tell has no right to drop us before 60 s."""
    asyncio.get_running_loop().hurry(1000)
    quirks = () if advertised else ("session-no-timeout",)
    async with clean_camera(
        session_timeout=advertised or 60.0, tracks=[slow_track(5.0)], quirks=quirks
    ) as camera:
        async with open_plainly(camera.url, transport=transport) as session:
            assert session.session_timeout == (advertised or 60.0)
            await wait(300)
            assert session.state == "playing"
        assert camera.sessions_expired == 0


@transports
async def test_a_receiver_report_needed_every_5_s(transport):
    """No request counts, and the timeout that is told is another."""
    asyncio.get_running_loop().hurry(1000)
    options = {"keepalive": ("rtcp",), "advertised_timeout": 60.0, "session_timeout": 6.0}
    async with clean_camera(tracks=[slow_track(2.0)], **options) as camera:
        async with open_plainly(camera.url, transport=transport) as session:
            await wait(300)
            assert session.state == "playing"
        assert camera.sessions_expired == 0
        reports = [
            received.now
            for received in camera.rtcp_received
            if isinstance(received.packets[0], ReceiverReport)
        ]
    assert max(steps(reports)) <= 5.0 + 0.1


# -- a slow begin -----------------------------------------------------------------------------


class SilentAtFirst:
    """A camera's ``on_packet``: nothing goes out for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._until: float | None = None
        self._seconds = seconds

    def __call__(self, index: int, packet: bytes) -> list[bytes]:
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self._seconds
        return [packet] if now >= self._until else []


@transports
async def test_first_packet_after_30_s(transport):
    options = {"on_packet": SilentAtFirst(30.0), "report_interval": None}
    async with clean_camera(tracks=[slow_track(0.5)], **options) as camera:
        patient = {"transport": transport, "timeouts": Timeouts(first_packet_tcp=40.0)}
        async with open_plainly(camera.url, **patient) as session:
            packet = await anext(session.packets())
            assert session.state == "playing"
            assert session.stats().streams[0].first_packet == pytest.approx(30.0, abs=1.0)
    assert packet.media_time < 40


@transports
async def test_first_packet_after_30_s_is_too_late_by_default_and_says_so(transport):
    options = {"on_packet": SilentAtFirst(30.0), "report_interval": None}
    async with (
        clean_camera(tracks=[slow_track(0.5)], **options) as camera,
        open_plainly(camera.url, transport=transport) as session,
    ):
        with pytest.raises(DeadlineExceeded, match="no media came within 10 s"):
            await anext(session.packets())


# -- what comes back --------------------------------------------------------------------------


@transports
async def test_only_audio_comes_back(transport):
    """After a 454, all streams are set up again, or it is a failure: never half a session."""
    async with (
        clean_camera() as camera,
        open_plainly(camera.url, transport=transport) as session,
    ):
        async with Consumer(session.packets()) as consumer:
            await wait(1.0)
            camera.end_sessions()
            camera.script("SETUP", Reply(503), url="track0")
            with pytest.raises(SessionNotFound):
                await session.get_parameter()
            await asyncio.wait([consumer.task], timeout=5)
            with pytest.raises(ConnectionLost, match="did not give it again"):
                consumer.task.result()
        assert session.state == "lost"


# -- changes in the middle --------------------------------------------------------------------


def night_track() -> Track:
    """The clip's video; from its third keyframe on with other parameter sets."""
    day = next(track for track in load_clip() if track.encoding_name == "H264")
    units, keyframes = [], 0
    for unit in day.units:
        keyframes += unit.keyframe
        units.append(replace(unit, data=by_night(unit.data)) if keyframes > 2 else unit)
    return replace(day, units=units)


def by_night(data: bytes) -> bytes:
    """Another level in the SPS: a byte of no consequence for its parser."""
    nals = [bytes(nal) for nal in split_annex_b(data)]
    changed = [nal[:3] + bytes([nal[3] + 1]) + nal[4:] if nal[0] & 31 == 7 else nal for nal in nals]
    return join_annex_b(changed)


@transports
async def test_day_night_switch_changes_sps_mid_stream(transport):
    async with clean_camera(tracks=[night_track()]) as camera:
        originals = Originals(camera)
        async with open_plainly(camera.url, transport=transport) as session:
            stream = session.streams[0]
            units = session.access_units()
            received = await units_until(units, lambda unit: unit.media_time > 1.5)
            by_day = stream.parameter_sets
            received += await units_until(units, lambda unit: unit.media_time > 3.0)
            at_night = stream.parameter_sets
            stats = session.stats()
    changed = [unit for unit in received if unit.parameter_sets_changed and unit.media_time > 1]
    assert len(changed) == 1
    assert changed[0].keyframe
    assert changed[0].media_time == pytest.approx(1.92, abs=0.05)
    assert at_night[0] != by_day[0]
    assert at_night[0] in changed[0].data
    check_nothing_is_missing(received, originals, stats)


def halved_track() -> Track:
    """Audio whose second half has packets of half the size."""
    long, short = bytes(range(160)), bytes(range(80))
    units = [Unit(long if place < 100 else short, place * 160) for place in range(200)]
    return Track("audio", "PCMU", 0, 8000, units, duration_ticks=200 * 160)


@transports
async def test_bitrate_halved(transport):
    async with clean_camera(tracks=[halved_track()]) as camera:
        originals = Originals(camera)
        async with open_plainly(camera.url, transport=transport) as session:
            received = await units_until(session.access_units(), lambda unit: unit.media_time > 3.9)
            stats = session.stats()
    assert {len(unit.data) for unit in received} == {160, 80}
    check_nothing_is_missing(received, originals, stats)


@transports
@pytest.mark.parametrize("years", [30, -30])
async def test_wall_clock_corrected_by_years_after_ntp_sync(transport, years):
    async with clean_camera(wall_shift=-years * YEAR, report_interval=1.0) as camera:
        originals = Originals(camera)
        async with open_plainly(camera.url, transport=transport) as session:
            units = session.access_units("video")
            received = await units_until(units, lambda unit: unit.media_time > 2.0)
            before = received[-1]
            camera.wall_shift = 0.0
            received += await units_until(units, lambda unit: unit.media_time > 5.0)
            stats = session.stats()
    after = received[-1]
    assert (before.wall_source, after.wall_source) == ("sr", "sr")
    moved = (after.wall_time - before.wall_time) - (after.media_time - before.media_time)
    assert moved == pytest.approx(years * YEAR, abs=1.0)
    check_nothing_is_missing(received, originals, stats)


def check_nothing_is_missing(units: list[AccessUnit], originals: Originals, stats) -> None:
    """And time goes on evenly."""
    assert originals.corrupt(units) == []
    assert all(unit.complete for unit in units)
    assert not any(unit.discontinuity for unit in units[1:])
    advances = steps([unit.media_time for unit in units])
    assert min(advances) > 0
    assert max(advances) < 0.1
    assert stats.lost == stats.streams[0].discontinuities == 0


# -- "RTP and RTCP", through a whole session -----------------------------------------------------

HARMLESS = [
    "marker-always",
    "duplicates",
    "unknown-payload-type",
    "bad-padding",
    "empty-payload",
    "extension",
    "rtcp-among-rtp",
    "no-reports",
    "reports-late",
    "ntp-zero",
    "ntp-hour-off",
    "report-foreign-ssrc",
]


@transports
@pytest.mark.parametrize("quirk", [*HARMLESS, "foreign-ssrc-first", "ssrc-changes", "no-marker"])
async def test_a_session_plays_on_in_spite_of(quirk, transport):
    async with (
        clean_camera(quirks={quirk}, tracks=("MPEG4-GENERIC",)) as camera,
        open_plainly(camera.url, transport=transport) as session,
    ):
        received = await units_until(session.access_units(), lambda unit: unit.media_time > 4.0)
        stats = session.stats()
        assert session.state == "playing"
    advances = steps([unit.media_time for unit in received])
    assert min(advances) > -0.001
    assert max(advances) < 0.1  # four packets: what another source may cost
    share = 0.88 if quirk == "empty-payload" else 0.95  # the empty one has taken a number in ten
    assert len(received) > 4.0 * 48_000 / 1024 * share
    if quirk in HARMLESS:
        assert stats.lost == 0
        assert not any(unit.discontinuity for unit in received[1:])


@transports
async def test_datagrams_of_10_kb(transport):
    """Tapo: more than a slot of the pool takes."""
    async with clean_camera(max_packet_size=10_000, tracks=("H264",)) as camera:
        originals = Originals(camera)
        async with open_plainly(camera.url, transport=transport) as session:
            received = await units_until(session.access_units(), lambda unit: unit.media_time > 3.0)
            stats = session.stats()
    assert max(len(unit.data) for unit in received) > 9_000
    check_nothing_is_missing(received, originals, stats)

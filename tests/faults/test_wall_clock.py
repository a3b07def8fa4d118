"""FAULTS.md, 15: the wall clock is set, the server's or ours; media does not notice."""

from __future__ import annotations

import time

import pytest
from faulty import Originals, clean_camera, open_plainly, steps, units_until

from rtspkit.payload.base import AccessUnit

virtual_clock = pytest.mark.virtual_clock

HOUR, DAY = 3600.0, 86_400.0
STEPS = {"+1h": HOUR, "-1h": -HOUR, "+1d": DAY, "-1d": -DAY}
SETTLED, UNTIL = 2.0, 4.5  # seconds of media: when the clock is set, and how long it plays then
VIDEO_INTERVAL = 0.04  # seconds


async def play_through(session, step) -> tuple[list[AccessUnit], list[AccessUnit]]:
    """The units before and after something is done."""
    units = session.access_units()
    before = await units_until(units, lambda unit: unit.media_time > SETTLED)
    step()
    after = await units_until(units, lambda unit: unit.media_time > UNTIL)
    return before, after


def check_nothing_is_missing(units: list[AccessUnit], stats) -> None:
    advances = steps([unit.media_time for unit in units])
    assert advances == pytest.approx([VIDEO_INTERVAL] * len(advances), abs=0.001)
    assert all(unit.complete for unit in units)
    assert not any(unit.discontinuity for unit in units[1:])
    assert (stats.lost, stats.consumer_dropped) == (0, 0)
    assert all(stream.discontinuities == stream.late == 0 for stream in stats.streams)


@virtual_clock
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_servers_clock_is_set(transport, step):
    async with clean_camera(report_interval=1.0) as camera:
        originals = Originals(camera)

        def set_clock() -> None:
            camera.wall_shift += step

        async with open_plainly(camera.url, transport=transport, streams="video") as session:
            before, after = await play_through(session, set_clock)
            stats = session.stats()
            assert session.state == "playing"
    check_nothing_is_missing(before + after, stats)
    assert originals.corrupt(before + after) == []
    old = [unit.wall_time - unit.media_time for unit in before if unit.wall_source == "sr"]
    new = [unit.wall_time - unit.media_time for unit in after if unit.wall_source == "sr"]
    assert len(old) > 25
    assert new[-1] - old[-1] == pytest.approx(step, abs=0.01)  # the mapping has moved with it
    assert sum(abs(wall - new[-1]) > 1 for wall in new) <= 26  # at the next report, not later


class SteppedClock:
    """The real wall clock, until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step = 0.0
        real_time, real_time_ns = time.time, time.time_ns
        monkeypatch.setattr(time, "time", lambda: real_time() + self.step)
        monkeypatch.setattr(time, "time_ns", lambda: real_time_ns() + int(self.step * 1e9))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("receiver", ["recvmmsg", "recv_into", "datagram"])
@virtual_clock
async def test_our_own_clock_is_set(monkeypatch, receiver, step):
    """The kernel goes on stamping by the clock of before: that must look like no age at all."""
    clock = SteppedClock(monkeypatch)
    async with clean_camera(report_interval=1.0) as camera:
        options = {"transport": "udp", "receiver": receiver, "streams": "video"}
        async with open_plainly(camera.url, **options) as session:

            def set_clock() -> None:
                clock.step = step

            before, after = await play_through(session, set_clock)
            stats = session.stats()
    units = before + after
    check_nothing_is_missing(units, stats)
    arrivals = [unit.arrival for unit in units]
    assert arrivals == sorted(arrivals)
    paces = steps(arrivals)
    assert max(paces) < 2 * VIDEO_INTERVAL
    assert max(stream.jitter for stream in stats.streams) < 0.01


@virtual_clock
async def test_the_servers_clock_wanders_all_the_time():
    """Each report tells another hour: the media is none the worse."""
    async with clean_camera(report_interval=0.5) as camera:
        turns = iter(range(1000))

        def edit(index, report):
            camera.wall_shift = HOUR * (next(turns) % 7 - 3)
            return report

        camera.on_report = edit
        async with open_plainly(camera.url, transport="udp", streams="video") as session:
            before, after = await play_through(session, lambda: None)
            stats = session.stats()
    check_nothing_is_missing(before + after, stats)

"""Outlets on a clock of our own: numbers, times, and access units that come out whole."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.pictures import format_parameters
from bench.source_sender import Outlet, Schedule, sender_report
from bench.traffic import Traffic, build_cycle, read_stamp
from rtspkit.payload import depacketizer
from rtspkit.wire.rtcp import SenderReport, parse_rtcp
from rtspkit.wire.rtp import parse_rtp


class Clock:
    """Goes on by a microsecond each time that it is looked at."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


class Wire:
    """Keeps what was sent, with its time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.packets: list[tuple[float, bytes]] = []
        self.reports: list[bytes] = []
        self.open = True

    def outlet(self, *, interleaved: bool = False, first: int = 65_530, channel: int = 0) -> Outlet:
        return Outlet(0x1234, interleaved, self.write, self.reports.append, channel, first, first)

    def write(self, template) -> bool:
        if self.open:
            for start in range(0, len(template.data), template.size):
                packet = bytes(template.data[start : start + template.size])
                self.packets.append((self.clock.now, packet))
        return self.open


def run(schedule: Schedule, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while True:
        due = schedule.run()
        if due is None or due >= end:
            break
        clock.now = max(clock.now, due)
    clock.now = end


def start(traffic: Traffic, **options) -> tuple[Schedule, Wire, Outlet, Clock]:
    clock = Clock()
    wire = Wire(clock)
    schedule = Schedule(traffic, clock)
    outlet = wire.outlet(**options)
    schedule.add([outlet])
    return schedule, wire, outlet, clock


@pytest.mark.parametrize("pacing", ["frames", "flat"])
def test_packets_go_out_at_their_times_and_are_counted(pacing):
    schedule, wire, outlet, clock = start(Traffic(rate=2000, pacing=pacing))
    run(schedule, clock, 2.999)
    assert outlet.sent == len(wire.packets) == pytest.approx(6000, abs=4)
    assert schedule.behind < 0.001
    assert outlet.late == outlet.blocked == 0
    begun = wire.packets[0][0]
    tenth = [sum(t - begun < n / 10 for t, _ in wire.packets) for n in range(1, 30)]
    if pacing == "flat":
        assert all(abs(count - 200 * n) <= 2 for n, count in enumerate(tenth, 1))


def test_sequence_numbers_wrap_and_timestamps_go_on():
    schedule, wire, outlet, clock = start(Traffic(rate=1000))
    run(schedule, clock, 2.5)
    packets = [parse_rtp(memoryview(data)) for _, data in wire.packets]
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(65_530 + index) & 0xFFFF for index in range(len(packets))]
    assert outlet.sequence_number == 65_530 + len(packets)
    timestamps = sorted({packet.timestamp for packet in packets})
    assert timestamps == [3000 * index for index in range(len(timestamps))]
    assert {packet.ssrc for packet in packets} == {0x1234}


@pytest.mark.parametrize("size", [300, 1200, 8000])
def test_access_units_come_out_whole(size):
    schedule, wire, outlet, clock = start(Traffic(rate=1200, packet_size=size))
    run(schedule, clock, 1.9)
    machine = depacketizer("H264", 90_000, format_parameters())
    units = []
    for _, data in wire.packets:
        units += machine.push(parse_rtp(memoryview(data)))
    assert len(units) == outlet.units
    assert all(unit.complete for unit in units)
    assert sum(unit.keyframe for unit in units) == 2
    end = max(i for i, (_, data) in enumerate(wire.packets) if data[1] & 0x80) + 1
    if end == len(wire.packets):
        assert sum(len(unit.data) for unit in units) == outlet.unit_bytes


def test_the_bytes_of_a_cycle_are_those_that_a_receiver_puts_together():
    schedule, wire, outlet, _ = start(Traffic(rate=1500, pacing="flood"))
    cycle = build_cycle(Traffic(rate=1500, pacing="flood"))
    while outlet.sent < cycle.packets:
        schedule.run()
    machine = depacketizer("H264", 90_000, format_parameters())
    packets = [data for _, data in wire.packets[: cycle.packets]]
    units = [unit for data in packets for unit in machine.push(parse_rtp(memoryview(data)))]
    assert len(units) == 30
    expected = sum(burst.template.unit_bytes for burst in cycle.bursts)
    assert sum(len(unit.data) for unit in units) == expected
    assert sum(map(len, packets)) == sum(burst.template.bytes for burst in cycle.bursts)


def test_packets_of_filler_are_stamped():
    schedule, wire, _, clock = start(Traffic(rate=5000))
    run(schedule, clock, 0.99)
    stamps = [read_stamp(parse_rtp(memoryview(data)).payload) for _, data in wire.packets]
    stamped = [stamp.monotonic for stamp in stamps if stamp is not None]
    assert len(stamped) > 0.95 * len(stamps)
    assert stamped == sorted(stamped)


def test_interleaved_packets_have_their_channel_in_front():
    schedule, wire, outlet, clock = start(Traffic(rate=1000), interleaved=True, channel=6)
    run(schedule, clock, 0.5)
    for _, data in wire.packets:
        assert data[:2] == b"$\x06"
        assert int.from_bytes(data[2:4], "big") == len(data) - 4
        parse_rtp(memoryview(data)[4:])
    assert outlet.bytes == sum(len(data) - 4 for _, data in wire.packets)


def test_what_tcp_does_not_take_is_not_counted_and_comes_later():
    schedule, wire, outlet, clock = start(Traffic(rate=1000, pacing="flat"), interleaved=True)
    run(schedule, clock, 0.2)
    sent, wire.open = outlet.sent, False
    run(schedule, clock, 0.5)
    assert outlet.sent == sent
    assert outlet.blocked
    wire.open = True
    run(schedule, clock, 0.2)
    numbers = [parse_rtp(memoryview(data)[4:]).sequence_number for _, data in wire.packets]
    assert numbers == [(65_530 + index) & 0xFFFF for index in range(len(numbers))]
    assert outlet.sent == pytest.approx(400, abs=10)  # nothing was made up for


def test_new_traffic_begins_with_a_keyframe_and_keeps_the_numbers():
    schedule, wire, outlet, clock = start(Traffic(rate=1000))
    run(schedule, clock, 0.5)
    before = outlet.sent
    schedule.start(Traffic(rate=100, pacing="flat"))
    run(schedule, clock, 1.0)
    first = parse_rtp(memoryview(wire.packets[before][1]))
    assert first.payload[0] & 0x1F == 24  # the parameter sets, in a STAP-A
    last = parse_rtp(memoryview(wire.packets[before - 1][1]))
    assert first.sequence_number == (last.sequence_number + 1) & 0xFFFF
    assert first.timestamp > last.timestamp
    assert outlet.sent - before == pytest.approx(100, abs=2)


def test_a_stopped_schedule_sends_nothing():
    schedule, wire, outlet, clock = start(Traffic(rate=1000))
    schedule.stop()
    assert schedule.run() is None
    assert wire.packets == []
    schedule.start(Traffic(rate=1000))
    run(schedule, clock, 0.1)
    assert outlet.sent


def test_streams_do_not_send_their_keyframes_together():
    clock = Clock()
    wires = [Wire(clock) for _ in range(10)]
    schedule = Schedule(Traffic(rate=500), clock)
    schedule.add([wire.outlet() for wire in wires])
    run(schedule, clock, 1.0)
    keys = [next(t for t, data in wire.packets if data[12] & 0x1F == 24) for wire in wires]
    keys.sort()
    assert min(b - a for a, b in pairwise(keys)) > 0.02


def test_removed_outlets_send_nothing_more():
    schedule, wire, outlet, clock = start(Traffic(rate=1000))
    other = wire.outlet(first=0)
    schedule.add([other])
    run(schedule, clock, 0.2)
    schedule.remove([outlet])
    sent = outlet.sent, other.sent
    run(schedule, clock, 0.2)
    assert outlet.sent == sent[0]
    assert other.sent > sent[1]


def test_a_sender_report_says_what_was_sent():
    schedule, _, outlet, clock = start(Traffic(rate=1000))
    run(schedule, clock, 0.3)
    report, description = parse_rtcp(memoryview(sender_report(outlet)))
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.rtp_timestamp) == (outlet.ssrc, outlet.timestamp)
    assert (report.packet_count, report.octet_count) == (outlet.sent, outlet.bytes)
    assert description.chunks[0].items == [(1, b"source")]

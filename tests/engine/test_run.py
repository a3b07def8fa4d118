"""The inner loop: what it takes is complete, what it leaves is the first thing that is unusual."""

from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rtp_traffic import datagrams_of, fields_of

from rtspkit.engine.reception import Reception
from rtspkit.engine.reorder import Reorder
from rtspkit.engine.run import receive_run, rows_of, usual_beginning
from rtspkit.engine.timeline import Start, Timeline
from rtspkit.wire.datagrams import Datagrams, lone_datagrams
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp
from rtspkit.wire.stream import Stream

RATE = 90_000
STREAM = Stream(0, "video", "H264", 96, RATE)


def rtp(number, timestamp=None, **fields):
    fields = {"payload_type": 96, "ssrc": 7} | fields
    timestamp = number * 900 if timestamp is None else timestamp
    return serialize_rtp(
        b"payload", sequence_number=number & 0xFFFF, timestamp=timestamp & 0xFFFFFFFF, **fields
    )


class Bench:
    """The machines of one source that has sent its first packet already."""

    def __init__(self, first=10, timestamp=0, arrival=1.0):
        self.reception = Reception(RATE, 7)
        self.reorder = Reorder(128, 0.1)
        self.timeline = Timeline(RATE)
        self.push(rtp(first, timestamp), arrival)

    def push(self, data, arrival):
        """As ``StreamReceiver`` takes one packet alone."""
        packet = parse_rtp(data)
        packet.stream, packet.arrival = STREAM, arrival
        extended = self.reception.receive(packet.sequence_number, packet.timestamp, arrival)
        packets = self.reorder.push(extended, packet, arrival)
        for one in packets:
            self.timeline.stamp(one)
        return packets

    def run(self, datagrams, usual=None):
        """The packets, and what it stopped at."""
        rows, packets = rows_of(datagrams), []
        odd = receive_run(
            rows,
            packets,
            stream=STREAM,
            usual=usual_beginning(96) if usual is None else usual,
            reception=self.reception,
            reorder=self.reorder,
            timeline=self.timeline,
        )
        self.left = list(rows)
        return packets, odd

    def state(self):
        reception, timeline = self.reception, self.timeline
        return (
            [getattr(reception, name) for name in Reception.__slots__],
            [getattr(timeline, name) for name in Timeline.__slots__ if name != "_start"],
            (self.reorder.next, dict(self.reorder.waiting)),
        )


def lone(*views, now=1.1):
    return lone_datagrams([memoryview(view) for view in views], now)


class TestRows:
    def test_a_row_is_the_beginning_of_a_header_and_where_its_packet_lies(self):
        data = datagrams_of([(rtp(5, marker=True), 1.0), (rtp(6), 2.0)], "slab")
        slab = next(iter(data.views))
        assert list(rows_of(data)) == [
            ((0x80E0, 5, 4500 << 32 | 7), slab, data.starts[0], 19, 1.0),
            ((0x8060, 6, 5400 << 32 | 7), slab, data.starts[1], 19, 2.0),
        ]

    def test_columns_that_repeat_without_end_give_as_many_rows_as_there_are_packets(self):
        view = memoryview(rtp(1) * 3)
        columns = Datagrams(repeat(view), range(0, 57, 19), [19] * 3, repeat(1.0), 1.0)
        assert len(list(rows_of(columns))) == 3


class TestWhatItTakes:
    def test_packets_are_complete(self):
        bench = Bench()
        (packet, marked), odd = bench.run(lone(rtp(11, 900), rtp(12, 900, marker=True)))
        assert odd is None
        assert (packet.stream, packet.arrival, packet.media_time) == (STREAM, 1.1, 0.01)
        assert (packet.lost, packet.discontinuity, packet.wall_clock) == (0, False, None)
        assert (packet.payload, marked.marker) == (b"payload", True)

    @pytest.mark.parametrize(
        "fields",
        [{"padding": 4}, {"extension": (0xBEDE, b"\x10\x2a\0\0")}, {"csrcs": (1, 2)}],
        ids=lambda fields: next(iter(fields)),
    )
    def test_a_header_with_more_in_it_is_taken_too(self, fields):
        data = [rtp(11), rtp(12, **fields), rtp(13, marker=True, **fields)]
        bench, singly = Bench(), Bench()
        packets, odd = bench.run(lone(*data))
        assert odd is None
        expected = [packet for one in data for packet in singly.push(one, 1.1)]
        assert list(map(fields_of, packets)) == list(map(fields_of, expected))
        assert [packet.payload for packet in packets] == [b"payload"] * 3
        assert bench.state() == singly.state()

    def test_nothing_is_nothing(self):
        bench = Bench()
        before = bench.state()
        assert bench.run(lone()) == ([], None)
        assert bench.state() == before

    def test_a_wall_clock_reaches_every_packet(self):
        bench = Bench()
        bench.timeline.sender_report(unix_to_ntp(1.7e9), 0, 1.0)
        packets, _ = bench.run(lone(rtp(11, 0), rtp(12, 9000), rtp(13, 9000)))
        walls = [packet.wall_time - 1.7e9 for packet in packets]
        assert walls == [pytest.approx(wall, abs=1e-6) for wall in (0, 0.1, 0.1)]

    def test_a_jump_of_the_timestamp_is_marked_once(self):
        bench = Bench()
        packets, odd = bench.run(lone(rtp(11, 10**9), rtp(12, 10**9), rtp(13, 10**9 + 1)))
        assert odd is None
        assert [packet.discontinuity for packet in packets] == [True, False, False]
        assert bench.timeline.jumps == 1


class TestAnotherPlay:
    def test_packets_in_flight_that_share_the_timestamp_of_the_first_new_one_stay_before_it(self):
        bench = Bench()
        bench.timeline.start(Start(now=1.0, sequence_number=13, npt_start=30.0))
        packets, odd = bench.run(lone(rtp(11, 900), rtp(12, 900), rtp(13, 900), rtp(14, 900)))
        assert odd is None
        assert [packet.media_time for packet in packets] == [0.01, 0.01, 30.1, 30.1]
        assert [packet.discontinuity for packet in packets] == [False, False, True, False]


ODD = {
    "missing": rtp(13),
    "double": rtp(11),
    "source": rtp(12, ssrc=8),
    "type": rtp(12, payload_type=97),
    "padding": b"\xa0" + rtp(12)[1:-1] + b"\xff",
    "extension": rtp(12, extension=(0xBEDE, bytes(4)))[:16],
    "csrcs": rtp(12, csrcs=(1,))[:12],
    "version": b"\x40" + rtp(12)[1:],
}


class TestWhereItStops:
    @pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in ODD.items()])
    def test_the_first_unusual_row_is_taken_and_told(self, data):
        bench = Bench()
        view = memoryview(data)
        packets, odd = bench.run(lone(rtp(11), view, rtp(12), rtp(13)))
        assert [packet.sequence_number for packet in packets] == [11]
        assert odd == (view, 0, len(data), 1.1)
        assert len(bench.left) == 2
        assert bench.reception.due == 12

    def test_while_a_packet_waits_all_is_left_to_others(self):
        bench = Bench()
        bench.push(rtp(12), 1.05)
        before = bench.state()
        packets, odd = bench.run(lone(rtp(13)))
        assert packets == []
        assert odd is not None
        assert bench.state() == before

    def test_before_the_first_packet_of_a_source_too(self):
        bench = Bench()
        bench.reception, bench.reorder = Reception(RATE, 7), Reorder(128, 0.1)
        packets, odd = bench.run(lone(rtp(0)))
        assert packets == []
        assert odd is not None

    def test_without_a_payload_type_nothing_is_usual(self):
        packets, odd = Bench().run(lone(rtp(11)), usual=-1)
        assert packets == []
        assert odd is not None

    def test_a_stray_does_not_stand_between_what_follows(self):
        """What is taken behind the unusual row goes on where the run was."""
        bench = Bench()
        _, odd = bench.run(lone(rtp(11), rtp(900, ssrc=8)))
        assert odd is not None
        packets, odd = bench.run(lone(rtp(12)))
        assert ([packet.sequence_number for packet in packets], odd) == ([12], None)


@given(
    first=st.sampled_from([0, 1, 65_500, 65_535]),
    timestamp=st.sampled_from([0, 2**32 - 2000, 2**31]),
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, 3000, -3000, 1, 900_000, 900_001, 2**31, 2**31 - 1]),
            st.sampled_from([0.0, 0.0, 0.0001, 0.033, 12.0]),
            st.booleans(),
        ),
        max_size=40,
    ),
    report=st.booleans(),
    in_flight=st.booleans(),
)
def test_a_run_leaves_the_machines_as_one_by_one_does(first, timestamp, steps, report, in_flight):
    one, many = Bench(first, timestamp), Bench(first, timestamp)
    for bench in (one, many):
        if report:
            bench.timeline.sender_report(unix_to_ntp(1.7e9), timestamp, 1.0)
        if in_flight:  # PLAY again: what comes first is of the time before it
            bench.timeline.start(Start(now=1.0, sequence_number=first + 3 & 0xFFFF, npt_start=30.0))
    arrivals, arrival = [], 1.0
    for number, (ticks, wait, marker) in enumerate(steps, first + 1):
        timestamp, arrival = timestamp + ticks, arrival + wait
        arrivals.append((rtp(number, timestamp, marker=marker), arrival))
    singly = [packet for data, at in arrivals for packet in one.push(data, at)]
    together, odd = many.run(datagrams_of(arrivals, "slab", len(steps)))
    assert odd is None
    assert list(map(fields_of, together)) == list(map(fields_of, singly))
    assert len(together) == len(steps)
    assert many.state() == one.state()

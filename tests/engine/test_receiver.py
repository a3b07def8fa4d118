"""One stream's receiving end: order, time, sources, and what is counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rtp_traffic import batches, datagrams_of, fields_of

from rtspkit.engine.events import SourceChanged
from rtspkit.engine.receiver import PacketsReceived, StreamReceiver
from rtspkit.engine.rtcp_receiver import ByeReceived, SenderReportReceived
from rtspkit.errors import MalformedPacket
from rtspkit.options import Limits
from rtspkit.wire.datagrams import lone_datagrams
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import Goodbye, SenderReport, is_rtcp, serialize_rtcp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp
from rtspkit.wire.stream import Stream

RATE = 90_000
WALL = 1_700_000_000.0


def rtp(number, *, ssrc=7, payload_type=96, timestamp=None, payload=b"payload", marker=False):
    data = serialize_rtp(
        payload,
        payload_type=payload_type,
        sequence_number=number % 65_536,
        timestamp=(number * 900 if timestamp is None else timestamp) % 2**32,
        ssrc=ssrc,
        marker=marker,
    )
    return memoryview(data)


def sender_report(ssrc=7, timestamp=0, ntp=None):
    ntp = unix_to_ntp(WALL) if ntp is None else ntp
    return serialize_rtcp([SenderReport(ssrc, ntp=ntp, rtp_timestamp=timestamp)])


def make(**options):
    stream = Stream(0, "video", "H264", 96, RATE)
    return StreamReceiver(stream, **options)


def feed(receiver, numbers, now=0.0, **fields):
    """Ten milliseconds a packet; the numbers handed on."""
    out = []
    for i, number in enumerate(numbers):
        out += receiver.receive_rtp(rtp(number, **fields), now + i / 100)
    return [packet.sequence_number for packet in out]


class TestPackets:
    def test_a_packet_comes_out_with_all_that_is_known(self):
        receiver = make()
        receiver.start(100.0)
        view = rtp(5)
        (packet,) = receiver.receive_rtp(view, 100.5)
        assert packet.stream is receiver.stream
        assert packet.arrival == 100.5
        assert packet.media_time == 0.5
        assert (packet.lost, packet.discontinuity, packet.wall_time) == (0, False, None)
        assert bytes(packet) == view
        assert receiver.stream.ssrc == 7

    def test_it_works_before_play_was_answered(self):
        receiver = make()
        assert feed(receiver, range(3)) == [0, 1, 2]
        assert receiver.snapshot().first_packet is None

    def test_order_is_restored_and_losses_are_told(self):
        receiver = make(reorder=0.05)
        assert feed(receiver, [0, 2, 1, 3]) == [0, 1, 2, 3]
        assert feed(receiver, [6], now=1.0) == []
        assert receiver.deadline == 1.0 + 0.05
        (packet,) = receiver.handle_deadline(1.0 + 0.05)
        assert (packet.sequence_number, packet.lost, packet.media_time) == (6, 2, 0.06)
        assert receiver.deadline is None

    def test_reorder_zero_hands_on_at_once(self):
        receiver = make(reorder=0.0)
        assert feed(receiver, [0, 3, 2, 4]) == [0, 3, 4]
        assert receiver.snapshot().late == 1

    def test_the_number_that_waits_is_bounded(self):
        receiver = make(reorder=60.0, limits=Limits(reorder_packets=4))
        assert feed(receiver, [0, *range(2, 6)]) == [0]
        assert feed(receiver, [6]) == [2, 3, 4, 5, 6]

    def test_flush_gives_what_waits(self):
        receiver = make()
        assert feed(receiver, [0, 5]) == [0]
        assert [packet.sequence_number for packet in receiver.flush()] == [5]

    def test_sequence_and_timestamp_wrap_without_a_trace(self):
        receiver = make()
        first = 2 * 65_536 - 50
        numbers = range(first, first + 100)
        out = []
        for i, number in enumerate(numbers):
            view = rtp(number, timestamp=2**32 - 45_000 + i * 900)
            out += receiver.receive_rtp(view, i / 100)
        assert [packet.media_time for packet in out] == [i / 100 for i in range(100)]
        assert not any(packet.discontinuity or packet.lost for packet in out)


class TestBatch:
    """No optimisation changes a result: a batch is what its packets are one by one."""

    def scenario(self):
        views = [rtp(n) for n in (0, 1, 3, 2, 2, 4, 5)]
        views += [memoryview(b"\x00junk"), memoryview(sender_report(timestamp=0)), rtp(6, ssrc=9)]
        views += [rtp(7, payload_type=97), rtp(8)]
        views += [rtp(n, ssrc=8) for n in (50, 51, 52)]
        views += [rtp(9), rtp(10_000), rtp(53, ssrc=8)]
        views += [rtp(n, ssrc=8) for n in (30_000, 30_001, 30_004, 30_002)]
        return views

    def test_a_batch_of_all_that_can_be_wrong_is_the_same_as_one_by_one(self):
        one, many = make(), make()
        assert feed(one, [65_535]) == feed(many, [65_535]) == [65_535]
        singly = [packet for view in self.scenario() for packet in one.receive_rtp(view, 1.0)]
        batch = many.receive_rtp_batch(lone_datagrams(self.scenario(), 1.0))
        assert [fields_of(p) for p in batch] == [fields_of(p) for p in singly]
        assert len(batch) > 10
        assert one.snapshot() == many.snapshot()
        assert list(map(type, one.events)) == list(map(type, many.events))

    def test_an_empty_batch_changes_nothing(self):
        receiver = make()
        assert receiver.receive_rtp_batch(lone_datagrams([], 5.0)) == []
        assert receiver.snapshot().last_packet is None

    def test_packets_lie_in_the_memory_that_they_came_in(self):
        receiver = make()
        data = datagrams_of([(bytes(rtp(n)), n / 10) for n in range(5)], "slab")
        slab = next(iter(data.views))
        packets = receiver.receive_rtp_batch(data)
        assert [packet.memory.obj is slab.obj for packet in packets] == [True] * 5
        assert [packet.start for packet in packets] == data.starts
        assert [packet.arrival for packet in packets] == [n / 10 for n in range(5)]

    def test_one_datagram_too_short_for_a_header_costs_the_others_nothing(self):
        receiver = make()
        views = [rtp(0), memoryview(b""), rtp(1), memoryview(b"\x80\x60\x00\x02"), rtp(2)]
        packets = receiver.receive_rtp_batch(lone_datagrams(views, 1.0))
        assert [packet.sequence_number for packet in packets] == [0, 1, 2]
        stats = receiver.snapshot()
        assert (stats.malformed, stats.bytes) == (2, 3 * len(rtp(0)))

    @given(
        batches(),
        st.sampled_from([0.0, 0.05, 0.1]),
        st.sampled_from([None, 7, 1234]),
        st.sampled_from([96, 72, None]),
        st.sampled_from([128, 4]),
    )
    @settings(max_examples=300)
    def test_any_traffic_in_any_batches_is_the_same_as_one_by_one(
        self, traffic, reorder, hint, payload_type, room
    ):
        def new():
            receiver = StreamReceiver(
                Stream(0, "video", "H264", payload_type, RATE),
                limits=Limits(reorder_packets=room),
                reorder=reorder,
                ssrc=hint,
            )
            receiver.start(99.0)
            return receiver

        one, many = new(), new()
        for seed, batch in enumerate(traffic):
            singly = [p for data, at in batch.arrivals for p in one.receive_rtp(data, at)]
            together = many.receive_rtp_batch(datagrams_of(batch.arrivals, batch.layout, seed))
            singly += self.afterwards(one, batch)
            together += self.afterwards(many, batch)
            assert [fields_of(p) for p in together] == [fields_of(p) for p in singly]
            assert all(packet.stream is many.stream for packet in together)
            assert many.snapshot() == one.snapshot()
            assert many.deadline == one.deadline
            assert self.told(many) == self.told(one)
        assert many.report_block(1e4) == one.report_block(1e4)
        assert [fields_of(p) for p in many.flush()] == [fields_of(p) for p in one.flush()]

    def afterwards(self, receiver, batch):
        """What else may happen between two batches."""
        if batch.after == "deadline":
            return receiver.handle_deadline(batch.end + 0.06)
        if batch.after == "report":
            receiver.report_block(batch.end)
        elif batch.after == "play":
            receiver.start(batch.end, rtptime=0, sequence_number=3, npt_start=20.0)
        return []

    def told(self, receiver):
        """The events, without the stream, which is compared by identity."""
        events = []
        while (event := receiver.next_event()) is not None:
            fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
            assert fields.pop("stream") is receiver.stream
            events.append((type(event), fields))
        return events


class TestSources:
    def test_a_stray_packet_never_switches(self):
        receiver = make()
        assert feed(receiver, range(5)) == [0, 1, 2, 3, 4]
        for number in range(5, 20):
            assert feed(receiver, [number], ssrc=1000) == []
            assert feed(receiver, [number]) == [number]
        assert receiver.stream.ssrc == 7
        assert receiver.snapshot().unknown_ssrc == 15

    def test_two_in_order_take_over_and_both_are_handed_on(self):
        receiver = make()
        feed(receiver, range(5))
        assert receiver.receive_rtp(rtp(900, ssrc=8), 1.0) == []
        first, second = receiver.receive_rtp(rtp(901, ssrc=8), 1.01)
        assert (first.sequence_number, first.discontinuity) == (900, True)
        assert (second.sequence_number, second.discontinuity) == (901, False)
        assert receiver.stream.ssrc == 8
        assert receiver.events.pop(0) == SourceChanged(1.01, receiver.stream, 7, 8)
        assert receiver.snapshot().unknown_ssrc == 0
        assert receiver.snapshot().lost == 0

    def test_two_that_do_not_follow_each_other_do_not(self):
        receiver = make()
        feed(receiver, range(5))
        assert feed(receiver, [900, 902, 904, 903], ssrc=8) == []
        assert receiver.stream.ssrc == 7

    def test_media_time_goes_on_across_the_change(self):
        receiver = make()
        feed(receiver, range(11))
        receiver.receive_rtp(rtp(50, ssrc=8, timestamp=10**9), 0.5)
        first, second = receiver.receive_rtp(rtp(51, ssrc=8, timestamp=10**9 + 900), 0.51)
        assert first.media_time == pytest.approx(0.5)
        assert second.media_time == pytest.approx(0.51)

    def test_timestamps_of_the_new_source_a_few_seconds_off_are_not_followed(self):
        receiver = make()
        feed(receiver, range(11))
        receiver.receive_rtp(rtp(50, ssrc=8, timestamp=5 * RATE), 0.2)
        first, _ = receiver.receive_rtp(rtp(51, ssrc=8, timestamp=5 * RATE), 0.2)
        assert first.media_time == pytest.approx(0.2)

    def test_what_waited_of_the_old_source_comes_first(self):
        receiver = make()
        feed(receiver, [0, 2])
        assert feed(receiver, [70, 71], ssrc=8) == [2, 70, 71]

    def test_the_source_that_setup_named_is_taken_at_once(self):
        receiver = make(ssrc=7)
        assert feed(receiver, [500], ssrc=99) == []
        assert feed(receiver, [1]) == [1]
        assert receiver.stream.ssrc == 7

    def test_another_source_than_setup_named_needs_two_and_loses_none(self):
        receiver = make(ssrc=0x01020304)
        receiver.start(0.0)
        assert feed(receiver, [3]) == []
        assert feed(receiver, [4], now=0.01) == [3, 4]
        stats = receiver.snapshot()
        assert (stats.discontinuities, stats.unknown_ssrc, stats.first_packet) == (0, 0, 0.0)
        assert not receiver.events

    @pytest.mark.parametrize("hint", [None, 0])
    def test_without_a_name_the_first_one_wins(self, hint):
        assert feed(make(ssrc=hint), [3]) == [3]

    def test_retransmissions_beside_the_stream_do_not_take_over(self):
        receiver = make()
        feed(receiver, range(5))
        assert feed(receiver, [70, 71, 72], ssrc=8, payload_type=97, now=0.1) == []
        assert feed(receiver, [5], now=0.2) == [5]

    def test_another_source_with_another_format_takes_over_after_a_silence(self):
        receiver = make()
        feed(receiver, range(5))
        assert feed(receiver, [70, 71], ssrc=8, payload_type=97, now=5.0) == [70, 71]


class TestJumps:
    def test_one_packet_far_away_is_a_stray(self):
        receiver = make()
        assert feed(receiver, [0, 1, 30_000, 2, 3]) == [0, 1, 2, 3]
        stats = receiver.snapshot()
        assert (stats.strays, stats.discontinuities, stats.lost) == (1, 0, 0)

    def test_two_in_a_row_begin_anew_and_both_are_handed_on(self):
        receiver = make()
        feed(receiver, range(5))
        assert receiver.receive_rtp(rtp(30_000, timestamp=10**9), 1.0) == []
        first, second = receiver.receive_rtp(rtp(30_001, timestamp=10**9 + 900), 1.01)
        assert (first.discontinuity, first.lost, second.discontinuity) == (True, 0, False)
        assert first.media_time == pytest.approx(1.0)
        assert second.media_time == pytest.approx(1.01)
        stats = receiver.snapshot()
        assert (stats.strays, stats.discontinuities, stats.lost) == (0, 1, 0)

    def test_a_jump_with_timestamps_that_carry_on_keeps_them(self):
        receiver = make()
        feed(receiver, range(5))
        out = [receiver.receive_rtp(rtp(20_000 + i, timestamp=4500 + 900 * i), 0.3) for i in (0, 1)]
        assert [packet.media_time for packet in out[1]] == [0.05, 0.06]

    def test_a_source_that_begins_anew_just_behind_is_found(self):
        receiver = make()
        feed(receiver, range(500))
        out = feed(receiver, range(200), now=10.0)
        assert out[-1] == 199
        assert len(out) >= 200 - 102
        assert receiver.snapshot().discontinuities == 1

    def test_a_burst_that_comes_twice_is_only_double(self):
        receiver = make()
        views = [rtp(n) for n in range(300)]
        assert len(receiver.receive_rtp_batch(lone_datagrams(views, 1.0))) == 300
        assert receiver.receive_rtp_batch(lone_datagrams(views, 1.1)) == []
        stats = receiver.snapshot()
        assert (stats.duplicates, stats.late, stats.lost, stats.discontinuities) == (300, 0, 0, 0)

    def test_a_jump_of_the_timestamp_is_a_discontinuity(self):
        receiver = make()
        feed(receiver, range(5))
        (packet,) = receiver.receive_rtp(rtp(5, timestamp=10**9), 0.05)
        assert packet.discontinuity
        assert packet.media_time == pytest.approx(0.05)
        assert receiver.snapshot().discontinuities == 1

    def test_another_play_with_other_numbers_is_one_discontinuity(self):
        receiver = make()
        receiver.start(0.0)
        feed(receiver, range(5))
        receiver.start(9.0, rtptime=10**9, sequence_number=30_000, npt_start=60.0)
        receiver.receive_rtp(rtp(30_000, timestamp=10**9), 9.1)
        first, _ = receiver.receive_rtp(rtp(30_001, timestamp=10**9), 9.1)
        assert (first.media_time, first.discontinuity) == (60.0, True)
        assert receiver.snapshot().discontinuities == 1


class TestStart:
    def test_rtp_info_gives_the_media_time(self):
        receiver = make()
        receiver.start(0.0, rtptime=0, sequence_number=1, npt_start=10.0)
        (packet,) = receiver.receive_rtp(rtp(1), 0.2)
        assert packet.media_time == 10.01

    def test_the_response_may_come_later(self):
        receiver = make()
        receiver.start(0.0)
        assert receiver.inform(rtptime=0, npt_start=10.0)
        assert receiver.receive_rtp(rtp(1), 0.2)[0].media_time == 10.01
        assert not receiver.inform(rtptime=0, npt_start=99.0)

    def test_two_streams_line_up_by_arrival(self):
        video, audio = make(), make()
        video.start(50.0)
        audio.start(50.0)
        (first,) = video.receive_rtp(rtp(1, timestamp=12345), 50.25)
        (other,) = audio.receive_rtp(rtp(1, timestamp=99), 50.75)
        assert (first.media_time, other.media_time) == (0.25, 0.75)

    def test_a_clock_rate_that_nobody_gave_is_that_of_video(self):
        receiver = StreamReceiver(Stream(0, "application", "", None, 0))
        assert feed(receiver, range(2)) == [0, 1]
        assert receiver.snapshot().media_time == 0.01


class TestPayloadTypes:
    def test_an_unknown_one_is_counted_and_handed_on(self):
        receiver = make()
        assert feed(receiver, range(2)) == [0, 1]
        assert feed(receiver, range(2, 4), payload_type=13) == [2, 3]
        assert receiver.snapshot().unknown_payload_type == 2

    def test_one_that_with_its_marker_looks_like_rtcp_is_taken_when_the_sdp_gives_it(self):
        receiver = StreamReceiver(Stream(0, "video", "H264", 72, RATE))
        assert receiver.receive_rtp(rtp(0, payload_type=72, ssrc=1, marker=True), 0.0)
        assert feed(receiver, range(3, 6), payload_type=72, ssrc=2, marker=True) == [3, 4, 5]

    def test_without_one_in_the_sdp_any_will_do(self):
        receiver = StreamReceiver(Stream(0, "application", "", None, RATE))
        assert feed(receiver, range(3), payload_type=107) == [0, 1, 2]
        assert receiver.snapshot().unknown_payload_type == 0


class TestRtcp:
    def test_a_sender_report_of_the_source_gives_the_wall_clock(self):
        receiver = make()
        feed(receiver, [0])
        (event,) = receiver.receive_rtcp(sender_report(), 0.0)
        assert isinstance(event, SenderReportReceived)
        assert event.used
        (packet,) = receiver.receive_rtp(rtp(1), 0.01)
        assert packet.wall_time == pytest.approx(WALL + 0.01, abs=1e-6)

    def test_rtcp_on_the_rtp_channel_is_read(self):
        receiver = make()
        feed(receiver, [0])
        assert receiver.receive_rtp(memoryview(sender_report()), 0.0) == []
        assert isinstance(receiver.next_event(), SenderReportReceived)
        assert receiver.next_event() is None
        stats = receiver.snapshot()
        assert (stats.misplaced, stats.rtcp_packets, stats.malformed) == (1, 1, 0)

    def test_short_rtcp_on_the_rtp_channel_is_read(self):
        receiver = make()
        feed(receiver, [0])
        receiver.receive_rtp(memoryview(serialize_rtcp([Goodbye([7])])), 1.0)
        assert receiver.next_event() == ByeReceived(receiver.stream, 7, None, 1.0)

    def test_rtp_on_the_rtcp_channel_is_read(self):
        receiver = make()
        (event,) = receiver.receive_rtcp(rtp(4), 0.0)
        assert isinstance(event, PacketsReceived)
        assert [packet.sequence_number for packet in event.packets] == [4]
        assert receiver.snapshot().misplaced == 1

    def test_what_is_neither_is_malformed(self):
        receiver = make()
        for data in (b"", b"\x80", b"hello", bytes(40), b"\x80\xc8\xff\xff"):
            assert receiver.receive_rtcp(data, 0.0) == []
            assert receiver.receive_rtp(memoryview(data), 0.0) == []
        stats = receiver.snapshot()
        assert (stats.malformed, stats.packets, stats.rtcp_packets) == (10, 0, 0)

    def test_events_that_nobody_takes_are_bounded(self):
        receiver = make()
        feed(receiver, [0])
        for _ in range(200):
            receiver.receive_rtp(memoryview(serialize_rtcp([Goodbye([7])])), 0.0)
        assert len(receiver.events) == 64

    def test_there_is_nothing_to_report_before_the_first_packet(self):
        assert make().report_block(0.0) is None

    def test_the_report_is_about_the_source(self):
        receiver = make()
        feed(receiver, [0, 1, 3])
        receiver.receive_rtcp(sender_report(ntp=0x1111_2222_3333_4444), 1.0)
        block = receiver.report_block(2.0)
        assert (block.ssrc, block.packets_lost, block.highest_sequence_number) == (7, 1, 3)
        assert block.last_sender_report == 0x2222_3333
        assert block.delay_since_last_sender_report == 65_536


class TestSnapshot:
    def test_the_numbers_of_a_short_session(self):
        receiver = make(reorder=0.0)
        receiver.start(10.0)
        feed(receiver, [0, 1, 1, 2, 6, 4], now=10.5)
        stats = receiver.snapshot()
        assert (stats.packets, stats.expected, stats.lost) == (4, 7, 2)
        assert (stats.duplicates, stats.late, stats.skipped) == (1, 1, 3)
        assert stats.bytes == 6 * len(rtp(0))
        assert (stats.first_packet, stats.last_packet) == (0.5, 10.55)
        assert stats.bitrate == pytest.approx(8 * stats.bytes / 0.05)
        assert (stats.index, stats.media, stats.encoding_name, stats.ssrc) == (
            0,
            "video",
            "H264",
            7,
        )

    def test_losses_add_up_over_sources(self):
        receiver = make(reorder=0.0)
        feed(receiver, [0, 3])
        feed(receiver, [50, 51, 53], ssrc=8)
        stats = receiver.snapshot()
        assert (stats.expected, stats.lost, stats.packets) == (8, 3, 5)

    def test_before_the_first_packet_all_is_zero(self):
        stats = make().snapshot()
        assert (stats.packets, stats.lost, stats.expected, stats.jitter) == (0, 0, 0, 0.0)
        assert (stats.first_packet, stats.ssrc) == (None, None)


DATAGRAMS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        rtp,
        st.integers(0, 20) | st.integers(0, 0xFFFF),
        ssrc=st.sampled_from([7, 7, 7, 8, 9]),
        payload_type=st.sampled_from([96, 96, 97]),
        timestamp=st.none() | st.integers(0, 2**32 - 1),
    ),
    st.builds(sender_report, st.sampled_from([7, 8]), st.integers(0, 2**32 - 1)),
    st.builds(lambda ssrc: serialize_rtcp([Goodbye([ssrc])]), st.sampled_from([7, 8])),
)


def is_rtp(data):
    try:
        return bool(parse_rtp(data)) and not is_rtcp(data)
    except MalformedPacket:
        return False


@given(
    st.lists(st.tuples(DATAGRAMS, st.booleans(), st.floats(0, 0.5)), max_size=60),
    st.sampled_from([0.0, 0.1]),
)
def test_whatever_arrives_nothing_is_raised_and_every_packet_is_counted_once(arrivals, reorder):
    receiver, now, out, well_formed = make(reorder=reorder), 0.0, 0, 0
    receiver.start(0.0)
    for data, on_rtcp, wait in arrivals:
        now += wait
        before = bytes(data)
        if on_rtcp:
            events = receiver.receive_rtcp(data, now)
            out += sum(len(e.packets) for e in events if isinstance(e, PacketsReceived))
        else:
            out += len(receiver.receive_rtp(memoryview(data), now))
        out += len(receiver.handle_deadline(now))
        assert receiver.deadline is None or receiver.deadline > now
        assert bytes(data) == before
        well_formed += is_rtp(before)
    stats = receiver.snapshot()
    assert stats.packets == out
    kept_back = stats.duplicates + stats.late + stats.strays + stats.unknown_ssrc + stats.waiting
    assert out + kept_back == well_formed
    assert stats.rtcp_packets + stats.malformed >= len(arrivals) - well_formed
    assert stats.lost >= 0


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.sampled_from(["ok", "ok", "ok", "lose", "double", "swap"]), max_size=200),
)
def test_losses_and_duplicates_are_counted_exactly(first, fates):
    receiver = make(reorder=0.5)
    plan = [(first, 1)]
    numbers = []
    for i, fate in enumerate([*fates, "ok"], start=1):
        if fate == "lose":
            continue
        numbers.append((first + i, 2 if fate == "double" else 1))
        if fate == "swap" and len(numbers) > 1:
            numbers[-1], numbers[-2] = numbers[-2], numbers[-1]
    out = []
    for number, copies in plan + numbers:
        for _ in range(copies):
            out += receiver.receive_rtp(rtp(number), 1.0)
    out += receiver.flush()
    stats = receiver.snapshot()
    assert stats.lost == fates.count("lose") == sum(packet.lost for packet in out)
    assert stats.duplicates == fates.count("double")
    assert stats.late == 0
    assert len(out) == stats.packets == stats.expected - stats.lost

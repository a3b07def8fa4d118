"""What a session plays: its streams, its silence, its farewells, its end."""

import time

import pytest

from rtspkit.engine.continuity import Change, Moment
from rtspkit.engine.events import QuirkSeen, SourceChanged, StreamEnded
from rtspkit.engine.handshake import Played
from rtspkit.engine.playback import Playback
from rtspkit.errors import ConnectionLost, DeadlineExceeded
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.datagrams import lone_datagrams
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.header import Range, RtpInfo
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import Goodbye, ReceiverReport, SenderReport, parse_rtcp, serialize_rtcp
from rtspkit.wire.rtp import serialize_rtp
from rtspkit.wire.stream import Stream

RATE = 90_000
TIMEOUTS = Timeouts(media_silence=10, bye_grace=2)


def rtp(number, *, ssrc=7):
    return memoryview(
        serialize_rtp(
            b"payload",
            payload_type=96,
            sequence_number=number,
            timestamp=number * 9000,
            ssrc=ssrc,
        )
    )


def bye(ssrc=7, reason=None):
    return memoryview(serialize_rtcp([ReceiverReport(ssrc), Goodbye([ssrc], reason)]))


def sender_report(ssrc=7):
    report = SenderReport(ssrc, ntp=unix_to_ntp(1_700_000_000.0), rtp_timestamp=0)
    return memoryview(serialize_rtcp([report]))


def make(*streams, channels=True, start=0.0, reorder=0.1):
    """Playback of these streams on channels 0 and 1, 2 and 3, …; PLAY was sent at ``start``."""
    numbers = iter(range(100, 200))
    playback = Playback(
        limits=Limits(),
        timeouts=TIMEOUTS,
        reorder=reorder,
        cname=b"me@here",
        new_ssrc=lambda: next(numbers),
        random=lambda: 0.5,
    )
    for stream in streams or (video(),):
        place = 2 * stream.index
        playback.add(stream, (place, place + 1) if channels else None)
    if start is not None:
        playback.start(start, first_packet=1.5, keepalive_interval=30.0)
    return playback


def video(index=0):
    return Stream(index, "video", "H264", 96, RATE)


def frames(playback, now, *frames):
    return playback.receive_frames([FrameRun(c, lone_datagrams([v], now)) for c, v in frames])


def told(playback):
    events = []
    while (event := playback.next_event()) is not None:
        events.append(event)
    return events


class TestRouting:
    def test_each_channel_leads_to_its_stream(self):
        first, second = video(0), video(1)
        playback = make(first, second)
        packets = frames(playback, 1.0, (0, rtp(1)), (2, rtp(5, ssrc=9)), (0, rtp(2)))
        assert [(p.stream, p.sequence_number) for p in packets] == [
            (first, 1),
            (second, 5),
            (first, 2),
        ]

    def test_a_frame_on_another_channel_is_counted_and_told_once(self):
        playback = make()
        assert frames(playback, 1.0, (7, rtp(1)), (8, rtp(2)), (7, rtp(3))) == []
        assert playback.unknown_channel == 3
        (event,) = told(playback)
        assert isinstance(event, QuirkSeen)
        assert (event.identifier, event.detail) == ("channel-unknown", "channel 7")

    def test_datagrams_come_by_stream(self):
        playback = make(video(0), video(1), channels=False)
        packets = playback.receive_rtp(1, lone_datagrams([rtp(1), rtp(2)], 1.0))
        assert [p.sequence_number for p in packets] == [1, 2]
        assert playback.receivers[0].snapshot().packets == 0

    def test_rtp_on_the_rtcp_channel_and_the_reverse_are_sorted_out(self):
        playback = make()
        assert len(frames(playback, 1.0, (1, rtp(1)), (0, sender_report()))) == 1
        assert playback.receivers[0].snapshot().sender_reports == 1
        playback = make(channels=False)
        assert len(playback.receive_rtcp(0, lone_datagrams([rtp(1)], 1.0))) == 1

    def test_set_up_again_on_other_channels_the_old_ones_are_nobodys(self):
        stream = video()
        playback = make(stream)
        receiver = playback.receivers[0]
        assert playback.add(stream, (4, 5)) is receiver
        assert frames(playback, 1.0, (0, rtp(1))) == []
        assert len(frames(playback, 1.0, (4, rtp(2)))) == 1

    def test_a_new_source_is_told(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)))
        frames(playback, 2.0, (0, rtp(50, ssrc=8)), (0, rtp(51, ssrc=8)))
        (event,) = told(playback)
        assert isinstance(event, SourceChanged)
        assert (event.before, event.ssrc) == (7, 8)

    def test_packets_wait_for_an_earlier_one_and_are_given_in_time(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)))
        assert frames(playback, 1.0, (0, rtp(3))) == []
        assert playback.deadline == 1.1
        assert [p.sequence_number for p in playback.handle_deadline(1.1)] == [3]

    def test_flush_gives_what_still_waits(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (0, rtp(3)))
        assert [p.sequence_number for p in playback.flush()] == [3]

    def test_the_packets_of_many_runs_come_in_their_order(self):
        first, second = video(0), video(1)
        playback = make(first, second)
        runs = [
            FrameRun(0, lone_datagrams([rtp(1), rtp(2)], 1.0)),
            FrameRun(2, lone_datagrams([rtp(8, ssrc=9)], 1.0)),
            FrameRun(0, lone_datagrams([rtp(3)], 1.0)),
        ]
        packets = playback.receive_frames(runs)
        assert [(p.stream.index, p.sequence_number) for p in packets] == [
            (0, 1),
            (0, 2),
            (1, 8),
            (0, 3),
        ]

    def test_many_runs_cost_no_more_each_than_few(self):
        """Two channels in turn: each frame is a run of its own."""

        def seconds(count):
            best = 1e9
            for _ in range(3):
                playback = make(video(0), video(1))
                runs = [
                    FrameRun(2 * (n % 2), lone_datagrams([rtp(n // 2 & 0xFFFF)], 1.0))
                    for n in range(count)
                ]
                begun = time.process_time()
                assert len(playback.receive_frames(runs)) == count
                best = min(best, time.process_time() - begun)
            return best

        few = seconds(2_000)
        assert seconds(16_000) < 8 * few * 2.5

    def test_packets_alone_are_nothing_that_the_owner_has_to_look_into(self):
        playback = make()
        playback.stirred = False
        frames(playback, 1.0, (0, rtp(1)), (0, rtp(2)))
        assert not playback.stirred

    @pytest.mark.parametrize(
        "stirring",
        [
            pytest.param([(0, rtp(4))], id="one-waits"),
            pytest.param([(1, sender_report())], id="report"),
            pytest.param([(0, sender_report())], id="misplaced-report"),
            pytest.param([(0, rtp(50, ssrc=8)), (0, rtp(51, ssrc=8))], id="source"),
            pytest.param([(9, rtp(1))], id="unknown-channel"),
        ],
    )
    def test_whatever_else_comes_is(self, stirring):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)))
        playback.stirred = False
        frames(playback, 2.0, *stirring)
        assert playback.stirred


class TestNoMemory:
    """What there was no memory for leaves a batch without rows: a sign of life, and no packet."""

    def test_over_udp(self):
        playback = make()
        assert playback.receive_rtp(0, lone_datagrams([], 1.0)) == []
        assert playback.liveness.seen_media
        assert playback.liveness.deadline == 1.0 + TIMEOUTS.media_silence

    def test_over_tcp(self):
        playback = make()
        assert playback.receive_frames([FrameRun(0, lone_datagrams([], 1.0))]) == []
        assert playback.liveness.deadline == 1.0 + TIMEOUTS.media_silence


class TestHold:
    def test_a_farewell_waits_for_what_the_kernel_still_has(self):
        playback = make()
        playback.receive_rtp(0, lone_datagrams([rtp(1)], 1.0))
        playback.hold(True, 2.0)
        playback.receive_rtcp(0, lone_datagrams([bye()], 3.0))
        assert playback.handle_deadline(60.0) == []
        assert not playback.finished
        playback.hold(False, 100.0)
        late = lone_datagrams([rtp(2)], 100.0)
        late.arrivals = [2.5]  # it came before the farewell, and is read behind it
        assert len(playback.receive_rtp(0, late)) == 1
        playback.handle_deadline(100.0 + TIMEOUTS.bye_grace)
        assert playback.finished


class TestSilence:
    def test_before_play_nobody_is_watched(self):
        playback = make(start=None)
        assert playback.deadline is None
        assert playback.handle_deadline(1e6) == []

    def test_no_first_packet(self):
        playback = make()
        assert playback.deadline == 1.5
        with pytest.raises(DeadlineExceeded) as caught:
            playback.handle_deadline(1.5)
        assert caught.value.phase == "first packet"

    def test_reports_and_strange_frames_are_no_first_packet(self):
        """A firewall that lets RTCP through: the next transport is to be tried."""
        playback = make()
        frames(playback, 1.0, (1, sender_report()), (9, rtp(1)))
        with pytest.raises(DeadlineExceeded):
            playback.handle_deadline(1.5)

    def test_after_the_first_packet_any_byte_counts(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)))
        frames(playback, 9.0, (1, sender_report()))
        playback.handle_deadline(18.9)
        with pytest.raises(ConnectionLost):
            playback.handle_deadline(19.0)

    def test_silent_metadata_has_as_long_as_two_keepalives(self):
        stream = Stream(0, "application", "VND.ONVIF.METADATA", 98, RATE)
        playback = make(stream)
        assert playback.liveness.deadline == 2 * 30.0 + TIMEOUTS.response

    def test_silent_metadata_beside_video_does_not_matter(self):
        playback = make(video(0), Stream(1, "application", "VND.ONVIF.METADATA", 98, RATE))
        for number in range(200):
            frames(playback, float(number), (0, rtp(number)))
            playback.handle_deadline(float(number))
        assert told(playback) == []

    def test_paused_it_is_not_watched_and_nothing_is_sent(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye()))
        playback.pause()
        assert playback.deadline is None
        playback.handle_deadline(1000.0)
        assert playback.data_to_send() == []
        assert not playback.finished
        playback.start(1000.0, first_packet=10.0, keepalive_interval=30.0)
        assert playback.liveness.deadline == 1010.0


class TestFarewell:
    def test_bye_ends_the_stream_after_its_grace(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye(reason=b"reboot")))
        playback.handle_deadline(2.9)
        assert not playback.finished
        playback.handle_deadline(3.0)
        stream = playback.receivers[0].stream
        assert playback.finished
        assert playback.ended(stream)
        assert told(playback) == [StreamEnded(3.0, stream, "reboot")]
        playback.handle_deadline(1000.0)
        assert told(playback) == []

    def test_media_takes_it_back(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye()))
        frames(playback, 2.0, (0, rtp(2)))
        playback.handle_deadline(4.0)
        assert not playback.finished

    @pytest.mark.parametrize("channel", [0, 1])
    def test_media_before_it_in_the_same_piece_does_not(self, channel):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (0, rtp(2)), (channel, bye()))
        playback.handle_deadline(4.0)
        assert playback.finished

    def test_media_after_it_in_the_same_piece_does(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye()), (0, rtp(2)))
        playback.handle_deadline(4.0)
        assert not playback.finished

    def test_media_of_another_stream_does_not(self):
        playback = make(video(0), video(1))
        frames(playback, 1.0, (0, rtp(1)), (2, rtp(1)), (1, bye()), (2, rtp(2)))
        playback.handle_deadline(4.0)
        assert playback.ended(playback.receivers[0].stream)

    def test_over_udp_it_is_the_same(self):
        playback = make(channels=False)
        playback.receive_rtp(0, lone_datagrams([rtp(1)], 1.0))
        playback.receive_rtcp(0, lone_datagrams([bye()], 1.0))
        playback.receive_rtp(0, lone_datagrams([rtp(2)], 2.0))
        playback.handle_deadline(4.0)
        assert not playback.finished
        playback.receive_rtcp(0, lone_datagrams([bye()], 5.0))
        playback.handle_deadline(7.0)
        assert playback.finished

    def test_repeating_it_does_not_put_it_off(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)))
        for second in range(1, 4):
            frames(playback, float(second), (1, bye()))
        playback.handle_deadline(3.0)
        assert playback.finished

    def test_that_of_another_source_is_nothing(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye(ssrc=99)))
        playback.handle_deadline(5.0)
        assert not playback.finished

    def test_one_stream_may_end_before_the_other(self):
        playback = make(video(0), video(1))
        frames(playback, 1.0, (0, rtp(1)), (2, rtp(1)), (1, bye()))
        playback.handle_deadline(3.0)
        assert playback.ended(playback.receivers[0].stream)
        assert not playback.finished
        frames(playback, 3.0, (2, rtp(2)), (3, bye()))
        playback.handle_deadline(5.0)
        assert playback.finished

    def test_a_new_play_forgets_it(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(1)), (1, bye()))
        playback.handle_deadline(3.0)
        playback.start(10.0, first_packet=1.5, keepalive_interval=30.0)
        assert not playback.finished


class TestEndOfTheRange:
    def silent_after(self, start, end, packets=50, **more):
        """Media of 5 s, then silence; the announced range goes from ``start`` to ``end``."""
        playback = make()
        playback.inform(Played(Range("npt", start, end), {}), **more)
        for number in range(packets):
            frames(playback, number / 10, (0, rtp(number)))
        playback.handle_deadline(max(packets / 10, 0.1) + 9.95)
        return playback

    def test_silence_at_the_announced_end_is_the_end(self):
        playback = self.silent_after(0.0, 5.0)
        assert playback.finished
        (event,) = told(playback)
        assert event.reason == "the presentation is over"

    def test_silence_before_it_is_a_loss(self):
        with pytest.raises(ConnectionLost):
            self.silent_after(0.0, 60.0)

    @pytest.mark.parametrize("end", [None, 0.0])
    def test_a_live_camera_has_no_end(self, end):
        """``npt=0-0``: silence is never taken for an end in order."""
        with pytest.raises(ConnectionLost):
            self.silent_after(0.0, end)

    def test_nothing_at_all_is_no_end_either(self):
        with pytest.raises(DeadlineExceeded):
            self.silent_after(0.0, 0.5, packets=0)

    def test_time_begins_where_the_range_does(self):
        playback = make()
        playback.inform(Played(Range("npt", 10.0, None), {0: RtpInfo("", 0, 0)}))
        (packet,) = frames(playback, 1.0, (0, rtp(0)))
        assert packet.media_time == 10.0

    def test_after_a_pause_time_goes_on(self):
        playback = make()
        frames(playback, 1.0, (0, rtp(0)), (0, rtp(1)))
        playback.pause()
        playback.start(100.0, first_packet=1.5, keepalive_interval=30.0)
        playback.inform(Played(Range("npt", 0.0, None), {}), resumed=True)
        (packet,) = frames(playback, 100.5, (0, rtp(2)))
        assert packet.media_time > 1.0


class TestAnotherConnection:
    def moments(self):
        """Of a video stream that played up to 30.0 s; the sound was never there."""
        one, sound = video(0), video(1)
        playback = make(one, sound)
        frames(playback, 0.0, (0, rtp(0)))
        for number in range(1, 301):
            frames(playback, number / 10, (0, rtp(number)))
        return one, sound, playback.moments()

    def test_a_moment_is_the_last_packet_of_a_stream(self):
        one, sound, moments = self.moments()
        assert moments == {one: Moment(30.0, 30.0)}
        assert make(one, sound).moments() == {}

    def test_each_stream_carries_on_its_own(self):
        first, second = video(0), video(1)
        playback = make(first, second, start=None)
        playback.carry_on({first: Moment(30.0, 30.0), second: Moment(29.0, 30.5)}, ())
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        packets = frames(playback, 33.0, (0, rtp(5000)), (2, rtp(7, ssrc=9)))
        assert [packet.media_time for packet in packets] == [33.0, 31.5]
        assert [packet.discontinuity for packet in packets] == [True, True]
        assert [s.snapshot().discontinuities for s in playback.receivers.values()] == [1, 1]

    def test_a_stream_that_never_played_goes_by_the_others(self):
        one, sound, moments = self.moments()
        playback = make(one, sound, start=None)
        playback.carry_on(moments, ())
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        (packet,) = frames(playback, 33.0, (2, rtp(7, ssrc=9)))
        assert packet.media_time == 33.0

    def test_of_several_others_the_one_that_played_last_tells_the_time(self):
        streams = [video(index) for index in range(3)]
        playback = make(*streams, start=None)
        moments = {streams[0]: Moment(20.0, 20.0), streams[1]: Moment(31.0, 30.0)}
        playback.carry_on(moments, ())
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        (packet,) = frames(playback, 33.0, (4, rtp(7, ssrc=9)))
        assert packet.media_time == 34.0

    def test_an_heir_carries_on_what_it_has_taken_the_place_of(self):
        before, other, heir = video(0), video(1), Stream(0, "video", "H265", 97, RATE)
        playback = make(heir, other, start=None)
        moments = {before: Moment(30.0, 30.0), other: Moment(5.0, 30.0)}
        playback.carry_on(moments, [Change(before, heir)])
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        packets = frames(playback, 33.0, (0, rtp(5000)), (2, rtp(7, ssrc=9)))
        assert [packet.media_time for packet in packets] == [33.0, 8.0]

    def test_with_nothing_to_carry_on_it_begins(self):
        stream = video()
        playback = make(stream, start=None)
        playback.carry_on({}, ())
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        (packet,) = frames(playback, 33.0, (0, rtp(5000)))
        assert packet.media_time == 1.0
        assert not packet.discontinuity

    def test_lost_again_before_its_first_packet_it_has_no_moment(self):
        one, sound, moments = self.moments()
        playback = make(one, sound, start=None)
        playback.carry_on(moments, ())
        assert playback.moments() == {}

    def test_an_answer_that_comes_after_the_media_tells_the_place_and_not_the_time(self):
        stream = video()
        playback = make(stream, start=None)
        playback.carry_on({stream: Moment(30.0, 30.0)}, ())
        playback.start(30.0, first_packet=1.5, keepalive_interval=30.0)
        (packet,) = frames(playback, 30.0, (0, rtp(5000)))
        playback.inform(Played(Range("npt", 29.5, 60.0), {}))
        assert packet.media_time == 30.0  # it does not go back
        assert playback.position == 29.5  # what the next connection asks for
        playback.inform(Played(Range("npt", 29.5, 60.0), {}))
        assert playback.position == 29.5

    def test_the_place_in_a_presentation_is_known_before_its_first_packet(self):
        stream = video()
        playback = make(stream, start=None)
        playback.carry_on({stream: Moment(30.0, 30.0)}, ())
        playback.start(32.0, first_packet=1.5, keepalive_interval=30.0)
        assert playback.position is None
        playback.inform(Played(Range("npt", 30.0, 60.0), {}))
        assert playback.position == 30.0


class TestAtTheEnd:
    @pytest.mark.parametrize(("number", "end", "over"), [(9, 3.0, False), (21, 3.0, True)])
    def test_it_is_near_what_the_server_has_announced(self, number, end, over):
        playback = make()
        playback.inform(Played(Range("npt", 0.0, end), {}))
        for place in range(number + 1):
            frames(playback, place / 10, (0, rtp(place)))
        assert playback.at_end is over

    def test_what_is_live_has_none(self):
        playback = make()
        playback.inform(Played(Range("npt", 0.0, None), {}))
        frames(playback, 0.0, (0, rtp(0)))
        assert not playback.at_end


class TestReports:
    def test_one_for_each_stream_with_an_ssrc_of_its_own(self):
        playback = make(video(0), video(1))
        frames(playback, 1.0, (0, rtp(1)), (2, rtp(1, ssrc=9)))
        frames(playback, 5.0, (0, rtp(2)), (2, rtp(2, ssrc=9)))
        playback.handle_deadline(5.0)
        reports = {stream.index: parse_rtcp(data)[0] for stream, data in playback.data_to_send()}
        assert {i: (r.ssrc, r.report_blocks[0].ssrc) for i, r in reports.items()} == {
            0: (100, 7),
            1: (101, 9),
        }
        assert playback.data_to_send() == []

    def test_those_of_several_streams_go_out_together(self):
        playback = make(video(0), video(1))
        frames(playback, 1.0, (0, rtp(1)))
        first, second = playback._reports[0], playback._reports[1]
        second._deadline = first.deadline + 0.4
        playback.handle_deadline(first.deadline)
        assert len(playback.data_to_send()) == 2
        second._deadline = first.deadline + 0.6
        playback.handle_deadline(first.deadline)
        assert len(playback.data_to_send()) == 1

    def test_leaving_says_bye_for_streams_that_were_heard(self):
        playback = make(video(0), video(1))
        frames(playback, 1.0, (0, rtp(1)))
        playback.leave(2.0)
        ((stream, data),) = playback.data_to_send()
        assert stream.index == 0
        assert isinstance(parse_rtcp(data)[-1], Goodbye)
        playback.leave(3.0)
        assert playback.data_to_send() == []

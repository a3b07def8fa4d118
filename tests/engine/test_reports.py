"""When reports go out, and what is in them."""

import pytest

from rtspkit.engine.reports import Reports
from rtspkit.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SdesChunk,
    SourceDescription,
    parse_rtcp,
)

DESCRIPTION = SourceDescription([SdesChunk(7, [(1, b"me@here")])])


def make(random=lambda: 0.5, block=None):
    return Reports(ssrc=7, cname=b"me@here", random=random, report_block=lambda now: block)


def sent(reports):
    return [parse_rtcp(data) for data in reports.data_to_send()]


class TestTimes:
    def test_nothing_is_due_before_play(self):
        reports = make()
        assert reports.deadline is None
        reports.handle_deadline(1e9)
        assert reports.data_to_send() == []

    def test_the_first_one_comes_after_half_an_interval(self):
        reports = make()
        reports.start(100.0)
        first = reports.deadline - 100.0
        reports.handle_deadline(reports.deadline)
        assert reports.deadline - (100.0 + first) == pytest.approx(2 * first)

    @pytest.mark.parametrize(("random", "seconds"), [(0.0, 2.052), (0.5, 4.104), (1.0, 5.0)])
    def test_the_interval_is_spread_and_never_over_five_seconds(self, random, seconds):
        reports = make(lambda: random)
        reports.start(0.0)
        now = reports.deadline
        reports.handle_deadline(now)
        assert reports.deadline - now == pytest.approx(seconds, abs=0.001)

    def test_nothing_is_sent_before_its_time(self):
        reports = make()
        reports.start(0.0)
        reports.handle_deadline(reports.deadline - 0.001)
        assert sent(reports) == []
        assert reports.sent == 0

    def test_it_may_go_out_early_beside_another_streams(self):
        reports = make()
        reports.start(0.0)
        due = reports.deadline
        reports.handle_deadline(due - 0.6, early=0.5)
        assert sent(reports) == []
        reports.handle_deadline(due - 0.5, early=0.5)
        assert len(sent(reports)) == 1
        assert reports.deadline == pytest.approx(due - 0.5 + 4.104, abs=0.001)

    def test_a_late_timer_sends_once(self):
        reports = make()
        reports.start(0.0)
        reports.handle_deadline(60.0)
        assert len(sent(reports)) == 1
        assert reports.deadline > 60.0

    def test_stop_pauses_and_start_resumes(self):
        reports = make()
        reports.start(0.0)
        reports.stop()
        assert reports.deadline is None
        reports.start(50.0)
        assert 50.0 < reports.deadline < 53.0


class TestContent:
    def test_a_report_and_our_name(self):
        block = ReportBlock(9, fraction_lost=3, packets_lost=4)
        reports = make(block=block)
        reports.start(0.0)
        reports.handle_deadline(5.0)
        assert sent(reports) == [[ReceiverReport(7, [block]), DESCRIPTION]]
        assert reports.data_to_send() == []
        assert reports.sent == 1

    def test_before_the_first_packet_the_report_is_empty(self):
        reports = make()
        reports.start(0.0)
        reports.handle_deadline(5.0)
        assert sent(reports) == [[ReceiverReport(7), DESCRIPTION]]

    def test_the_block_is_asked_for_at_the_time_of_the_report(self):
        asked = []
        reports = Reports(ssrc=7, cname=b"x", random=lambda: 0.5, report_block=asked.append)
        reports.start(0.0)
        reports.handle_deadline(4.0)
        assert asked == [4.0]


class TestGoodbye:
    def test_the_last_one_says_bye(self):
        reports = make()
        reports.start(0.0)
        reports.goodbye(1.0)
        assert sent(reports) == [[ReceiverReport(7), DESCRIPTION, Goodbye([7])]]
        assert reports.deadline is None

    def test_bye_is_said_once_and_nothing_after_it(self):
        reports = make()
        reports.goodbye(1.0)
        reports.goodbye(2.0)
        reports.start(3.0)
        reports.handle_deadline(100.0)
        assert len(sent(reports)) == 1

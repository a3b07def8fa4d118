"""RTCP about the locked source, and about others."""

import pytest

from rtspkit.engine.reception import Reception
from rtspkit.engine.rtcp_receiver import ByeReceived, RtcpReceiver, SenderReportReceived
from rtspkit.engine.timeline import Timeline
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import Goodbye, ReceiverReport, SenderReport, serialize_rtcp
from rtspkit.wire.stream import Stream

NTP = unix_to_ntp(1_700_000_000.0)


def make(hint=None, locked=None):
    receiver = RtcpReceiver(Stream(0, "video", "H264", 96, 90_000), Timeline(90_000), hint)
    if locked is not None:
        receiver.lock(Reception(90_000, locked))
    return receiver


def receive(receiver, *packets, now=1.0):
    receiver.receive(serialize_rtcp(packets), now)
    events = list(receiver.events)
    receiver.events.clear()
    return events


def test_a_report_of_the_source_is_an_event():
    receiver = make(locked=7)
    report = SenderReport(7, ntp=NTP)
    (event,) = receive(receiver, report)
    assert isinstance(event, SenderReportReceived)
    assert (event.report, event.now) == (report, 1.0)
    assert (receiver.packets, receiver.sender_reports) == (1, 1)


def test_a_report_of_another_source_is_only_counted():
    receiver = make(locked=7)
    assert receive(receiver, SenderReport(8, ntp=NTP)) == []
    assert (receiver.unknown_ssrc, receiver.sender_reports) == (1, 0)


def test_a_report_before_the_first_packet_waits_for_its_source():
    receiver = make()
    assert receive(receiver, SenderReport(7, ntp=NTP), now=3.0) == []
    receiver.lock(Reception(90_000, 7))
    (event,) = receiver.events
    assert isinstance(event, SenderReportReceived)
    assert event.now == 3.0


def test_an_early_report_is_forgotten_when_another_source_comes():
    receiver = make()
    receive(receiver, SenderReport(7, ntp=NTP))
    receiver.lock(Reception(90_000, 8))
    assert not receiver.events
    assert receiver.unknown_ssrc == 1


def test_the_source_that_setup_named_counts_before_the_first_packet():
    receiver = make(hint=7)
    assert receive(receiver, SenderReport(8, ntp=NTP), Goodbye([8])) == []
    assert receiver.unknown_ssrc == 2
    assert receive(receiver, Goodbye([7])) == [ByeReceived(receiver._stream, 7, None, 1.0)]


def test_a_farewell_among_several():
    receiver = make(locked=7)
    (event,) = receive(receiver, Goodbye([5, 7], b"shutdown"))
    assert isinstance(event, ByeReceived)
    assert (event.ssrc, event.reason) == (7, b"shutdown")


@pytest.mark.parametrize("ssrcs", [[], [8]])
def test_a_farewell_that_names_others_is_none(ssrcs):
    receiver = make(locked=7)
    assert receive(receiver, Goodbye(ssrcs)) == []
    assert receiver.unknown_ssrc == 1


def test_a_broken_part_does_not_hide_the_others():
    receiver = make(locked=7)
    data = b"\x80\xc9\x00\x00" + serialize_rtcp([ReceiverReport(7), Goodbye([7])])
    receiver.receive(data, 1.0)
    assert [type(event) for event in receiver.events] == [ByeReceived]
    assert (receiver.malformed, receiver.packets) == (1, 1)


def test_nothing_good_is_no_rtcp_packet():
    receiver = make(locked=7)
    receiver.receive(b"\x80\xc8\x00\x09", 1.0)
    assert (receiver.malformed, receiver.packets) == (1, 0)

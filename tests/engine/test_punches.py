"""Packets that open a NAT: valid, few, and only as long as they are needed."""

from __future__ import annotations

from collections import Counter

import pytest

from rtspkit.engine.punches import INTERVAL, ROUNDS, SPACING, Punches
from rtspkit.wire.rtcp import ReceiverReport, SdesChunk, SourceDescription, parse_rtcp
from rtspkit.wire.rtp import parse_rtp
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)
AUDIO = Stream(1, "audio", "L16", 127, 48_000)
SSRC = 0x1234FFFF


class Way:
    """Punches, and what the streams have received."""

    def __init__(self, *streams: Stream, on: bool = True) -> None:
        self.received: Counter[int] = Counter()
        self.punches = Punches(lambda index: self.received[index], on=on)
        for stream in streams or (VIDEO,):
            self.punches.add(stream, ssrc=SSRC, cname=b"me@here")

    def sent(self) -> list[Stream]:
        return [stream for stream, _, _ in self.punches.data_to_send()]

    def ring(self) -> tuple[float, list[Stream]]:
        """Wait for the deadline: when that was, and what it sends."""
        now = self.punches.deadline
        assert now is not None
        self.punches.handle_deadline(now - 0.001)
        assert self.sent() == []
        self.punches.handle_deadline(now)
        return now, self.sent()


def test_nothing_goes_out_before_play():
    way = Way()
    assert way.punches.deadline is None
    way.punches.handle_deadline(1e9)
    assert way.sent() == []


def test_a_round_goes_out_with_play_for_each_stream():
    way = Way(VIDEO, AUDIO)
    way.punches.start(100.0)
    assert way.sent() == [VIDEO, AUDIO]
    assert way.sent() == []


@pytest.mark.parametrize("stream", [VIDEO, AUDIO], ids=["96", "127"])
def test_they_are_valid_and_carry_nothing(stream):
    way = Way(stream)
    way.punches.start(0.0)
    ((_, rtp, rtcp),) = way.punches.data_to_send()
    packet = parse_rtp(memoryview(rtp))
    assert len(rtp) == 12
    assert 96 <= packet.payload_type <= 127
    assert packet.payload_type != stream.payload_type
    assert packet.ssrc == SSRC
    assert parse_rtcp(memoryview(rtcp)) == [
        ReceiverReport(SSRC, []),
        SourceDescription([SdesChunk(SSRC, [(1, b"me@here")])]),
    ]


def test_their_sequence_numbers_follow_each_other_around_the_circle():
    way = Way()
    way.punches.start(0.0)
    numbers = []
    for _ in range(3):
        ((_, rtp, _),) = way.punches.data_to_send()
        numbers.append(parse_rtp(memoryview(rtp)).sequence_number)
        way.punches.handle_deadline(way.punches.deadline)
    assert numbers == [0xFFFF, 0, 1]


def test_a_stream_that_stays_silent_gets_three_rounds_and_then_one_every_fifteen_seconds():
    way = Way()
    way.punches.start(0.0)
    way.sent()
    times = [way.ring()[0] for _ in range(4)]
    assert times == [SPACING, 2 * SPACING, 2 * SPACING + INTERVAL, 2 * SPACING + 2 * INTERVAL]
    assert way.punches.sent == ROUNDS == 3
    assert INTERVAL == 15.0


def test_once_everything_comes_only_the_mapping_is_kept():
    way = Way(VIDEO, AUDIO)
    way.punches.start(0.0)
    way.sent()
    way.received += {0: 1, 1: 1}
    assert way.ring() == (SPACING, [])
    assert way.ring() == (SPACING + INTERVAL, [VIDEO, AUDIO])


def test_only_the_silent_stream_is_opened_again():
    way = Way(VIDEO, AUDIO)
    way.punches.start(0.0)
    way.sent()
    way.received[0] = 1
    assert way.ring()[1] == [AUDIO]


def test_the_answer_to_play_gives_the_next_round_time():
    way = Way()
    way.punches.start(0.0)
    way.sent()
    way.punches.start(0.2)
    assert way.sent() == []
    assert way.punches.deadline == 0.2 + SPACING


def test_a_seek_while_the_way_is_open_changes_nothing():
    way = Way()
    way.punches.start(0.0)
    way.sent()
    way.received[0] = 1
    way.ring()
    deadline = way.punches.deadline
    way.punches.start(5.0)
    assert way.sent() == []
    assert way.punches.deadline == deadline


def test_after_a_pause_the_way_is_opened_anew():
    way = Way()
    way.punches.start(0.0)
    way.received[0] = 100
    way.sent()
    way.punches.stop()
    assert way.punches.deadline is None
    way.punches.start(60.0)
    assert way.sent() == [VIDEO]
    assert way.ring()[1] == [VIDEO]  # what came before the pause tells nothing


def test_nothing_that_waits_is_sent_after_the_stop():
    way = Way()
    way.punches.start(0.0)
    way.punches.stop()
    assert way.sent() == []


def test_other_ports_of_the_server_are_opened_too():
    way = Way()
    way.punches.start(0.0)
    way.sent()
    way.received[0] = 1
    way.ring()
    way.punches.add(VIDEO, ssrc=SSRC, cname=b"me@here")  # SETUP again, the session was lost
    way.punches.start(5.0)
    assert way.sent() == [VIDEO]


def test_a_stream_over_tcp_needs_none():
    way = Way(VIDEO)
    way.punches.remove(VIDEO)
    way.punches.remove(VIDEO)
    way.punches.start(0.0)
    assert way.sent() == []
    assert way.punches.deadline is None


def test_off_is_off():
    way = Way(VIDEO, AUDIO, on=False)
    way.punches.start(0.0)
    assert way.sent() == []
    assert way.punches.deadline is None

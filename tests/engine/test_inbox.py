"""What comes in on a control connection."""

from __future__ import annotations

import pytest

from rtspkit.engine.inbox import Inbox
from rtspkit.options import Limits
from rtspkit.wire.message import Response, Skipped, serialize_frame

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
GONE = b"RTSP/1.0 454 Session Not Found\r\nCSeq: 7\r\n\r\n"


class Bench:
    """An inbox and its messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[object, float]] = []
        self.inbox = Inbox(Limits(), lambda message, now: self.messages.append((message, now)))
        self.inbox.reader.channels.update((0, 1))

    def receive(self, data: bytes, *, again: bool = True) -> list[tuple[int, list[bytes]]]:
        frames, error = self.inbox.receive_data(memoryview(data), 5.0, again=again)
        assert error is None
        return [(run.channel, list(map(bytes, run.datagrams))) for run in frames]


def frame(channel: int, payload: bytes) -> bytes:
    return serialize_frame(channel, payload)


def test_frames_alone_stir_nothing():
    bench = Bench()
    data = frame(0, b"one") + frame(0, b"two") + frame(1, b"three")
    assert bench.receive(data) == [(0, [b"one", b"two"]), (1, [b"three"])]
    assert not bench.inbox.stirred
    assert bench.messages == []


def test_a_message_between_frames_goes_its_own_way():
    bench = Bench()
    found = bench.receive(frame(0, b"before") + REPLY + frame(0, b"behind"))
    assert found == [(0, [b"before"]), (0, [b"behind"])]
    ((message, now),) = bench.messages
    assert isinstance(message, Response)
    assert now == 5.0
    assert bench.inbox.stirred


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 6])
def test_half_a_frame_is_asked_for_again_or_kept(cut):
    data = frame(0, b"whole") + frame(1, b"half")
    asks, keeps = Bench(), Bench()
    size = len(frame(0, b"whole")) + cut
    assert asks.receive(data[:size]) == [(0, [b"whole"])]
    assert asks.inbox.unread == cut
    assert asks.receive(data[size - cut :]) == [(1, [b"half"])]
    assert asks.inbox.unread == 0
    assert keeps.receive(data[:size], again=False) == [(0, [b"whole"])]
    assert keeps.inbox.unread == 0
    assert keeps.receive(data[size:], again=False) == [(1, [b"half"])]


def test_a_whole_frame_in_front_of_a_message_is_not_asked_for_again():
    bench = Bench()
    assert bench.receive(frame(0, b"whole") + REPLY) == [(0, [b"whole"])]
    assert bench.inbox.unread == 0
    assert len(bench.messages) == 1


def test_an_end_in_the_middle_of_a_frame_is_an_error():
    bench = Bench()
    bench.receive(frame(0, b"cut short")[:6])
    assert bench.inbox.unread == 6
    error = bench.inbox.receive_eof(6.0)
    assert error is not None
    assert "in the middle of an interleaved frame" in str(error)


@pytest.mark.parametrize("kept", [0, 1, 50])
def test_a_reply_in_the_frame_that_the_connection_ends_with_is_found(kept):
    """The rest of the frame was asked for again: it is nobody's but the inbox's."""
    bench = Bench()
    assert bench.receive(frame(0, b"whole") + frame(0, bytes(400))[: 4 + kept] + GONE) == [
        (0, [b"whole"])
    ]
    assert bench.inbox.unread == 4 + kept + len(GONE)
    assert bench.inbox.receive_eof(6.0) is None
    responses = [message for message, _ in bench.messages if isinstance(message, Response)]
    assert [(one.status_code, one.cseq) for one in responses] == [(454, 7)]
    assert bench.inbox.unread == 0


def test_an_end_between_frames_is_none():
    bench = Bench()
    bench.receive(frame(0, b"whole"))
    assert bench.inbox.receive_eof(6.0) is None


def test_garbage_is_reported_and_watched():
    bench = Bench()
    bench.receive(b"\x00\x01\x02" + frame(0, b"\x80 a packet of version two"))
    assert isinstance(bench.messages[0][0], Skipped)
    assert bench.inbox.garbage.deadline is None
    _, error = bench.inbox.receive_data(memoryview(b"\xff" * 10), 5.0, again=True)
    assert error is None
    assert bench.inbox.garbage.deadline == 5.0 + Limits().garbage_time
    assert bench.inbox.look(5.0 + Limits().garbage_time) is not None

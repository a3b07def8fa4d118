"""What clients send is read message by message, however it is cut."""

from __future__ import annotations

import pytest

from bench.source_messages import take_message

REQUEST = b"SETUP rtsp://h/live/stream=0 RTSP/1.0\r\nCSeq: 3\r\ntransport :RTP/AVP;unicast\r\n\r\n"
WITH_BODY = b"GET_PARAMETER * RTSP/1.0\r\nContent-Length: 4\r\n\r\nabcd"
FRAME = b"$\x01\x00\x08" + b"\r\n\r\n$$$$"


def take_all(received: bytearray) -> list[list[str]]:
    words = []
    while (message := take_message(received)) is not None:
        words.append(message.words[:1])
    return words


def test_a_request_has_words_and_headers():
    message = take_message(bytearray(REQUEST))
    assert message.words == ["SETUP", "rtsp://h/live/stream=0", "RTSP/1.0"]
    assert message.headers == {"cseq": "3", "transport": "RTP/AVP;unicast"}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_however_it_is_cut(size):
    stream = REQUEST + FRAME + WITH_BODY + FRAME + REQUEST
    received, words = bytearray(), []
    for begin in range(0, len(stream), size):
        received += stream[begin : begin + size]
        words += take_all(received)
    assert words == [["SETUP"], [], ["GET_PARAMETER"], [], ["SETUP"]]
    assert not received


def test_half_a_message_is_none():
    for part in (REQUEST[:-1], WITH_BODY[:-1], FRAME[:-1], b"$", b""):
        received = bytearray(part)
        assert take_message(received) is None
        assert received == part

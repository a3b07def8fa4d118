from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.testing.link_rewriting import RequestRewriter, ResponseRewriter
from rtspkit.wire.message import serialize_frame


@dataclass
class Ports:
    client: tuple[int, int]
    server: tuple[int, int] | None = None
    toward_server: tuple[int, int] = (7000, 7001)
    toward_client: tuple[int, int] = (8000, 8001)


SETUP = (
    b"SETUP rtsp://h/s/track0 RTSP/1.0\r\nCSeq: 3\r\n"
    b"Transport: RTP/AVP;unicast;client_port=5000-5001\r\nX: client_port=5000-5001\r\n\r\n"
)
CHANGED = SETUP.replace(b"unicast;client_port=5000-5001", b"unicast;client_port=7000-7001")
ANNOUNCE = b"ANNOUNCE rtsp://h/s RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 9\r\n\r\nSETUP x\r\n"
TCP = b"SETUP rtsp://h/s RTSP/1.0\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
FRAME = serialize_frame(1, b"SETUP \r\n\r\n")
REPLY = (
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n"
    b"transport: RTP/AVP;unicast;client_port=7000-7001;server_port=6000-6001;ssrc=1\r\n\r\n"
)
ANSWER = (
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n"
    b"transport: RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=1\r\n\r\n"
)
OTHER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nv=0\n"


def pending() -> dict[int, Ports]:
    return {3: Ports((5000, 5001))}


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_only_the_ports_of_a_setup_over_udp_are_changed(size):
    rewriter = RequestRewriter(Ports)
    sent = FRAME + ANNOUNCE + TCP + SETUP + FRAME
    got = b"".join(rewriter.feed(piece) for piece in pieces(sent, size))
    assert got == FRAME + ANNOUNCE + TCP + CHANGED + FRAME
    assert rewriter.pending == {3: Ports((5000, 5001))}


def test_a_single_port_stands_for_two():
    rewriter = RequestRewriter(Ports)
    got = rewriter.feed(SETUP.replace(b"unicast;client_port=5000-5001", b"client_port=5000"))
    assert b";client_port=7000\r\n" in got
    assert rewriter.pending[3].client == (5000, 5001)


def test_what_is_no_rtsp_passes_untouched():
    rewriter = RequestRewriter(Ports)
    assert rewriter.feed(b"\x16\x03\x01") == b"\x16\x03\x01"
    assert rewriter.feed(SETUP) == SETUP


def test_a_message_without_an_end_is_not_held_for_ever():
    rewriter = RequestRewriter(Ports)
    assert rewriter.feed(b"SETUP ") == b""
    assert len(rewriter.feed(b"x" * 300_000)) == 300_006


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_ports_in_the_answer_are_the_links(size):
    waiting = pending()
    ports = waiting[3]
    rewriter = ResponseRewriter(waiting)
    sent = FRAME + OTHER + REPLY + REPLY
    got = b"".join(rewriter.feed(piece) for piece in pieces(sent, size))
    assert got == FRAME + OTHER + ANSWER + REPLY
    assert ports.server == (6000, 6001)
    assert waiting == {}


def test_nothing_is_held_or_changed_while_no_setup_waits():
    rewriter = ResponseRewriter({})
    assert rewriter.feed(REPLY[:20]) == REPLY[:20]


def test_an_answer_without_cseq_is_taken_for_the_oldest_setup():
    rewriter = ResponseRewriter(pending())
    assert rewriter.feed(REPLY.replace(b"CSeq: 3\r\n", b"")) == ANSWER.replace(b"CSeq: 3\r\n", b"")


def test_a_refusal_passes_and_ends_the_waiting():
    waiting = pending()
    refusal = b"RTSP/1.0 461 No\nCSeq: 3\n\n"
    assert ResponseRewriter(waiting).feed(refusal) == refusal
    assert waiting == {}


def test_a_server_port_of_zero_stays_and_is_not_believed():
    waiting = pending()
    ports = waiting[3]
    got = ResponseRewriter(waiting).feed(REPLY.replace(b"6000-6001", b"0-0"))
    assert b"server_port=0-0" in got
    assert ports.server is None


@settings(max_examples=50, deadline=None)
@given(data=st.lists(st.sampled_from([FRAME, OTHER, ANNOUNCE, b"$", b"RT", b"\0"]), max_size=8))
def test_whatever_has_no_setup_in_it_passes_as_it_is(data):
    whole = b"".join(data)
    requests, responses = RequestRewriter(Ports), ResponseRewriter(pending())
    assert whole.startswith(b"".join(requests.feed(piece) for piece in data))
    assert whole.startswith(b"".join(responses.feed(piece) for piece in data))

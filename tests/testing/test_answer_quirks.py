from __future__ import annotations

import pytest

from rtspkit.testing import answer_quirks as quirks
from rtspkit.testing.actions import Exchange
from rtspkit.wire.header import parse_rtp_info, parse_session, parse_transport
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import MessageReader, Request, Response
from rtspkit.wire.sdp import parse_sdp

TRANSPORT = "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=0A0B0C0D"
REPLY = (
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nPublic: A, B, C\r\nWWW-Authenticate: Basic\r\n"
    b"Content-Length: 4\r\n\r\na: b"
)
SDP = (
    b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=AA,BB\r\n"
    b"a=framerate:25\r\n"
)


def read(data: bytes) -> Response:
    reader = MessageReader()
    reader.receive_data(data)
    event = reader.next_event()
    assert isinstance(event, Response)
    return event


@pytest.mark.parametrize(
    ("edit", "deviation"),
    [
        (quirks.no_reason, "reason-phrase-missing"),
        (quirks.folded, "folded-header"),
        (quirks.latin_1, "latin-1-header"),
        (quirks.line_feeds, "line-feed-only"),
        (quirks.length_twice, "duplicate-content-length"),
    ],
)
def test_heads_are_damaged_and_can_still_be_read(edit, deviation):
    response = read(edit(REPLY))
    assert deviation in response.deviations
    assert (response.status_code, response.cseq, response.body) == (200, 3, b"a: b")
    assert response.headers.get("Public") == "A, B, C"


def test_names_in_lower_case_and_trailing_blanks():
    assert b"\r\ncseq: 3\r\npublic:" in quirks.lower_names(REPLY)
    assert quirks.lower_names(REPLY).endswith(b"\r\n\r\na: b")
    assert b"Basic  \t\r\n" in quirks.trailing_blanks(REPLY)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (quirks.ssrc_short, {"ssrc": 0x0B0C0D}),
        (quirks.ssrc_zero, {"ssrc": None}),
        (quirks.ssrc_blank, {"ssrc": 0x0A0B0C0D}),
        (quirks.ssrc_swapped, {"ssrc": 0x0D0C0B0A}),
        (quirks.ssrc_first, {"ssrc": 0x0A0B0C0D, "client_port": (5000, 5001)}),
        (quirks.plain_port, {"client_port": (5000, 5001)}),
        (quirks.server_port_zero, {"server_port": None}),
        (quirks.without("server_port"), {"server_port": None}),
        (quirks.tcp_for_udp, {"protocol": "TCP"}),
    ],
)
def test_transports_are_damaged_as_named(edit, expected):
    value = edit(TRANSPORT)
    assert value != TRANSPORT
    transport = parse_transport(value)
    assert {name: getattr(transport, name) for name in expected} == expected


def test_transports_of_the_other_kind_stay_as_they_are():
    interleaved = "RTP/AVP/TCP;unicast;interleaved=0-1"
    assert quirks.tcp_for_udp(interleaved) == interleaved
    assert quirks.udp_for_tcp(TRANSPORT) == TRANSPORT
    assert parse_transport(quirks.udp_for_tcp(interleaved)).protocol == "UDP"
    assert quirks.ssrc_first(interleaved) == interleaved


@pytest.mark.parametrize(
    ("edit", "timeout"),
    [(quirks.blanks, 60), (quirks.no_timeout, None), (quirks.timeout_zero, 0)],
)
def test_sessions_keep_their_id(edit, timeout):
    session = parse_session(edit("ABC;timeout=60"))
    assert (session.id, session.timeout) == ("ABC", timeout)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (quirks.relative_urls, [("track0", 5, 6), ("track1", 7, 8)]),
        (quirks.absurd_info, [("rtsp://h/s/track0", 0, None), ("rtsp://h/s/track1", 0, None)]),
        (quirks.wrong_info, [("rtsp://h/s/track0", 1, 4242), ("rtsp://h/s/track1", 1, 4242)]),
    ],
)
def test_rtp_info_is_damaged_as_named(edit, expected):
    value = "url=rtsp://h/s/track0;seq=5;rtptime=6,url=rtsp://h/s/track1;seq=7;rtptime=8"
    infos = parse_rtp_info(edit(value))
    assert [(info.url, info.sequence_number, info.rtptime) for info in infos] == expected


@pytest.mark.parametrize(
    ("edit", "gone"),
    [
        (quirks.without_line(b"o="), b"o="),
        (quirks.short_origin, b"127.0.0.1"),
        (quirks.framerate_text, b"framerate:25"),
        (quirks.rtpmap_blanks, b"H264/"),
        (quirks.no_parameter_sets, b"sprop"),
    ],
)
def test_descriptions_lose_what_is_named(edit, gone):
    assert gone not in edit(SDP)
    (media,) = parse_sdp(edit(SDP)).media
    assert media.payload_formats[0].encoding_name == "H264"


def test_an_unknown_media_is_one_more():
    assert [m.media for m in parse_sdp(quirks.unknown_media(SDP)).media] == ["video", "application"]


def test_renames_a_header_that_is_there():
    exchange = Exchange(Request("PLAY", "*"), None)
    quirks.rename_header(exchange, "A", "B")
    exchange.response = Response(200, headers=Headers({"A": "1"}))
    quirks.rename_header(exchange, "A", "B")
    quirks.rename_header(exchange, "C", "D")
    assert list(exchange.response.headers) == [("B", "1")]

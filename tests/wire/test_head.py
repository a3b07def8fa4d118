"""Request and Response: start lines and body lengths read, whole messages written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtspkit.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.head import (
    Request,
    Response,
    body_length,
    parse_start_line,
    serialize_request,
    serialize_response,
)
from rtspkit.wire.headers import Headers

URI = "rtsp://camera/stream"


def test_a_status_line_is_read():
    response = parse_start_line(b"RTSP/1.0 404 Stream Not Found")
    assert response == Response(404, "Stream Not Found")
    assert response.deviations == ()
    assert parse_start_line(b"RTSP/2.0 200 OK").version == "2.0"


@pytest.mark.parametrize("line", [b"RTSP/1.0 200", b"RTSP/1.0 200 ", b"RTSP/1.0 200\t "])
def test_the_reason_phrase_may_be_missing_or_empty(line):
    response = parse_start_line(line)
    assert (response.status_code, response.reason_phrase) == (200, "")
    assert response.deviations == ("reason-phrase-missing",)


def test_a_reason_phrase_in_latin_1_is_read():
    response = parse_start_line(b"RTSP/1.0 404 Pas trouv\xe9")
    assert response.reason_phrase == "Pas trouvé"
    assert response.deviations == ("latin-1-header",)


def test_the_protocol_in_lower_case_is_put_up_with():
    assert parse_start_line(b"rtsp/1.0 200 OK").deviations == ("protocol-in-lower-case",)
    assert parse_start_line(b"OPTIONS * rtsp/1.0").deviations == ("protocol-in-lower-case",)


def test_blanks_may_be_doubled():
    assert parse_start_line(b"RTSP/1.0  200  OK ") == Response(200, "OK")
    assert parse_start_line(b"OPTIONS  *  RTSP/1.0 ") == Request("OPTIONS", "*")


@pytest.mark.parametrize("method", ["OPTIONS", "SET_PARAMETER", "ANNOUNCE", "REDIRECT", "X-OWN"])
def test_a_request_line_of_the_server_is_read(method):
    assert parse_start_line(f"{method} {URI} RTSP/1.0".encode()) == Request(method, URI)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"RTSP/1.0",
        b"RTSP/1.0 20",
        b"RTSP/1.0 2000 OK",
        b"RTSP/1.0 099 Low",
        b"RTSP/1.0 -20 OK",
        b"RTSP/1.0 \xd9\xa2\xd9\xa0\xd9\xa0 OK",
        b"RTSP/10 200 OK",
        b"HTTP/1.1 200 OK",
        b"OPTIONS RTSP/1.0",
        b"OPTIONS a b RTSP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"options * RTSP/1.0",
        b"OPTIONS *",
        b"OPTIONS a\x00b RTSP/1.0",
    ],
)
def test_what_is_no_start_line_is_a_typed_error(line):
    with pytest.raises(RemoteProtocolError):
        parse_start_line(line)


@given(st.binary(max_size=60))
@example(b"RTSP/1.0 200 \x00\xe9")
@example(b"A_ \xe9 RTSP/1.0")
def test_any_start_line_gives_a_message_that_can_be_written_or_the_documented_error(line):
    try:
        message = parse_start_line(line)
    except RemoteProtocolError:
        return
    if isinstance(message, Request):
        assert parse_start_line(serialize_request(message)[:-4]) == message
    else:
        assert parse_start_line(serialize_response(message)[:-4]) == message


@pytest.mark.parametrize(
    ("value", "cseq"),
    [("7", 7), (" 7\t", 7), ("007", 7), ("4294967295", 2**32 - 1)],
)
def test_cseq_is_read_with_blanks_and_leading_zeros(value, cseq):
    assert Response(200, headers=Headers({"Cseq": value})).cseq == cseq
    assert Request("PLAY", URI, Headers({"CSEQ": value})).cseq == cseq


@pytest.mark.parametrize(
    "value", ["", "x", "-1", "+1", "1_0", "٣", "4294967296", "9" * 5000, "1 2"]
)
def test_a_cseq_that_is_no_number_is_none(value):
    assert Response(200, headers=Headers({"CSeq": value})).cseq is None


def test_a_missing_cseq_is_none():
    assert Response(200).cseq is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0, ())),
        (["0"], (0, ())),
        ([" 12 "], (12, ())),
        (["12", "12"], (12, ("duplicate-content-length",))),
        (["12, 12"], (12, ("duplicate-content-length",))),
        ([""], (0, ("content-length-empty",))),
    ],
)
def test_the_body_has_the_length_that_the_header_gives(values, expected):
    headers = Headers([("Content-length", value) for value in values])
    assert body_length(headers, limits=Limits()) == expected


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2"],
        ["1, 2"],
        ["-1"],
        ["+1"],
        ["1_0"],
        ["٣"],
        ["0x10"],
        ["1.5"],
        ["99999999"],
        ["1 2"],
    ],
)
def test_a_content_length_that_is_no_number_or_not_one_is_an_error(values):
    headers = Headers([("Content-Length", value) for value in values])
    with pytest.raises(RemoteProtocolError):
        body_length(headers, limits=Limits())


def test_a_body_past_the_limit_is_refused_before_it_comes():
    with pytest.raises(LimitExceeded) as caught:
        body_length(Headers({"Content-Length": "131073"}), limits=Limits())
    assert (caught.value.limit, caught.value.actual) == ("body", 131073)


def test_a_request_is_written_by_the_rfc():
    request = Request("SETUP", URI, Headers([("CSeq", "3"), ("Transport", "RTP/AVP;unicast")]))
    assert serialize_request(request) == (
        b"SETUP rtsp://camera/stream RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;unicast\r\n\r\n"
    )


def test_content_length_is_written_by_the_serializer_alone():
    request = Request("SET_PARAMETER", URI, Headers({"CSeq": "3"}), b"a: b\r\n")
    assert serialize_request(request).endswith(b"CSeq: 3\r\nContent-Length: 6\r\n\r\na: b\r\n")
    wrong = Headers([("Content-Length", "99"), ("CSeq", "3"), ("content-length", "1")])
    assert serialize_response(Response(200, "OK", wrong, b"ab")) == (
        b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\nCSeq: 3\r\n\r\nab"
    )
    assert b"Content-Length" not in serialize_response(Response(200, "OK"))


def test_a_response_without_reason_phrase_keeps_the_blank_that_the_rfc_wants():
    assert serialize_response(Response(200)) == b"RTSP/1.0 200 \r\n\r\n"


def test_text_is_written_as_utf_8():
    written = serialize_response(Response(200, "Schön", Headers({"Server": "Kaméra"})))
    assert "Schön".encode() in written
    assert "Kaméra".encode() in written


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "\x0b", "\x7f"])
def test_no_control_character_gets_into_a_head(bad):
    """SECURITY S7: refused at the single writer."""
    fine = Headers({"CSeq": "1"})
    for request in (
        Request(f"PLAY{bad}", URI, fine),
        Request("PLAY", f"rtsp://a/{bad}b", fine),
        Request("PLAY", URI, Headers({f"X{bad}": "1"})),
        Request("PLAY", URI, Headers({"X": f"1{bad}Y: 2"})),
        Request("PLAY", URI, fine, version=f"1.0{bad}"),
    ):
        with pytest.raises(LocalProtocolError):
            serialize_request(request)
    for response in (
        Response(200, f"OK{bad}", fine),
        Response(200, "OK", Headers({"X": bad})),
        Response(200, "OK", fine, version=bad),
    ):
        with pytest.raises(LocalProtocolError):
            serialize_response(response)


@pytest.mark.parametrize(
    "request_",
    [
        Request("PL AY", URI),
        Request("", URI),
        Request("play", URI),
        Request("PLAY", "rtsp://a/b c"),
        Request("PLAY", ""),
        Request("PLAY", URI, Headers({"a b": "1"})),
        Request("PLAY", URI, Headers({"": "1"})),
        Request("PLAY", URI, Headers({"a:b": "1"})),
        Request("PLAY", URI, Headers({"näme": "1"})),
        Request("PLAY", URI, Headers({"X": "\ud800"})),
        Request("PLAY", URI, version="1"),
    ],
)
def test_no_blank_and_nothing_but_tokens_get_into_names(request_):
    """SECURITY S7: a method, a URI and a name are one word each."""
    with pytest.raises(LocalProtocolError):
        serialize_request(request_)


@pytest.mark.parametrize("status_code", [0, 99, 1000, -200])
def test_a_status_code_has_three_digits(status_code):
    with pytest.raises(LocalProtocolError):
        serialize_response(Response(status_code, "X"))


def test_repr_holds_no_secret():
    headers = Headers({"Authorization": "Basic hunter2"})
    request = Request("PLAY", "rtsp://u:hunter2@camera/", headers, b"hunter2")
    response = Response(401, "rtsp://u:hunter2@camera/", headers, b"hunter2")
    assert "hunter2" not in repr(request) + repr(response)
    assert "PLAY" in repr(request)
    assert "401" in repr(response)


def test_deviations_do_not_count_when_messages_are_compared():
    assert Response(200, deviations=("folded-header",)) == Response(200)
    assert Request("PLAY", "*", deviations=("folded-header",)) == Request("PLAY", "*")

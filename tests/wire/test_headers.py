"""Headers: an ordered multi-dict without case; the lines of a head read tolerantly."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.headers import Headers, decode_text, parse_headers

THREE = [("CSeq", "1"), ("WWW-Authenticate", "Basic"), ("www-authenticate", "Digest")]


def test_names_compare_without_regard_to_case():
    headers = Headers(THREE)
    assert headers.get("cseq") == headers.get("CSEQ") == "1"
    assert "cSeQ" in headers
    assert "Session" not in headers
    assert 3 not in headers


def test_get_gives_the_first_and_get_all_every_value_in_order():
    headers = Headers(THREE)
    assert headers.get("WWW-Authenticate") == "Basic"
    assert headers.get_all("WWW-Authenticate") == ["Basic", "Digest"]
    assert headers.get("Session") is None
    assert headers.get("Session", "none") == "none"


def test_brackets_give_the_first_value_or_a_key_error():
    headers = Headers([("CSeq", "1"), ("cseq", "2")])
    assert headers["CSEQ"] == "1"
    with pytest.raises(KeyError, match="Session"):
        headers["Session"]


def test_set_takes_the_place_of_the_first_and_drops_the_others():
    headers = Headers([*THREE, ("Date", "now")])
    headers.set("WWW-AUTHENTICATE", "none")
    assert list(headers) == [("CSeq", "1"), ("WWW-AUTHENTICATE", "none"), ("Date", "now")]
    headers.set("Session", "1")
    assert list(headers)[-1] == ("Session", "1")


def test_remove_drops_every_field_of_that_name_and_none_is_no_error():
    headers = Headers(THREE)
    headers.remove("www-AUTHENTICATE")
    headers.remove("Session")
    assert list(headers) == [("CSeq", "1")]


def test_a_mapping_and_pairs_make_the_same_headers():
    assert Headers({"A": "1", "b": "2"}) == Headers([("a", "1"), ("B", "2")])
    assert len(Headers()) == 0
    assert Headers() != {}


def test_values_keep_their_case_when_compared():
    assert Headers({"A": "x"}) != Headers({"A": "X"})


def test_a_copy_is_changed_apart():
    headers = Headers(THREE)
    other = headers.copy()
    other.add("Session", "1")
    assert len(headers) == 3
    assert len(other) == 4


def test_headers_are_not_hashable_because_they_change():
    with pytest.raises(TypeError):
        hash(Headers())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", 'Digest username="u", response="hunter2"'),
        ("proxy-authorization", "Basic aHVudGVyMg== hunter2"),
        ("WWW-Authenticate", 'Digest realm="r", nonce="hunter2", opaque="o"'),
        ("WWW-Authenticate", "Digest realm=r, NONCE = hunter2"),
        ("WWW-Authenticate", 'Digest nonce="hunter2'),
        ("Authentication-Info", 'nextnonce="hunter2", rspauth="hunter2"'),
        ("Content-Base", "rtsp://user:hunter2@camera/x"),
        ("Content-Base", "rtsp://user:at@hunter2@camera/x"),
        ("KeyMgmt", "prot=mikey; data=hunter2"),
        ("Set-Cookie", "hunter2"),
    ],
)
def test_repr_holds_no_secret(name, value):
    text = repr(Headers([(name, value)]))
    assert "hunter2" not in text
    assert name in text


def test_repr_keeps_what_is_no_secret():
    text = repr(Headers([("WWW-Authenticate", 'Digest realm="cam", nonce="x", qop="auth"')]))
    assert "cam" in text
    assert "qop" in text


def test_plain_lines_are_read_in_order_without_deviation():
    headers, deviations = parse_headers([b"CSeq: 1", b"Session:abc;timeout=5", b"X:"])
    assert list(headers) == [("CSeq", "1"), ("Session", "abc;timeout=5"), ("X", "")]
    assert deviations == ()


def test_a_value_may_hold_colons_and_tabs():
    headers, _ = parse_headers([b"Content-Base:\t rtsp://[::1]:554/\tx \t"])
    assert list(headers) == [("Content-Base", "rtsp://[::1]:554/\tx")]


def test_folded_lines_are_joined_with_one_blank():
    headers, deviations = parse_headers([b"Public: OPTIONS,", b"   PLAY,", b"\tPAUSE  ", b"A: b"])
    assert list(headers) == [("Public", "OPTIONS, PLAY, PAUSE"), ("A", "b")]
    assert deviations == ("folded-header",)


def test_a_fold_before_any_header_and_after_a_bad_line_is_left_out():
    headers, deviations = parse_headers([b"  lost", b"no header", b" lost too", b"A: b"])
    assert list(headers) == [("A", "b")]
    assert deviations == ("malformed-header-line", "folded-header")


def test_blanks_before_the_colon_are_put_up_with():
    headers, deviations = parse_headers([b"CSeq \t: 3"])
    assert list(headers) == [("CSeq", "3")]
    assert deviations == ("blank-before-colon",)


def test_latin_1_is_read_when_it_is_not_utf_8():
    headers, deviations = parse_headers([b"Server: Kam\xe9ra", "X: Kaméra".encode()])
    assert list(headers) == [("Server", "Kaméra"), ("X", "Kaméra")]
    assert deviations == ("latin-1-header",)


@pytest.mark.parametrize("line", [b"no colon", b": no name", b"two words: x", b"n\xe4me: x"])
def test_a_line_that_is_no_header_is_left_out_and_told(line):
    headers, deviations = parse_headers([line, b"CSeq: 1"])
    assert list(headers) == [("CSeq", "1")]
    assert deviations == ("malformed-header-line",)


def test_control_characters_are_taken_out_of_values():
    headers, deviations = parse_headers([b"Server: a\x00b\rc\x7f\x00"])
    assert headers.get("Server") == "abc"
    assert deviations == ("control-character-in-header",)


@pytest.mark.parametrize("line", [b"CS\x00eq: 1", b"CS\req: 1", b"\nCSeq: 1", b"\x7fCSeq"])
def test_a_control_character_in_a_name_is_an_error(line):
    with pytest.raises(RemoteProtocolError, match="control character in a header name"):
        parse_headers([line])


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        ([b"A: b"] * 5, "header_lines"),
        ([b"A" * 9 + b": b"], "header_name"),
        ([b"A: " + b"b" * 17], "header_value"),
        ([b"A: " + b"b" * 10, b" " + b"b" * 10], "header_value"),
    ],
)
def test_each_limit_is_named_by_its_error(lines, limit):
    limits = Limits(header_lines=4, header_name=8, header_value=16)
    with pytest.raises(LimitExceeded) as caught:
        parse_headers(lines, limits=limits)
    assert caught.value.limit == limit


def test_what_is_just_within_the_limits_passes():
    limits = Limits(header_lines=4, header_name=8, header_value=16)
    lines = [b"A" * 8 + b":" + b"b" * 16, b"A:" + b"b" * 8, b" " + b"b" * 7]
    headers, _ = parse_headers(lines, limits=limits)
    assert headers.get_all("A") == ["b" * 8 + " " + "b" * 7]


def test_text_without_control_characters_stays_as_it_is():
    assert decode_text("Grüße".encode()) == ("Grüße", ())


@given(st.lists(st.binary(max_size=40), max_size=6))
@example([b" a", b"b:c", b" d"])
@example([b"a:\xe9\x80\x00"])
def test_any_lines_give_headers_or_the_documented_error(lines):
    before = list(lines)
    try:
        headers, deviations = parse_headers(lines)
    except RemoteProtocolError:
        headers, deviations = Headers(), ()
    assert lines == before
    assert all(isinstance(deviation, str) for deviation in deviations)
    again, none = parse_headers([f"{name}: {value}".encode() for name, value in headers])
    assert again == headers
    assert not none

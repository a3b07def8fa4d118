"""Session, RTP-Info, Public and Content-Type as devices write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.header import (
    RtpInfo,
    SessionHeader,
    parse_content_type,
    parse_public,
    parse_rtp_info,
    parse_session,
    serialize_rtp_info,
    serialize_session,
)


@pytest.mark.parametrize(
    ("value", "session", "deviations"),
    [
        ("12345678", SessionHeader("12345678"), ()),
        ("12345678;timeout=60", SessionHeader("12345678", 60), ()),
        ("       708345999;timeout=60", SessionHeader("708345999", 60), ()),
        (" 9a90de54 ; Timeout = 120 ", SessionHeader("9a90de54", 120), ()),
        ("1;x=y;timeout=20;z", SessionHeader("1", 20), ()),
        ('1;timeout="20"', SessionHeader("1", 20), ()),
        ("1;timeout=1", SessionHeader("1", 1), ()),
        ("1;timeout=0", SessionHeader("1", 0), ("session-timeout-zero",)),
        ("1;timeout=", SessionHeader("1"), ("session-timeout-unusable",)),
        ("1;timeout=-5", SessionHeader("1"), ("session-timeout-unusable",)),
        ("1;timeout=99999999999", SessionHeader("1"), ("session-timeout-unusable",)),
        ("1;timeout=60s", SessionHeader("1", 60), ("session-timeout-odd",)),
        ("1;timeout=60.0", SessionHeader("1", 60), ("session-timeout-odd",)),
        ("1 timeout=60", SessionHeader("1", 60), ("session-blank-for-semicolon",)),
        ("1;timeout=5;timeout=6", SessionHeader("1", 5), ()),
        ("1;", SessionHeader("1"), ()),
        ("a-b_c.d+e$f/=,", SessionHeader("a-b_c.d+e$f/=,"), ()),
    ],
)
def test_quirk_session_with_odd_spaces_parameters_and_timeouts(value, session, deviations):
    found = parse_session(value)
    assert found == session
    assert found.deviations == deviations


@pytest.mark.parametrize("value", ["", " ", ";timeout=60", " ;", "é", "a\0b", "\x7f"])
def test_a_session_without_an_id_that_can_be_sent_back_is_a_typed_error(value):
    with pytest.raises(RemoteProtocolError, match="no session id"):
        parse_session(value)


@pytest.mark.parametrize(
    "session",
    [SessionHeader(""), SessionHeader("a;b"), SessionHeader("a\r\n"), SessionHeader("a", -1)],
)
def test_S7_a_session_that_the_header_cannot_hold_is_refused(session):
    with pytest.raises(LocalProtocolError):
        serialize_session(session)


@given(
    st.lists(
        st.sampled_from(["abc", "1", ";", "timeout", "=", "60", " ", '"', "-", "é"]), max_size=12
    ).map("".join)
    | st.text()
)
def test_a_session_that_is_accepted_round_trips(value):
    try:
        found = parse_session(value)
    except RemoteProtocolError:
        return
    assert parse_session(serialize_session(found)) == found


def test_rtp_info_of_two_streams_is_read():
    value = "url=rtsp://h/a/trackID=1;seq=45102;rtptime=12345678, url=trackID=2;seq=0;rtptime=1"
    assert parse_rtp_info(value) == [
        RtpInfo("rtsp://h/a/trackID=1", 45102, 12345678),
        RtpInfo("trackID=2", 0, 1),
    ]


@pytest.mark.parametrize(
    ("value", "entry", "deviations"),
    [
        ("url=a;seq=1;rtptime=2;", RtpInfo("a", 1, 2), ("rtp-info-trailing-semicolon",)),
        ("url=a;seq=1;rtptime=-1", RtpInfo("a", 1), ("rtp-info-rtptime-unusable",)),
        ("url=a;seq=1;rtptime=4294967296", RtpInfo("a", 1), ("rtp-info-rtptime-unusable",)),
        ("url=a;seq=65536;rtptime=0", RtpInfo("a", None, 0), ("rtp-info-seq-unusable",)),
        ("url=a;seq=", RtpInfo("a"), ("rtp-info-seq-unusable",)),
        ("url=a", RtpInfo("a"), ()),
        ("url=trackID=1;seq=1", RtpInfo("trackID=1", 1), ()),
        ("seq=1;rtptime=2;url=a", RtpInfo("a", 1, 2), ()),
        ("url=;seq=1", RtpInfo("", 1), ("rtp-info-url-missing",)),
        ("seq=1", RtpInfo("", 1), ("rtp-info-url-missing",)),
        ("rtsp://h/a;seq=1", RtpInfo("rtsp://h/a", 1), ("rtp-info-url-unnamed",)),
        (" URL = a ; SEQ = 1 ; RtpTime = 2", RtpInfo("a", 1, 2), ()),
        ('url="rtsp://h/a";seq=1', RtpInfo("rtsp://h/a", 1), ()),
        ("url=rtsp://h/a;b,c;d=e?f=1,2;seq=7", RtpInfo("rtsp://h/a;b,c;d=e?f=1,2", 7), ()),
        ("url=a;ssrc=1;seq=2;extra", RtpInfo("a", 2), ()),
        ("url=rtsp://u:p@h/a;seq=1", RtpInfo("rtsp://h/a", 1), ()),
    ],
)
def test_quirk_rtp_info(value, entry, deviations):
    (found,) = parse_rtp_info(value)
    assert found == entry
    assert found.deviations == deviations


@pytest.mark.parametrize("value", ["", " ", ";", " ; ;"])
def test_quirk_rtp_info_missing_gives_no_entries(value):
    assert parse_rtp_info(value) == []


@pytest.mark.parametrize(
    "entry", [RtpInfo(""), RtpInfo("a b"), RtpInfo("a", 65536), RtpInfo("a", 0, -1)]
)
def test_S7_an_entry_that_rtp_info_cannot_hold_is_refused(entry):
    with pytest.raises(LocalProtocolError):
        serialize_rtp_info([entry])


@given(
    st.lists(
        st.builds(
            RtpInfo,
            st.sampled_from(["rtsp://h/a", "trackID=1", "rtsp://h/a?b=c,d;e=f"]),
            st.none() | st.integers(0, 65_535),
            st.none() | st.integers(0, 2**32 - 1),
        ),
        max_size=4,
    )
)
def test_rtp_info_that_is_written_is_read_back(entries):
    assert parse_rtp_info(serialize_rtp_info(entries)) == entries


@given(
    st.lists(
        st.sampled_from(["url", "=", "seq", "rtptime", ";", ",", "a", "1", "-", '"', " ", "é"]),
        max_size=20,
    ).map("".join)
    | st.text()
)
def test_nothing_escapes_from_rtp_info_and_every_number_is_in_range(value):
    for entry in parse_rtp_info(value):
        assert entry.sequence_number is None or 0 <= entry.sequence_number <= 0xFFFF
        assert entry.rtptime is None or 0 <= entry.rtptime <= 0xFFFFFFFF


@pytest.mark.parametrize(
    "value",
    [
        "OPTIONS, DESCRIBE,SETUP ,play",
        ["OPTIONS,DESCRIBE", "SETUP, PLAY"],
        "OPTIONS DESCRIBE;SETUP,,PLAY, (none), é",
    ],
)
def test_public_is_a_set_of_methods(value):
    assert parse_public(value) == {"OPTIONS", "DESCRIBE", "SETUP", "PLAY"}


def test_quirk_public_missing_is_the_empty_set():
    assert parse_public([]) == parse_public("") == frozenset()


@pytest.mark.parametrize(
    "value", ["application/sdp", "Application/SDP;charset=utf-8", " application/sdp ; x"]
)
def test_quirk_content_type_with_a_charset(value):
    assert parse_content_type(value) == "application/sdp"


def test_long_headers_take_linear_time():
    assert len(parse_rtp_info(",url=a" * 50_000)) == 50_000
    assert parse_rtp_info(", " * 100_000) == []
    assert parse_session("a" + ";timeout=x" * 50_000).timeout is None
    assert parse_public("PLAY, " * 50_000) == {"PLAY"}

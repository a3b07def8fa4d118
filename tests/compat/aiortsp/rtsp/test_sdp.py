from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.compat.aiortsp.rtsp.errors import RTSPError
from rtspkit.compat.aiortsp.rtsp.sdp import SDP
from rtspkit.wire.sdp import parse_sdp

TEXT = (
    "v=0\r\no=- 12 3 IN IP4 192.0.2.1\r\ns=live\r\ni=a camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "a=control:*\r\na=range:npt=0-\r\n"
    "m=audio 0 RTP/AVP 97\r\nb=AS:64\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\na=control:track2\r\n"
    "a=fmtp:97 streamtype=5; mode=AAC-hbr; config=1190\r\n"
    "m=video 0 RTP/AVP 96 98\r\na=rtpmap:96 H264/90000\r\na=rtpmap:98 H265/90000\r\n"
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKQ==,aM4xUg==;\r\n"
    "a=framerate:25.5\r\na=framesize:96 640-360\r\na=control:track1\r\na=recvonly\r\n"
)


def test_it_is_a_dictionary_of_what_the_lines_say():
    sdp = SDP(TEXT)
    assert sdp["version"] == 0
    assert sdp["origin"] == "- 12 3 IN IP4 192.0.2.1"
    assert (sdp["sessionName"], sdp["information"]) == ("live", "a camera")
    assert (sdp["connection"], sdp["time"]) == ("IN IP4 0.0.0.0", (0, 0))
    assert sdp["attributes"]["control"] == "*"
    audio, video = sdp["medias"]
    assert audio["bandwidth"] == ("AS", 64_000)
    assert audio["attributes"]["rtpmap"] == {
        "pt": 97,
        "encoding": "MPEG4-GENERIC",
        "clockRate": 48_000,
    }
    assert (video["type"], video["port"], video["format"]) == ("video", 0, "96 98")
    assert video["attributes"]["framerate"] == 25.5
    assert video["attributes"]["framesize"] == {"pt": 96, "width": 640, "height": 360}
    assert video["attributes"]["recvonly"] is None


def test_it_answers_what_readers_ask():
    sdp = SDP(TEXT)
    assert sdp.media_payload_type() == 96
    assert sdp.media_payload_type("audio") == 97
    assert sdp.media_clock_rate("audio") == 48_000
    assert sdp.guess_h264_props() == "Z0IAKQ==,aM4xUg=="
    assert sdp.setup_url("rtsp://cam/live") == "rtsp://cam/live/track1"
    assert sdp.get_media("text") is None
    assert sdp.media_clock_rate("text") is None
    assert sdp.guess_h264_props(1) is None


@pytest.mark.parametrize(
    ("control", "url"),
    [
        (None, "rtsp://cam/live"),
        ("*", "rtsp://cam/live"),
        ("track1", "rtsp://cam/live/track1"),
        ("rtsp://cam/live/track1", "rtsp://cam/live/track1"),
    ],
)
def test_controls_become_urls(control, url):
    assert SDP.mix_url_control("rtsp://cam/live", control) == url


def test_it_is_made_of_text_bytes_or_what_was_read():
    assert SDP(TEXT) == SDP(TEXT.encode()) == SDP(parse_sdp(TEXT.encode()))


def test_odd_values_stay_as_they_came():
    sdp = SDP("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:x\r\na=fmtp:?\r\na=framesize:1 2\r\n")
    attributes = sdp["medias"][0]["attributes"]
    assert attributes == {"rtpmap": "x", "fmtp": "?", "framesize": "1 2"}
    assert sdp.get_media() is not None


LINES = st.sampled_from([*TEXT.split("\r\n"), "a=rtpmap:", "a=fmtp:96 ;=;", "a=framesize:96 1-"])


@given(st.lists(LINES | st.text(max_size=20), max_size=30).map("\r\n".join))
def test_whatever_the_text_is_it_is_read_or_refused(text):
    try:
        sdp = SDP(text)
    except RTSPError:
        return
    assert sdp.media_clock_rate() is None or sdp.media_clock_rate() >= 0
    assert sdp.setup_url("rtsp://cam/x").startswith("rtsp")

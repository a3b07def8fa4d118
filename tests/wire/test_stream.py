"""Streams, and how they come out of a description."""

import pytest

from rtspkit.wire.sdp import parse_sdp
from rtspkit.wire.stream import Stream, streams_from

BASE = "rtsp://192.0.2.1/live"


def streams(text, base=BASE):
    return streams_from(parse_sdp("v=0\r\n" + text.replace("\n", "\r\n")), base)


def test_every_media_becomes_a_stream_in_order():
    found = streams(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\n"
        "a=framerate:25\na=recvonly\na=control:track1\n"
        "m=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2\na=control:track2\n"
    )
    assert [
        (s.index, s.media, s.encoding_name, s.payload_type, s.clock_rate, s.channels) for s in found
    ] == [(0, "video", "H264", 96, 90000, None), (1, "audio", "opus", 97, 48000, 2)]
    assert found[0].fmtp == {"packetization-mode": "1"}
    assert (found[0].framerate, found[0].direction) == (25.0, "recvonly")
    assert [s.control_url for s in found] == [f"{BASE}/track1", f"{BASE}/track2"]
    assert [(s.parameter_sets, s.transport, s.ssrc) for s in found] == [((), None, None)] * 2


@pytest.mark.parametrize(
    ("control", "base", "url"),
    [
        ("a=control:track1\n", BASE, f"{BASE}/track1"),
        ("a=control:track1\n", BASE + "/", f"{BASE}/track1"),
        ("a=control:/track1\n", BASE, f"{BASE}/track1"),
        ("a=control:track1\n", BASE + "?channel=1", f"{BASE}?channel=1/track1"),
        ("a=control:?ctype=video\n", BASE, f"{BASE}?ctype=video"),
        ("a=control:rtsp://10.0.0.1/x\n", BASE, "rtsp://10.0.0.1/x"),
        ("a=control:rtsp://user:secret@10.0.0.1/x\n", BASE, "rtsp://10.0.0.1/x"),
        ("a=control:*\n", BASE, BASE),
        ("a=control:\n", BASE, BASE),
        ("a=control\n", BASE, BASE),
        ("", BASE, BASE),
    ],
)
def test_the_control_url_is_what_devices_expect(control, base, url):
    (stream,) = streams("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n" + control, base)
    assert stream.control_url == url


def test_a_media_without_a_control_has_the_url_of_the_presentation():
    (stream,) = streams("a=control:rtsp://192.0.2.1/all\nm=video 0 RTP/AVP 26\n")
    assert stream.control_url == "rtsp://192.0.2.1/all"


def test_of_several_formats_the_first_with_a_name_counts():
    (stream,) = streams("m=audio 0 RTP/AVP 96 8\n")
    assert (stream.payload_type, stream.encoding_name) == (8, "PCMA")
    (stream,) = streams("m=audio 0 RTP/AVP 96 97\n")
    assert (stream.payload_type, stream.encoding_name) == (96, "")


@pytest.mark.parametrize(
    "text",
    [
        "m=meta 0 RTP/AVP 123\na=rtpmap:123 META/0\n",
        "m=video\n",
        "m=\n",
        "m=application/X 0 RTP/AVP smart/1/90000\n",
    ],
)
def test_the_clock_rate_is_never_zero(text):
    (stream,) = streams(text)
    assert stream.clock_rate == 90000


def test_the_direction_of_the_session_is_inherited():
    video, audio = streams("a=recvonly\nm=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 0\na=sendonly\n")
    assert (video.direction, audio.direction) == ("recvonly", "sendonly")
    assert (video.back_channel, audio.back_channel) == (False, True)


def test_a_stream_is_selected_by_media_encoding_index_or_itself():
    stream = Stream(1, "video", "H264", 96, 90000)
    other = Stream(1, "video", "H264", 96, 90000)
    assert all(stream.matches(select) for select in ("video", "VIDEO", "h264", 1, stream))
    assert not any(stream.matches(select) for select in ("audio", "H265", 0, other))

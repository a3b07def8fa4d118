"""Writing a description: by the RFC, or not at all."""

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.sdp import (
    Connection,
    MediaDescription,
    Origin,
    PayloadFormat,
    SessionDescription,
    parse_sdp,
    serialize_sdp,
)

FULL = SessionDescription(
    origin=Origin("-", 7, 8, "IN", "IP4", "192.0.2.1"),
    session_name="Camera",
    information="Yard",
    connection=Connection("0.0.0.0"),
    bandwidth={"AS": 5000},
    timing=((0, 0),),
    control="*",
    range="npt=now-",
    media=(
        MediaDescription(
            "video",
            formats=("96",),
            payload_formats=(
                PayloadFormat(96, "H264", 90000, fmtp={"packetization-mode": "1", "x": ""}),
            ),
            connection=Connection("233.252.0.1", ttl=4, count=2),
            bandwidth={"AS": 4000},
            direction="recvonly",
            framerate=12.5,
            control="track1",
            title="Picture",
        ),
        MediaDescription(
            "audio",
            payload_formats=(
                PayloadFormat(0, "PCMU", 8000, 1),
                PayloadFormat(97, "MPEG4-GENERIC", 48000, 2, fmtp_raw="mode=AAC-hbr; config=1190"),
            ),
            port_count=2,
            control="track2",
        ),
    ),
)

TEXT = """v=0
o=- 7 8 IN IP4 192.0.2.1
s=Camera
i=Yard
c=IN IP4 0.0.0.0
b=AS:5000
t=0 0
a=control:*
a=range:npt=now-
m=video 0 RTP/AVP 96
i=Picture
c=IN IP4 233.252.0.1/4/2
b=AS:4000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1; x
a=framerate:12.5
a=recvonly
a=control:track1
m=audio 0/2 RTP/AVP 0 97
a=rtpmap:97 MPEG4-GENERIC/48000/2
a=fmtp:97 mode=AAC-hbr; config=1190
a=control:track2
""".replace("\n", "\r\n").encode()


def test_the_fields_of_a_description_made_by_hand_are_written_in_the_order_of_the_rfc():
    assert serialize_sdp(FULL) == TEXT


def test_what_was_written_is_read_without_a_deviation_and_written_the_same():
    description = parse_sdp(TEXT)
    assert description.deviations == ()
    assert serialize_sdp(description) == TEXT
    assert parse_sdp(serialize_sdp(description)) == description


def test_what_a_description_must_have_is_filled_in():
    written = serialize_sdp(SessionDescription())
    assert written == b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns= \r\nt=0 0\r\n"
    assert parse_sdp(written).deviations == ()


def test_attributes_are_not_written_twice():
    media = parse_sdp(TEXT).media[0]
    assert media.attributes.count(("control", "track1")) == 1
    written = serialize_sdp(SessionDescription(media=(media,)))
    assert written.count(b"a=control") == written.count(b"a=rtpmap") == 1


@pytest.mark.parametrize(
    "description",
    [
        SessionDescription(session_name="x\r\na=control:rtsp://elsewhere/"),
        SessionDescription(session_name="x\0"),
        SessionDescription(session_name="x\ud800"),
        SessionDescription(attributes=[("a b", None)]),
        SessionDescription(attributes=[("a:b", "c")]),
        SessionDescription(attributes=[("", None)]),
        SessionDescription(attributes=[("tool", "x\ny")]),
        SessionDescription(bandwidth={"A S": 1}),
        SessionDescription(connection=Connection("192.0.2.1 192.0.2.2")),
        SessionDescription(origin=Origin(address="a b")),
        SessionDescription(media=(MediaDescription("video"),)),
        SessionDescription(media=(MediaDescription("", formats=("96",)),)),
        SessionDescription(media=(MediaDescription("video", protocol="", formats=("96",)),)),
        SessionDescription(media=(MediaDescription("video", formats=("96 97",)),)),
        SessionDescription(media=(MediaDescription("video", formats=("96",), control="a\nb"),)),
    ],
)
def test_what_a_line_cannot_hold_is_refused(description):
    with pytest.raises(LocalProtocolError):
        serialize_sdp(description)

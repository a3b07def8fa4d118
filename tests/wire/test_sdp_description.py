"""The values of a description: access to attributes, back channels, no secrets printed."""

import pytest

from rtspkit.wire.sdp_attributes import RtcpFeedback, SourceFilter
from rtspkit.wire.sdp_description import MediaDescription, SessionDescription

SECRET = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"

MEDIA = MediaDescription(
    "video",
    attributes=[
        ("rtcp-mux", None),
        ("Range", "npt=0-"),
        ("extmap", "1 urn:a"),
        ("extmap", "1 urn:b"),
        ("extmap", "2/recvonly urn:c"),
        ("extmap", "broken"),
        ("crypto", f"1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}"),
        ("crypto", "broken"),
        ("key-mgmt", f"mikey {SECRET}"),
        ("rtcp-fb", "* nack pli"),
        ("rtcp-fb", "broken"),
        ("source-filter", " incl IN IP4 * 192.0.2.10"),
        ("ssrc", "1 cname:x"),
        ("ssrc", "1 msid:y z"),
        ("ssrc", "2 cname:w"),
        ("ssrc", "broken"),
    ],
)


def test_attributes_are_found_by_name_in_any_case_of_letters():
    assert MEDIA.get("RTCP-MUX") == ""
    assert MEDIA.get("extmap") == "1 urn:a"
    assert MEDIA.get("absent") is None
    assert MEDIA.get_all("rtcp-fb") == ["* nack pli", "broken"]
    assert MEDIA.range == "npt=0-"
    assert MEDIA.rtcp_mux
    assert not MediaDescription("video").rtcp_mux


def test_structured_attributes_leave_out_what_cannot_be_read():
    assert MEDIA.extmap() == {1: "urn:a", 2: "urn:c"}
    assert [crypto.tag for crypto in MEDIA.crypto()] == [1]
    assert [message.protocol for message in MEDIA.key_management()] == ["mikey"]
    assert MEDIA.rtcp_feedback() == [RtcpFeedback(None, "nack pli")]
    assert MEDIA.source_filters() == [SourceFilter("incl", "IP4", "*", ("192.0.2.10",))]
    assert MEDIA.ssrcs() == {1: {"cname": "x", "msid": "y z"}, 2: {"cname": "w"}}


def test_no_key_is_printed():
    description = SessionDescription(media=(MEDIA,), attributes=[("key-mgmt", f"mikey {SECRET}")])
    assert SECRET not in repr(description)
    assert SECRET not in repr(MEDIA.crypto() + MEDIA.key_management())


def test_deviations_do_not_make_a_description_another_one():
    assert SessionDescription(deviations=("blank-line",)) == SessionDescription()


VIDEO = MediaDescription("video", direction="recvonly")
SPEAKER = MediaDescription("audio", direction="sendonly")
PLAIN = MediaDescription("audio")
SENDING_VIDEO = MediaDescription("video", direction="sendonly")


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ((VIDEO, SPEAKER), (False, True)),
        ((VIDEO, PLAIN, SPEAKER), (False, False, True)),
        ((SENDING_VIDEO, SPEAKER), (False, True)),
        ((SENDING_VIDEO, PLAIN), (False, False)),
        ((SPEAKER,), (False,)),
        ((SPEAKER, SPEAKER), (False, False)),
        ((), ()),
    ],
)
def test_only_sendonly_audio_beside_something_to_receive_is_a_back_channel(media, expected):
    assert SessionDescription(media=media).back_channels() == expected


def test_the_direction_of_the_session_is_that_of_media_without_their_own():
    description = SessionDescription(attributes=[("SendOnly", None)], media=(VIDEO, PLAIN))
    assert description.direction == "sendonly"
    assert description.back_channels() == (False, True)
    assert SessionDescription().direction is None

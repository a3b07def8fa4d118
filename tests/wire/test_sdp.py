"""Reading session descriptions, above all those that cameras get wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.sdp import Connection, Origin, parse_sdp, serialize_sdp
from rtspkit.wire.stream import streams_from

HEAD = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=Camera\r\nt=0 0\r\n"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
AUDIO = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\na=fmtp:97 config=1190\r\n"
AUDIO += "a=control:track2\r\n"


def read(text):
    return parse_sdp(text.replace("\r\n", "\n").replace("\n", "\r\n"))


def check(text, *deviations):
    """The description, which must have these deviations and no others."""
    description = read(text)
    assert set(description.deviations) == set(deviations)
    return description


def test_a_description_by_the_rfc_is_read_without_a_deviation():
    description = check(
        HEAD.replace("t=0 0", "i=Yard\r\nu=http://192.0.2.1/\r\ne=x@example.com\r\np=+1 617 555"
        "\r\nc=IN IP4 0.0.0.0\r\nb=AS:5050\r\nt=0 0\r\nr=7d 1h 0 25h\r\nz=0 -1h")
        + "a=control:*\r\na=range:npt=0-596.48\r\n"
        + VIDEO
        + AUDIO
    )  # fmt: skip
    assert description.origin == Origin("-", 1, 2, "IN", "IP4", "192.0.2.1")
    assert (description.session_name, description.information) == ("Camera", "Yard")
    assert description.connection == Connection("0.0.0.0")
    assert description.bandwidth == {"AS": 5050}
    assert description.timing == ((0, 0),)
    assert (description.control, description.range) == ("*", "npt=0-596.48")
    video, audio = description.media
    assert (video.media, video.protocol, video.formats) == ("video", "RTP/AVP", ("96",))
    assert (video.control, audio.control) == ("track1", "track2")
    (payload_format,) = audio.payload_formats
    assert payload_format.encoding_name == "MPEG4-GENERIC"
    assert (payload_format.clock_rate, payload_format.channels) == (48000, 2)
    assert payload_format.fmtp == {"config": "1190"}


def test_bytes_text_and_views_give_the_same():
    data = (HEAD + VIDEO).encode()
    expected = parse_sdp(data)
    for form in (data.decode(), bytearray(data), memoryview(data)):
        assert parse_sdp(form) == expected


def test_wrong_python_types_are_type_errors():
    for wrong in (None, 5, ["v=0"]):
        with pytest.raises(TypeError):
            parse_sdp(wrong)


# QUIRKS, "SDP", first line


def test_quirk_no_version():
    assert check((HEAD + VIDEO).removeprefix("v=0\r\n"), "version-missing").version == 0


def test_quirk_another_version():
    assert check((HEAD + VIDEO).replace("v=0", "v=1"), "version-unknown").version == 0


def test_quirk_no_origin():
    assert check("v=0\r\ns=x\r\nt=0 0\r\n" + VIDEO, "origin-missing").origin is None


def test_quirk_nothing_but_media():
    description = check(
        VIDEO, "version-missing", "origin-missing", "session-name-missing", "timing-missing"
    )
    assert description.media[0].control == "track1"


@pytest.mark.parametrize(
    ("value", "origin", "deviations"),
    [
        ("- 1001 1 IN", Origin("-", 1001, 1), {"origin-malformed", "address-type"}),
        ("1001 IN IP4 h", Origin("1001", None, None, address="h"), {"origin-malformed"}),
        ("-0 0 IN IP4 h", Origin("-", 0, 0, address="h"), {"origin-malformed"}),
    ],
)
def test_quirk_an_origin_with_too_few_fields(value, origin, deviations):
    assert check(HEAD.replace("- 1 2 IN IP4 192.0.2.1", value), *deviations).origin == origin


@pytest.mark.parametrize("digits", [20, 38, 400])
def test_quirk_overlong_session_ids(digits):
    description = read(HEAD.replace("- 1 2", f"- {'9' * digits} 2") + VIDEO)
    assert description.origin is not None
    assert description.origin.session_version == 2
    assert len(description.media) == 1
    assert bool(description.deviations) is (digits == 400)


def test_quirk_several_session_names():
    description = check(HEAD.replace("t=", "s=Other\r\nt=") + VIDEO, "session-name-repeated")
    assert description.session_name == "Camera"


def test_quirk_session_lines_inside_a_media():
    text = HEAD + "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\ns=RtspServer\r\ni=live\r\n"
    description = check(text + "a=rtpmap:96 H264/90000\r\n", "session-name-repeated", "line-order")
    assert description.session_name == "Camera"
    assert description.media[0].title == "live"


@pytest.mark.parametrize("value", ["now-", "", "0", "A 0", "0 0 0", "-1 0"])
def test_quirk_a_time_that_is_none(value):
    description = check(HEAD.replace("t=0 0", f"t={value}") + VIDEO, "timing-malformed")
    assert description.timing == ()


@pytest.mark.parametrize("value", ["", "IN", "IN IP4", "SM SM spk0_trackID2", "0 0"])
def test_quirk_a_broken_connection(value):
    description = read(HEAD.replace("t=", f"c={value}\r\nt=") + VIDEO)
    assert "connection-malformed" in description.deviations
    assert description.connection is None


def test_quirk_a_doubled_connection():
    line = "c=IN IP4 192.0.2.7\r\n"
    text = HEAD + VIDEO.replace("a=rtpmap", line + "c=SM SM spk0\r\na=rtpmap")
    assert check(text, "connection-malformed").media[0].connection == Connection("192.0.2.7")
    text = HEAD + VIDEO.replace("a=rtpmap", line + "c=IN IP4 192.0.2.8\r\na=rtpmap")
    assert check(text, "connection-repeated").media[0].connection == Connection("192.0.2.7")


def test_quirk_in_ip4_twice():
    description = check(
        HEAD.replace("t=", "c=IN IP4 IN IP4 192.0.2.7\r\nt="), "connection-malformed"
    )
    assert description.connection == Connection("192.0.2.7")


@pytest.mark.parametrize("blanks", [" ", "\t", " \t \t"])
def test_quirk_tabs_and_blanks_at_line_ends(blanks):
    text = (HEAD + VIDEO).replace("\r\n", blanks + "\r\n")
    assert check(text, "blanks-around-line") == read(HEAD + VIDEO)


@pytest.mark.parametrize("value", ["0S", "", "0", "-25", "1e3", "25 fps", "nan", "inf"])
def test_quirk_a_framerate_that_is_none(value):
    description = check(f"{HEAD}{VIDEO}a=framerate:{value}\r\n", "framerate-malformed")
    assert description.media[0].framerate is None


def test_quirk_after_a_framerate_that_is_none_the_next_one_counts():
    text = HEAD + VIDEO + "a=framerate:0S\r\na=framerate:12.5\r\na=framerate:25\r\n"
    assert check(text, "framerate-malformed").media[0].framerate == 12.5


# QUIRKS, "SDP", second line


def test_quirk_a_media_with_a_format_that_is_no_number():
    text = HEAD + VIDEO + AUDIO + "m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\n"
    text += "a=rtpmap:95 TP-LINK/90000\r\na=control:track3\r\n"
    description = check(text, "payload-type-malformed", "rtpmap-misplaced")
    video, audio, other = streams_from(description, "rtsp://192.0.2.1/")
    assert (video.encoding_name, audio.encoding_name) == ("H264", "MPEG4-GENERIC")
    assert (other.media, other.payload_type) == ("application/TP-LINK", None)
    assert other.control_url == "rtsp://192.0.2.1/track3"


@pytest.mark.parametrize(
    ("media", "rtpmap", "name"),
    [
        ("application", "vnd.onvif.metadata/90000", "vnd.onvif.metadata"),
        ("metadata", "METADATA/90000", "METADATA"),
        ("text", "object-detection/1000", "object-detection"),
    ],
)
def test_quirk_other_media_are_streams_of_their_own(media, rtpmap, name):
    description = check(f"{HEAD}m={media} 0 RTP/AVP 98\r\na=rtpmap:98 {rtpmap}\r\n")
    (stream,) = streams_from(description, "rtsp://192.0.2.1/")
    assert (stream.media, stream.encoding_name) == (media, name)


def test_quirk_meta_with_a_blank_in_its_rtpmap_and_a_clock_of_zero():
    text = HEAD + "m=meta 0 RTP/AVP 123\r\na=rtpmap:123 META /0\r\n"
    (media,) = check(text, "rtpmap-blanks", "clock-rate-zero").media
    (found,) = media.payload_formats
    assert (found.encoding_name, found.clock_rate) == ("META", 0)


def test_quirk_a_port_that_is_not_zero():
    assert check(HEAD + VIDEO.replace("video 0", "video 49170")).media[0].port == 49170


@pytest.mark.parametrize("rtpmap", ["96  H264/90000", "96\tH264/90000", " 96 H264/90000"])
def test_quirk_blanks_around_the_payload_type_of_an_rtpmap(rtpmap):
    (media,) = check(f"{HEAD}m=video 0 RTP/AVP 96\r\na=rtpmap:{rtpmap}\r\n").media
    assert media.payload_formats[0].encoding_name == "H264"


@pytest.mark.parametrize("rtpmap", ["96 H264 /90000", "96 H264/ 90000", "96 H264 90000"])
def test_quirk_blanks_inside_an_rtpmap(rtpmap):
    text = f"{HEAD}m=video 0 RTP/AVP 96\r\na=rtpmap:{rtpmap}\r\n"
    (found,) = check(text, "rtpmap-blanks").media[0].payload_formats
    assert (found.encoding_name, found.clock_rate) == ("H264", 90000)


def test_quirk_no_rtpmap_for_a_static_payload_type():
    (found,) = check(HEAD + "m=audio 0 RTP/AVP 8\r\n").media[0].payload_formats
    assert (found.encoding_name, found.clock_rate, found.from_rtpmap) == ("PCMA", 8000, False)


def test_quirk_no_rtpmap_for_a_dynamic_payload_type():
    (found,) = check(HEAD + "m=video 0 RTP/AVP 96\r\n", "rtpmap-missing").media[0].payload_formats
    assert (found.encoding_name, found.clock_rate) == ("", 90000)


def test_quirk_payload_type_35_for_h264():
    text = HEAD + "m=video 0 RTP/AVP 35\r\na=rtpmap:35 H264/90000\r\na=fmtp:35 a=b\r\n"
    (found,) = check(text).media[0].payload_formats
    assert (found.payload_type, found.encoding_name, found.fmtp) == (35, "H264", {"a": "b"})


def test_quirk_payload_type_0_remapped():
    text = HEAD + "m=video 0 RTP/AVP 0\r\na=rtpmap:0 H264/90000\r\n"
    (found,) = check(text).media[0].payload_formats
    assert (found.payload_type, found.encoding_name, found.clock_rate) == (0, "H264", 90000)


def test_quirk_payload_type_8_mapped_to_the_other_law():
    text = HEAD + "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMU/8000/1\r\n"
    assert check(text).media[0].payload_formats[0].encoding_name == "PCMU"


@pytest.mark.parametrize("payload_type", [0, 8, 96])
def test_quirk_g711_at_16_khz(payload_type):
    text = f"{HEAD}m=audio 0 RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} PCMU/16000\r\n"
    (found,) = check(text).media[0].payload_formats
    assert (found.encoding_name, found.clock_rate) == ("PCMU", 16000)


# QUIRKS, "SDP", third line


@pytest.mark.parametrize("line", ["a=fmtp:96", "a=fmtp:96 "])
def test_quirk_an_empty_fmtp(line):
    description = read(f"{HEAD}{VIDEO}{line}\r\n")
    assert "fmtp-empty" in description.deviations
    (found,) = description.media[0].payload_formats
    assert (found.fmtp, found.fmtp_raw) == ({}, "")


@pytest.mark.parametrize("name", ["rtpmap", "fmtp"])
def test_quirk_an_fmtp_or_rtpmap_on_the_wrong_media(name):
    lines = {"rtpmap": "a=rtpmap:97 opus/48000/2\r\n", "fmtp": "a=fmtp:97 x=y\r\n"}
    audio = "m=audio 0 RTP/AVP 97\r\n" + "".join(v for k, v in lines.items() if k != name)
    for text in (
        HEAD + VIDEO + lines[name] + audio + "a=control:2\r\n",
        HEAD + audio + "a=control:2\r\n" + VIDEO + lines[name],
        HEAD + lines[name] + VIDEO + audio + "a=control:2\r\n",
    ):
        description = check(text, f"{name}-misplaced")
        (media,) = (one for one in description.media if one.media == "audio")
        (found,) = media.payload_formats
        assert (found.encoding_name, found.fmtp) == ("opus", {"x": "y"})
        assert parse_sdp(serialize_sdp(description)) == description


def test_quirk_a_misplaced_fmtp_that_two_media_could_claim_goes_to_neither():
    text = HEAD + "a=fmtp:96 x=y\r\n" + VIDEO + VIDEO
    description = check(text, "fmtp-misplaced")
    assert [media.payload_formats[0].fmtp for media in description.media] == [{}, {}]


def h264(sets):
    return f"{HEAD}{VIDEO}a=fmtp:96 sprop-parameter-sets={sets}\r\n"


def test_quirk_hexadecimal_where_base64_is_expected():
    check(h264("6742001ef4028020,68ce3c80"), "parameter-set-hexadecimal")


def test_quirk_base64_where_hexadecimal_is_expected():
    description = check(HEAD + AUDIO.replace("config=1190", "config=EZA="), "config-base64")
    assert description.media[0].payload_formats[0].fmtp == {"config": "EZA="}


@pytest.mark.parametrize("sets", ["!", "Z0I*,aM48gA==", "QgEBAWAAAAMAAA=="])
def test_quirk_corrupt_parameter_sets(sets):
    description = check(h264(sets), "parameter-set-malformed")
    assert description.media[0].payload_formats[0].fmtp == {"sprop-parameter-sets": sets}


def test_quirk_trailing_bytes_in_a_parameter_set():
    check(h264("Z00AKpWoHgCJ+WbgICAgQAAAAAE=,aO48gAAAAAE="), "parameter-set-trailing-bytes")


def test_quirk_h265_without_vps():
    text = HEAD + VIDEO.replace("H264", "H265")
    text += "a=fmtp:96 sprop-sps=QgEBAWAAAAM=;sprop-pps=RAHgdrAmQA==\r\n"
    check(text, "vps-missing")


def test_quirk_aac_without_config():
    check(HEAD + AUDIO.replace("config=1190", "mode=AAC-hbr"), "config-missing")


def test_quirk_media_wrongly_sendonly():
    text = HEAD + VIDEO + "a=sendonly\r\n" + AUDIO
    description = check(text, "sendonly-from-server")
    assert [s.back_channel for s in streams_from(description, "rtsp://h/")] == [False, False]
    text = HEAD + AUDIO + "a=sendonly\r\n"
    description = check(text, "sendonly-from-server")
    assert [s.back_channel for s in streams_from(description, "rtsp://h/")] == [False]


def test_a_back_channel_is_no_deviation():
    description = check(HEAD + VIDEO + AUDIO + "a=sendonly\r\n")
    assert [s.back_channel for s in streams_from(description, "rtsp://h/")] == [False, True]


# Siblings of the quirks above


def test_line_feeds_alone_end_lines():
    description = parse_sdp((HEAD + VIDEO).replace("\r\n", "\n"))
    assert description == read(HEAD + VIDEO)
    assert description.deviations == ("line-feed-only",)


def test_carriage_returns_alone_end_lines():
    description = parse_sdp((HEAD + VIDEO).replace("\r\n", "\r"))
    assert description == read(HEAD + VIDEO)
    assert description.deviations == ("carriage-return-only",)


@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        (lambda text: text.removesuffix("\r\n"), "last-line-unfinished"),
        (lambda text: text + "\0", "trailing-nul"),
        (lambda text: "\ufeff" + text, "byte-order-mark"),
        (lambda text: text.replace("\r\n", "\r\n\r\n"), "blank-line"),
        (lambda text: text.replace("a=rtpmap", "?\r\na=rtpmap"), "line-malformed"),
        (lambda text: text.replace("a=rtpmap", "y=1\r\na=rtpmap"), "line-malformed"),
        (lambda text: text.replace("a=rtpmap", "a=x\0y\r\na=rtpmap"), "line-malformed"),
        (lambda text: text.replace("a=rtpmap", "a=\r\na=rtpmap"), "attribute-malformed"),
        (lambda text: text.replace("a=rtpmap", "a=:x\r\na=rtpmap"), "attribute-malformed"),
        (lambda text: text.replace("a=rtpmap", "b=AS\r\na=rtpmap"), "bandwidth-malformed"),
        (lambda text: text.replace("a=rtpmap", "b=X-:\r\na=rtpmap"), "bandwidth-malformed"),
        (lambda text: text.replace("t=0 0", "o=x 1 1 IN IP4 h\r\nt=0 0"), "origin-repeated"),
    ],
)
def test_a_broken_line_is_left_out_and_the_rest_is_read(change, deviation):
    description = parse_sdp(change(HEAD + VIDEO))
    assert description == read(HEAD + VIDEO)
    assert deviation in description.deviations


@pytest.mark.parametrize("text", ["m=", "m=video", "m=video 0", "m=video 0 RTP/AVP", "m=video A"])
def test_a_media_line_cut_short_still_begins_a_media(text):
    description = read(f"{HEAD}{VIDEO}{text}\r\na=control:second\r\n")
    assert "media-line-malformed" in description.deviations
    assert [media.control for media in description.media] == ["track1", "second"]


def test_latin_1_is_read_where_it_is_no_utf_8():
    description = parse_sdp(HEAD.replace("Camera", "Caméra").encode("latin-1") + VIDEO.encode())
    assert (description.session_name, description.deviations) == ("Caméra", ("not-utf-8",))
    assert parse_sdp(HEAD.replace("Camera", "Caméra")).deviations == ()


def test_lines_in_another_order_are_read():
    text = HEAD.replace("s=", "a=control:*\r\ns=") + VIDEO
    assert check(text, "line-order").control == "*"


def test_the_first_control_counts_and_user_info_is_taken_out():
    text = HEAD + "a=control:rtsp://user:secret@192.0.2.1/all\r\n" + VIDEO + "a=control:other\r\n"
    description = check(text, "control-userinfo")
    assert description.control == "rtsp://192.0.2.1/all"
    assert description.media[0].control == "track1"
    assert "secret" not in repr(description)


def test_several_media_without_a_control_are_reported():
    text = HEAD + (VIDEO + AUDIO).replace("a=control:track1\r\n", "")
    assert check(text, "control-missing").media[0].control is None
    check(HEAD + VIDEO.replace("a=control:track1\r\n", ""))


def test_an_fmtp_in_two_lines_is_one():
    description = check(HEAD + VIDEO + "a=fmtp:96 a=1\r\na=fmtp:96 b=2\r\n", "fmtp-repeated")
    assert description.media[0].payload_formats[0].fmtp == {"a": "1", "b": "2"}


def test_all_formats_of_a_media_are_kept_in_order():
    text = HEAD + "m=audio 0 RTP/AVP 0 97 0 8\r\na=rtpmap:97 opus/48000/2\r\n"
    (media,) = check(text).media
    assert [f.encoding_name for f in media.payload_formats] == ["PCMU", "opus", "PCMU", "PCMA"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\r\n\r\n", "is empty"),
        (b"<html></html>", "begins with '<html></html>'"),
        (b"\xff\xd8\xff\xe0", "begins with"),
        (b"a=control:*\r\n", "begins with 'a=control:"),
    ],
)
def test_what_is_no_description_is_refused_with_its_first_bytes(data, words):
    with pytest.raises(RemoteProtocolError, match="no session description") as caught:
        parse_sdp(data)
    assert words in str(caught.value)
    assert caught.value.phase == "describe"


# Whatever the bytes are

LINES = st.sampled_from(
    [
        *(HEAD + VIDEO + AUDIO).split("\r\n"),
        "m=audio 0 RTP/AVP 0 96 97 x",
        "m=video",
        "c=IN IP4 233.252.0.1/4/2",
        "c=IN IP4 h//3",
        "o=a b 1 2 IN IP4 IN",
        "a=fmtp:96",
        "a=fmtp:96 a=b",
        "a=rtpmap:0 x/0",
        "a=rtpmap:096 x/1",
        "a=sendonly",
        "a=framerate:25.0",
        "a=control",
        "a=x y:z",
        "b=AS:1",
        "b=A S:1",
        "i=",
        "s=\x85",
        "?",
        "",
    ]
)
TEXTS = st.lists(
    LINES
    | st.builds("{}={}".format, st.sampled_from("vosiuepcbtrzkam"), st.text(max_size=12))
    | st.text(max_size=8),
    max_size=16,
).map("\r\n".join)


@given(st.binary(max_size=200) | TEXTS.map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_description_or_the_documented_error(data):
    buffer = bytearray(data)
    try:
        description = parse_sdp(buffer)
    except RemoteProtocolError:
        assert buffer == data
        return
    assert buffer == data
    assert len(set(description.deviations)) == len(description.deviations)
    streams = streams_from(description, "rtsp://192.0.2.1/live")
    assert len(streams) == len(description.media)
    assert all(stream.clock_rate > 0 for stream in streams)


@settings(max_examples=300)
@given(TEXTS)
def test_what_is_read_survives_writing_and_reading(text):
    try:
        description = parse_sdp(HEAD + text)
        written = serialize_sdp(description)
    except (RemoteProtocolError, LocalProtocolError):
        return
    again = parse_sdp(written)
    assert again.media == description.media
    assert again.attributes == description.attributes
    assert again.connection == description.connection
    assert serialize_sdp(again) == written
    assert parse_sdp(serialize_sdp(again)) == again


@given(st.integers(0, len(HEAD + VIDEO + AUDIO)), st.binary(max_size=3))
def test_a_description_cut_and_changed_anywhere_is_read_or_refused(position, noise):
    data = (HEAD + VIDEO + AUDIO).encode()
    for changed in (data[:position], data[:position] + noise + data[position + len(noise) :]):
        try:
            found = parse_sdp(changed)
        except RemoteProtocolError:
            assert not any(kind in changed for kind in (b"v=0\r\n", b"\r\no=-", b"\r\nm=video"))
        else:
            assert len(found.media) <= 5

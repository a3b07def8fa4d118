"""Which streams are set up, for every way to ask for them."""

import pytest

from rtspkit.engine.selection import select_streams
from rtspkit.errors import RemoteProtocolError, StreamNotFound
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)
SECOND = Stream(1, "video", "H265", 97, 90_000)
AUDIO = Stream(2, "audio", "PCMU", 0, 8000)
META = Stream(3, "application", "VND.ONVIF.METADATA", 98, 90_000)
TALK = Stream(4, "audio", "PCMA", 8, 8000, direction="sendonly", back_channel=True)
OFF = Stream(5, "audio", "OPUS", 99, 48_000, direction="inactive")
ALL = (VIDEO, SECOND, AUDIO, META, TALK, OFF)

WISHES = [
    (None, (VIDEO, SECOND, AUDIO, META)),
    ("video", (VIDEO, SECOND)),
    ("VIDEO", (VIDEO, SECOND)),
    ("H265", (SECOND,)),
    ("h264", (VIDEO,)),
    ("audio", (AUDIO, TALK, OFF)),
    (2, (AUDIO,)),
    (AUDIO, (AUDIO,)),
    (TALK, (TALK,)),
    (["audio", 0], (VIDEO, AUDIO, TALK, OFF)),
    ((AUDIO, "video", 1), (VIDEO, SECOND, AUDIO)),
    (lambda stream: stream.clock_rate == 8000, (AUDIO, TALK)),
]


@pytest.mark.parametrize(("wish", "chosen"), WISHES)
def test_a_wish_gives_its_streams_in_the_order_of_the_description(wish, chosen):
    assert select_streams(ALL, wish) == chosen


def test_when_the_marks_leave_nothing_they_are_wrong():
    assert select_streams((TALK, OFF)) == (TALK, OFF)
    assert select_streams((OFF,)) == (OFF,)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("text", "no stream is 'text'"),
        (9, "no stream is 9"),
        (-1, "no stream is -1"),
        (["video", "AV1"], "no stream is 'AV1'"),
        ([], "the selection is empty"),
        (lambda stream: False, "the predicate takes no stream"),
        (Stream(0, "video", "H264", 96, 90_000), "no stream is Stream"),
    ],
)
def test_what_is_not_there_is_an_error_that_lists_what_is(wish, words):
    with pytest.raises(StreamNotFound, match=words) as caught:
        select_streams(ALL, wish)
    assert "0: video H264, 1: video H265, 2: audio PCMU" in str(caught.value)


@pytest.mark.parametrize("wish", [None, "video", []])
def test_a_description_without_media_is_the_servers_fault(wish):
    with pytest.raises(RemoteProtocolError, match="no media") as caught:
        select_streams((), wish)
    assert caught.value.phase == "describe"


@pytest.mark.parametrize("part", [None, 2.5, ["video"]])
def test_what_can_name_no_stream_is_a_type_error_that_says_so(part):
    with pytest.raises(TypeError, match="by name, index or itself"):
        select_streams(ALL, [part])

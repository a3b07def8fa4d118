"""Where the next message or frame begins, in bytes that may be anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LimitExceeded
from rtspkit.options import Limits
from rtspkit.wire.resync import HOLD, Beginning, Garbage, begins, find_reply, find_start

RTP = b"$\x00\x00\x0c\x80" + bytes(11)


def begin(data, channels=()):
    return begins(memoryview(data), 0, len(data), set(channels))


@pytest.mark.parametrize("channels", [(), (0, 1)])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"RTSP/1.0 200 OK", Beginning.MESSAGE),
        (b"rtsp/1.0 200 OK", Beginning.MESSAGE),
        (b"OPTIONS * RTSP/1.0", Beginning.MESSAGE),
        (b"SET_PARAMETER rtsp://a RTSP/1.0", Beginning.MESSAGE),
        (b"RTSP/1.0", Beginning.UNKNOWN),
        (b"R", Beginning.UNKNOWN),
        (b"r", Beginning.UNKNOWN),
        (b"OPTIONS", Beginning.UNKNOWN),
        (b"", Beginning.UNKNOWN),
        (b"\r\nRTSP", Beginning.BLANK),
        (b"\n", Beginning.BLANK),
        (b"HTTP/1.1 400 Bad Request", Beginning.NOTHING),
        (b"SSH-2.0-OpenSSH_9", Beginning.NOTHING),
        (b"220 mail", Beginning.NOTHING),
        (b"rude", Beginning.NOTHING),
        (b"RTSX/1.0 200 OK", Beginning.NOTHING),
        (b"RTSP/x.0 200 OK", Beginning.NOTHING),
        (b"A B", Beginning.NOTHING),
        (b"A" * 33, Beginning.NOTHING),
        (b"\x00", Beginning.NOTHING),
        (b"\xff", Beginning.NOTHING),
        (RTP, Beginning.FRAME),
        (RTP[:4], Beginning.FRAME),
        (RTP[:3], Beginning.UNKNOWN),
    ],
)
def test_what_may_begin_at_a_boundary(data, expected, channels):
    assert begin(data, channels) is expected


def test_a_method_of_no_rfc_begins_a_message_only_before_media_flows():
    assert begin(b"PROPRIETARY rtsp://a RTSP/1.0") is Beginning.MESSAGE
    assert begin(b"PROPRIETARY rtsp://a RTSP/1.0", {0}) is Beginning.NOTHING


def test_a_frame_on_a_channel_never_set_up_must_at_least_look_like_rtp():
    assert begin(RTP, {4, 5}) is Beginning.FRAME
    assert begin(RTP.replace(b"\x80", b"\x00"), {4, 5}) is Beginning.NOTHING
    assert begin(b"$\x00\x00\x00", {4, 5}) is Beginning.NOTHING
    assert begin(RTP[:4], {4, 5}) is Beginning.UNKNOWN


def find(data, channels=(0, 1)):
    return find_start(memoryview(data), 0, len(data), set(channels))


@pytest.mark.parametrize(
    "beginning",
    [RTP, b"RTSP/1.0 200 OK\r\n", b"OPTIONS * RTSP/1.0\r\n", b"REDIRECT rtsp://a RTSP/1.0\r\n"],
)
def test_the_first_plausible_beginning_is_found(beginning):
    assert find(b"junk $ RTSP OPTIONS $\x07" + beginning) == (22, True)


def test_a_dollar_counts_with_a_known_channel_and_rtp_behind_it_only():
    assert not find(b"$\x02\x00\x0c\x80" + bytes(11))[1]
    assert not find(b"$\x00\x00\x0c\x00" + bytes(11))[1]
    assert not find(b"$\x00\x00\x04\x80" + bytes(11))[1]
    assert find(RTP) == (0, True)


def test_a_frame_with_nonsense_behind_it_is_better_than_nothing():
    """Junk may stand before every frame."""
    assert find(b"x" + RTP + b"\x00" + RTP) == (1, True)
    assert find(b"x" + RTP + b"\x00") == (1, True)
    assert find(b"x" + RTP + RTP) == (1, True)


@pytest.mark.parametrize("length", [15, 0x7FFF])
@pytest.mark.parametrize("better", [RTP, RTP + b"$", b"RTSP/1.0 200 OK\r\n"])
def test_a_frame_with_nonsense_or_nothing_behind_it_gives_way_to_a_better_one_inside(
    length, better
):
    false = b"$\x00" + length.to_bytes(2, "big") + b"\x80\xff\xff"
    assert find(false + better) == (len(false), True)


def test_what_may_be_the_beginning_of_a_beginning_is_held_back():
    for beginning in (RTP, b"RTSP/1.0 200 ", b"SET_PARAMETER rtsp://"):
        for size in range(1, 5 if beginning is RTP else len(beginning) - 1):
            data = bytes(100) + beginning[:size]
            place, found = find(data)
            assert not found
            assert 100 - HOLD <= place <= 100


def test_without_channels_only_text_is_a_beginning():
    assert not find(RTP, ())[1]
    assert find(RTP + b"RTSP/1.0 200 OK", ()) == (len(RTP), True)


PARTS = st.sampled_from([RTP, b"$\x00", b"RTSP/1.0 200 ", b"PLAY *", b"OPTIONS rtsp://", b"\r\n"])


@given(st.lists(PARTS | st.binary(max_size=20), max_size=6), st.sets(st.integers(0, 3)))
def test_find_start_never_goes_back_and_finds_only_what_begins_something(parts, channels):
    data = b"".join(parts)
    view = memoryview(data)
    for position in range(0, len(data) + 1, 7):
        place, found = find_start(view, position, len(data), channels)
        assert position <= place <= len(data)
        assert found or len(data) - place <= HOLD or place == position
        if found:
            assert begins(view, place, len(data), channels) is not Beginning.NOTHING
    assert data == b"".join(parts)


def test_a_reply_inside_a_frame_is_found():
    assert find_reply(memoryview(b"media RTSP/1.0 454 Session Not Found\r\n")) == 6
    assert find_reply(memoryview(b"media RTSP/1.0 and so on")) == -1


def test_garbage_is_counted_over_runs_and_its_first_bytes_are_kept():
    garbage = Garbage(Limits())
    garbage.add(b"a" * 30)
    garbage.add(b"b" * 30)
    skipped = garbage.report("between messages")
    assert (skipped.size, skipped.first) == (60, b"a" * 30 + b"bb")
    garbage.add(b"c")
    assert garbage.report("x").size == 1
    assert garbage.total == 61


def test_one_run_of_garbage_is_bounded():
    garbage = Garbage(Limits(garbage=10))
    garbage.add(bytes(10))
    garbage.report("x")
    garbage.add(bytes(10))
    with pytest.raises(LimitExceeded) as caught:
        garbage.add(b"x")
    assert (caught.value.limit, caught.value.actual) == ("garbage", 11)

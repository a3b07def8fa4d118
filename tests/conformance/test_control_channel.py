"""SECURITY.md, control channel: what a hostile peer can send and what it costs us.

Each test names the rule that it holds: C1 to C5 and C7, as far as the reader goes.
"""

import tracemalloc

import pytest

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.message import InterleavedFrame, MessageReader, Response, Skipped, serialize_frame

PIECE = 64 * 1024
RTP = b"\x80\x60" + bytes(30)
FRAME = serialize_frame(0, RTP)
START = b"RTSP/1.0 200 OK\r\n"


def feed(reader, data):
    reader.receive_data(data)
    return reader.next_events()


def fed_until_error(reader, first, endless, *, pieces=16_384):
    """The error, and how many pieces of 64 KiB (up to 1 GiB) it took to get it."""
    feed(reader, first)
    for count in range(1, pieces + 1):
        reader.receive_data(endless)
        try:
            while reader.next_events():
                pass
        except RemoteProtocolError as error:
            return error, count
    return None, pieces


ENDLESS = {
    "a start line": (b"RTSP/1.0 200 ", b"x", "header_value"),
    "a request line": (b"OPTIONS rtsp://", b"x", "header_value"),
    "a header name": (START, b"x", "header_value"),
    "a header value": (START + b"A: ", b"x", "header_value"),
    "a folded header": (START + b"A: b\r\n", b" " + b"x" * 1022 + b"\n", "header_lines"),
    "header lines": (START, b"A: b\r\n", "header_lines"),
    "blank lines": (b"", b"\r\n", "garbage"),
    "line feeds": (b"", b"\n", "garbage"),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("channels", [(), (0, 1)])
def test_c1_a_gibibyte_without_an_end_is_a_typed_error_and_memory_is_flat(what, channels):
    first, unit, limit = ENDLESS[what]
    endless = unit * (PIECE // len(unit))
    reader = MessageReader(channels=channels)
    tracemalloc.start()
    try:
        error, pieces = fed_until_error(reader, first, endless)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, LimitExceeded)
    assert error.limit == limit
    assert pieces <= 8
    assert peak < 4 * PIECE


def test_c1_a_folded_header_is_capped_before_it_is_joined():
    fold = b" " + b"x" * 4000 + b"\r\n"
    with pytest.raises(LimitExceeded) as caught:
        feed(MessageReader(), START + b"A: b\r\n" + fold * 3 + b"\r\n")
    assert caught.value.limit == "header_value"
    assert caught.value.actual > caught.value.maximum == 8_192


def test_c1_a_whole_head_is_capped_too():
    line = b"A: " + b"x" * 8_000 + b"\r\n"
    with pytest.raises(LimitExceeded) as caught:
        feed(MessageReader(), START + line * 40)
    assert caught.value.limit == "message"


def test_c1_a_long_head_costs_linear_time_byte_by_byte():
    """Every byte is looked at once: the work is counted, not timed."""
    head = START + b"A: " + b"x" * 8_000 + b"\r\n" * 2
    reader = MessageReader()
    taken = []
    for byte in range(len(head)):
        taken += feed(reader, head[byte : byte + 1])
        assert len(reader._carry) <= 32
        assert len(reader._waiting) == 0
    assert len(taken) == 1


def response(*lines, body=b""):
    return START + b"".join(line + b"\r\n" for line in (b"CSeq: 1", *lines, b"")) + body


@pytest.mark.parametrize(
    "value",
    [
        b"-1",
        b"+1",
        b"1_0",
        b"0x1",
        b"1.0",
        b"1e3",
        b"\xd9\xa3",
        b"12345678",
        b"9" * 4000,
        b"1 2",
        b"a",
    ],
)
def test_c2_content_length_is_seven_ascii_digits_at_most(value):
    with pytest.raises(RemoteProtocolError, match="Content-Length"):
        feed(MessageReader(), response(b"Content-Length: " + value))


@pytest.mark.parametrize(
    "lines", [(b"Content-Length: 1", b"content-length: 2"), (b"Content-Length: 1, 2",)]
)
def test_c2_different_content_lengths_are_an_error(lines):
    with pytest.raises(RemoteProtocolError, match="Content-Length"):
        feed(MessageReader(), response(*lines, body=b"abc"))


def test_c2_equal_content_lengths_are_one():
    lines = (b"Content-Length: 3", b"content-length: 3")
    (found,) = feed(MessageReader(), response(*lines, body=b"abc"))
    assert found.body == b"abc"
    assert found.deviations == ("duplicate-content-length",)


def test_c2_a_body_is_refused_by_its_length_alone():
    with pytest.raises(LimitExceeded) as caught:
        feed(MessageReader(), response(b"Content-Length: 9999999"))
    assert (caught.value.limit, caught.value.maximum) == ("body", 131_072)


def test_c2_a_body_is_never_allocated_before_it_comes():
    reader = MessageReader(limits=Limits(body=9_999_999))
    tracemalloc.start()
    try:
        assert feed(reader, response(b"Content-Length: 9999999", body=b"abc")) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PIECE


@pytest.mark.parametrize("line", [b"CS\x00eq: 1", b"CS\req: 1", b"\x00: 1", b"A\x00", b"\rA: b"])
def test_c3_nul_and_bare_cr_in_names_are_errors(line):
    with pytest.raises(RemoteProtocolError, match="control character in a header name"):
        feed(MessageReader(), response(line))


def test_c3_a_bare_lf_ends_a_line_and_never_gets_into_a_name():
    (found,) = feed(MessageReader(), response(b"A\nB: c"))
    assert list(found.headers) == [("CSeq", "1"), ("B", "c")]
    assert found.deviations == ("malformed-header-line", "line-feed-only")


@pytest.mark.parametrize("channels", [(), (0, 1)])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 64, 1000])
def test_c3_every_step_consumes_or_waits(channels, step):
    """Each of the 256 bytes everywhere: as many events as bytes at the most, then None."""
    data = b"".join(FRAME + bytes([i]) + START + bytes([i]) + b"\r\n\r\n" for i in range(256))
    reader = MessageReader(channels=channels)
    events = 0
    try:
        for start in range(0, len(data), step):
            reader.receive_data(data[start : start + step])
            while reader.next_event() is not None:
                events += 1
                assert events <= len(data)
    except RemoteProtocolError:
        assert events <= len(data)
    assert events > 0


def test_c3_zero_length_frames_do_not_loop():
    events = feed(MessageReader(channels={0}), b"$\x00\x00\x00" * 1000)
    assert len(events) == 1000


def test_c4_frames_on_unknown_channels_are_given_as_such_or_skipped_and_counted():
    reader = MessageReader(channels={0, 1})
    events = feed(reader, FRAME + serialize_frame(77, RTP) + serialize_frame(78, b"x" * 9) + FRAME)
    assert [e.channel for e in events if isinstance(e, InterleavedFrame)] == [0, 77, 0]
    assert reader.skipped_bytes == 13


@pytest.mark.parametrize(
    "frames", [b"", FRAME, FRAME * 50, serialize_frame(9, RTP), FRAME + b"junk"]
)
@pytest.mark.parametrize("step", [1, 13, 100_000])
def test_c4_a_reply_keeps_its_cseq_whatever_surrounds_it(frames, step):
    data = b"".join(frames + START + b"CSeq: %d\r\n\r\n" % n for n in range(1, 6)) + frames
    reader = MessageReader(channels={0, 1})
    events = []
    for start in range(0, len(data), step):
        events += feed(reader, data[start : start + step])
    assert [e.cseq for e in events if isinstance(e, Response)] == [1, 2, 3, 4, 5]


def test_c5_garbage_before_setup_is_an_error_with_its_first_bytes():
    with pytest.raises(RemoteProtocolError, match=r"HTTP/1\.1 400"):
        feed(MessageReader(), b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("byte", [b"\x00", b"$", b"R", b"\xff", b"A", b"x"])
def test_c5_endless_garbage_ends_at_its_limit(byte):
    reader = MessageReader(channels={0, 1})
    error, pieces = fed_until_error(reader, FRAME + b"\x00", byte * PIECE)
    assert isinstance(error, LimitExceeded)
    assert error.limit == "garbage"
    assert pieces <= 2


def test_c5_resync_takes_a_plausible_header_only():
    implausible = (
        serialize_frame(7, RTP)  # a channel never set up
        + serialize_frame(0, bytes(20))  # no RTP inside
        + serialize_frame(0, b"\x80\x00")  # shorter than any packet
        + b"RTSP/1.0 OK\r\nPLAY it again\r\n"
    )
    skipped, frame = feed(MessageReader(channels={0, 1}), b"\x00" + implausible + FRAME)
    assert isinstance(skipped, Skipped)
    assert skipped.size == 1 + len(implausible)
    assert frame.payload == RTP


def test_c5_a_false_header_in_garbage_does_not_swallow_the_frames_behind_it():
    false = b"\x00$\x00\x7f\xff\x80" + bytes(20)
    skipped, *frames = feed(MessageReader(channels={0, 1}), false + FRAME * 20)
    assert skipped.size == len(false)
    assert len(frames) == 20


def test_c5_skipping_costs_linear_work():
    """Many false alarms: the bytes looked at again are a constant for each."""
    reader = MessageReader(channels={0, 1}, limits=Limits(garbage=10**9))
    data = (b"\x00" + FRAME) * 20_000
    events = []
    for start in range(0, len(data), PIECE):
        events += feed(reader, data[start : start + PIECE])
    assert sum(isinstance(e, InterleavedFrame) for e in events) == 20_000
    assert reader.skipped_bytes == 20_000


@pytest.mark.parametrize(
    ("line", "cseq"),
    [
        (b"CSeq: 4294967295", 4294967295),
        (b"CSeq: 4294967296", None),
        (b"CSeq: -1", None),
        (b"CSeq: " + b"9" * 8000, None),
        (b"CSeq:", None),
        (b"CSeq: 1, 2", None),
        (b"X: 1", None),
    ],
)
def test_c7_a_cseq_is_a_bounded_number_or_none_and_never_an_error(line, cseq):
    (found,) = feed(MessageReader(), START + line + b"\r\n\r\n")
    assert found.cseq == cseq
    assert ("cseq-missing" in found.deviations or "cseq-damaged" in found.deviations) is (
        cseq is None
    )

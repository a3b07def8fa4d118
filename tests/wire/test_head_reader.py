"""HeadReader: one head, line by line, in pieces cut anywhere."""

import pytest

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.head_reader import HeadReader

HEAD = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\n"


def read(data, *, step=None, limits=None):
    """The reader after ``data`` in pieces of ``step`` bytes, and how much of it was taken."""
    reader = HeadReader(limits or Limits())
    taken = 0
    step = step or len(data)
    for start in range(0, len(data), step):
        view = memoryview(data)[start : start + step]
        taken += reader.read(view, 0, len(view))
        if reader.message is not None:
            break
    return reader, taken


@pytest.mark.parametrize("step", [None, *range(1, len(HEAD))])
def test_a_head_is_the_same_however_it_is_cut_and_no_byte_behind_it_is_taken(step):
    reader, taken = read(HEAD + b"body", step=step)
    assert taken == len(HEAD)
    assert reader.message.status_code == 200
    assert list(reader.message.headers) == [("CSeq", "1"), ("Content-Length", "3")]
    assert reader.message.deviations == ()
    assert reader.body_size == 3


def test_an_incomplete_head_gives_no_message():
    reader, taken = read(HEAD[:-1])
    assert taken == len(HEAD) - 1
    assert reader.message is None
    assert reader.start.status_code == 200


def test_line_feed_alone_ends_lines_too():
    reader, _ = read(HEAD.replace(b"\r\n", b"\n"))
    assert reader.message.cseq == 1
    assert reader.message.deviations == ("line-feed-only",)


def test_a_doubled_carriage_return_ends_lines_too():
    reader, _ = read(HEAD.replace(b"\r\n", b"\r\r\n"))
    assert reader.message.cseq == 1


def test_a_missing_and_a_damaged_cseq_are_told():
    assert read(b"RTSP/1.0 200 OK\r\n\r\n")[0].message.deviations == ("cseq-missing",)
    damaged, _ = read(b"RTSP/1.0 200 OK\r\nCSeq: x\r\n\r\n")
    assert damaged.message.deviations == ("cseq-damaged",)


def test_deviations_of_all_parts_are_gathered_each_once():
    reader, _ = read(b"RTSP/1.0 200\nCSeq: 1\nA: \xe9\n b\nB: \xe9\nContent-Length:\n\n")
    assert reader.message.deviations == (
        "reason-phrase-missing",
        "folded-header",
        "latin-1-header",
        "content-length-empty",
        "line-feed-only",
    )


def test_after_reset_nothing_of_the_last_head_is_left():
    reader, _ = read(HEAD.replace(b"\r\n", b"\n"))
    reader.reset()
    view = memoryview(b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n")
    assert reader.read(view, 0, len(view)) == len(view)
    assert reader.message.method == "OPTIONS"
    assert reader.message.deviations == ()
    assert reader.body_size == 0


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (b"RTSP/1.0 200 " + b"x" * 40, "header_value"),
        (b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * 5, "header_lines"),
        (b"RTSP/1.0 200 OK\r\nA: " + b"b" * 48, "header_value"),
        (b"RTSP/1.0 200 OK\r\n" + b"A: bbbbbbbbbbbbbb\r\n" * 4, "message"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", "body"),
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_each_limit_ends_the_reading_and_is_named(data, limit, step):
    limits = Limits(header_lines=4, header_name=16, header_value=16, message=80, body=8)
    with pytest.raises(LimitExceeded) as caught:
        read(data, step=step, limits=limits)
    assert caught.value.limit == limit


def test_after_an_error_the_reader_tells_where_the_line_ended():
    reader = HeadReader(Limits())
    view = memoryview(b"XX RTSP/1.0 nonsense\r\nmore")
    with pytest.raises(RemoteProtocolError):
        reader.read(view, 0, len(view))
    assert reader.start is None
    assert reader.start_line == b"XX RTSP/1.0 nonsense\r\n"
    assert bytes(view[reader.position :]) == b"more"

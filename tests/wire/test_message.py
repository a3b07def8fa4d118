"""MessageReader: messages and frames out of the bytes of one control connection."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtspkit.errors import LimitExceeded, RemoteProtocolError
from rtspkit.options import Limits
from rtspkit.wire.message import (
    Headers,
    InterleavedFrame,
    MessageReader,
    Request,
    Response,
    Skipped,
    serialize_frame,
    serialize_request,
    serialize_response,
)

OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
OPTIONS = b"OPTIONS rtsp://camera/ RTSP/1.0\r\nCSeq: 8\r\n\r\n"
DESCRIBED = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\n"
RTP = b"\x80\x60" + bytes(range(30))
RTCP = b"\x80\xc9\x00\x01ssrc"
FRAME = serialize_frame(0, RTP)
REPORT = serialize_frame(1, RTCP)


def read(data, *, channels=(), step=None, limits=None, bulk=False):
    """Every event of ``data`` fed in pieces of ``step`` bytes."""
    reader = MessageReader(limits=limits, channels=channels)
    events = []
    step = step or len(data) or 1
    for start in range(0, len(data), step):
        reader.receive_data(memoryview(data)[start : start + step])
        if bulk:
            events += reader.next_events()
        else:
            while (event := reader.next_event()) is not None:
                events.append(event)
    return events


def read_pieces(pieces, reader):
    """Every event of these pieces, one by one."""
    events = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not None:
            events.append(event)
    return events


def merged(events):
    """The events with runs of garbage joined: how they are cut depends on the pieces."""
    out = []
    for event in events:
        if isinstance(event, Skipped) and out and isinstance(out[-1], int):
            out[-1] += event.size
        else:
            out.append(event.size if isinstance(event, Skipped) else event)
    return out


def one(data, **keywords):
    events = read(data, **keywords)
    assert len(events) == 1
    return events[0]


DIALOGUE = (
    OK
    + DESCRIBED
    + FRAME
    + REPORT
    + OK.replace(b"\r\n", b"\n")
    + FRAME * 3
    + b"\r\n"
    + OPTIONS
    + serialize_frame(0, b"")
    + b"ANNOUNCE rtsp://camera/ RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    + FRAME
)


# --- any order, any cut


def test_responses_requests_and_frames_come_in_the_order_of_the_wire():
    kinds = [type(event) for event in read(DIALOGUE)]
    frame = InterleavedFrame
    assert kinds == [
        Response, Response, frame, frame, Response, frame, frame, frame, Request, frame, Request,
        frame,
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [(), (0, 1)])
@pytest.mark.parametrize("bulk", [False, True])
def test_pieces_of_any_size_give_the_same_events(channels, bulk):
    whole = read(DIALOGUE, channels=channels)
    for step in range(1, len(DIALOGUE)):
        assert read(DIALOGUE, channels=channels, step=step, bulk=bulk) == whole, step


def test_a_cut_at_any_one_place_gives_the_same_events():
    whole = read(DIALOGUE, channels={0, 1})
    for place in range(1, len(DIALOGUE)):
        reader = MessageReader(channels={0, 1})
        reader.receive_data(DIALOGUE[:place])
        events = reader.next_events()
        reader.receive_data(DIALOGUE[place:])
        assert events + reader.next_events() == whole, place


def test_pieces_may_be_handed_in_before_any_event_is_taken():
    reader = MessageReader(channels={0, 1})
    for start in range(0, len(DIALOGUE), 7):
        reader.receive_data(DIALOGUE[start : start + 7])
    assert reader.next_events() == read(DIALOGUE)


def test_next_event_and_next_events_may_be_mixed():
    reader = MessageReader(channels={0, 1})
    reader.receive_data(DIALOGUE)
    events = [reader.next_event(), reader.next_event(), reader.next_event()]
    assert events + reader.next_events() == read(DIALOGUE)
    assert reader.next_event() is None
    assert reader.next_events() == []


def test_an_incomplete_tail_gives_nothing_until_the_rest_has_come():
    for tail in (OK[:-1], FRAME[:-1], b"$", b"R", DESCRIBED[:-1], b"\r\n"):
        assert read(FRAME + tail) == read(FRAME)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_like_object_is_read(kind):
    assert read(kind(DIALOGUE)) == read(DIALOGUE)


# --- memory


def test_a_whole_frame_is_a_read_only_view_of_what_was_fed():
    data = bytearray(OK + FRAME * 2)
    for events in (read(data, channels={0}), read(data), read(data, channels={0}, bulk=True)):
        for frame in events[1:]:
            assert frame.payload.obj is data
            assert frame.payload.readonly


def test_a_frame_that_straddles_pieces_is_a_copy_and_the_next_is_none():
    first, second = bytearray(FRAME[:10]), bytearray(FRAME[10:] + FRAME)
    reader = MessageReader(channels={0})
    reader.receive_data(first)
    assert reader.next_event() is None
    first[:] = bytes(10)  # the reader must not need it any more
    reader.receive_data(second)
    straddling, whole = reader.next_events()
    assert straddling.payload == whole.payload == RTP
    assert straddling.payload.readonly
    assert straddling.payload.obj is not second
    assert whole.payload.obj is second


def test_a_piece_is_let_go_when_it_is_used_up():
    data = bytearray(FRAME + FRAME[:9])
    reader = MessageReader(channels={0})
    reader.receive_data(data)
    frames = reader.next_events()
    del frames
    data += b"x"  # BufferError while a view of it is alive


def test_what_was_fed_is_unchanged():
    data = bytearray(DIALOGUE)
    read(data, step=5)
    assert data == DIALOGUE


# --- reading ahead


def read_ahead(reader, data):
    runs, position = reader.read_frames(memoryview(data), 1.0)
    frames = [(run.channel, bytes(view)) for run in runs for view in run.datagrams]
    return frames, data[position:]


def test_frames_are_read_ahead_without_taking_the_piece():
    reader = MessageReader(channels={0, 1})
    data = FRAME * 2 + REPORT + FRAME[:9]
    assert read_ahead(reader, data) == ([(0, RTP), (0, RTP), (1, RTCP)], FRAME[:9])
    assert reader.next_events() == []  # nothing was taken
    reader.receive_data(FRAME[:9])
    reader.receive_data(FRAME[9:])
    assert reader.next_event() == InterleavedFrame(0, memoryview(RTP))


@pytest.mark.parametrize(
    "before", [FRAME[:9], OK[:9], DESCRIBED[:-2], b"$", b"R", b"\x00\x00junk", OK, FRAME]
)
def test_nothing_is_read_ahead_while_something_is_half_read_or_not_taken(before):
    reader = MessageReader(channels={0, 1})
    reader.receive_data(before)
    if before not in (OK, FRAME):
        reader.next_events()
    assert read_ahead(reader, FRAME * 2) == ([], FRAME * 2)


def test_nothing_is_read_ahead_before_a_channel_is_known():
    assert read_ahead(MessageReader(), FRAME * 2) == ([], FRAME * 2)


def test_nothing_is_read_ahead_of_a_reader_that_is_dead():
    reader = MessageReader(channels={0}, limits=Limits(garbage=10))
    reader.receive_data(bytes(50))
    with pytest.raises(LimitExceeded):
        reader.next_event()
    assert read_ahead(reader, FRAME * 2) == ([], FRAME * 2)


@pytest.mark.parametrize("size", range(1, len(FRAME)))
def test_a_frame_that_is_not_whole_is_a_beginning(size):
    reader = MessageReader(channels={0})
    assert reader.is_beginning(memoryview(FRAME)[:size])


@pytest.mark.parametrize(
    "rest",
    [OK, b"\r", FRAME, FRAME + OK, serialize_frame(9, RTP)[:2], serialize_frame(9, RTP)[:20]],
)
def test_what_has_to_be_looked_at_is_none(rest):
    """A whole frame, a message, garbage; a channel that was never set up."""
    assert not MessageReader(channels={0}).is_beginning(memoryview(rest))


def test_out_of_order_nothing_is_a_beginning():
    reader = MessageReader(channels={0})
    reader.receive_data(b"\x00junk")
    reader.next_events()
    assert reader.resynchronizing
    assert not reader.is_beginning(memoryview(FRAME)[:9])


def test_blank_lines_before_frames_read_ahead_are_no_deviation_of_a_later_message():
    reader = MessageReader(channels={0})
    reader.receive_data(b"\r\n")
    assert reader.next_events() == []
    frames, rest = read_ahead(reader, FRAME * 2 + OK)
    assert frames == [(0, RTP)]
    reader.receive_data(rest)
    (_, response) = reader.next_events()
    assert response.deviations == ()


# --- QUIRKS, RTSP text


def test_quirk_cseq_in_any_case_and_with_blanks():
    response = one(b"RTSP/1.0 200 OK\r\nCseq :  12 \r\n\r\n")
    assert response.cseq == 12
    assert response.deviations == ("blank-before-colon",)


def test_quirk_cseq_missing():
    response = one(b"RTSP/1.0 200 OK\r\nSession: 1\r\n\r\n")
    assert response.cseq is None
    assert response.deviations == ("cseq-missing",)


def test_quirk_cseq_twice():
    assert one(b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nCSeq: 4\r\n\r\n").cseq == 4


@pytest.mark.parametrize("line", [b"RTSP/1.0 200 ", b"RTSP/1.0 200"])
def test_quirk_reason_phrase_empty_or_missing(line):
    response = one(line + b"\r\nCSeq: 1\r\n\r\n")
    assert (response.status_code, response.reason_phrase) == (200, "")
    assert response.deviations == ("reason-phrase-missing",)


def test_quirk_header_names_in_any_case():
    response = one(b"RTSP/1.0 200 OK\r\ncSEQ: 1\r\nCONTENT-length: 2\r\nsession: 9\r\n\r\nab")
    assert (response.cseq, response.body) == (1, b"ab")
    assert response.headers.get("Session") == "9"
    assert response.deviations == ()


def test_quirk_folded_headers():
    response = one(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS,\r\n PLAY,\r\n\tPAUSE\r\n\r\n")
    assert response.headers.get("Public") == "OPTIONS, PLAY, PAUSE"
    assert response.deviations == ("folded-header",)


def test_quirk_latin_1_bytes():
    response = one(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Cam\xe9ra\r\n\r\n")
    assert response.headers.get("Server") == "Caméra"
    assert response.deviations == ("latin-1-header",)


@pytest.mark.parametrize("step", [None, 1])
def test_quirk_line_feed_only(step):
    response = one(DESCRIBED.replace(b"\r\n\r\n", b"\n\n").replace(b"2\r\n", b"2\n"), step=step)
    assert response.body == b"v=0\r\n"
    assert response.deviations == ("line-feed-only",)


def test_quirk_duplicate_equal_content_length():
    response = one(DESCRIBED.replace(b"CSeq: 2", b"CSeq: 2\r\nContent-length: 5"))
    assert response.body == b"v=0\r\n"
    assert response.deviations == ("duplicate-content-length",)


@pytest.mark.parametrize("blank", [b"\r\n", b"\n", b"\r\n\r\n", b"\r"])
def test_quirk_blank_line_before_a_response(blank):
    response, frame, again = read(blank + OK + FRAME + blank + OK)
    assert response == again == one(OK)
    assert frame.payload == RTP
    assert again.deviations == ("blank-line-before-message",)


@pytest.mark.parametrize("channels", [(), (0, 1)])
@pytest.mark.parametrize("between", [FRAME, FRAME * 3, FRAME + REPORT])
def test_blank_lines_before_a_frame_are_no_deviation_of_a_later_message(between, channels):
    *_, response = read(b"\r\n" + between + OK, channels=channels)
    assert response.deviations == ()
    pieces = [FRAME + b"\r\n", between, OK]
    *_, response = read_pieces(pieces, MessageReader(channels=channels))
    assert response.deviations == ()


def test_nor_are_they_when_many_events_are_taken_at_once():
    reader, events = MessageReader(channels=(0,)), []
    for piece in (FRAME + b"\r\n", FRAME * 3, OK):
        reader.receive_data(piece)
        events += reader.next_events()
    assert events[-1].deviations == ()


def test_blank_lines_with_frames_between_them_never_add_up():
    """A device that ends each picture with an empty line plays for days."""
    reader = MessageReader(limits=Limits(garbage=64), channels=(0,))
    for _ in range(100):
        frames = read_pieces([FRAME + FRAME, b"\r\n\r\n"], reader)
        assert len(frames) == 2


@pytest.mark.parametrize("value", ["application/sdp;charset=utf-8", ""])
def test_quirk_content_type_with_a_charset_or_empty(value):
    response = one(DESCRIBED.replace(b"CSeq: 2", b"CSeq: 2\r\nContent-Type: " + value.encode()))
    assert response.headers.get("Content-Type") == value
    assert response.body == b"v=0\r\n"


def test_quirk_content_type_missing():
    assert one(DESCRIBED).body == b"v=0\r\n"


def test_a_body_without_content_length_is_empty():
    response, request = read(OK + OPTIONS)
    assert response.body == request.body == b""


@pytest.mark.parametrize("method", ["OPTIONS", "SET_PARAMETER", "ANNOUNCE", "REDIRECT", "TEARDOWN"])
@pytest.mark.parametrize("body", [b"", b"barparam: barstuff\r\n"])
@pytest.mark.parametrize("channels", [(), (0, 1)])
def test_quirk_the_server_sends_requests_to_us(method, body, channels):
    sent = Request(method, "rtsp://camera/", Headers({"CSeq": "5"}), body)
    before, got, after = read(FRAME + serialize_request(sent) + FRAME, channels=channels)
    assert (got.method, got.uri, got.cseq, got.body) == (method, "rtsp://camera/", 5, body)
    assert before == after


def test_quirk_media_before_the_reply_to_play():
    assert [type(e) for e in read(FRAME + REPORT + OK, channels={0, 1})] == [
        InterleavedFrame,
        InterleavedFrame,
        Response,
    ]


@pytest.mark.parametrize("step", [None, 1, 7])
def test_quirk_reply_bytes_between_frames(step):
    """The tail of a reply that was cut short: its lines lie between two frames."""
    cut = b"Session: 12345\r\nServer: x\r\n\r\n"
    events = read(FRAME + cut + FRAME + OK, channels={0, 1}, step=step)
    frame, skipped, again, response = events
    assert frame == again
    assert skipped == Skipped(len(cut), cut, "between messages")
    assert response.status_code == 200


@pytest.mark.parametrize(
    "junk", [b"\x00", b"\x00\x01\x02", b"junk", b"$", b"$$", b"$\xff", b"R\x00"]
)
@pytest.mark.parametrize("step", [None, 1, 5])
def test_quirk_junk_before_a_dollar(junk, step):
    events = read(FRAME + junk + FRAME + REPORT, channels={0, 1}, step=step)
    assert merged(events) == [*read(FRAME), len(junk), *read(FRAME + REPORT)]
    assert events[1].first == junk


@pytest.mark.parametrize("rest", [b"", RTP[6:]])
@pytest.mark.parametrize("step", [None, 11])
def test_quirk_an_error_reply_injected_inside_a_frame(rest, step):
    """The length of the frame covers the reply; the rest of its payload may follow, or may not."""
    reply = b"RTSP/1.0 454 Session Not Found\r\nCSeq: 7\r\n\r\n"
    cut = serialize_frame(0, RTP + bytes(40))[:10]
    data = FRAME + cut + reply + rest + FRAME * 4
    events = read(data, channels={0, 1})
    responses = [e for e in events if isinstance(e, Response)]
    assert [(r.status_code, r.cseq) for r in responses] == [(454, 7)]
    frames = [e for e in events if isinstance(e, InterleavedFrame)]
    assert all(frame.payload == RTP for frame in frames)
    assert len(frames) >= 4
    if step:
        assert any(isinstance(e, Response) for e in read(data, channels={0, 1}, step=len(data) - 1))


def test_a_frame_may_hold_the_text_of_a_reply_when_what_follows_it_is_sound():
    text = serialize_frame(0, RTP + OK)
    for tail in (FRAME, OK, b"\r\n" + OK, b"", b"$"):
        assert read(text + tail, channels={0})[0].payload == RTP + OK


def test_an_error_reply_inside_a_last_frame_is_found_when_the_connection_ends():
    reader = MessageReader(channels={0, 1})
    reply = b"RTSP/1.0 454 Session Not Found\r\nCSeq: 7\r\n\r\n"
    reader.receive_data(FRAME + serialize_frame(0, bytes(1200))[:20] + reply)
    assert len(reader.next_events()) == 1
    reader.receive_eof()
    skipped, response = reader.next_events()
    assert skipped.size == 20
    assert response.cseq == 7


def test_quirk_frames_on_channels_never_set_up_are_given_when_they_look_like_rtp():
    events = read(FRAME + serialize_frame(9, RTP) + FRAME, channels={0, 1})
    assert [e.channel for e in events] == [0, 9, 0]


def test_frames_on_channels_never_set_up_that_do_not_look_like_rtp_are_garbage():
    strange = serialize_frame(9, bytes(20))
    frame, skipped, again = read(FRAME + strange + FRAME, channels={0, 1})
    assert frame == again
    assert (skipped.size, skipped.first) == (24, strange)


def test_channels_may_be_added_while_reading():
    reader = MessageReader()
    reader.receive_data(OK)
    assert reader.next_event().status_code == 200
    reader.channels |= {0, 1}
    reader.receive_data(FRAME)
    assert reader.next_event().channel == 0


@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize(
    "text", [b"<html>Not Found</html>\r\n", b"ERROR no\r\n", b"v=0\r\no=x\r\n"]
)
def test_quirk_text_after_the_headers_of_an_error_without_content_length(text, step):
    gone = b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n"
    events = read(gone + text + OK, step=step)
    assert [getattr(e, "status_code", None) for e in events] == [404, None, 200]
    assert merged(events)[1] == len(text)


def test_text_after_a_description_without_content_length_is_told():
    headed = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n\r\n"
    response, skipped, again = read(headed + b"v=0\r\ns=x\r\n" + OK)
    assert (response.body, skipped.size) == (b"", 10)
    assert again.status_code == 200


def test_media_after_an_error_is_no_text():
    with pytest.raises(RemoteProtocolError, match="not RTSP"):
        read(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n" + bytes(9) + OK)


def test_a_reply_cut_after_its_first_byte():
    assert read(OK[:1]) == []
    assert read(OK, step=1) == read(OK)


# --- what is not RTSP


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"220 smtp ready\r\n",
        b"* OK imap ready\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"\xff\xfd\x18",
        b"garbage\r\n",
        b"ERROR what is this\r\n",
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_a_server_that_speaks_something_else_is_told_by_its_first_bytes(greeting, step):
    for before in (b"", OK):
        with pytest.raises(RemoteProtocolError) as caught:
            read(before + greeting, step=step)
        assert repr(greeting[:1])[2:-1] in str(caught.value)


def test_after_an_error_the_reader_is_dead_and_raises_the_same_again():
    reader = MessageReader()
    reader.receive_data(FRAME + b"garbage")
    assert isinstance(reader.next_event(), InterleavedFrame)
    with pytest.raises(RemoteProtocolError) as first:
        reader.next_event()
    reader.receive_data(OK)
    for call in (reader.next_event, reader.next_events, reader.receive_eof):
        with pytest.raises(RemoteProtocolError) as again:
            call()
        assert again.value is first.value


def test_next_events_gives_what_came_before_the_error_first():
    reader = MessageReader(channels={0})
    reader.receive_data(FRAME * 2 + OK + b"RTSP/1.0 200 OK\r\nContent-Length: x\r\n\r\n" + FRAME)
    assert len(reader.next_events()) == 3
    with pytest.raises(RemoteProtocolError, match="Content-Length"):
        reader.next_events()


# --- out of order


@pytest.mark.parametrize("step", [None, 1, 100, 4096])
def test_garbage_within_the_limit_is_skipped_and_counted(step):
    reader = MessageReader(channels={0, 1})
    data = b"\x01" * 60_000 + FRAME + b"\x02" * 60_000 + OK
    events = []
    for start in range(0, len(data), step or len(data)):
        reader.receive_data(data[start : start + (step or len(data))])
        events += reader.next_events()
    assert merged(events) == [60_000, *read(FRAME), 60_000, *read(OK)]
    assert reader.skipped_bytes == 120_000
    assert not reader.resynchronizing


def test_resynchronizing_tells_that_a_beginning_is_being_looked_for():
    reader = MessageReader(channels={0, 1})
    reader.receive_data(b"\x01" * 100)
    assert reader.next_event() is None
    assert reader.resynchronizing
    reader.receive_data(FRAME)
    assert reader.next_event().size == 100
    assert not reader.resynchronizing


def test_a_start_line_that_is_none_is_garbage_while_media_flows():
    events = read(FRAME + b"PLAY of words\r\n" + FRAME, channels={0})
    assert [type(e) for e in events] == [InterleavedFrame, Skipped, InterleavedFrame]
    with pytest.raises(RemoteProtocolError):
        read(FRAME + b"PLAY of words\r\n" + FRAME)


# --- the end


@pytest.mark.parametrize(
    ("tail", "what"),
    [
        (b"R", "a message"),
        (b"$\x00", "a message"),
        (OK[:-1], "a message"),
        (DESCRIBED[:-1], "the body of a message"),
        (FRAME[:-1], "an interleaved frame"),
    ],
)
@pytest.mark.parametrize("drained", [True, False])
def test_an_end_in_the_middle_is_an_error_that_says_of_what(tail, what, drained):
    reader = MessageReader(channels={0})
    reader.receive_data(FRAME + tail)
    if drained:
        reader.next_events()
    with pytest.raises(RemoteProtocolError, match=f"in the middle of {what}$"):
        reader.receive_eof()
    if not drained:
        assert reader.next_event().payload == RTP
    with pytest.raises(RemoteProtocolError, match="in the middle"):
        reader.next_event()


@pytest.mark.parametrize("data", [b"", OK, FRAME, DESCRIBED + b"\r\n"])
def test_an_end_between_messages_is_none(data):
    reader = MessageReader()
    reader.receive_data(data)
    reader.receive_eof()
    assert reader.next_events() == read(data)


def test_garbage_before_the_end_is_told():
    reader = MessageReader(channels={0})
    reader.receive_data(FRAME + bytes(50))
    reader.receive_eof()
    assert merged(reader.next_events()) == [*read(FRAME), 50]


# --- properties

PARTS = st.sampled_from(
    [OK, OPTIONS, DESCRIBED, FRAME, REPORT, b"\r\n", b"$", b"RTSP/1.0 ", b"A: b"]
)


@given(
    st.lists(PARTS | st.binary(max_size=30), max_size=8),
    st.integers(1, 50),
    st.sampled_from([(), (0, 1)]),
)
@example([OK, b"\x00", FRAME], 1, (0, 1))
def test_any_bytes_give_events_or_the_documented_error_and_are_not_changed(parts, step, channels):
    data = b"".join(parts)
    fed = bytearray(data)
    try:
        events = read(fed, channels=channels, step=step, limits=Limits(garbage=64))
    except RemoteProtocolError:
        events = []
    assert fed == data
    given_out = sum(len(e.payload) + 4 for e in events if isinstance(e, InterleavedFrame))
    assert given_out + sum(e.size for e in events if isinstance(e, Skipped)) <= len(data)


TOKEN = st.from_regex(r"[A-Za-z][A-Za-z-]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(str.strip)
VALUES = st.lists(
    st.tuples(TOKEN.filter(lambda t: t.lower() != "content-length"), TEXT), max_size=5
)
METHOD = st.from_regex(r"[A-Z][A-Z_]{1,12}", fullmatch=True)
REQUEST = st.builds(
    Request, METHOD, st.just("rtsp://a/b?c"), VALUES.map(Headers), st.binary(max_size=50)
)
RESPONSE = st.builds(
    Response, st.integers(100, 999), TEXT, VALUES.map(Headers), st.binary(max_size=50)
)


@given(st.lists(REQUEST | RESPONSE, max_size=4), st.integers(1, 40))
def test_what_is_written_reads_back(messages, step):
    data = b""
    for message in messages:
        write = serialize_request if isinstance(message, Request) else serialize_response
        data += write(message)
    events = read(data, step=step)
    for event, message in zip(events, messages, strict=True):
        assert event.headers.get("Content-Length") == (
            str(len(message.body)) if message.body else None
        )
        event.headers.remove("Content-Length")
        assert event == message


@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=80)), max_size=8), st.integers(1, 99)
)
def test_frames_written_read_back_in_pieces_of_any_size(frames, step):
    data = b"".join(serialize_frame(channel, payload) for channel, payload in frames)
    channels = {channel for channel, _ in frames}
    for bulk in (False, True):
        events = read(data, channels=channels, step=step, bulk=bulk)
        assert [(e.channel, bytes(e.payload)) for e in events] == frames


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (b"\r\n" * 40, "garbage"),
        (FRAME + bytes(120), "garbage"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", "body"),
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_each_limit_is_named_by_its_error(data, limit, step):
    with pytest.raises(LimitExceeded) as caught:
        read(data, channels={0}, step=step, limits=Limits(garbage=64, body=8))
    assert caught.value.limit == limit

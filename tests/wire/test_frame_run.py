"""Frames that lie whole at the front of a piece, read together."""

import pytest
from control_traffic import ANY, CHANNELS, OK, RTCP, RTP, SIZES, SOUND, pieces_of
from hypothesis import example, given

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.frame_run import FrameRun, read_frames
from rtspkit.wire.message import InterleavedFrame, MessageReader, serialize_frame
from rtspkit.wire.rtp import unpack_header

FRAME = serialize_frame(0, RTP)
REPORT = serialize_frame(1, RTCP)


def spread(runs: list[FrameRun]) -> list[InterleavedFrame]:
    return [InterleavedFrame(run.channel, view) for run in runs for view in run.datagrams]


def read(data: bytes, channels=CHANNELS):
    runs, position = read_frames(memoryview(data), channels, 5.0)
    return spread(runs), position


def frame(channel: int, payload: bytes) -> InterleavedFrame:
    return InterleavedFrame(channel, memoryview(payload))


class TestWhatIsWhole:
    def test_frames_of_one_channel_are_one_run(self):
        data = memoryview(FRAME * 3)
        ((run,), position) = read_frames(data, CHANNELS, 5.0)
        assert (run.channel, position) == (0, len(data))
        rows = run.datagrams
        assert (rows.starts, rows.lengths) == ([4, 40, 76], [32, 32, 32])
        assert (next(iter(rows.arrivals)), rows.latest) == (5.0, 5.0)
        assert all(view.obj is data.obj for view in rows)

    @pytest.mark.parametrize("sizes", [[32] * 5, [32, 32, 32, 20, 32, 32, 12], [13, 13], [700] * 3])
    def test_the_headers_are_read_in_passing(self, sizes):
        data = memoryview(
            b"".join(serialize_frame(0, bytes([n]) * size) for n, size in enumerate(sizes))
        )
        ((run,), position) = read_frames(data, CHANNELS, 5.0)
        rows = run.datagrams
        assert position == len(data)
        assert list(rows.lengths) == sizes
        assert rows.headers == [unpack_header(data, start) for start in rows.starts]

    @pytest.mark.parametrize("sizes", [[0], [11], [32, 32, 32, 11, 32, 32, 32]])
    def test_without_room_for_one_nobody_has_read_them(self, sizes):
        data = b"".join(serialize_frame(0, bytes(size)) for size in sizes)
        ((run,), position) = read_frames(memoryview(data), CHANNELS, 5.0)
        assert (run.datagrams.headers, position) == (None, len(data))

    def test_a_frame_that_is_left_leaves_its_header(self):
        ((run,), _) = read_frames(memoryview(FRAME * 4 + OK), CHANNELS, 5.0)
        assert len(run.datagrams.headers) == len(run.datagrams) == 3

    def test_another_channel_begins_another_run(self):
        runs, _ = read_frames(memoryview(FRAME * 2 + REPORT + FRAME), CHANNELS, 5.0)
        assert [(run.channel, len(run.datagrams)) for run in runs] == [(0, 2), (1, 1), (0, 1)]

    def test_frames_without_a_payload_are_frames(self):
        empty = serialize_frame(2, b"")
        assert read(empty * 3) == ([frame(2, b"")] * 3, len(empty) * 3)

    def test_nothing_is_nothing(self):
        assert read(b"") == ([], 0)


class TestWhereItStops:
    @pytest.mark.parametrize("kept", range(len(FRAME)))
    def test_a_frame_that_is_not_whole_is_left(self, kept):
        found, position = read(FRAME + FRAME[:kept])
        assert (found, position) == ([frame(0, RTP)], len(FRAME))

    @pytest.mark.parametrize("behind", [OK, b"\r\n", b"junk", b"\x00", serialize_frame(9, RTP)[:1]])
    def test_the_last_frame_before_anything_else_is_left_too(self, behind):
        """Whether it was cut short by what follows is for the reader to say."""
        whole = behind.startswith(b"$")  # the next frame may have begun
        assert read(FRAME * 3 + behind) == (
            [frame(0, RTP)] * (2 + whole),
            (2 + whole) * len(FRAME),
        )

    def test_a_single_frame_before_a_message_is_left(self):
        assert read(FRAME + OK) == ([], 0)
        assert read(REPORT * 2 + FRAME + OK) == ([frame(1, RTCP)] * 2, 2 * len(REPORT))

    @pytest.mark.parametrize("size", [4, 20, 36])
    def test_a_channel_that_was_not_set_up_is_not_read(self, size):
        strange = serialize_frame(9, RTP)[:size]
        assert read(strange) == ([], 0)
        assert read(FRAME * 2 + strange) == ([frame(0, RTP)], len(FRAME))

    def test_what_is_no_frame_is_not_read(self):
        assert read(OK) == ([], 0)


def alone(pieces: list[bytes]):
    """What the reader gives, one event after the other."""
    reader, events = MessageReader(channels=CHANNELS), []
    try:
        for piece in pieces:
            reader.receive_data(piece)
            while (event := reader.next_event()) is not None:
                events.append(event)
    except RemoteProtocolError as error:
        events.append(repr(error))
    return events


def ahead(pieces: list[bytes]):
    """The same with ``read_frames`` before it."""
    reader, events = MessageReader(channels=CHANNELS), []
    try:
        for piece in pieces:
            runs, position = reader.read_frames(memoryview(piece), 1.0)
            events += spread(runs)
            reader.receive_data(memoryview(piece)[position:])
            while (event := reader.next_event()) is not None:
                events.append(event)
    except RemoteProtocolError as error:
        events.append(repr(error))
    return events


@given(ANY, SIZES)
@example(FRAME * 3 + OK, [])
@example(FRAME[:20] + OK + FRAME, [])
def test_reading_ahead_changes_nothing(data, sizes):
    pieces = pieces_of(data, sizes)
    assert ahead(pieces) == alone(pieces)


@given(ANY)
def test_the_input_stays_as_it_was_and_every_frame_is_in_it(data):
    before = bytearray(data)
    runs, position = read_frames(memoryview(before).toreadonly(), CHANNELS, 0.0)
    assert before == data
    assert 0 <= position <= len(data)
    written = b"".join(serialize_frame(one.channel, one.payload) for one in spread(runs))
    assert written == data[:position]


@given(SOUND, SIZES)
def test_a_sound_connection_gives_the_same_however_it_is_cut(data, sizes):
    assert ahead(pieces_of(data, sizes)) == alone([data] if data else [])

"""Plain tables: aligned, within 80 columns, the same wherever they go."""

import io
import sys

import pytest

import rtspkit
from rtspkit.cli.measure import Reading, StreamReading
from rtspkit.cli.table import HEADINGS, PlainTable, cells, layout, open_table, stream_name, title
from rtspkit.errors import ConnectionLost
from rtspkit.testing.camera import Camera

VIDEO = StreamReading(
    index=0,
    media="video",
    encoding_name="H264",
    packets=123_456,
    lost=12,
    jitter=0.00041,
    packet_rate=1234.5,
    bitrate=12_345_678.0,
    frame_rate=25.04,
    time_to_first_packet=0.012,
    time_to_first_keyframe=1.2,
)
AUDIO = StreamReading(
    index=1,
    media="audio",
    encoding_name="MPEG4-GENERIC",
    packets=235,
    jitter=0.0123,
    packet_rate=46.9,
    bitrate=51_200.0,
    time_to_first_packet=0.0085,
)
READING = Reading(transport="udp", seconds=61.2, streams=(VIDEO, AUDIO))

EXPECTED = """\
                                  packets                frames   first    first
      stream        packets  lost   per s kbit/s  jitter  per s  packet keyframe
 1:01 H264          123,456    12   1,234 12,346 0.41 ms   25.0   12 ms   1.20 s
      MPEG4-GENERIC     235     0    46.9   51.2   12 ms      - 8.50 ms        -
"""


def test_rows_are_aligned_within_80_columns(capsys):
    with PlainTable() as table:
        table.show(READING)
    out = capsys.readouterr().out
    assert out == EXPECTED
    assert max(map(len, out.splitlines())) == 80


def test_the_heading_comes_once_and_the_summary_last(capsys):
    with PlainTable() as table:
        table.show(READING)
        table.finish(READING, "that was all", ConnectionLost("x"))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "kbit/s" in line] == [lines[1]]
    assert lines[4].startswith("  all H264 ")
    assert lines[-1] == "that was all"


def test_a_row_has_a_cell_for_each_heading():
    assert len(cells(VIDEO)) == len(HEADINGS)
    assert len(layout(cells(AUDIO))) <= 74


def test_a_stream_that_nothing_came_of_has_dashes():
    row = cells(StreamReading(index=3))
    assert row == ("stream 3", "0", "0", "-", "-", "-", "-", "-", "-")


def test_a_foreign_encoding_name_cannot_break_the_table():
    assert stream_name(StreamReading(encoding_name="X\x1b[2J\nVERY-LONG-NAME")) == "X [2J VERY-L…"


async def test_the_title_tells_the_transport_and_no_password():
    async with Camera(server="An Old Server " * 4) as camera:
        url = camera.url.replace("//", "//user:hidden@")
        async with rtspkit.connect(url, transport="tcp") as session:
            text = title(session)
    assert text.startswith(f"TCP  {camera.url.replace('//', '//user:***@')}  An Old Server")
    assert len(text.split("  ")[-1]) == 32


@pytest.mark.usefixtures("without_rich")
def test_a_terminal_without_rich_gets_plain_lines(terminal):
    with terminal, open_table() as table:
        assert isinstance(table, PlainTable)
        table.show(READING)
    assert terminal.text.replace("\r\n", "\n") == EXPECTED


def test_a_pipe_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert isinstance(open_table(), PlainTable)


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal:
        assert isinstance(open_table(), PlainTable)

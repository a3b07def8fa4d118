"""The table in place: nothing but the last one stays, and it fits 80 columns."""

import re

import pytest

pytest.importorskip("rich", reason="rich is optional: pip install 'rtspkit[cli]'")

import rtspkit
from rtspkit.cli.measure import Reading, StreamReading
from rtspkit.cli.rich_table import RichTable
from rtspkit.cli.table import open_table
from rtspkit.errors import ConnectionLost
from rtspkit.testing.camera import Camera

ESCAPE = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])")


def reading(packets, lost=0):
    stream = StreamReading(
        media="audio",
        encoding_name="MPEG4-GENERIC",
        packets=packets,
        lost=lost,
        packet_rate=46.9,
        bitrate=51_200.0,
        jitter=0.0123,
        time_to_first_packet=0.0085,
    )
    return Reading(transport="tcp", seconds=2.0, streams=(stream,))


def screen(output):
    """What a terminal of any size shows in the end: lines drawn anew replace the old ones."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", output):
        kind = ESCAPE.fullmatch(part)
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif kind and kind[1] == "A":
            row -= int(part[2:-1] or 1)
        elif kind and kind[1] == "K":
            lines[row] = ""
        elif part != "\r" and not kind:
            lines[row] += part
    return [line.rstrip() for line in lines if line.strip()]


def test_only_the_last_table_stays(terminal):
    with terminal, open_table() as table:
        assert isinstance(table, RichTable)
        table.show(reading(100))
        table.show(reading(200))
        table.finish(reading(300), "that was all", None)
    assert screen(terminal.text) == [
        "                            packets                frames   first    first",
        "stream        packets  lost   per s kbit/s  jitter  per s  packet keyframe",
        "MPEG4-GENERIC     300     0    46.9   51.2   12 ms      - 8.50 ms        -",
        "that was all",
    ]
    assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h")  # the cursor


@pytest.mark.parametrize(
    ("packets", "lost", "error", "colour"),
    [
        (300, 0, None, 32),
        (300, 1, None, 31),
        (0, 0, None, 31),
        (300, 0, ConnectionLost("x"), 31),
    ],
)
def test_the_summary_is_green_only_when_all_is_fine(terminal, packets, lost, error, colour):
    with terminal, open_table() as table:
        table.finish(reading(packets, lost), "that was all", error)
    assert f"\x1b[{colour}mthat was all" in terminal.text


async def test_the_title_is_text_and_no_markup(terminal):
    async with (
        Camera(server="[red]x[/red]") as camera,
        rtspkit.connect(camera.url, transport="tcp") as session,
    ):
        with terminal, open_table() as table:
            table.begin(session)
    assert screen(terminal.text) == [f"TCP  {camera.url}  [red]x[/red]"]

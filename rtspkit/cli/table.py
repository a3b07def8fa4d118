"""The table of a session that plays: in place with rich, as plain lines without it.

Layer:  cli
In:     readings
Out:    on a terminal with rich: one table that is drawn anew; anywhere else: lines, one row a
        second and stream
"""

from __future__ import annotations

import sys
from typing import Protocol, Self

from rtspkit.cli.figures import clock, count, decimal, milliseconds, one_line, shorten
from rtspkit.cli.measure import Reading, StreamReading
from rtspkit.client.session import Session
from rtspkit.errors import RtspError

__all__ = [
    "HEADINGS",
    "PlainTable",
    "Table",
    "cells",
    "layout",
    "open_table",
    "stream_name",
    "title",
]

HEADINGS = (
    ("", "stream"),
    ("", "packets"),
    ("", "lost"),
    ("packets", "per s"),
    ("", "kbit/s"),
    ("", "jitter"),
    ("frames", "per s"),
    ("first", "packet"),
    ("first", "keyframe"),
)
WIDTHS = (13, 7, 5, 7, 6, 7, 6, 7, 8)  # with the time, and 1 between them: 80
SERVER_WIDTH = 32  # characters of the server's name that are shown
TIME_WIDTH = 5  # of the seconds in front of plain rows


class Table(Protocol):
    """Shows readings while a session plays.

    Attributes:
        interval: Seconds between two readings.
    """

    interval: float

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def begin(self, session: Session) -> None:
        """What is played; shown above the numbers."""

    def show(self, reading: Reading) -> None:
        """The numbers of now."""

    def finish(self, reading: Reading, summary: str, error: RtspError | None) -> None:
        """The numbers of the whole time, and a sentence; they stay. ``error`` ended it."""


def title(session: Session) -> str:
    """Transport, URL without its password, and server."""
    server = shorten(session.server or "a server without a name", SERVER_WIDTH)
    return f"{session.transport.upper()}  {one_line(str(session.url))}  {server}"


def stream_name(stream: StreamReading) -> str:
    """The encoding, or the media of an unknown one."""
    return shorten(stream.encoding_name or stream.media or f"stream {stream.index}", WIDTHS[0])


def cells(stream: StreamReading) -> tuple[str, ...]:
    """One row, in the order of ``HEADINGS``."""
    kilobits = None if stream.bitrate is None else stream.bitrate / 1000
    return (
        stream_name(stream),
        count(stream.packets, WIDTHS[1]),
        count(stream.lost, WIDTHS[2]),
        decimal(stream.packet_rate),
        decimal(kilobits),
        milliseconds(stream.jitter if stream.packets > 1 else None),
        decimal(stream.frame_rate),
        milliseconds(stream.time_to_first_packet),
        milliseconds(stream.time_to_first_keyframe),
    )


def layout(row: tuple[str, ...]) -> str:
    """One line: the name to the left, numbers to the right."""
    first = f"{row[0]:<{WIDTHS[0]}}"
    others = (f"{text:>{width}}" for text, width in zip(row[1:], WIDTHS[1:], strict=True))
    return " ".join((first, *others)).rstrip()


class PlainTable:
    """Lines for any terminal, file or pipe."""

    interval = 1.0

    def __init__(self) -> None:
        self._headed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.stdout.flush()

    def begin(self, session: Session) -> None:
        """The title, on a line of its own."""
        print(title(session), flush=True)

    def show(self, reading: Reading) -> None:
        """A row for each stream."""
        self._print(clock(reading.seconds), reading)

    def finish(self, reading: Reading, summary: str, error: RtspError | None) -> None:
        """A last row for each stream, then the sentence."""
        if sys.stdout.isatty():
            print("\r", end="")  # over the ^C that the terminal may have echoed
        self._print("all", reading)
        print(summary, flush=True)

    def _print(self, time: str, reading: Reading) -> None:
        if not self._headed:
            self._headed = True
            for line in zip(*HEADINGS, strict=True):
                print(f"{'':{TIME_WIDTH}} {layout(line)}")
        for stream in reading.streams:
            print(f"{time:>{TIME_WIDTH}} {layout(cells(stream))}")
            time = ""
        sys.stdout.flush()


def open_table() -> Table:
    """The best table that standard output and what is installed allow."""
    if sys.stdout.isatty():
        try:
            from rtspkit.cli.rich_table import RichTable
        except ImportError:
            return PlainTable()  # rich is optional
        if RichTable.is_possible():
            return RichTable()
    return PlainTable()

"""The table of a session that plays, drawn in place by rich; imported only where rich is.

Layer:  cli
"""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rtspkit.cli.measure import Reading
from rtspkit.cli.table import HEADINGS, WIDTHS, cells, title
from rtspkit.client.session import Session
from rtspkit.errors import RtspError

__all__ = ["RichTable"]

LOST = 2  # place of its column


class RichTable:
    """A table that is drawn anew four times a second, and stays at the end."""

    interval = 0.25

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._title = Text()
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            vertical_overflow="crop",
            redirect_stdout=False,
            redirect_stderr=sys.stderr.isatty(),
        )

    @staticmethod
    def is_possible() -> bool:
        """Whether the terminal can move its cursor."""
        console = Console()
        return console.is_terminal and not console.is_dumb_terminal

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def begin(self, session: Session) -> None:
        """The title, above the table."""
        self._title = Text(title(session), style="bold", no_wrap=True, overflow="ellipsis")
        self._live.update(self._title, refresh=True)

    def show(self, reading: Reading) -> None:
        """The rates of the last moments."""
        time = Text(f"{reading.seconds:.1f} s", style="dim")
        self._live.update(Group(self._title, _draw(reading), time), refresh=True)

    def finish(self, reading: Reading, summary: str, error: RtspError | None) -> None:
        """The numbers of the whole time."""
        fine = reading.total("packets") and not reading.total("lost") and error is None
        sentence = Text(summary, style="green" if fine else "red")
        self._live.update(Group(self._title, _draw(reading), sentence), refresh=True)


def _draw(reading: Reading) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for place, ((above, below), width) in enumerate(zip(HEADINGS, WIDTHS, strict=True)):
        heading = f"{above}\n{below}"
        table.add_column(
            heading, justify="right" if place else "left", min_width=width, no_wrap=True
        )
    for stream in reading.streams:
        texts = [Text(text) for text in cells(stream)]
        texts[0].stylize("cyan")
        texts[LOST].stylize("bold red" if stream.lost else "green")
        table.add_row(*texts)
    return table

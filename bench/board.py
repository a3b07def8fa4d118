"""A table that fills while a benchmark runs: live with rich on a terminal, else plain.

In:     rows by name
Out:    standard output; progress on standard error where there is no terminal
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

__all__ = ["Board", "plain_table"]


class Board:
    """One block of rows.

    Args:
        title: Above the table.
        columns: Their heads; the first is the row's name.
    """

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title = title
        self.columns = tuple(columns)
        self.rows: dict[str, tuple[str, ...]] = {}
        self._live = self._start()

    def update(self, name: str, *cells: str) -> None:
        """Set a row."""
        self.rows[name] = cells
        if self._live is not None:
            self._live.update(self._table())
        else:
            print(f"  {name}: {', '.join(filter(None, cells))}", file=sys.stderr)

    def close(self) -> None:
        """Leave the whole table on the screen."""
        if self._live is not None:
            self._live.update(self._table())
            self._live.stop()
        else:
            print(f"\n{self.title}\n\n{plain_table(self.columns, self.rows)}\n", flush=True)

    def _start(self) -> Live | None:
        if not sys.stdout.isatty():
            return None
        try:
            from rich.live import Live
        except ImportError:
            return None
        live = Live(refresh_per_second=4)
        live.start()
        return live

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(title=self.title, title_justify="left")
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="right" if index else "left", no_wrap=True)
        for name, cells in self.rows.items():
            table.add_row(name, *cells)
        return table


def plain_table(columns: Sequence[str], rows: dict[str, tuple[str, ...]]) -> str:
    """Columns as wide as they must be; names on the left, numbers on the right."""
    lines = [tuple(columns), *((name, *cells) for name, cells in rows.items())]
    lines = [(*line, *[""] * (len(columns) - len(line))) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = []
    for line in lines:
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        texts.append("  ".join([first, *others]).rstrip())
    return "\n".join(texts)

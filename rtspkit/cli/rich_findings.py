"""The table of a diagnosis, in colours; imported only where rich is.

Layer:  cli
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rtspkit.cli.doctor import MARKS, reached, summarize
from rtspkit.cli.figures import one_line
from rtspkit.client.finding import Diagnosis

__all__ = ["show_findings"]

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def show_findings(diagnosis: Diagnosis, console: Console | None = None) -> None:
    """Print the findings, what to do, and a sentence."""
    console = console or Console(highlight=False)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for finding in reached(diagnosis):
        style = STYLES[finding.outcome]
        seen = Text(one_line(finding.seen), style="dim" if finding.outcome == "skipped" else "")
        if finding.advice:
            seen.append(f"\n-> {one_line(finding.advice)}", style="bold")
        table.add_row(Text(MARKS[finding.outcome], style=style), Text(finding.step), seen)
    console.print(Text(one_line(diagnosis.url), style="bold"))
    console.print(table)
    console.print()
    console.print(Text(summarize(diagnosis), style="green" if diagnosis.transports else "red"))

"""The table of a diagnosis on a terminal with colours."""

from __future__ import annotations

import io

import pytest

from rtspkit.client.finding import Diagnosis, Finding

console = pytest.importorskip("rich.console")


def shown(*findings: Finding, **options: object) -> str:
    from rtspkit.cli.rich_findings import show_findings

    out = io.StringIO()
    show_findings(
        Diagnosis("rtsp://camera/", list(findings), **options),
        console.Console(file=out, width=80, force_terminal=True, color_system="standard"),
    )
    return out.getvalue()


def test_marks_have_their_colours():
    text = shown(
        Finding("udp", "failed", "nothing came", "set it"),
        Finding("tcp", "ok", "fine"),
        Finding("clock", "warning", "late"),
        transports=("tcp",),
    )
    assert "\x1b[1;31mFAIL\x1b[0m" in text
    assert "\x1b[32mok" in text
    assert "\x1b[33mnote" in text
    assert "\x1b[1m-> set it\x1b[0m" in text
    assert "\x1b[32mIt works over TCP; udp failed; see the notes on clock.\x1b[0m" in text


def test_what_does_not_work_is_red():
    assert "\x1b[31mIt does not work: udp: nothing came." in shown(
        Finding("udp", "failed", "nothing came")
    )


def test_foreign_text_is_no_markup_and_moves_no_cursor():
    text = shown(Finding("rtsp", "ok", "[bold]evil[/bold]\x1b[2J\x07"), transports=("tcp",))
    assert "[bold]evil[/bold] [2J" in text
    assert "\x07" not in text

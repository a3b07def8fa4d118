"""The plain table, and what is printed where there is no terminal."""

from __future__ import annotations

from bench.board import Board, plain_table


def test_columns_are_as_wide_as_they_must_be():
    table = plain_table(("name", "µs"), {"a long name": ("1.25",), "b": ("12.5",), "c": ()})
    assert table.splitlines() == [
        "name           µs",
        "a long name  1.25",
        "b            12.5",
        "c",
    ]


def test_without_a_terminal_the_table_comes_at_the_end(capsys):
    board = Board("A title", ("name", "value"))
    board.update("one", "1")
    assert capsys.readouterr().out == ""
    board.update("one", "2")
    board.close()
    assert capsys.readouterr().out == "\nA title\n\nname  value\none       2\n\n"

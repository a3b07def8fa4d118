"""The same figures without joined datagrams."""

from __future__ import annotations

from bench import side_by_side, single_datagrams
from bench.catalogue import RECEIVERS
from bench.result import Result


def test_it_is_side_by_side_without_joined_datagrams(monkeypatch):
    asked = {}

    def main(arguments, *, benchmark, title, parser, default):
        asked.update(options=parser.parse_args(arguments), benchmark=benchmark, default=default)
        return Result(benchmark, title)

    monkeypatch.setattr(side_by_side, "main", main)
    single_datagrams.main(["--quick"])
    assert asked["benchmark"] == "single_datagrams"
    assert asked["options"].segmentation is False
    assert asked["options"].transport == "udp"
    assert set(asked["default"]) <= set(RECEIVERS)

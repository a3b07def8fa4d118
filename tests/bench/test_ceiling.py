"""The search, on receivers that are functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ceiling import climb, judge, main
from bench.result import Result, read_result


@given(st.floats(50_000, 900_000))
def test_the_search_comes_close_from_below(truth):
    found = climb(lambda rate: rate <= truth, 50_000, 1_000_000)
    assert 0.98 * truth <= found <= truth


def test_nothing_above_the_top_is_tried():
    asked: list[float] = []

    def holds(rate: float) -> bool:
        asked.append(rate)
        return True

    assert climb(holds, 50_000, 200_000) == 200_000
    assert max(asked) == 200_000


def test_who_does_not_hold_the_first_rate_holds_none():
    assert climb(lambda rate: False, 50_000, 100_000) == 0
    assert climb(lambda rate: rate < 60_000, 50_000, 100_000) == pytest.approx(60_000, rel=0.02)


def test_tcp_is_as_fast_as_the_receiver(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.play.WARM_UP", 0.0)
    path = tmp_path / "found.json"
    options = ["--transport", "tcp", "--receivers", "drain-recv", "--quick", "--json", str(path)]
    main(options)
    (found,) = read_result(path).find("ceiling", "bare recv")
    assert found.values[0] > 1000


def test_the_promise_is_judged_by_the_median():
    result = Result("ceiling", options={"packet_size": 1200})
    under = {"transport": "udp", "streams": 1, "packet_size": 1200}
    result.add("rtspkit packets", "ceiling", "packets/s", under, 310_000, None, 320_000)
    judge(result)
    verdicts = [target.met for target in result.targets]
    assert verdicts == [True, None]
    assert result.targets[0].value == 315_000

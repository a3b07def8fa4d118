"""Rounds, and subjects that drop out of them."""

from bench.program import give_up, in_rounds
from bench.result import Result

UNDER = {"streams": 1}


def test_every_other_round_goes_backwards():
    assert list(in_rounds("abc", 2)) == [
        (0, "a"),
        (0, "b"),
        (0, "c"),
        (1, "c"),
        (1, "b"),
        (1, "a"),
    ]


def test_who_gives_nothing_in_the_first_round_is_missing():
    result = Result("x")
    give_up(result, "a", UNDER, ValueError("no such option"))
    assert result.missing == {"a": "no such option"}
    assert not result.notes


def test_who_fails_later_stays_paired_with_the_others():
    result = Result("x")
    for name in ("a", "b"):
        result.add(name, "cpu", "us", UNDER, 1.0)
    give_up(result, "a", UNDER, ValueError("stalled"))
    for name in ("a", "b"):
        result.add(name, "cpu", "us", UNDER, 2.0)
    assert result.find("cpu", "a")[0].samples == [1.0, None, 2.0]
    assert result.find("cpu", "b")[0].samples == [1.0, 2.0]
    assert not result.missing
    assert result.notes == ["a failed once: stalled"]

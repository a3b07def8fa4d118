"""What the benchmarks have in common as programs: options, rounds, and a result at the end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from bench.result import DEFAULT_FOLDER, Parameter, Result, write_result
from bench.tables import format_value, lower_end

__all__ = ["finish", "give_up", "in_rounds", "options_parser", "say", "settle"]

T = TypeVar("T")
SETTLING = 0.3  # s until a stream runs evenly


def options_parser(
    name: str, text: str | None, *, rounds: int, seconds: float
) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {name}", description=(text or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="two rounds of 1 s: only to try it")
    parser.add_argument("--output", type=Path, default=DEFAULT_FOLDER, help="folder of results")
    parser.add_argument("--json", type=Path, help="one file instead of the folder")
    return parser


def in_rounds(subjects: Iterable[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Every subject in every round; every other round backwards, so that none is always first."""
    order = list(subjects)
    for index in range(rounds):
        for subject in order if index % 2 == 0 else reversed(order):
            yield index, subject


def settle(seconds: float = SETTLING) -> None:
    """Let what has just begun run evenly."""
    time.sleep(seconds)


def give_up(
    result: Result, name: str, under: Mapping[str, Parameter], error: Exception, key: str = ""
) -> None:
    """A subject gave nothing in this round.

    In its first round it is missing, and not to be asked again; later it has failed once, and its
    rounds stay paired with those of the others.

    Args:
        result: What it is noted in.
        name: The subject.
        under: Its parameters.
        error: Why.
        key: What it is called when it is missing; its name by default.
    """
    found = [one for one in result.measurements if one.subject == name and one.parameters == under]
    if not found:
        result.missing[key or name] = str(error)
        return
    for one in found:
        one.samples.append(None)
    result.notes.append(f"{key or name} failed once: {error}")


def say(text: str) -> None:
    """A line for whoever watches."""
    print(text, file=sys.stderr, flush=True)


def finish(result: Result, options: argparse.Namespace) -> int:
    """Write the result and print its figures; gives the exit code."""
    for one in result.measurements:
        if one.values:
            summary = one.summary()
            under = " ".join(f"{key}={value}" for key, value in one.parameters.items())
            ends = lower_end(summary.low, one.values), summary.high
            low, high = (format_value(value, one.unit) for value in ends)
            middle = format_value(summary.median, one.unit)
            print(f"{one.subject:32} {one.metric:28} {middle:>12}  ({low} to {high})  {under}")
    for name, why in result.missing.items():
        print(f"{name}: missing: {why}")
    for target in result.targets:
        told = {True: "met", False: "missed", None: "not measured"}[target.met]
        value = "" if target.value is None else format_value(target.value, target.unit)
        print(f"{target.figure} {target.text}: {value} {told} {target.note}")
    print(f"written: {write_result(result, options.output, path=options.json).name}")
    return 0

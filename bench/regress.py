"""``python -m bench regress --against REV``: is the working tree slower than a revision?

In:     a revision; the package of the working tree
Out:    the ratio of each figure, now by before, with its 99 % interval; exit code 1 when one is
        slower

Rules
- Both trees are measured in one go, in the order A B B A, by the bench of the working tree, from
  one source: what disturbs one disturbs the other.
- Each sample comes from a process of its own: where memory happens to lie moves a figure by some
  per cent, and that must lie inside of the interval.
- Slower means that the whole interval lies above 1.10. Figures that a tree does not have are named.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.crowd import Crowd, CrowdError, Wish
from bench.measure import Summary, pin, receiver_core, summarize_ratio
from bench.program import say, settle
from bench.result import Result, write_result
from bench.revisions import NoRevision, Repository
from bench.source import Source
from bench.tables import format_number
from bench.traffic import Traffic

__all__ = ["Comparison", "Samples", "compare", "in_turn", "main", "verdict_lines"]

CONFIDENCE = 0.99
SLOWER = 1.10  # ratio that is a regression
LEAST_ROUNDS = 3  # fewer have no interval to speak of
ROOT = Path(__file__).parent.parent
BEFORE, NOW = "before", "now"
RATE = 20_000.0  # packets/s: enough for wake-ups to carry many, few enough for every revision
FIGURES = {  # of a session: door, transport
    "UDP packets": ("packets", "udp"),
    "UDP batches": ("batches", "udp"),
    "TCP packets": ("packets", "tcp"),
    "access units": ("access_units", "udp"),
}
ROUNDS, SHORT_ROUNDS = 10, 5
SECONDS, SHORT_SECONDS = 2.0, 0.5  # of one sample of a session
SHORT_BUDGET = 40.0  # seconds after which no round begins, once there are enough of them
LOOP_SECONDS = 0.12  # CPU time of one sample of a loop
LOOP_REPEATS = 3  # samples of a process; the quickest counts


@dataclass(slots=True)
class Samples:
    """One figure of both trees, a sample a round; None where a round gave none."""

    figure: str
    unit: str
    before: list[float | None] = field(default_factory=list)
    now: list[float | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the rounds say of one figure.

    Attributes:
        figure: Its name.
        ratio: Now by before, with its interval; None when no round has both.
    """

    figure: str
    ratio: Summary | None

    @property
    def slower(self) -> bool:
        """Whether the whole interval lies above ``SLOWER``."""
        ratio = self.ratio
        return ratio is not None and ratio.rounds >= LEAST_ROUNDS and ratio.low > SLOWER


def compare(samples: Samples) -> Comparison:
    """The ratio of one figure, paired by round."""
    try:
        ratio = summarize_ratio(samples.now, samples.before, CONFIDENCE)
    except ValueError:
        ratio = None
    return Comparison(samples.figure, ratio)


def verdict_lines(comparisons: Sequence[Comparison], missing: Mapping[str, str]) -> list[str]:
    """What is to be printed."""
    width = max((len(one.figure) for one in comparisons), default=0)
    lines = []
    for one in comparisons:
        name = one.figure.ljust(width)
        if one.ratio is None:
            lines.append(f"{name}  no round has both")
            continue
        ratio = one.ratio
        low, middle, high = map(format_number, (ratio.low, ratio.median, ratio.high))
        told = f"{name}  x {middle}  ({low} to {high}, {ratio.rounds} rounds)"
        if one.slower:
            told += "  SLOWER"
        elif ratio.rounds < LEAST_ROUNDS:
            told += "  too few rounds to tell"
        lines.append(told)
    return lines + [f"{name}: missing: {why}" for name, why in sorted(missing.items())]


# -- the two trees


class Trees:
    """Runs programs of this bench on the package of either tree.

    Args:
        folders: By ``BEFORE`` and ``NOW``: each holds one ``rtspkit``.
        place: A working directory that holds no package.
    """

    def __init__(self, folders: Mapping[str, Path], place: Path) -> None:
        self.folders = folders
        self.place = place

    def environment(self, tree: str) -> dict[str, str]:
        """That of a child: the tree's package first, then this bench."""
        path = os.pathsep.join((str(self.folders[tree]), str(ROOT)))
        return os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}

    def start(self, tree: str, module: str, *arguments: str) -> subprocess.Popen[str]:
        """A child with pipes to its input and from its output."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=self.environment(tree),
            cwd=self.place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def in_turn(rounds: int, deadline: float = math.inf) -> Iterator[tuple[str, str]]:
    """Which tree comes first: A B, B A, A B …

    Args:
        rounds: How many, if there is time.
        deadline: Monotonic seconds after which none begins but the first ``LEAST_ROUNDS``.
    """
    for index in range(rounds):
        if index >= LEAST_ROUNDS and time.monotonic() > deadline:
            return
        yield (BEFORE, NOW) if index % 2 == 0 else (NOW, BEFORE)


# -- loops


class LoopChild:
    """A process that times loops of one tree on demand (``bench.loops``)."""

    def __init__(self, trees: Trees, tree: str) -> None:
        self._process = trees.start(tree, "bench.loops")
        hello = self._read()
        self.packets: dict[str, int] = hello["packets"]
        self.missing: dict[str, str] = hello["missing"]

    def time(self, loop: str, calls: int) -> float:
        """CPU nanoseconds per packet."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"loop": loop, "calls": calls}) + "\n")
        self._process.stdin.flush()
        return float(self._read()["ns"])

    def _read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a child of regress ended before its time")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        with self._process:
            pass  # closes its input, reads no more, waits


def measure_loops(trees: Trees, rounds: int, missing: dict[str, str]) -> list[Samples]:
    """Every loop that both trees have; a fresh pair of processes a round."""
    samples: dict[str, Samples] = {}
    calls: dict[str, int] = {}
    for order in in_turn(rounds):
        with ExitStack() as stack:
            children = {}
            for tree in order:
                children[tree] = LoopChild(trees, tree)
                stack.callback(children[tree].close)
                for loop, why in children[tree].missing.items():
                    missing[f"{loop} ({tree})"] = why
            both = [name for name in children[NOW].packets if name in children[BEFORE].packets]
            for loop in both:
                child = children[NOW]
                if loop not in calls:
                    took = child.time(loop, 1) * child.packets[loop] / 1e9
                    calls[loop] = max(1, round(LOOP_SECONDS / LOOP_REPEATS / max(took, 1e-9)))
                one = samples.setdefault(loop, Samples(loop, "ns"))
                found = _repeat(children, order, loop, calls[loop])
                one.before.append(found[BEFORE])
                one.now.append(found[NOW])
    return list(samples.values())


def _repeat(
    children: Mapping[str, LoopChild], order: tuple[str, str], loop: str, calls: int
) -> dict[str, float]:
    """The quickest of a few samples of each tree, in turn."""
    found: dict[str, list[float]] = {BEFORE: [], NOW: []}
    for index in range(LOOP_REPEATS):
        for tree in order if index % 2 == 0 else reversed(order):
            found[tree].append(children[tree].time(loop, calls))
    return {tree: min(samples) for tree, samples in found.items()}


# -- sessions


def measure_sessions(
    trees: Trees, rounds: int, seconds: float, deadline: float, missing: dict[str, str]
) -> list[Samples]:
    """CPU per packet of whole sessions, from one source; a fresh process each time."""
    samples = {figure: Samples(figure, "us") for figure in FIGURES}
    with Source(Traffic(rate=RATE)) as source:
        for order in in_turn(rounds, deadline):
            for figure, (door, transport) in FIGURES.items():
                wish = Wish(url=source.url(), door=door, transport=transport)
                for tree in order:
                    found = None
                    if f"{figure} ({tree})" not in missing:
                        try:
                            found = _session(wish, trees.environment(tree), seconds)
                        except CrowdError as error:
                            missing[f"{figure} ({tree})"] = str(error)
                    getattr(samples[figure], tree).append(found)
    return [one for one in samples.values() if any(one.before) or any(one.now)]


def _session(wish: Wish, environment: dict[str, str], seconds: float) -> float:
    """Microseconds of CPU per packet received."""
    with Crowd(wish, environment) as crowd:
        settle(0.15)
        before = crowd.snapshot()
        settle(seconds)
        after = crowd.snapshot()
    packets = after["received"] - before["received"]
    if packets <= 0:
        raise CrowdError("no packet came")
    return (after["cpu"] - before["cpu"]) / packets * 1e6


# -- the program


def main(arguments: list[str] | None = None, *, root: Path = ROOT) -> int:
    """Compare; gives 0, or 1 when something is slower, or 2 when a revision is not to be had."""
    parser = argparse.ArgumentParser(
        prog="python -m bench regress", description="Is the working tree slower than a revision?"
    )
    parser.add_argument("--against", required=True, metavar="REV")
    parser.add_argument("--short", action="store_true", help="about 45 s instead of 5 minutes")
    parser.add_argument("--report-only", action="store_true", help="whatever is found, exit with 0")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args(arguments)
    repository = Repository(root)
    try:
        commit = repository.resolve(options.against)
        if not repository.has_package(commit):
            say(f"{options.against} has no rtspkit: nothing to compare with")
            return 0
        if repository.same_as_working_tree(commit):
            say(f"the working tree's rtspkit is that of {options.against}: nothing to compare")
            return 0
        with repository.trees(commit) as (before, now):
            result, comparisons = _compare(before, now, short=options.short)
    except NoRevision as error:
        say(f"regress: {error}")
        return 0 if options.report_only else 2
    print("\n".join(verdict_lines(comparisons, result.missing)))
    if options.json:
        write_result(result, path=options.json)
    slower = [one.figure for one in comparisons if one.slower]
    if slower:
        print(f"slower than {options.against} by more than 10 %: {', '.join(slower)}")
    return 1 if slower and not options.report_only else 0


def _compare(before: Path, now: Path, *, short: bool) -> tuple[Result, list[Comparison]]:
    """Measure both trees."""
    pin(receiver_core())
    result = Result("regress", "The working tree beside an earlier revision")
    rounds, seconds = (SHORT_ROUNDS, SHORT_SECONDS) if short else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory() as place:
        trees = Trees({BEFORE: before, NOW: now}, Path(place))
        deadline = time.monotonic() + (SHORT_BUDGET if short else math.inf)
        samples = measure_sessions(trees, rounds, seconds, deadline, result.missing)
        samples += measure_loops(trees, rounds, result.missing)
    for one in samples:
        for tree in (BEFORE, NOW):
            found = result.measurement(one.figure, "cpu_per_packet", one.unit, {"tree": tree})
            found.samples.extend(getattr(one, tree))
    return result, [compare(one) for one in samples]


if __name__ == "__main__":
    raise SystemExit(main())

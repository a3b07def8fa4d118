"""The small loops of the receive path, timed by pyperf in processes of their own.

    python -m bench micro                       all of them
    python -m bench micro parse_rtp --fast      one, with pyperf's own options

Out:    nanoseconds of CPU per packet; ``micro.json``, and pyperf's own file with ``-o``

pyperf repeats each loop in many processes: where memory happens to lie moves such a loop by some
per cent, and one process shows one such place only.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.loops import LOOPS, Missing, make
from bench.result import DEFAULT_FOLDER, Result, write_result

if TYPE_CHECKING:
    import pyperf

__all__ = ["main"]

OURS = {"--output": "--folder", "--quick": "--fast"}  # as the other benchmarks have it

_loop = cache(make)


def main(arguments: list[str] | None = None) -> int:
    """Time the loops that are named; gives the exit code."""
    try:
        import pyperf
    except ImportError:
        print("micro needs pyperf: pip install 'rtspkit[bench]'", file=sys.stderr)
        return 2
    given = sys.argv[1:] if arguments is None else arguments
    sys.argv[1:] = [OURS.get(word, word) for word in given]
    os.environ["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")  # workers inherit it
    runner = pyperf.Runner(
        processes=6,
        values=3,
        program_args=("-m", "bench.micro"),
        add_cmdline_args=_worker_arguments,
    )
    runner.argparser.add_argument("names", nargs="*", help="; ".join(LOOPS))
    runner.argparser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    runner.argparser.add_argument("--json", type=Path, help="a file instead of the folder")
    options = runner.parse_args()
    options.quiet = not options.verbose
    if options.inherit_environ is None:
        options.inherit_environ = ["PYTHONPATH"]
    result = Result("micro", "Small loops of the receive path")
    if not options.worker:
        _choose(options, result)
    for name, packets in map(_parted, options.names):
        found = runner.bench_time_func(name, partial(_time, name), inner_loops=packets)
        if found is not None and not options.worker:
            _add(result, name, found)
    if not options.worker:
        _compare(result)
        print(f"written: {write_result(result, options.folder, path=options.json)}")
    return 0


def _choose(options: argparse.Namespace, result: Result) -> None:
    """Make ``names`` the loops that can run here, each with its packets; the others are missing."""
    wanted, options.names = options.names or list(LOOPS), []
    for name in wanted:
        if name not in LOOPS:
            raise SystemExit(f"no loop {name}; there are: {', '.join(LOOPS)}")
        try:
            options.names.append(f"{name}={_loop(name).packets}")
        except Missing as error:
            result.missing[name] = str(error)
            print(f"{name}: missing: {error}")


def _parted(name: str) -> tuple[str, int]:
    """``("parse_rtp", 64)`` of ``parse_rtp=64``: a worker need not make a loop to know its size."""
    name, _, packets = name.partition("=")
    return name, int(packets)


def _worker_arguments(command: list[str], options: argparse.Namespace) -> None:
    command.extend(options.names)


def _time(name: str, calls: int) -> float:
    """Seconds of CPU of that many calls: what others do on this machine is not theirs."""
    call = _loop(name).call
    before = time.process_time()
    for _ in range(calls):
        call()
    return time.process_time() - before


def _add(result: Result, name: str, found: pyperf.Benchmark) -> None:
    """One sample a process: values of one process are no independent rounds."""
    for run in found.get_runs():
        if run.values:
            mean = sum(run.values) / len(run.values)
            result.add(name, "cpu_per_packet", "ns", {}, mean * 1e9)


def _compare(result: Result) -> None:
    """How much less columns cost than a loop over packets."""
    columns = result.find("cpu_per_packet", "columns")
    packets = result.find("cpu_per_packet", "packet_by_packet")
    if columns and packets:
        gain = packets[0].summary().median / columns[0].summary().median
        result.notes.append(
            f"columns with numpy: {gain:.1f} times less per packet than packet by packet"
        )


if __name__ == "__main__":
    raise SystemExit(main())

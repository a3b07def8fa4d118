"""``python -m bench``: all benchmarks in turn, or one by its name.

    python -m bench                     # all, then the report; about an hour
    python -m bench --quick             # the same, in short
    python -m bench list
    python -m bench side_by_side --help

Each runs in a process of its own; one that fails does not keep the others from running.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.result import DEFAULT_FOLDER
from bench.source import child_environment

__all__ = ["BENCHMARKS", "main"]

BENCHMARKS = {
    "side_by_side": "CPU per packet of every receiver, in interleaved rounds",
    "single_datagrams": "the same with one datagram a call: nothing to join for UDP_GRO",
    "streams": "CPU per packet against the number of streams",
    "ceiling": "the highest rate without a loss",
    "latency": "from the kernel to the consumer, at 1, 10 and 100 streams",
    "memory": "memory per stream at 1, 100 and 1000 streams",
    "allocations": "buffer allocations per packet",
    "moderation": "what receive moderation saves at 100 streams",
    "micro": "single functions, with pyperf",
    "retry_sim": "retry strategies, a week of virtual time with a fleet of cameras",
    "faults": "sessions had, and had back, under faults",
}
OTHERS = {
    "regress": "this tree against another revision: --against REV",
    "report": "bench/RESULTS.md and its plots, from the results",
    "source": "the source alone, for a client of one's own",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; gives the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and not words[0].startswith("-"):
        name, *rest = words
        if name == "list":
            return _list()
        if name not in BENCHMARKS and name not in OTHERS:
            print(f"no benchmark {name!r}; there are:", file=sys.stderr)
            _list()
            return 2
        return _run(name, rest)
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="everything in short")
    parser.add_argument("--output", type=Path, default=DEFAULT_FOLDER)
    options = parser.parse_args(words)
    return _run_all(options.output, quick=options.quick)


def _run_all(output: Path, *, quick: bool) -> int:
    failed = []
    for name, title in BENCHMARKS.items():
        print(f"== {name}: {title}", flush=True)
        arguments = ["--output", str(output.resolve()), *["--quick"] * quick]
        if _run(name, arguments):
            failed.append(name)
    print("== report", flush=True)
    if _run("report", ["--results", str(output.resolve())]):
        failed.append("report")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, arguments: Sequence[str]) -> int:
    """One benchmark, as a process of its own; gives its exit status."""
    if importlib.util.find_spec(f"bench.{name}") is None:
        print(f"missing: bench/{name}.py is not in this tree", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    return subprocess.run(command, env=child_environment(), check=False).returncode


def _list() -> int:
    for title, names in (("benchmarks", BENCHMARKS), ("besides", OTHERS)):
        print(f"{title}:")
        for name, text in names.items():
            print(f"  {name:18}{text}")
    print(f"results go to {DEFAULT_FOLDER}/, unless --output says otherwise")
    return 0


if __name__ == "__main__":
    sys.exit(main())

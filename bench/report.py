"""``python -m bench report``: all results in one page, with plots.

In:     the JSON files of a folder (``bench.result``)
Out:    ``bench/RESULTS.md`` and ``bench/plots/*.svg``; the same bytes for the same results

Rules
- Nothing tells who ran it, where, or when: the machine is its processor, kernel and memory.
- A promise that was missed stands there as one that was kept does; so does a peer that is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.plots import Panel, Point, Series, draw
from bench.result import DEFAULT_FOLDER, Measurement, Parameter, Result, read_result
from bench.tables import (
    PERCENTILE,
    ROUNDS,
    format_value,
    metric_tables,
    table,
    target_table,
)

__all__ = ["Plot", "load", "main", "plots", "render", "write"]

ORDER = ("side_by_side", "ceiling", "streams", "latency", "moderation", "memory", "allocations")
TITLES = {"udp": "UDP", "tcp": "TCP interleaved"}
OWN = "rtspkit "
FLOOR = "bare "  # what a receiver that does nothing is called by
PACKET_BYTES = 1200
UNITS = {"rate": "packets/s each"}
WHERE_IT_GOES = "Where the rest of a missed figure goes is told in [PROFILE.md](PROFILE.md)."
SIDE_BY_SIDE = {"transport", "rate", "streams", "packet_size"}  # parameters of what is comparable
TAIL = {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p99.9": 4.0, "p100": 5.0}
INTRODUCTION = """\
Made by `python -m bench report` from the results of `python -m bench`; see
[CONTRIBUTING.md](../CONTRIBUTING.md). Figures are medians over interleaved rounds, with 95 %
intervals; CPU is user and system time of all threads, as the kernel charged it, by packet. Ratios
and the order of receivers carry over to another machine; the figures themselves do not.
"""


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: the name of its file, its title and its panels."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def load(folder: Path) -> list[Result]:
    """The results of a folder, in the order of the page; others than results are named and left."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_result(path))
        except ValueError as error:
            print(error, file=sys.stderr)
    known = {name: place for place, name in enumerate(ORDER)}
    return sorted(found, key=lambda one: (known.get(one.benchmark, len(ORDER)), one.benchmark))


def write(results: list[Result], folder: Path) -> list[Path]:
    """Write the page and its plots; gives the files."""
    drawn: list[Plot] = plots(results)
    written = []
    pictures = folder / "plots"
    pictures.mkdir(parents=True, exist_ok=True)
    for plot in drawn:
        try:
            data = draw(plot.panels, plot.title)
        except ImportError:
            print("no plots: they need matplotlib, pip install 'rtspkit[bench]'", file=sys.stderr)
            drawn = []
            break
        written.append(pictures / f"{plot.name}.svg")
        written[-1].write_bytes(data)
    page = folder / "RESULTS.md"
    page.write_text(render(results, drawn), encoding="utf-8")
    return [page, *written]


# -- the page


def render(results: list[Result], drawn: Iterable[Plot] = ()) -> str:
    """The page."""
    lines = ["# Benchmark results", "", INTRODUCTION, "", WHERE_IT_GOES]
    lines += _machines(results)
    targets = [target for result in results for target in result.targets]
    if targets:
        targets.sort(key=lambda target: target.figure)  # stable: as measured within a figure
        met = sum(target.met is True for target in targets)
        lines += ["", "## What was promised", ""]
        lines += [f"{met} of {len(targets)} met.", "", *target_table(targets)]
    pictures = [(plot.title, f"plots/{plot.name}.svg") for plot in drawn]
    if pictures:
        lines += ["", "## At a glance"]
        for title, path in pictures:
            lines += ["", f"![{title}]({path})"]
    for result in results:
        lines += _section(result)
    return "\n".join(lines).rstrip("\n") + "\n"


def _machines(results: list[Result]) -> list[str]:
    """The machine and the versions; where results differ, each with what it is of."""
    groups: dict[str, tuple[list[str], Result]] = {}
    for result in results:
        key = repr((sorted(result.machine.items()), sorted(result.versions.items())))
        groups.setdefault(key, ([], result))[0].append(result.benchmark)
    lines = ["## Machine"]
    for names, result in groups.values():
        if len(groups) > 1:
            lines += ["", f"Of {', '.join(names)}:"]
        rows = [
            (name, _machine_value(name, value)) for name, value in sorted(result.machine.items())
        ]
        rows += sorted(result.versions.items())
        lines += ["", *table(["", ""], rows, "ll")]
    return lines


def _machine_value(name: str, value: object) -> str:
    if isinstance(value, int) and (name.endswith("bytes") or "mem" in name):
        return format_value(value, "bytes")
    return str(value)


def _section(result: Result) -> list[str]:
    lines = ["", f"## {result.title or result.benchmark}", ""]
    lines.append(f"`python -m bench {result.benchmark}`")
    for note in result.notes:
        lines += ["", note]
    if result.missing:
        lines += ["", "Missing here:", ""]
        lines += [f"* {name}: {reason}" for name, reason in sorted(result.missing.items())]
    return lines + metric_tables(result.measurements)


# -- the plots


def plots(results: list[Result]) -> list[Plot]:
    """The plots that these results have enough points for."""
    cpu = [
        one
        for result in results
        for one in result.find("cpu_per_packet")
        if one.values and one.parameters.keys() >= SIDE_BY_SIDE
    ]
    single = [one for one in cpu if one.parameters["streams"] == 1]
    what = f"{PACKET_BYTES}-byte packets, user + system"
    found = [
        Plot(
            "cpu-against-rate",
            f"CPU per packet against rate: one stream, {what}",
            _lines(single, "rate", "packets per second", what_varies=()),
        ),
        Plot(
            "cpu-against-streams",
            f"CPU per packet against number of streams: {what}",
            _lines(cpu, "streams", "streams", what_varies=("rate",)),
        ),
        Plot("latency", "Added latency, kernel to consumer", _latency(results)),
    ]
    return [plot for plot in found if plot.panels]


def _lines(
    measurements: list[Measurement], across: str, x_label: str, what_varies: tuple[str, ...]
) -> tuple[Panel, ...]:
    """A panel for each transport: cost against a parameter, everything else being equal.

    Args:
        measurements: Of every transport, under any parameters.
        across: The parameter.
        x_label: What it is called.
        what_varies: Parameters that the title has to give, since one value is chosen of several:
            the one with the most points.
    """
    panels = []
    for transport in ("udp", "tcp"):
        groups: dict[tuple[tuple[str, Parameter], ...], list[Measurement]] = {}
        for one in measurements:
            if one.parameters["transport"] == transport:
                others = {k: v for k, v in one.parameters.items() if k != across}
                groups.setdefault(tuple(sorted(others.items())), []).append(one)
        if not groups:
            continue
        chosen = max(groups, key=lambda key: len({m.parameters[across] for m in groups[key]}))
        series = _series(groups[chosen], lambda one: float(one.parameters[across]))
        if any(len(each.points) > 1 for each in series):
            values = dict(chosen)
            title = TITLES[transport]
            for name in what_varies:
                title += f", {values[name]:,g} {UNITS.get(name, name)}"
            panels.append(Panel(title, series, x_label, "CPU per packet (µs)"))
    return tuple(panels)


def _series(
    measurements: Iterable[Measurement], x: Callable[[Measurement], float], scale: float = 1.0
) -> tuple[Series, ...]:
    """A line for each subject; of several figures at one place, the first counts."""
    by_subject: dict[str, dict[float, Measurement]] = {}
    for one in measurements:
        by_subject.setdefault(one.subject, {}).setdefault(x(one), one)
    return tuple(
        Series(
            subject,
            _points(found, scale),
            floor=subject.startswith(FLOOR),
            strong=subject.startswith(OWN),
        )
        for subject, found in by_subject.items()
    )


def _points(found: Mapping[float, Measurement], scale: float) -> tuple[Point, ...]:
    points = []
    for place in sorted(found):
        summary = found[place].summary()
        if summary.rounds < ROUNDS:
            points.append(Point(place, *(summary.median * scale,) * 3))
            continue
        values = found[place].values
        low = summary.low if summary.low > 0 else min(values)  # a log axis has no zero
        ends = summary.median * scale, low * scale, summary.high * scale
        points.append(Point(place, *ends))
    return tuple(points)


def _latency(results: list[Result]) -> tuple[Panel, ...]:
    """A panel for each number of streams: percentiles of every receiver."""
    own = []
    for result in results:
        for one in result.measurements:
            found = PERCENTILE.match(one.metric)
            if found and found["metric"] == "kernel_to_consumer" and one.values:
                own.append((one.parameters.get("streams", 1), f"p{found['percentile']}", one))
    panels = []
    for streams in sorted({streams for streams, _, _ in own}, key=lambda value: float(value)):
        places = {id(one): TAIL[percentile] for count, percentile, one in own if count == streams}
        here = [one for count, _, one in own if count == streams]
        series = _series(here, lambda one, places=places: places[id(one)], 1e-3)
        ticks = tuple((at, name) for name, at in TAIL.items() if at in set(places.values()))
        plural = "" if streams == 1 else "s"
        panels.append(
            Panel(
                f"{streams} stream{plural}",
                series,
                "percentile of packets",
                "latency (ms)",
                log_x=False,
                x_ticks=ticks,
            )
        )
    return tuple(panels)


def main(arguments: list[str] | None = None) -> int:
    """Read, write, and say what was written; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench report", description=__doc__)
    parser.add_argument("--results", type=Path, default=DEFAULT_FOLDER, help="folder of results")
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).parent, help="folder of the page and its plots"
    )
    options = parser.parse_args(arguments)
    results = load(options.results)
    if not results:
        print(f"no results in {options.results}; python -m bench makes them", file=sys.stderr)
        return 2
    for path in write(results, options.to):
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Results as Markdown tables.

In:     measurements and targets, as ``bench.result`` has them
Out:    lines of Markdown; the same for the same results

One table shows one metric. Of the parameters that differ within it, the first of ``COLUMNS`` goes
across and the others go down; those that are the same for all stand above the table. Each transport
has a table of its own; percentiles of one quantity share one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from bench.result import Measurement, Parameter, Target

__all__ = [
    "ROUNDS",
    "format_number",
    "format_value",
    "lower_end",
    "metric_tables",
    "table",
    "target_table",
    "verdict",
]

COLUMNS = ("percentile", "rate", "streams", "coalesce_ms", "engine", "camera")
APART = "transport"  # has a table of its own for each value
PERCENTILE = re.compile(r"^(?P<metric>.+)_p(?P<percentile>[\d.]+)$")
WIDEST = 100.0  # times its lower end that the upper end of an interval may be
ROUNDS = 3  # of fewer, an interval says nothing
UNITS = {"us": "µs", "ns": "ns", "ms": "ms", "s": "s"}
WORDS = {"cpu": "CPU", "rss": "RSS", "rtp": "RTP", "rtcp": "RTCP", "udp": "UDP", "tcp": "TCP"}
BINARY = ("bytes", "KiB", "MiB", "GiB")


def format_number(value: float) -> str:
    """Three significant digits, whole numbers whole, thousands apart."""
    if value != value or math.isinf(value):
        return "-"
    if value and abs(value) < 0.0005:
        return f"{value:.2g}"
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text and value == int(value) else text


def format_value(value: float, unit: str) -> str:
    """A number with its unit; bytes in the power of 1024 that suits them."""
    if unit == "bytes":
        power = 0
        while abs(value) >= 10_000 and power < len(BINARY) - 1:
            value, power = value / 1024, power + 1
        return f"{format_number(value)} {BINARY[power]}"
    return f"{format_number(value)} {UNITS.get(unit, unit)}".rstrip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """A Markdown table; ``align`` has an ``l`` for a column of text, an ``r`` for figures."""
    marks = [":--" if side == "l" else "--:" for side in align]
    return [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in (head, marks, *rows)
    ]


def verdict(target: Target) -> str:
    """``met``, ``missed by 12 %``, or why nobody knows."""
    met = target.met
    if met is None or target.value is None:
        return "not measured"
    if met:
        return "met"
    if not target.limit:
        return f"missed by {format_value(abs(target.value), target.unit)}"
    part = abs(target.value / target.limit - 1) * 100
    return f"missed by {format_number(part)} %"


def target_table(targets: Iterable[Target]) -> list[str]:
    """What was promised, what came out, and whether that is enough."""
    rows = []
    for target in targets:
        measured = "-"
        if target.value is not None:
            measured = format_value(target.value, target.unit)
            if target.low is not None and target.high is not None and _tells(target):
                low, high = format_number(target.low), format_number(target.high)
                measured = f"{format_number(target.value)} ({low} to {high})"
                if target.unit:
                    low, high = (format_value(v, target.unit) for v in (target.low, target.high))
                    measured = f"{format_value(target.value, target.unit)} ({low} to {high})"
        sign = "≤" if target.at_most else "≥"
        limit = f"{sign} {format_value(target.limit, target.unit)}"
        outcome = f"**{verdict(target)}**" if not target.met else verdict(target)
        rows.append([target.figure, target.text, limit, measured, outcome, target.note])
    head = ["figure", "what", "promised", "measured", "", "note"]
    return table(head, rows, "llrrll")


def _tells(target: Target) -> bool:
    """Whether the interval says anything; that of two rounds mostly does not."""
    assert target.low is not None
    assert target.high is not None
    return target.low <= 0 or target.high / target.low < WIDEST


def lower_end(low: float, values: Sequence[float]) -> float:
    """The lower end of an interval: of what is never negative, it is not negative either."""
    return max(low, 0.0) if min(values) >= 0 else low


def metric_tables(measurements: Iterable[Measurement]) -> list[str]:
    """A table for each metric, in the order in which they first come."""
    groups: dict[tuple[str, str], list[tuple[dict[str, Parameter], Measurement]]] = {}
    for one in measurements:
        if not one.values:
            continue
        metric, parameters = one.metric, dict(one.parameters)
        found = PERCENTILE.match(metric)
        if found:
            metric = found["metric"]
            parameters["percentile"] = "p" + found["percentile"]
        groups.setdefault((metric, one.unit), []).append((parameters, one))
    lines: list[str] = []
    for (metric, unit), group in groups.items():
        if all(value == 0 for _, one in group for value in one.values):
            lines += ["", f"{_words(metric)}: none, anywhere."]
            continue
        lines += ["", f"### {_words(metric)}" + (f" ({UNITS.get(unit, unit)})" if unit else "")]
        parts = dict.fromkeys(parameters.get(APART) for parameters, _ in group)
        for part in parts:
            lines += _metric_table([each for each in group if each[0].get(APART) == part])
    return lines


def _metric_table(group: list[tuple[dict[str, Parameter], Measurement]]) -> list[str]:
    keys = sorted({key for parameters, _ in group for key in parameters})
    varying = [key for key in keys if len({_cell(p.get(key)) for p, _ in group}) > 1]
    fixed = [key for key in keys if key not in varying]
    across = next((key for key in COLUMNS if key in varying), None)
    down = [key for key in varying if key != across]
    columns = _ordered({p.get(across) for p, _ in group}) if across else [None]
    rows: dict[tuple[str, ...], dict[Parameter | None, str]] = {}
    for parameters, one in group:
        row = (one.subject, *(_cell(parameters.get(key)) for key in down))
        cells = rows.setdefault(row, {})
        cells[parameters.get(across) if across else None] = _figure(one)
    lines = [""]
    if fixed:
        values = (f"{_words(key, low=True)} {_cell(group[0][0][key])}" for key in fixed)
        lines += ["With " + ", ".join(values) + ":", ""]
    head = ["", *(_words(key, low=True) for key in down)]
    prefix = "" if across in (None, "percentile") else f"{_words(str(across), low=True)} "
    names = [prefix + _cell(column) for column in columns] if across else ["median"]
    body = [[*row, *(cells.get(c, "") for c in columns)] for row, cells in rows.items()]
    lines += table([*head, *names], body, "l" * len(head) + "r" * len(names))
    notes = {one.note: None for _, one in group if one.note}
    return [*lines, *(f"\n{note}" for note in notes)]


def _figure(one: Measurement) -> str:
    """Median, and the interval when there were enough rounds for one."""
    summary = one.summary()
    text = _plain(summary.median, one.unit)
    if summary.rounds >= ROUNDS and summary.low != summary.high:
        low = lower_end(summary.low, one.values)
        text += f" ({_plain(low, one.unit)} to {_plain(summary.high, one.unit)})"
    return text


def _plain(value: float, unit: str) -> str:
    return format_value(value, unit) if unit == "bytes" else format_number(value)


def _ordered(values: Iterable[Parameter | None]) -> list[Parameter | None]:
    """Numbers by size, then words, then what has none; p99.9 behind p99."""

    def key(value: Parameter | None) -> tuple[int, float, str]:
        if value is None:
            return 2, 0.0, ""
        text = str(value).removeprefix("p")
        try:
            return 0, float(text), ""
        except ValueError:
            return 1, 0.0, text

    return sorted(values, key=key)


def _cell(value: Parameter | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,.6g}"


def _words(name: str, *, low: bool = False) -> str:
    """``CPU per packet`` of ``cpu_per_packet``."""
    words = [WORDS.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return text if low else text[:1].upper() + text[1:]

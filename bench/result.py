"""What a benchmark has found, as a JSON file.

In:     measurements as they are made, verdicts on targets, what was missing
Out:    <folder>/<benchmark>.json, read back by ``read_result``; ``report`` draws from nothing else

Facts the code leans on
- A file says nothing of who ran it or where: the machine is its processor, kernel and memory.
- Keys are sorted and numbers are plain, so that equal results are equal bytes.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.measure import Summary, summarize

__all__ = [
    "DEFAULT_FOLDER",
    "FORMAT",
    "Measurement",
    "Result",
    "Target",
    "machine",
    "read_result",
    "read_results",
    "versions",
    "write_result",
]

FORMAT = 1
DEFAULT_FOLDER = Path("bench-results")
PACKAGES = ("rtspkit", "uvloop", "numpy", "av", "aiortsp", "opencv-python-headless", "pyperf")
PROGRAMS = {
    "ffmpeg": ("ffmpeg", "-version"),
    "gstreamer": ("gst-launch-1.0", "--version"),
}

Parameter = str | int | float | bool


@dataclass(slots=True)
class Measurement:
    """One figure of one subject under one set of parameters, once a round.

    Attributes:
        subject: What was measured: ``"rtspkit packets"``, ``"PyAV"``.
        metric: What of it: ``"cpu_per_packet"``, ``"loss"``, ``"latency_p99"``.
        unit: ``"us"``, ``"bytes"``, ``"packets/s"``, ``""`` for a share or a ratio.
        parameters: What it was measured under: transport, rate (packets/s of a stream), streams.
        samples: One number a round, in the order of the rounds; None where a round gave none, so
            that rounds of several subjects stay paired.
        note: What a reader must know about this one.
    """

    subject: str
    metric: str
    unit: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    samples: list[float | None] = field(default_factory=list)
    note: str = ""

    @property
    def values(self) -> list[float]:
        """The samples of the rounds that gave one."""
        return [sample for sample in self.samples if sample is not None]

    def summary(self, confidence: float = 0.95) -> Summary:
        """Median and interval. Raises ``ValueError`` when there is no sample."""
        return summarize(self.values, confidence)

    def like(self, metric: str, parameters: Mapping[str, Parameter]) -> bool:
        """Whether it is this metric and its parameters include these."""
        own = self.parameters
        return self.metric == metric and all(own.get(k) == v for k, v in parameters.items())


@dataclass(slots=True)
class Target:
    """A figure that was promised, and what came out.

    Attributes:
        figure: Its id: ``"F1"``.
        text: What was promised, in words, with the conditions it was measured under.
        value: What came out; None when it could not be measured (``note`` says why).
        limit: What was promised.
        at_most: Whether the limit is an upper one.
        unit: Of value and limit; ``""`` for a ratio.
        low: Lower end of the value's 95 % interval, where there is one.
        high: Upper end.
        note: Why there is no value, or what a reader must know.
    """

    figure: str
    text: str
    value: float | None
    limit: float
    at_most: bool = True
    unit: str = ""
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the promise; None when there is no value."""
        if self.value is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass(slots=True)
class Result:
    """One benchmark's outcome.

    Attributes:
        benchmark: Name of the module: ``"side_by_side"``; also the name of the file.
        title: One line for people.
        options: The options it ran with.
        measurements: In the order they were made.
        targets: Promises that it can judge.
        missing: Subjects that could not run, each with the reason.
        notes: Sentences a reader must know.
        machine: As ``machine()`` gives it.
        versions: As ``versions()`` gives it.
    """

    benchmark: str
    title: str = ""
    options: dict[str, object] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    machine: dict[str, object] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def measurement(
        self, subject: str, metric: str, unit: str, parameters: Mapping[str, Parameter]
    ) -> Measurement:
        """The measurement of exactly these, added when there is none yet."""
        wanted = dict(parameters)
        for one in self.measurements:
            if (one.subject, one.metric, one.parameters) == (subject, metric, wanted):
                return one
        self.measurements.append(Measurement(subject, metric, unit, wanted))
        return self.measurements[-1]

    def add(
        self,
        subject: str,
        metric: str,
        unit: str,
        parameters: Mapping[str, Parameter],
        *samples: float | None,
    ) -> None:
        """Add the samples of a round, or of several."""
        self.measurement(subject, metric, unit, parameters).samples.extend(samples)

    def find(
        self, metric: str, subject: str | None = None, **parameters: Parameter
    ) -> list[Measurement]:
        """Measurements of a metric whose parameters include these."""
        return [
            one
            for one in self.measurements
            if one.like(metric, parameters) and subject in (None, one.subject)
        ]


def write_result(
    result: Result, folder: Path = DEFAULT_FOLDER, *, path: Path | None = None
) -> Path:
    """Write a result, as ``<folder>/<benchmark>.json`` unless ``path`` says otherwise.

    Fills in ``machine`` and ``versions`` where they are empty. Gives the path.
    """
    result.machine = result.machine or machine()
    result.versions = result.versions or versions()
    place = path or folder / f"{result.benchmark}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, **asdict(result)}, indent=1, sort_keys=True)
    place.write_text(text + "\n", encoding="utf-8")
    return place


def read_result(path: Path) -> Result:
    """Read a result back.

    Raises:
        ValueError: It is not a result, or of another format.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ValueError(f"{path.name} is no result of format {FORMAT}")
    try:
        measurements = [Measurement(**one) for one in found.pop("measurements")]
        targets = [Target(**one) for one in found.pop("targets")]
        return Result(measurements=measurements, targets=targets, **found)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no result of format {FORMAT}: {error}") from error


def read_results(folder: Path = DEFAULT_FOLDER) -> dict[str, Result]:
    """Every result in a folder, by benchmark, in the order of their names.

    Several files of one benchmark, as ``--json`` makes them, are one result.
    """
    results: dict[str, Result] = {}
    for path in sorted(folder.glob("*.json")):
        result = read_result(path)
        first = results.setdefault(result.benchmark, result)
        if first is not result:
            first.measurements += result.measurements
            first.targets += result.targets
            first.missing |= result.missing
            first.notes += [note for note in result.notes if note not in first.notes]
    return results


def machine() -> dict[str, object]:
    """What the figures depend on: processor, cores, kernel, memory."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "kernel": f"{platform.system()} {platform.release()}",
        "memory_bytes": _memory(),
        "rmem_max": _number(Path("/proc/sys/net/core/rmem_max")),
    }


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of the interpreter, the packages and the programs that are there."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for package in packages:
        version = _package_version(package)
        if version:
            found[package] = version
    for name, command in PROGRAMS.items():
        version = _program_version(command)
        if version:
            found[name] = version
    return found


def _package_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass  # our own may run from its source
    module = sys.modules.get(package)
    if package == "rtspkit" and module is None:
        from rtspkit.version import __version__

        return __version__
    return str(getattr(module, "__version__", ""))


def _program_version(command: Sequence[str]) -> str:
    """The third word of the first line, as in ``gst-launch-1.0 version 1.22.0``."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    words = done.stdout.split("\n", 1)[0].split()
    return words[2] if len(words) > 2 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

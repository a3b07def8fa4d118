"""What the kernel charged a process, and what a handful of rounds can tell.

In:     process ids; samples, one a round
Out:    CPU, memory and kernel drops of a running process; medians, ratios, intervals

Facts the code leans on
- A process' CPU clock counts user and system time of all its threads, also of those that have
  ended, to the nanosecond; the split in user and system comes in ticks of 10 ms, for people.
- Rounds are interleaved: what disturbs one subject disturbs its neighbour, so ratios are taken
  round by round. Noise on a busy machine multiplies; hence logarithms.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "CpuUse",
    "Summary",
    "cpu_use",
    "other_core",
    "percentile",
    "pin",
    "raise_file_limit",
    "ratios",
    "receiver_core",
    "rss",
    "student_t",
    "summarize",
    "summarize_ratio",
    "udp_drops",
]

TICKS = os.sysconf("SC_CLK_TCK")  # of utime and stime in /proc/<pid>/stat, per second
PAGE = os.sysconf("SC_PAGE_SIZE")
LARGEST = 700.0  # a logarithm whose number is still a float
CPUCLOCK_SCHED = 2  # the kind of a process clock, in the kernel's clockid_t


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU time of a process up to now, all threads; differences of two are what counts.

    Attributes:
        total: Seconds, user and system, exact.
        user: Seconds of it in the program, in steps of a tick.
        system: Seconds of it in the kernel, in steps of a tick.
        threads: Threads at this moment.
    """

    total: float
    user: float = 0.0
    system: float = 0.0
    threads: int = 1

    def __sub__(self, before: CpuUse) -> CpuUse:
        """What was used since ``before``."""
        return CpuUse(
            self.total - before.total,
            self.user - before.user,
            self.system - before.system,
            self.threads,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What rounds have in common.

    Attributes:
        median: Of the samples.
        low: Lower end of the interval that holds the true middle with the confidence asked for.
        high: Its upper end; both are the median when there is one sample.
        rounds: How many samples there were.
    """

    median: float
    low: float
    high: float
    rounds: int


# -- processes


def cpu_use(pid: int) -> CpuUse:
    """CPU time of a running process.

    Raises:
        ProcessLookupError: There is no such process.
    """
    try:
        user, system, threads = _stat(pid)
        total = time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED) / 1e9
    except FileNotFoundError as error:
        raise ProcessLookupError(f"no process {pid}") from error
    except OSError:
        total = _schedstat(pid)
    return CpuUse(total, user, system, threads)


def rss(pid: int | None = None) -> int:
    """Resident memory of a process (our own by default), in bytes."""
    text = Path(f"/proc/{pid or os.getpid()}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * PAGE


def udp_drops(ports: Iterable[int]) -> int:
    """Datagrams that the kernel dropped because a receive queue was full.

    Args:
        ports: Local ports of the sockets in question, which must still be open. Several sockets on
            one port are counted together.
    """
    wanted = {f"{port:04X}" for port in ports}
    dropped = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        path = Path(table)
        lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for line in lines:
            fields = line.split()
            if fields[1].rpartition(":")[2] in wanted:
                dropped += int(fields[-1])
    return dropped


def receiver_core() -> int | None:
    """The core that receivers are pinned to; None on a machine with one."""
    cores = _cores()
    return cores[0] if len(cores) > 1 else None


def other_core() -> int | None:
    """The core that the source is pinned to; None on a machine with one."""
    cores = _cores()
    return cores[-1] if len(cores) > 1 else None


def pin(core: int | None) -> None:
    """Keep this process, and its children, on one core; None leaves it where it is."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def raise_file_limit(wanted: int | None = None) -> int:
    """Allow this process, and what it starts, so many open files or more; gives how many.

    Args:
        wanted: None for as many as it may allow itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted is None:
        wanted = hard
    elif soft >= wanted:
        return soft
    elif hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


@cache
def _cores() -> tuple[int, ...]:
    """All cores; not only those that a parent has pinned us to."""
    return tuple(range(os.cpu_count() or 1))


def _stat(pid: int) -> tuple[float, float, int]:
    """User seconds, system seconds, threads."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = text.rpartition(")")[2].split()  # from "state", the third field, on
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS, int(fields[17])


def _schedstat(pid: int) -> float:
    """CPU seconds of the threads that are alive; the first number of each is nanoseconds."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in files) / 1e9


# -- samples


def summarize(samples: Sequence[float], confidence: float = 0.95) -> Summary:
    """Median and interval of samples that scatter around one value.

    The interval is Student's for the mean, of the logarithms when all samples are positive; it is
    widened to hold the median where that lies outside.

    Raises:
        ValueError: There is no sample.
    """
    if not samples:
        raise ValueError("no samples")
    if len(samples) == 1:
        low = high = samples[0]
    elif min(samples) > 0:
        low, high = _logarithmic_interval(samples, confidence)
    else:
        low, high = _interval(samples, confidence)
    median = statistics.median(samples)
    return Summary(median, min(low, median), max(high, median), len(samples))


def ratios(numerators: Sequence[float | None], denominators: Sequence[float | None]) -> list[float]:
    """Numerator by denominator, round by round; rounds where one is missing are left out."""
    pairs = zip(numerators, denominators, strict=False)
    return [a / b for a, b in pairs if a is not None and b]


def summarize_ratio(
    numerators: Sequence[float | None],
    denominators: Sequence[float | None],
    confidence: float = 0.95,
) -> Summary:
    """Median and interval of the ratio of two series that were measured in the same rounds.

    Student's interval on the logarithms of the ratios, round by round.

    Raises:
        ValueError: No round has both, or one is not positive.
    """
    found = ratios(numerators, denominators)
    if not found or min(found) <= 0:
        raise ValueError("no round has two positive samples")
    return summarize(found, confidence)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the samples (0 to 1) do not exceed, interpolated.

    Args:
        ordered: Samples in ascending order; at least one.
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _logarithmic_interval(samples: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's interval for the geometric mean."""
    low, high = _interval([math.log(one) for one in samples], confidence)
    return math.exp(low), math.exp(min(high, LARGEST))


def _interval(samples: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's interval for the mean of two samples or more."""
    mean = statistics.fmean(samples)
    error = statistics.stdev(samples) / math.sqrt(len(samples))
    half = student_t(confidence, len(samples) - 1) * error
    return mean - half, mean + half


@cache
def student_t(confidence: float, degrees: int) -> float:
    """The t that a Student variable exceeds, on either side, with probability 1 − confidence.

    Args:
        confidence: 0 to below 1.
        degrees: Degrees of freedom, from 1 on.
    """
    if not 0 <= confidence < 1 or degrees < 1:
        raise ValueError(f"no such quantile: confidence {confidence}, {degrees} degrees")
    low, high = 0.0, math.pi / 2  # theta = atan(t / sqrt(degrees))
    for _ in range(64):
        middle = (low + high) / 2
        if _within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return math.tan((low + high) / 2) * math.sqrt(degrees)


def _within(theta: float, degrees: int) -> float:
    """Probability that a Student variable lies within −t to t.

    Source: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    cosine, sine = math.cos(theta), math.sin(theta)
    odd = degrees % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    for k in range(3 if odd else 2, degrees, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if degrees == 1:
        return 2 * theta / math.pi
    return 2 / math.pi * (theta + sine * total) if odd else sine * total

"""``python -m bench latency``: how long a packet takes from the kernel to the consumer.

Out:    p50, p90, p99, p99.9 at 1, 10 and 100 streams of 500 packets/s, beside a bare drain

Three times of each packet
- when the source handed it to the kernel, stamped into the packet;
- when the kernel had received it: the drain reads it from the control message, rtspkit gives it
  as ``packet.arrival`` where its engine asks the kernel too. Elsewhere ``arrival`` is when it was
  read, and from kernel to consumer there is no figure;
- when the consumer had it: the body of ``async for``, for a batch that of the whole batch.
``send_to_consumer`` needs no kernel time: it is the check on the other, for every receiver.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.crowd import Crowd, CrowdError, Wish
from bench.measure import raise_file_limit, summarize_ratio
from bench.memory import FILES_PER_STREAM, SPARE_FILES
from bench.program import finish, give_up, in_rounds, options_parser, say, settle
from bench.result import Parameter, Result, Target
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["SUBJECTS", "Subject", "main"]

STREAMS = (1, 10, 100)
RATE = 500.0  # packets/s of a stream, about 5 Mbit/s
KERNEL_TIMES = ("recvmmsg",)  # engines whose ``arrival`` is the kernel's
PERCENTILES = ("p50", "p90", "p99", "p99.9")
DRAIN = "bare recvmmsg"
LIMITS = {"p90": 2000.0, "p99": 5000.0}  # microseconds at 100 streams, F5
WITHIN_DRAIN = 2.0  # times the drain's, F5


@dataclass(frozen=True, slots=True)
class Subject:
    """One receiver: its name, and how it differs from what a session is by itself."""

    name: str
    door: str = "packets"
    loop: str = "uvloop"
    coalesce: float = 0.0


SUBJECTS = (
    Subject(DRAIN, door="drain"),
    Subject("rtspkit packets"),
    Subject("rtspkit batches", door="batches"),
    Subject("rtspkit packets (asyncio)", loop="asyncio"),
    Subject("rtspkit batches (asyncio)", door="batches", loop="asyncio"),
    Subject("rtspkit packets (coalesce 2 ms)", coalesce=0.002),
    Subject("rtspkit packets (coalesce 5 ms)", coalesce=0.005),
)


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    parser = options_parser("latency", __doc__, rounds=5, seconds=3.0)
    parser.add_argument("--streams", type=int, nargs="*", default=list(STREAMS))
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 2, 1.0
    raise_file_limit(max(options.streams) * FILES_PER_STREAM + SPARE_FILES)
    result = Result(
        "latency",
        "Added latency, kernel to consumer",
        options={"rounds": options.rounds, "seconds": options.seconds},
    )
    for streams in options.streams:
        with Source(Traffic(rate=RATE)) as source:
            for index, subject in in_rounds(SUBJECTS, options.rounds):
                if subject.name not in result.missing:
                    _measure(result, source, subject, streams, options.seconds)
                    say(f"{streams} streams, round {index + 1}: {subject.name}")
    _targets(result)
    return finish(result, options)


def _measure(
    result: Result, source: Source, subject: Subject, streams: int, seconds: float
) -> None:
    under: dict[str, Parameter] = {"streams": streams, "rate": RATE, "transport": "udp"}
    wish = Wish(
        url=source.url(),
        sessions=streams,
        door=subject.door,
        loop=subject.loop,
        coalesce=subject.coalesce,
    )
    try:
        with Crowd(wish) as crowd:
            settle()
            crowd.begin("latency")
            settle(seconds)
            found = crowd.latencies()
            kernel = crowd.receiver in KERNEL_TIMES
    except CrowdError as error:
        give_up(result, subject.name, under, error)
        return
    for percentile in PERCENTILES:
        if kernel:
            _add(result, subject.name, "kernel_to_consumer", percentile, under, found, "arrival")
            _add(result, subject.name, "send_to_kernel", percentile, under, found, "wire")
        _add(result, subject.name, "send_to_consumer", percentile, under, found, "send")
    result.add(subject.name, "packets_noted", "", under, found["packets"])


def _add(
    result: Result,
    name: str,
    metric: str,
    percentile: str,
    under: dict[str, Parameter],
    found: dict[str, float],
    key: str,
) -> None:
    result.add(name, f"{metric}_{percentile}", "us", under, found.get(f"{key}_{percentile}"))


def _targets(result: Result) -> None:
    """F5: absolute, or beside the drain of the same run, which meets the same stalls."""
    for subject in (one.name for one in SUBJECTS[1:3]):
        for percentile, limit in LIMITS.items():
            metric = f"kernel_to_consumer_{percentile}"
            own = result.find(metric, subject, streams=100)
            drain = result.find(metric, DRAIN, streams=100)
            text = f"{subject}: {percentile} from kernel to consumer, 100 streams"
            target = Target("F5", text, None, limit, unit="us")
            if own and own[0].values:
                summary = own[0].summary()
                target.value, target.low, target.high = summary.median, summary.low, summary.high
                if drain and drain[0].values:
                    ratio = summarize_ratio(own[0].samples, drain[0].samples)
                    # two ways to be met: the figure, or twice what the drain had in the same run
                    target.limit = max(limit, WITHIN_DRAIN * drain[0].summary().median)
                    target.note = f"{ratio.median:.2f} times the drain's"
            else:
                target.note = "no engine with kernel times here"
            result.targets.append(target)


if __name__ == "__main__":
    raise SystemExit(main())

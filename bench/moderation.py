"""``python -m bench moderation``: what ``coalesce`` saves at 100 streams, and what it costs.

Out:    CPU per packet, wake-ups per second and added latency, with a delay of 0, 1, 2, 5 ms

Facts the code leans on
- A process that waits for its sockets has left its core of its own accord: voluntary context
  switches are its wake-ups, as the kernel counted them.
- Time stamps cost the consumer something: CPU and latency are taken one after the other.
"""

from __future__ import annotations

from bench.crowd import Crowd, CrowdError, Wish
from bench.measure import raise_file_limit, summarize_ratio
from bench.memory import FILES_PER_STREAM, SPARE_FILES
from bench.program import finish, give_up, in_rounds, options_parser, say, settle
from bench.result import Parameter, Result, Target
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["main"]

MILLISECONDS = (0.0, 1.0, 2.0, 5.0)
RATE = 500.0  # packets/s of a stream, about 5 Mbit/s
CORE_SHARE = 0.05  # F5
DOORS = ("packets", "batches")


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    parser = options_parser("moderation", __doc__, rounds=5, seconds=3.0)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--doors", nargs="*", default=list(DOORS))
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 2, 1.0
    raise_file_limit(options.streams * FILES_PER_STREAM + SPARE_FILES)
    result = Result(
        "moderation",
        f"Receive moderation (coalesce), {options.streams} streams",
        options={"seconds": options.seconds, "rounds": options.rounds},
    )
    subjects = [(door, delay) for door in options.doors for delay in MILLISECONDS]
    with Source(Traffic(rate=RATE)) as source:
        for index, (door, delay) in in_rounds(subjects, options.rounds):
            name = f"rtspkit {door}"
            key = f"{name}, coalesce of {delay:g} ms"
            if key in result.missing:
                continue
            under: dict[str, Parameter] = {
                "streams": options.streams,
                "rate": RATE,
                "transport": "udp",
                "coalesce_ms": delay,
            }
            wish = Wish(
                url=source.url(), sessions=options.streams, door=door, coalesce=delay / 1000
            )
            try:
                with Crowd(wish) as crowd:
                    _measure(result, crowd, name, under, options.seconds)
            except CrowdError as error:
                give_up(result, name, under, error, key)
            say(f"round {index + 1}: {name}, {delay:g} ms")
    _savings(result)
    _target(result, options.streams)
    return finish(result, options)


def _measure(
    result: Result, crowd: Crowd, name: str, under: dict[str, Parameter], seconds: float
) -> None:
    settle()
    before = crowd.snapshot()
    settle(seconds)
    after = crowd.snapshot()
    packets = after["packets"] - before["packets"]
    cpu = after["cpu"] - before["cpu"]
    took = after["at"] - before["at"]
    if packets <= 0:
        raise CrowdError("no packet came")
    crowd.begin("latency")
    settle(seconds)
    found = crowd.latencies()
    result.add(name, "cpu_per_packet", "us", under, cpu / packets * 1e6)
    result.add(name, "cpu_share_per_stream", "", under, cpu / took / float(under["streams"]))
    result.add(name, "wake_ups", "1/s", under, (after["sleeps"] - before["sleeps"]) / took)
    for percentile in ("p50", "p90", "p99", "p99.9"):
        metric = f"send_{percentile}"
        result.add(name, f"send_to_consumer_{percentile}", "us", under, found.get(metric))


def _target(result: Result, streams: int) -> None:
    """F5: what one of many streams takes of a core, without moderation."""
    for one in result.find("cpu_share_per_stream", coalesce_ms=0.0):
        if one.values:
            summary = one.summary()
            text = f"{one.subject}: share of a core per stream, {streams} of {RATE:g} packets/s"
            target = Target("F5", text, summary.median, CORE_SHARE)
            target.low, target.high = summary.low, summary.high
            result.targets.append(target)


def _savings(result: Result) -> None:
    """Sentences: what each delay saves against none, or costs."""
    for one in result.find("cpu_per_packet"):
        without = result.find("cpu_per_packet", one.subject, coalesce_ms=0.0)
        if not (one.parameters["coalesce_ms"] and without):
            continue
        try:
            ratio = summarize_ratio(one.samples, without[0].samples)
        except ValueError:
            continue
        result.notes.append(
            f"{one.subject}, {one.parameters['coalesce_ms']:g} ms: {ratio.median:.2f} times the "
            f"CPU per packet of none ({ratio.low:.2f} to {ratio.high:.2f})."
        )


if __name__ == "__main__":
    raise SystemExit(main())

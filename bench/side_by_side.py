"""CPU per packet of every receiver, side by side in one run.

    python -m bench side_by_side --quick
    python -m bench side_by_side --transport udp --rates 5000,80000 --receivers rtspkit-packets,pyav
    python -m bench side_by_side --streams 1,10,100 --rates 500

Rounds are interleaved: in each round every receiver plays once, from a fresh connection, and each
round begins with another one. Medians, 95 % intervals; ratios are paired by round.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.board import Board
from bench.catalogue import DEFAULT, RECEIVERS, Receiver, choose, missing
from bench.measure import Summary, summarize_ratio
from bench.play import Outcome, ReceiverFailed, play
from bench.result import DEFAULT_FOLDER, Parameter, Result, Target, write_result
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["PROMISES", "judge", "main", "run"]

# figure, transports, numerator, denominator, at most
PROMISES: tuple[tuple[str, tuple[str, ...], str, str, float], ...] = (
    ("F1", ("udp",), "rtspkit-packets", "drain-recvmmsg", 1.8),
    ("F1", ("udp",), "rtspkit-packets", "drain-recvmmsg-gro", 1.8),
    ("F1", ("udp",), "rtspkit-packets", "pyav", 0.5),
    ("F1", ("udp",), "rtspkit-packets", "gstreamer", 0.3),
    ("F1", ("udp",), "rtspkit-packets", "aiortsp", 0.1),
    ("F2", ("tcp",), "rtspkit-packets", "pyav", 0.35),
    ("F2", ("tcp",), "rtspkit-packets", "aiortsp", 0.15),
    ("F3", ("udp", "tcp"), "rtspkit-units", "pyav", 0.6),
    ("F4", ("udp",), "rtspkit-packets", "rtspkit-packets-datagram", 0.85),
)
METRICS = {
    "cpu_per_packet": "us",
    "cpu_share": "",
    "packet_rate": "packets/s",
    "loss": "",
    "memory": "bytes",
    "uncounted": "packets",
}
COLUMNS = ("receiver", "µs/packet", "95 %", "packets/s", "loss", "/ drain", "/ PyAV", "rounds")


def make_parser(description: str | None = __doc__) -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m bench side_by_side",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--transport", default="udp,tcp", help="comma-separated")
    parser.add_argument("--rates", default="5000,20000,80000", help="packets/s of each stream")
    parser.add_argument("--streams", default="1", help="numbers of sessions, comma-separated")
    parser.add_argument("--pacing", choices=("frames", "flat"), default="frames")
    parser.add_argument(
        "--no-segmentation",
        dest="segmentation",
        action="store_false",
        help="one datagram a call, so that UDP_GRO finds nothing to join",
    )
    parser.add_argument("--packet-size", type=int, default=1200)
    parser.add_argument("--receivers", help=f"keys, or all: {', '.join(RECEIVERS)}")
    parser.add_argument("--rounds", type=int, help="5 by default")
    parser.add_argument("--seconds", type=float, help="of one window, whole seconds; 3 by default")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 s by default")
    parser.add_argument("--tree", help="folder to take rtspkit from")
    parser.add_argument("--output", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, help="file to write, instead of one in --output")
    return parser


def main(
    arguments: Sequence[str] | None = None,
    *,
    benchmark: str = "side_by_side",
    title: str = "CPU per packet, side by side",
    parser: argparse.ArgumentParser | None = None,
    default: Iterable[str] = DEFAULT,
    verdict: Callable[[Result], None] | None = None,
) -> Result:
    """Run it, print the tables, write the file.

    Args:
        arguments: Of the command line.
        benchmark: Name of the result.
        title: Of the result.
        parser: Other defaults than ``make_parser()`` has.
        default: Keys of the receivers that play when none are named.
        verdict: Judges the result; ``judge`` unless given.
    """
    parser = parser or make_parser()
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (2.0 if options.quick else 3.0)
    try:
        receivers = choose(options.receivers, default)
    except KeyError as error:
        parser.error(f"no receiver {error}; there are {', '.join(RECEIVERS)}")
    kept = vars(options) | {"receivers": [one.key for one in receivers]}
    result = Result(
        benchmark,
        title,
        options={
            name: value for name, value in kept.items() if name not in ("json", "output", "tree")
        },
    )
    try:
        run(result, options, receivers)
    finally:  # interrupted, it keeps what there is
        if result.measurements:
            (verdict or judge)(result)
            print_verdicts(result)
            path = write_result(result, options.output, path=options.json)
            print(f"written to {path}")
    return result


def run(result: Result, options: argparse.Namespace, receivers: Sequence[Receiver]) -> None:
    """All blocks: a transport, a number of streams, a rate."""
    transports = options.transport.split(",")
    streams = [int(number) for number in options.streams.split(",")]
    rates = [float(rate) for rate in options.rates.split(",")]
    for receiver in receivers:
        if reason := missing(receiver):
            result.missing[receiver.subject] = reason
    with Source() as source:
        if not (source.segmentation and options.segmentation):
            result.notes.append("without UDP_SEGMENT: the source sends one datagram a call")
        for transport, number, rate in itertools.product(transports, streams, rates):
            traffic = Traffic(
                rate=rate,
                pacing=options.pacing,
                packet_size=options.packet_size,
                segmentation=options.segmentation,
            )
            able = [one for one in receivers if transport in one.transports]
            _block(result, source, able, transport, number, traffic, options)


def _block(
    result: Result,
    source: Source,
    receivers: Sequence[Receiver],
    transport: str,
    streams: int,
    traffic: Traffic,
    options: argparse.Namespace,
) -> None:
    """Interleaved rounds of all receivers at one rate."""
    parameters: dict[str, Parameter] = {
        "transport": transport,
        "rate": traffic.rate,
        "streams": streams,
        "pacing": traffic.pacing,
        "packet_size": traffic.packet_size,
    }
    if transport == "udp" and not traffic.segmentation:
        parameters["joined"] = False
    many = f"{streams} streams of " if streams > 1 else ""
    head = f"{transport.upper()}, {many}{traffic.rate:g} packets/s of {traffic.packet_size} bytes"
    board = Board(f"{head} ({traffic.pacing})", COLUMNS)
    try:
        for turn in range(options.rounds):
            first = turn * 5 % len(receivers) if receivers else 0
            for receiver in (*receivers[first:], *receivers[:first]):
                subject = receiver.subject
                if subject in result.missing:
                    board.update(subject, "missing")
                    continue
                try:
                    outcome = play(
                        source,
                        receiver,
                        traffic,
                        transport=transport,
                        streams=streams,
                        seconds=options.seconds,
                        tree=options.tree,
                    )
                except ReceiverFailed as error:
                    _give_up(result, receiver, parameters, turn, str(error))
                    board.update(subject, "failed")
                    continue
                _add(result, subject, parameters, outcome)
                for shown in receivers:  # ratios of the others may have changed
                    if cells := _cells(result, shown.subject, parameters):
                        board.rows[shown.subject] = cells
                board.update(subject, *board.rows[subject])
    finally:
        board.rows = {r.subject: board.rows.get(r.subject, ()) for r in receivers}
        board.close()


def _add(result: Result, subject: str, parameters: dict[str, Parameter], outcome: Outcome) -> None:
    counters = outcome.counters
    values = (
        *(outcome.cpu_per_packet, outcome.cpu.total / outcome.seconds, outcome.packet_rate),
        *(outcome.loss, outcome.memory, outcome.uncounted),
    )
    for (metric, unit), value in zip(METRICS.items(), values, strict=True):
        result.add(subject, metric, unit, parameters, value)
    if counters.engine:
        result.measurement(subject, "cpu_per_packet", "us", parameters).note = counters.engine
    if outcome.behind > 0.25:
        note = f"the source was up to {outcome.behind:.2f} s late with {subject}"
        result.notes.append(f"{note}, {parameters['transport']}, {parameters['rate']:g} packets/s")


def _give_up(
    result: Result, receiver: Receiver, parameters: dict[str, Parameter], turn: int, reason: str
) -> None:
    """Keep the rounds paired; a receiver that never came up is not asked again."""
    if turn == 0 and not result.find("cpu_per_packet", receiver.subject):
        result.missing[receiver.subject] = reason
        return
    for metric, unit in METRICS.items():
        result.add(receiver.subject, metric, unit, parameters, None)
    result.notes.append(f"{receiver.subject} failed once: {reason}")


def _cells(result: Result, subject: str, parameters: dict[str, Parameter]) -> tuple[str, ...]:
    found = result.find("cpu_per_packet", subject, **parameters)
    if not found or not found[0].values:
        return ()
    summary = found[0].summary()
    rate = result.find("packet_rate", subject, **parameters)[0].summary().median
    loss = result.find("loss", subject, **parameters)[0].values
    floor = "drain-recvmmsg" if parameters["transport"] == "udp" else "drain-recv"
    return (
        f"{summary.median:.2f}",
        f"{summary.low:.2f} to {summary.high:.2f}" if summary.rounds > 1 else "",
        f"{rate:,.0f}",
        f"{sum(loss) / len(loss):.2%}" if loss else "-",
        _times(result, subject, RECEIVERS[floor].subject, parameters),
        _times(result, subject, RECEIVERS["pyav"].subject, parameters),
        str(summary.rounds),
    )


def _times(result: Result, one: str, other: str, parameters: dict[str, Parameter]) -> str:
    ratio = _ratio(result, one, other, parameters)
    return "" if ratio is None else f"{ratio.median:.2f}"


def _ratio(
    result: Result, one: str, other: str, parameters: dict[str, Parameter]
) -> Summary | None:
    """CPU per packet of one by that of another, in the same rounds; None without any."""
    upper = result.find("cpu_per_packet", one, **parameters)
    lower = result.find("cpu_per_packet", other, **parameters)
    if not upper or not lower:
        return None
    try:
        return summarize_ratio(upper[0].samples, lower[0].samples)
    except ValueError:
        return None


def judge(result: Result) -> None:
    """Hold what was found against the promises, block by block; F1 to F4 speak of one stream.

    A promise about a receiver that was not asked for is not spoken of.
    """
    result.targets.clear()
    asked = result.options.get("receivers", RECEIVERS)
    assert isinstance(asked, list | dict)
    blocks: list[dict[str, Parameter]] = []
    for one in result.find("cpu_per_packet", streams=1):
        if one.parameters not in blocks:
            blocks.append(one.parameters)
    for figure, transports, upper, lower, limit in PROMISES:
        if upper not in asked or lower not in asked:
            continue
        for block in blocks:
            if block["transport"] in transports:
                ours, theirs = RECEIVERS[upper].subject, RECEIVERS[lower].subject
                ratio = _ratio(result, ours, theirs, block)
                where = f"{str(block['transport']).upper()}, {block['rate']:g} packets/s"
                where += "" if block.get("joined", True) else ", each by itself"
                target = Target(figure, f"{where}: CPU of {ours} / {theirs}", None, limit)
                if ratio is None:
                    absent = [name for name in (ours, theirs) if name in result.missing]
                    target.note = "; ".join(result.missing[name] for name in absent) or "not run"
                else:
                    target.value, target.low, target.high = ratio.median, ratio.low, ratio.high
                result.targets.append(target)


def print_verdicts(result: Result) -> None:
    """Targets that have a value, what was missing, and the notes."""
    for target in result.targets:
        if target.value is None or target.low is None or target.high is None:
            continue
        verdict = "met" if target.met else "missed"
        interval = f"{target.low:.3g} to {target.high:.3g}"
        value = f"{target.value:.3g} ({interval}), at most {target.limit:g}"
        print(f"{target.figure} {verdict:6} {target.text}: {value}")
    for name, reason in result.missing.items():
        print(f"missing: {name}: {reason}")
    for note in result.notes:
        print(f"note: {note}")


if __name__ == "__main__":
    main()

"""The highest rate that a receiver takes without a loss.

    python -m bench ceiling --receivers rtspkit-packets,drain-recvmmsg

UDP: flat traffic on one playing session, each rate a quarter above the one before, until packets
are lost; then a search between the two; at last three seconds on a fresh session, of which every
packet must have been counted. TCP: as much as the receiver takes from a source that never waits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.board import Board
from bench.catalogue import RECEIVERS, Receiver, choose, missing
from bench.measure import udp_drops
from bench.play import ReceiverFailed, Running, play
from bench.result import DEFAULT_FOLDER, Parameter, Result, Target, write_result
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["climb", "judge", "main"]

DEFAULT = (
    *("drain-recvmmsg", "drain-recvmmsg-gro", "drain-recv", "uvloop-datagram", "asyncio-datagram"),
    *("rtspkit-packets", "rtspkit-batches", "rtspkit-units", "rtspkit-packets-datagram"),
)
START = 50_000.0  # packets/s
FACTOR = 1.25  # from one rate to the next
STEPS = 4  # of the search between the last that held and the first that did not
ATTEMPTS = 3  # a machine stalls by itself: one lossless window in three will do
SETTLE = 0.3  # s between a new rate and its window
GENTLE = 2000.0  # packets/s while a receiver comes up
BACK = 0.93  # what is tried next when fresh sessions lost something twice
CONFIRMATIONS = 12
CONFIRMED = 3.0  # s
DRAIN = 0.2  # s for the last packets to be taken
PROMISE = 300_000.0
FLAT_PACING = 0.98  # of the rate that the source must have reached


def climb(holds: Callable[[float], bool], start: float, top: float) -> float:
    """The highest rate that holds, within about 1.5 %; 0 when not even ``start`` does.

    Args:
        holds: Whether a rate holds; asked upwards first, then in between.
        start: The first rate.
        top: No rate above it is asked for.
    """
    low, high = 0.0, start
    while holds(high):
        low = high
        if high >= top:
            return low
        high = min(high * FACTOR, top)
    if low:
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it, print the table, write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m bench ceiling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--transport", default="udp,tcp", help="comma-separated")
    parser.add_argument("--receivers", help=f"keys, or all: {', '.join(RECEIVERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one window")
    parser.add_argument("--top", type=float, default=1_000_000, help="packets/s never exceeded")
    parser.add_argument("--packet-size", type=int, default=1200)
    parser.add_argument(
        "--no-segmentation",
        dest="segmentation",
        action="store_false",
        help="one datagram a call, so that UDP_GRO finds nothing to join",
    )
    parser.add_argument("--quick", action="store_true", help="one round, shorter windows")
    parser.add_argument("--tree", help="folder to take rtspkit from")
    parser.add_argument("--output", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, help="file to write, instead of one in --output")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    try:
        receivers = choose(options.receivers, DEFAULT)
    except KeyError as error:
        parser.error(f"no receiver {error}; there are {', '.join(RECEIVERS)}")
    kept = vars(options) | {"receivers": [one.key for one in receivers]}
    options_kept = {k: v for k, v in kept.items() if k not in ("json", "output", "tree")}
    result = Result("ceiling", "Throughput without loss, one stream", options=options_kept)
    for receiver in receivers:
        if reason := missing(receiver):
            result.missing[receiver.subject] = reason
    try:
        with Source() as source:
            for transport in options.transport.split(","):
                able = [one for one in receivers if transport in one.transports]
                _block(result, source, transport, able, options)
    finally:
        if result.measurements:
            judge(result)
            print(f"written to {write_result(result, options.output, path=options.json)}")
    return result


def _block(
    result: Result,
    source: Source,
    transport: str,
    receivers: Sequence[Receiver],
    options: argparse.Namespace,
) -> None:
    parameters: dict[str, Parameter] = {
        "transport": transport,
        "streams": 1,
        "packet_size": options.packet_size,
    }
    title = f"{transport.upper()}, packets/s without loss, {options.packet_size} bytes, one core"
    board = Board(title, ("receiver", "median", "rounds"))
    measure = _udp if transport == "udp" else _tcp
    for _ in range(options.rounds):
        for receiver in receivers:
            subject = receiver.subject
            if subject in result.missing:
                board.update(subject, "missing")
                continue
            try:
                rate = measure(source, receiver, options)
            except ReceiverFailed as error:
                result.missing[subject] = str(error)
                board.update(subject, "failed")
                continue
            result.add(subject, "ceiling", "packets/s", parameters, rate)
            found = result.find("ceiling", subject, **parameters)[0]
            each = ", ".join("-" if one is None else f"{one:,.0f}" for one in found.samples)
            middle = f"{found.summary().median:,.0f}" if found.values else "not confirmed"
            board.update(subject, middle, each)
    board.close()
    for subject, reason in result.missing.items():
        print(f"missing: {subject}: {reason}")


def _udp(source: Source, receiver: Receiver, options: argparse.Namespace) -> float | None:
    """Climb on one session, then confirm on fresh ones; None when no rate could be confirmed."""

    def traffic(rate: float) -> Traffic:
        return Traffic(
            rate=rate,
            pacing="flat",
            packet_size=options.packet_size,
            segmentation=options.segmentation,
        )

    def holds(rate: float) -> bool:
        return any(_lossless(source, traffic(rate), options.seconds) for _ in range(ATTEMPTS))

    source.start(traffic(GENTLE))
    with Running(receiver, source, "udp", tree=options.tree) as running:
        rate = climb(holds, START, options.top)
        source.stop()
        running.finish()
    for attempt in range(CONFIRMATIONS if rate else 0):
        source.start(traffic(GENTLE))
        with Running(receiver, source, "udp", tree=options.tree) as running:
            held = _lossless(source, traffic(rate), CONFIRMED)
            sent = source.stop()
            time.sleep(DRAIN)
            held = held and not udp_drops(sent.client_ports)
            counters = running.finish()
        if held and not counters.dropped and counters.packets in (None, sent.sent):
            return rate
        rate *= BACK if attempt % 2 else 1.0
    return None


def _lossless(source: Source, traffic: Traffic, seconds: float) -> bool:
    """Whether one window of this rate loses nothing, and the source keeps it up."""
    source.start(traffic)
    time.sleep(SETTLE)
    before = source.statistics()
    dropped = udp_drops(before.client_ports)
    time.sleep(seconds)
    after = source.statistics()
    reached = (after.sent - before.sent) / (after.at - before.at) * 1e9
    lost = udp_drops(after.client_ports) - dropped
    return not lost and reached >= FLAT_PACING * traffic.rate


def _tcp(source: Source, receiver: Receiver, options: argparse.Namespace) -> float:
    """TCP loses nothing: what the receiver takes is what it can."""
    traffic = Traffic(rate=START, pacing="flood", packet_size=options.packet_size)
    seconds = max(1.0, options.seconds)
    outcome = play(source, receiver, traffic, transport="tcp", seconds=seconds, tree=options.tree)
    return outcome.packet_rate


def judge(result: Result) -> None:
    """Hold the ceilings against F1."""
    for key in ("rtspkit-packets", "rtspkit-batches"):
        subject = RECEIVERS[key].subject
        found = result.find("ceiling", subject, transport="udp")
        text = f"UDP, {result.options['packet_size']} bytes, one core: {subject} without loss"
        target = Target("F1", text, None, PROMISE, at_most=False, unit="packets/s")
        if found and found[0].values:
            summary = found[0].summary()
            target.value, target.low, target.high = summary.median, summary.low, summary.high
            print(f"F1 {'met' if target.met else 'missed'}: {text}: {target.value:,.0f} packets/s")
        else:
            target.note = result.missing.get(subject, "not run, or no rate was confirmed")
        result.targets.append(target)


if __name__ == "__main__":
    main()

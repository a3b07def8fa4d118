"""``python -m bench allocations``: memory blocks made per packet, by the engine that receives.

Out:    buffers per packet and all blocks per packet, zero-copy share, CPU per packet of each engine

How they are counted
- The consumer keeps every packet, so the buffers that were made for them are all there: exactly
  the different objects that their payloads are views of.
- Beside it, tracemalloc counts every block that was made and is alive: packets, views, buffers.
- Kept packets pin their slabs, so none is used twice: what a slab engine shows here is its worst
  case. When nobody keeps anything, its pool tells how many slabs it took from the system.
- What is copied on its way leaves no trace in either: the session counts that (``zero_copy``).
- One ``bytes`` for each datagram, kept in a list, is counted in the same way beside them.
"""

from __future__ import annotations

import socket
import tracemalloc

from bench.crowd import LARGE, Crowd, CrowdError, Wish
from bench.measure import summarize_ratio
from bench.program import finish, give_up, in_rounds, options_parser, say, settle
from bench.result import Parameter, Result, Target
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["buffers_of_recv", "main"]

ENGINES = ("recvmmsg", "recv_into", "datagram")
BASELINE = "one bytes per packet"
HELD_RATE = 500.0  # packets/s while all are kept: few enough for every bound
CPU_RATE = 20_000.0  # packets/s
STEADY: dict[str, Parameter] = {"rate": CPU_RATE, "transport": "udp", "streams": 1}
DATAGRAM = 1200  # bytes
FEWER = 0.2  # of the baseline's buffers, F4
ZERO_COPY = 0.99  # F4
PROCESSING = 15.0  # microseconds, F4
CHEAPER = 0.85  # of the datagram engine's CPU, F4


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    parser = options_parser("allocations", __doc__, rounds=5, seconds=3.0)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 2, 1.0
    result = Result("allocations", "Allocations on the receive path", options={})
    for _ in range(options.rounds):
        result.add(BASELINE, "buffers_per_packet", "", {}, buffers_of_recv())
    for _, engine in in_rounds(ENGINES, options.rounds):
        if engine in result.missing:
            continue
        for measure, under in ((_held, {}), (_steady, STEADY)):
            try:
                measure(result, engine, options.seconds)
            except CrowdError as error:
                give_up(result, _name(engine), under, error, engine)
                say(f"{engine}: {error}")
    _targets(result)
    return finish(result, options)


def buffers_of_recv(count: int = 1000) -> float:
    """Buffers per packet of a program that keeps what ``socket.recv`` gave."""
    kept: list[bytes] = []
    with (
        socket.socket(type=socket.SOCK_DGRAM) as here,
        socket.socket(type=socket.SOCK_DGRAM) as there,
    ):
        here.bind(("127.0.0.1", 0))
        there.connect(here.getsockname())
        data = bytes(DATAGRAM)
        tracing = tracemalloc.is_tracing()
        if not tracing:
            tracemalloc.start(1)
        try:
            before = _buffers()
            for _ in range(count):
                there.send(data)
                kept.append(here.recv(2048))
            after = _buffers()
        finally:
            if not tracing:
                tracemalloc.stop()
    return (after - before) / count


def _buffers() -> int:
    return sum(trace.size > LARGE for trace in tracemalloc.take_snapshot().traces)


def _name(engine: str) -> str:
    return f"rtspkit packets ({engine})"


def _held(result: Result, engine: str, seconds: float) -> None:
    """Every packet kept."""
    with Source(Traffic(rate=HELD_RATE)) as source:
        wish = Wish(url=source.url(), receiver=engine, traced=True)
        with Crowd(wish) as crowd:
            settle()
            crowd.begin("hold")
            settle(seconds)
            found = crowd.traced()
            packets = found["packets"]
            if packets <= 0:
                raise CrowdError("no packet came")
            buffers = found["buffers"] / packets
            blocks = (found["small"] + found["large"]) / packets
            result.add(_name(engine), "buffers_per_packet", "", {}, buffers)
            result.add(_name(engine), "blocks_per_packet", "", {}, blocks)
            say(f"{engine}: {buffers:.4f} buffers, {blocks:.2f} blocks a packet, all kept")


def _steady(result: Result, engine: str, seconds: float) -> None:
    """Nothing kept: what it costs, and what the pool says."""
    under, name = STEADY, _name(engine)
    with (
        Source(Traffic(rate=CPU_RATE)) as source,
        Crowd(Wish(url=source.url(), receiver=engine)) as crowd,
    ):
        settle()
        before = crowd.snapshot()
        settle(seconds)
        after = crowd.snapshot()
        packets = after["packets"] - before["packets"]
        if packets <= 0:
            raise CrowdError("no packet came")
        cpu = (after["cpu"] - before["cpu"]) / packets * 1e6
        result.add(name, "cpu_per_packet", "us", under, cpu)
        share = after.get("session_zero_copy")
        if share is not None:
            result.add(name, "zero_copy_share", "", under, share)
            fresh = after["session_pool_fresh"] - before["session_pool_fresh"]
            result.add(name, "fresh_slabs_per_packet", "", under, fresh / packets)
        say(f"{engine}: {cpu:.2f} µs a packet, zero-copy share {share}")


def _targets(result: Result) -> None:
    baseline = result.find("buffers_per_packet", BASELINE)[0].samples
    datagram = result.find("cpu_per_packet", _name("datagram"))
    for engine in ENGINES[:2]:
        name = _name(engine)
        buffers = result.find("buffers_per_packet", name)
        text = f"{engine}: buffers per packet, all kept, of one bytes per packet"
        target = Target("F4", text, None, FEWER, note="" if buffers else "not to be had")
        if buffers:
            target.value = buffers[0].summary().median / (
                sum(filter(None, baseline)) / len(baseline)
            )
        result.targets.append(target)
        _share(result, name, engine)
        cpu = result.find("cpu_per_packet", name)
        text = f"{engine}: CPU per packet at {CPU_RATE:,.0f} packets/s"
        target = Target("F4", text, None, PROCESSING, unit="us")
        if cpu:
            target.value = cpu[0].summary().median
        result.targets.append(target)
        text = f"{engine}: CPU per packet, of the datagram engine's"
        target = Target("F4", text, None, CHEAPER)
        if cpu and datagram:
            ratio = summarize_ratio(cpu[0].samples, datagram[0].samples)
            target.value, target.low, target.high = ratio.median, ratio.low, ratio.high
        result.targets.append(target)


def _share(result: Result, name: str, engine: str) -> None:
    shares = result.find("zero_copy_share", name)
    target = Target("F4", f"{engine}: zero-copy share of packets", None, ZERO_COPY, at_most=False)
    if shares:
        target.value = shares[0].summary().median
    result.targets.append(target)


if __name__ == "__main__":
    raise SystemExit(main())

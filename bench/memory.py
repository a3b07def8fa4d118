"""``python -m bench memory``: what a stream costs in memory, with 1, 100 and 1000 of them.

Out:    resident and traced memory per stream; the RTP state of one stream in bytes

Facts the code leans on
- Traced memory is what Python's allocator gave and has not got back: exact, the same every time.
  Resident memory is what the machine notices; the first stream pays for what all of them share.
- Kernel buffers of sockets are in neither; they are bounded by what a stream asks for (SO_RCVBUF).
- Streams here are sessions of their own, as cameras are, all of them in one process on one loop.
"""

from __future__ import annotations

import gc
import tracemalloc
from struct import pack

from bench.crowd import Crowd, CrowdError, Wish
from bench.measure import raise_file_limit
from bench.program import finish, options_parser, say, settle
from bench.result import Result, Target
from bench.source import Source
from bench.traffic import Traffic

__all__ = ["FILES_PER_STREAM", "main", "rtp_state"]

COUNTS = {1: 500.0, 100: 500.0, 1000: 5.0}  # streams: packets per second of each
CONNECTING_RATE = 5.0  # packets/s while sessions are set up, which tracing makes slow
FILES_PER_STREAM = 3  # control connection, RTP, RTCP
SPARE_FILES = 200
RECEIVERS = 1000  # whose state is weighed
PER_STREAM = {100: 1024 * 1024, 1000: 64 * 1024}  # bytes, F5
STATE = 1536  # bytes, F5: 1.5 KB


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    parser = options_parser("memory", __doc__, rounds=3, seconds=3.0)
    parser.add_argument("--streams", type=int, nargs="*", default=list(COUNTS))
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 1.0
    result = Result("memory", "Memory per stream", options={"seconds": options.seconds})
    _state(result)
    for streams in options.streams:
        _streams(result, streams, options.rounds, options.seconds)
    return finish(result, options)


# -- resident and traced


def _streams(result: Result, streams: int, rounds: int, seconds: float) -> None:
    rate = COUNTS.get(streams, 5.0)
    wanted = streams * FILES_PER_STREAM + SPARE_FILES
    allowed = raise_file_limit(wanted)
    if allowed < wanted:
        result.missing[f"{streams} streams"] = (
            f"they need {wanted} open files, the system allows {allowed}"
        )
        return
    parameters = {"streams": streams, "rate": rate, "transport": "udp"}
    for _ in range(rounds):
        for traced in (False, True):
            try:
                with Source(Traffic(rate=CONNECTING_RATE)) as source:
                    wish = Wish(url=source.url(), sessions=streams, traced=traced)
                    with Crowd(wish) as crowd:
                        source.start(Traffic(rate=rate))
                        settle(seconds)
                        found = crowd.snapshot()
            except CrowdError as error:
                result.missing[f"{streams} streams"] = str(error)
                return
            kind = "traced" if traced else "rss"
            total, base = found[kind], found[f"base_{kind}"]
            result.add(
                "rtspkit", f"{kind}_per_stream", "bytes", parameters, (total - base) / streams
            )
            if not traced:
                result.add("rtspkit", "rss_of_process", "bytes", parameters, total)
            say(f"{streams} streams, {kind}: {(total - base) / streams / 1024:.1f} KiB a stream")
    _target(result, streams, parameters)


def _target(result: Result, streams: int, parameters: dict[str, str | int | float | bool]) -> None:
    if streams not in PER_STREAM:
        return
    summary = result.measurement("rtspkit", "rss_per_stream", "bytes", parameters).summary()
    text = f"resident memory per stream, {streams} streams of {parameters['rate']:g} packets/s"
    target = Target("F5", text, summary.median, PER_STREAM[streams], unit="bytes")
    target.low, target.high = summary.low, summary.high
    result.targets.append(target)


# -- the state of one stream


def rtp_state(receivers: int = RECEIVERS) -> dict[str, float]:
    """Bytes of memory per stream that is set up and has received packets, by what holds them.

    Nothing waits in a queue, and no packet is held: what counts is what a stream costs while
    everything is in order.
    """
    from rtspkit.engine.receiver import StreamReceiver
    from rtspkit.engine.reports import Reports
    from rtspkit.wire.stream import Stream

    def random() -> float:
        return 0.5

    def receiver_of(stream: Stream) -> StreamReceiver:
        receiver = StreamReceiver(stream)
        receiver.start(0.0)
        for number in range(64):
            now = 1.0 + number / 500
            receiver.receive_rtp(pack("!BBHII", 0x80, 96, number, number * 90, 7) + bytes(20), now)
        return receiver

    def reports_of(receiver: StreamReceiver) -> Reports:
        reports = Reports(ssrc=1, cname=b"c", random=random, report_block=receiver.report_block)
        reports.start(1.0)
        return reports

    streams = [Stream(0, "video", "H264", 96, 90_000) for _ in range(receivers)]
    made: list[object] = [reports_of(receiver_of(Stream(0, "video", "H264", 96, 90_000)))]
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start(1)
    try:
        empty = _traced()
        ready = [receiver_of(stream) for stream in streams]
        with_receivers = _traced()
        made.append([reports_of(receiver) for receiver in ready])
        with_reports = _traced()
    finally:
        if not tracing:
            tracemalloc.stop()
    return {
        "StreamReceiver": (with_receivers - empty) / receivers,
        "Reports": (with_reports - with_receivers) / receivers,
    }


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _state(result: Result) -> None:
    found = rtp_state()
    for name, size in found.items():
        result.add(name, "rtp_state_per_stream", "bytes", {}, size)
    total = sum(found.values())
    text = "RTP state per stream: receiver and reports, in order, nothing waiting"
    result.targets.append(Target("F5", text, total, STATE, unit="bytes"))
    say(f"RTP state: {total:.0f} bytes a stream")


if __name__ == "__main__":
    raise SystemExit(main())

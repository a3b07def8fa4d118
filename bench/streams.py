"""What a stream costs when there are many: CPU per packet against the number of streams.

    python -m bench streams --streams 1,10,100 --rates 500

Each stream is a session on a connection of its own, 500 packets/s of 1,200 bytes (about 5 Mbit/s).
"""

from __future__ import annotations

from collections.abc import Sequence

from bench import side_by_side
from bench.measure import summarize
from bench.result import Result, Target

__all__ = ["judge", "main"]

DEFAULT = (
    *("drain-recvmmsg", "drain-recv", "uvloop-datagram", "rtspkit-packets", "rtspkit-batches"),
    *("rtspkit-units", "aiortsp", "pyav", "ffmpeg", "gstreamer"),
)


MANY = 100  # streams, of which F5 speaks
RATE = 500
SHARE = 0.05  # of a core, for each


def judge(result: Result) -> None:
    """Hold the share of a core that each of 100 streams takes against F5."""
    result.targets.clear()
    for transport in ("udp", "tcp"):
        for subject in ("rtspkit packets", "rtspkit batches", "rtspkit access_units"):
            where = {"transport": transport, "rate": RATE, "streams": MANY}
            text = f"{transport.upper()}, {MANY} streams: {subject}, share of a core for each"
            target = Target("F5", text, None, SHARE, note=result.missing.get(subject, "not run"))
            for one in result.find("cpu_share", subject, **where):
                if one.values:
                    summary = summarize([value / MANY for value in one.values])
                    target.value, target.note = summary.median, ""
                    target.low, target.high = summary.low, summary.high
            result.targets.append(target)


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it, print the tables, write the file."""
    parser = side_by_side.make_parser(__doc__)
    parser.prog = "python -m bench streams"
    parser.set_defaults(rates="500", streams="1,10,100")
    return side_by_side.main(
        arguments,
        benchmark="streams",
        title="CPU per packet against the number of streams",
        parser=parser,
        default=DEFAULT,
        verdict=judge,
    )


if __name__ == "__main__":
    main()

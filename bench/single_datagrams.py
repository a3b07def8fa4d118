"""CPU per packet when every datagram is sent by a call of its own: nothing comes joined.

    python -m bench single_datagrams --quick

On the loopback interface a burst that was sent with one call (UDP_SEGMENT) reaches a socket with
UDP_GRO in one piece, which flatters whoever asks for that. Here the kernel finds nothing to join:
what remains is many datagrams for one ``recvmmsg``, and on a machine of two cores a wake-up for
almost each of them. Real networks lie between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench import side_by_side
from bench.result import Result

__all__ = ["DEFAULT", "main"]

DEFAULT = (
    "drain-recvmmsg",
    "drain-recvmmsg-gro",
    "drain-recv",
    "uvloop-datagram",
    "rtspkit-packets",
    "rtspkit-batches",
    "rtspkit-units",
    "rtspkit-packets-datagram",
    "pyav",
)


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it, print the tables, write the file."""
    parser = side_by_side.make_parser(__doc__)
    parser.prog = "python -m bench single_datagrams"
    parser.set_defaults(rates="20000", transport="udp", segmentation=False)
    return side_by_side.main(
        arguments,
        benchmark="single_datagrams",
        title="CPU per packet, every datagram sent by itself",
        parser=parser,
        default=DEFAULT,
    )


if __name__ == "__main__":
    main()

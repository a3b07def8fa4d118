"""PyAV: ``for packet in container.demux(video=0)``, a thread for each session.

PyAV gives access units, not packets; nothing is decoded.
"""

from __future__ import annotations

import threading

from bench.receivers.common import (
    RECEIVE_BUFFER,
    Counters,
    make_parser,
    parse,
    run_in_threads,
)

__all__: list[str] = []


class _Session:
    def __init__(self, url: str, transport: str) -> None:
        self.url = url
        self.options = {"rtsp_transport": transport, "buffer_size": str(RECEIVE_BUFFER)}
        self.units = 0
        self.bytes = 0
        self.first = threading.Event()

    def run(self) -> None:
        """Read for ever."""
        import av

        with av.open(self.url, options=self.options) as container:
            for packet in container.demux(video=0):
                if not self.units:
                    self.first.set()
                self.units += 1
                self.bytes += packet.size


def main() -> None:
    """Run the receiver."""
    options = parse(make_parser(__doc__))
    sessions = [_Session(options.url, options.transport) for _ in range(options.streams)]

    def counters() -> Counters:
        return Counters(
            bytes=sum(one.bytes for one in sessions),
            units=sum(one.units for one in sessions),
            bytes_of="annex-b",
            engine="FFmpeg's libraries",
        )

    run_in_threads(sessions, counters)


if __name__ == "__main__":
    main()

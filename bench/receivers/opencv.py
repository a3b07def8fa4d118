"""OpenCV: ``VideoCapture.grab()`` on its FFmpeg backend, a thread for each session.

``grab()`` decodes: what it costs is more than receiving.
"""

from __future__ import annotations

import os
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
    def __init__(self, url: str) -> None:
        self.url = url
        self.units = 0
        self.first = threading.Event()

    def run(self) -> None:
        """Grab for ever."""
        import cv2

        capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG)
        while capture.grab():
            if not self.units:
                self.first.set()
            self.units += 1


def main() -> None:
    """Run the receiver."""
    options = parse(make_parser(__doc__))
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = (
        f"rtsp_transport;{options.transport}|buffer_size;{RECEIVE_BUFFER}"
    )
    sessions = [_Session(options.url) for _ in range(options.streams)]

    def counters() -> Counters:
        units = sum(one.units for one in sessions)
        return Counters(units=units, bytes_of="", engine="FFmpeg's libraries, decoding")

    run_in_threads(sessions, counters)


if __name__ == "__main__":
    main()

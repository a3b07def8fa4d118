"""Foreign programs: ``ffmpeg -i … -c copy -f null -`` and ``gst-launch-1.0 rtspsrc ! fakesink``.

This one only starts them, waits for what they print when media flows, and stays asleep.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable

from bench.receivers.common import (
    RECEIVE_BUFFER,
    Counters,
    finish,
    make_parser,
    parse,
    ready,
)

__all__: list[str] = []

END = 5.0  # s that a program has to end


def ffmpeg_command(options: argparse.Namespace) -> list[str]:
    """All sessions in one program."""
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "verbose", "-nostats"]
    for _ in range(options.streams):
        command += ["-rtsp_transport", options.transport, "-buffer_size", str(RECEIVE_BUFFER)]
        command += ["-i", options.url]
    for index in range(options.streams):
        command += ["-map", f"{index}:v"]
    return [*command, "-c", "copy", "-f", "null", "-"]


def gstreamer_command(options: argparse.Namespace) -> list[str]:
    """All sessions in one pipeline."""
    command = ["gst-launch-1.0"]
    for _ in range(options.streams):
        command += ["rtspsrc", f"location={options.url}", f"protocols={options.transport}"]
        command += ["latency=0", f"udp-buffer-size={RECEIVE_BUFFER}", "!"]
        command += ["fakesink", "sync=false"]
    return command


PROGRAMS: dict[str, tuple[Callable[[argparse.Namespace], list[str]], str]] = {
    "ffmpeg": (ffmpeg_command, r"^(Output #0|Press \[q\])"),
    "gstreamer": (gstreamer_command, r"^(Redistribute latency|New clock|Setting pipeline to PLAY)"),
}


def main() -> None:
    """Run a program until standard input ends."""
    parser = make_parser(__doc__)
    parser.add_argument("--program", choices=tuple(PROGRAMS), required=True)
    options = parse(parser)
    make, sign = PROGRAMS[options.program]
    process = subprocess.Popen(
        make(options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    missed: list[int] = []
    for line in process.stdout:
        if re.match(sign, line):
            break
        sys.stderr.write(line)
    else:
        sys.exit(f"{options.program} has ended with {process.wait()}")

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            match = re.search(r"RTP: missed ([0-9]+) packets", line)
            missed.extend([int(match[1])] if match else [])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    ready(pid=process.pid)
    sys.stdin.readline()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END)
    process.kill()
    process.wait()
    reader.join(END)
    lost = sum(missed) if options.program == "ffmpeg" else None
    finish(Counters(lost=lost, bytes_of="", engine=options.program))


if __name__ == "__main__":
    main()

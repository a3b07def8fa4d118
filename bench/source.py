"""The source: a process of its own that plays to every client, on a core of its own.

    with Source(Traffic(rate=5000)) as source:
        ...                                     # receivers play source.url()
        before = source.statistics()
        time.sleep(3)
        sent = source.statistics().sent - before.sent
        source.start(Traffic(rate=10_000, pacing="flat"))       # all streams go on with this
        source.stop()

By hand: ``python -m bench.source --port 8554 --rate 5000`` and a client beside it; it ends with the
end of its standard input. The commands it takes there are in ``bench.source_server``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.child import Child, end
from bench.measure import other_core, pin, raise_file_limit
from bench.source_server import Server
from bench.traffic import Traffic

__all__ = ["ROOT", "SentSession", "SentStream", "Source", "SourceStatistics", "child_environment"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SentStream:
    """What one stream was sent since the source was started, or since it began.

    Attributes:
        ssrc: Of its packets.
        sent: Packets.
        bytes: Of RTP, headers included.
        units: Whole access units.
        unit_bytes: Bytes of them as an Annex B byte stream with start codes of four bytes.
        first_sequence_number: Of its very first packet.
        next_sequence_number: Of the packet to come, not wrapped.
        late: Times that the source fell more than a second behind its times.
        blocked: Times that TCP took nothing.
    """

    ssrc: int
    sent: int
    bytes: int
    units: int
    unit_bytes: int
    first_sequence_number: int
    next_sequence_number: int
    late: int
    blocked: int


@dataclass(frozen=True, slots=True)
class SentSession:
    """One RTSP session.

    Attributes:
        id: Its identifier.
        transport: ``"udp"`` or ``"tcp"``.
        client_ports: The receiver's UDP ports: RTP, RTCP, stream by stream.
        playing: Whether it plays.
        ended: Whether it was torn down.
        streams: What each was sent.
    """

    id: str
    transport: str
    client_ports: tuple[int, ...]
    playing: bool
    ended: bool
    streams: tuple[SentStream, ...]


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """What the source has sent; sessions that have ended stay until the next ``start``.

    Attributes:
        at: Nanoseconds of CLOCK_MONOTONIC when it was counted.
        sent: Packets, of all streams.
        bytes: Of RTP, headers included.
        units: Whole access units.
        unit_bytes: Bytes of them as Annex B.
        late: Times that a stream fell more than a second behind.
        blocked: Times that TCP took nothing.
        behind: The longest that anything went out after its time since the start, in seconds.
        playing: Sessions that play.
        sessions: One by one.
    """

    at: int
    sent: int
    bytes: int
    units: int
    unit_bytes: int
    late: int
    blocked: int
    behind: float
    playing: int
    sessions: tuple[SentSession, ...]

    @property
    def client_ports(self) -> tuple[int, ...]:
        """The UDP ports of all sessions that have not ended."""
        return tuple(p for one in self.sessions if not one.ended for p in one.client_ports)


class Source(Child):
    """A running source.

    Args:
        traffic: What each stream carries until ``start`` says otherwise; it flows from PLAY on.

    Raises:
        RuntimeError: The process did not come up, or has ended.
    """

    def __init__(self, traffic: Traffic | None = None) -> None:
        command = [sys.executable, "-m", "bench.source", "--port", "0"]
        for name, value in dataclasses.asdict(traffic or Traffic()).items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            cwd=ROOT,
            text=True,
        )
        ready = self._reply()
        self.port = int(str(ready["port"]))
        self.segmentation = bool(ready["segmentation"])

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def url(self, streams: int = 1) -> str:
        """What a client plays: a session of so many streams."""
        path = "live" if streams == 1 else f"live/{streams}"
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def start(self, traffic: Traffic) -> SourceStatistics:
        """All streams, playing ones too, begin anew with this traffic."""
        return self._ask({"start": dataclasses.asdict(traffic)})

    def stop(self) -> SourceStatistics:
        """Send nothing more; gives what was sent in all."""
        return self._ask({"stop": 1})

    def statistics(self) -> SourceStatistics:
        """What was sent up to now."""
        return self._ask({"stats": 1})

    def close(self) -> None:
        """End the process."""
        end(self._process, 5)

    def _ask(self, command: Mapping[str, object]) -> SourceStatistics:
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps(command) + "\n")
        pipe.flush()
        reply = self._reply()
        if "error" in reply:
            raise ValueError(reply["error"])
        sessions = reply.pop("sessions")
        assert isinstance(sessions, list)
        return SourceStatistics(
            sessions=tuple(
                SentSession(
                    streams=tuple(SentStream(**stream) for stream in one.pop("streams")),
                    client_ports=tuple(one.pop("client_ports")),
                    **one,
                )
                for one in sessions
            ),
            **reply,  # type: ignore[arg-type]
        )

    def _reply(self) -> dict[str, object]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the source has ended with {self._process.wait()}")
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def child_environment() -> dict[str, str]:
    """The environment of our child programs: this tree is found, whatever the folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _truth(text: str) -> bool:
    return {"True": True, "False": False}[text]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a source until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, default=other_core(), help="the last one by default")
    for item in dataclasses.fields(Traffic):
        default = getattr(Traffic(), item.name)
        kind = _truth if isinstance(default, bool) else type(default)
        parser.add_argument(f"--{item.name.replace('_', '-')}", type=kind, default=default)
    options = vars(parser.parse_args(arguments))
    host, port = options.pop("host"), options.pop("port")
    pin(options.pop("core"))
    raise_file_limit()
    Server(host, port, Traffic(**options)).run()


if __name__ == "__main__":
    main()

"""One play: a receiver comes, is measured in steady state from outside, and goes.

In:     a source, a receiver, what to send
Out:    Outcome: CPU, packets, loss in the window; what the receiver itself counted

Facts the code leans on
- The window holds whole turns of the source's cycle (one second, for most traffic), so that every
  round has the same share of keyframes.
- What the kernel dropped is read from outside, of the receiver's own sockets: it is known of every
  receiver over UDP. What a receiver counts itself is compared with what was sent in all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.catalogue import Receiver
from bench.child import Child
from bench.measure import CpuUse, cpu_use, rss, udp_drops
from bench.receivers.common import Counters
from bench.source import Source, SourceStatistics, child_environment
from bench.traffic import Traffic

__all__ = ["Outcome", "ReceiverFailed", "Running", "play"]

READY = 30.0  # s until media must flow; FFmpeg takes one for each stream
END = 10.0  # s for the receiver to say what it counted
WARM_UP = 0.5  # s between the first media and the window
DRAIN = 0.2  # s for the last packets to be taken


class ReceiverFailed(Exception):
    """A receiver did not come up, or did not answer; in its own last words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one play has shown.

    Attributes:
        seconds: Length of the window.
        cpu: CPU used in it.
        sent: Packets sent in it, to all sessions.
        drops: Packets of these that the kernel dropped, and those that came while it was drained;
            None over TCP.
        total: Packets sent in the whole play.
        counters: What the receiver counted in the whole play.
        memory: Its resident memory at the end of the window, in bytes.
        behind: The longest that the source was late, in seconds.
        blocked: Times that TCP took nothing from the source.
    """

    seconds: float
    cpu: CpuUse
    sent: int
    drops: int | None
    total: int
    counters: Counters
    memory: int
    behind: float
    blocked: int

    @property
    def received(self) -> int:
        """Packets of the window that reached the receiver."""
        return max(1, self.sent - (self.drops or 0))

    @property
    def cpu_per_packet(self) -> float:
        """Microseconds, user and system, of each packet that was received."""
        return self.cpu.total / self.received * 1e6

    @property
    def packet_rate(self) -> float:
        """Packets received per second."""
        return self.received / self.seconds

    @property
    def loss(self) -> float | None:
        """Share of the window's packets that the kernel dropped; None over TCP."""
        return None if self.drops is None or not self.sent else self.drops / self.sent

    @property
    def uncounted(self) -> int | None:
        """Packets of the whole play that the receiver did not count; None if it counts none."""
        return None if self.counters.packets is None else self.total - self.counters.packets


class Running(Child):
    """A receiver program that plays.

    Args:
        receiver: Which.
        source: What it plays.
        transport: ``"udp"`` or ``"tcp"``.
        streams: Sessions.
        arguments: More of them.
        tree: Folder to take rtspkit from, for receivers that run it; None for this one.

    Raises:
        ReceiverFailed: No media flows.
    """

    def __init__(
        self,
        receiver: Receiver,
        source: Source,
        transport: str,
        streams: int = 1,
        arguments: Sequence[str] = (),
        tree: str | None = None,
    ) -> None:
        command = [sys.executable, "-m", f"bench.receivers.{receiver.module}", source.url()]
        command += ["--transport", transport, "--streams", str(streams)]
        if tree is not None and receiver.takes_tree:
            command += ["--tree", tree]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # close() closes it
        self._process = subprocess.Popen(
            [*command, *receiver.arguments, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=child_environment(),
            start_new_session=True,  # its own programs end with it
        )
        self._read = b""
        try:
            ready = self._line(READY)["ready"]
        except BaseException:
            self.close()
            raise
        assert isinstance(ready, dict)
        self.pid = int(ready["pid"])

    def finish(self) -> Counters:
        """Let it stop; gives what it counted.

        Raises:
            ReceiverFailed: It does not say so.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        counters = self._line(END)["counters"]
        assert isinstance(counters, dict)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END)
        return Counters(**counters)

    def close(self) -> None:
        """End it, and what it has started, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def _line(self, seconds: float) -> dict[str, object]:
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise ReceiverFailed(f"said nothing for {seconds:g} s{self._last_words()}")
                piece = os.read(self._process.stdout.fileno(), 65536)
                if not piece:
                    raise ReceiverFailed(f"has ended{self._last_words()}")
                self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        value = json.loads(line)
        assert isinstance(value, dict)
        return value

    def _last_words(self) -> str:
        self._errors.seek(0)
        text = re.sub(r" \(/[^)\n]*\)", "", self._errors.read().decode("utf-8", "replace"))
        words = [line.strip(" |+-") for line in text.splitlines()]
        return f": {[word for word in words if word][-1][:200]}" if any(words) else ""


def play(
    source: Source,
    receiver: Receiver,
    traffic: Traffic,
    *,
    transport: str = "udp",
    streams: int = 1,
    seconds: float = 3.0,
    arguments: Sequence[str] = (),
    tree: str | None = None,
) -> Outcome:
    """Let one receiver play once.

    Args:
        source: It is started anew with ``traffic``, and stopped in the end.
        receiver: Which.
        traffic: What each stream carries.
        transport: ``"udp"`` or ``"tcp"``.
        streams: Sessions, each on a connection of its own.
        seconds: Length of the window.
        arguments: More arguments for the receiver.
        tree: Folder to take rtspkit from, for receivers that run it; None for this one.

    Raises:
        ReceiverFailed: It did not come up, or did not say what it counted.
    """
    source.start(traffic)
    try:
        with Running(receiver, source, transport, streams, arguments, tree) as running:
            time.sleep(WARM_UP)
            try:
                return _measure(source, running, transport, seconds)
            except ProcessLookupError as error:
                raise ReceiverFailed("ended while it was measured") from error
    finally:
        source.stop()


def _measure(source: Source, running: Running, transport: str, seconds: float) -> Outcome:
    before = source.statistics()
    dropped = _drops(before, transport)
    used = cpu_use(running.pid)
    time.sleep(seconds)
    after = source.statistics()
    cpu = cpu_use(running.pid) - used
    memory = rss(running.pid)
    end = source.stop()
    time.sleep(DRAIN)
    drops = _drops(end, transport)
    return Outcome(
        seconds=(after.at - before.at) / 1e9,
        cpu=cpu,
        sent=after.sent - before.sent,
        drops=None if drops is None or dropped is None else drops - dropped,
        total=end.sent,
        counters=running.finish(),
        memory=memory,
        behind=end.behind,
        blocked=end.blocked,
    )


def _drops(statistics: SourceStatistics, transport: str) -> int | None:
    return udp_drops(statistics.client_ports) if transport == "udp" else None

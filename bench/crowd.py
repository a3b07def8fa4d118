"""Many sessions of rtspkit on one event loop, in a process that can be asked about itself.

In:     a ``Wish`` as JSON, the one argument; commands, one JSON object a line, on standard input
Out:    one JSON object a line for each of them, and one first, when all sessions play

Commands
- ``{"begin": "count" | "latency" | "hold"}``    new consumers: they count; or note when each
  packet was there; or keep every packet
- ``{"snapshot": 1}``     counters of this process and its sessions up to now
- ``{"latencies": 1}``    what was noted since ``begin``, as percentiles; the consumers end
- ``{"traced": 1}``       what the packets kept since ``begin`` lie in, and all memory blocks
The end of standard input ends the process. The other end is ``Crowd``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.child import Child, end
from bench.latencies import Latencies
from bench.measure import pin, receiver_core, rss
from bench.source import ROOT, child_environment

if TYPE_CHECKING:
    from rtspkit import AccessUnit, RtpPacket, Session

__all__ = ["Crowd", "CrowdError", "Wish"]

CONNECTING = 20  # sessions at a time
LARGE = 512  # bytes: a block that could be a packet's buffer, and is no small object

Mode = Literal["count", "latency", "hold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a crowd is to be.

    Attributes:
        url: What each session plays.
        sessions: How many.
        door: ``"packets"``, ``"batches"``, ``"access_units"`` or ``"drain"``, which is not
            rtspkit, but a bare ``recvmmsg`` on as many sockets.
        loop: ``"uvloop"`` or ``"asyncio"``.
        transport: ``"udp"`` or ``"tcp"``.
        receiver: An engine of rtspkit; empty leaves it at what it is by itself.
        coalesce: Seconds of receive moderation.
        traced: Whether memory is traced, which slows everything down.
    """

    url: str
    sessions: int = 1
    door: str = "packets"
    loop: str = "uvloop"
    transport: str = "udp"
    receiver: str = ""
    coalesce: float = 0.0
    traced: bool = False


class CrowdError(Exception):
    """A crowd could not be: the message says why."""


# -- the parent's end


class Crowd(Child):
    """A running crowd.

    Attributes:
        receiver: The engine in use; empty in a revision that does not tell.

    Raises:
        CrowdError: It could not be: an option that this revision lacks, a machine that refuses.
    """

    def __init__(self, wish: Wish, environment: dict[str, str] | None = None) -> None:
        program = "bench.drain" if wish.door == "drain" else "bench.crowd"
        self._process = subprocess.Popen(
            [sys.executable, "-m", program, json.dumps(dataclasses.asdict(wish))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment or child_environment(),
            cwd=ROOT if environment is None else None,
            text=True,
        )
        hello = self._reply()
        self.receiver = str(hello["receiver"])

    def begin(self, mode: Mode) -> None:
        """New consumers."""
        self._ask("begin", mode)

    def snapshot(self) -> dict[str, float]:
        """Counters up to now: packets, bytes, cpu (s), sleeps, rss (bytes) … and the numbers of
        the first session's statistics, ``session_`` in front."""
        return self._ask("snapshot")

    def latencies(self) -> dict[str, float]:
        """Percentiles in microseconds, by name, of what came since ``begin("latency")``."""
        return self._ask("latencies")

    def traced(self) -> dict[str, float]:
        """Blocks and bytes since ``begin``."""
        return self._ask("traced")

    def close(self) -> None:
        """End the process."""
        end(self._process, 15)

    def _ask(self, command: str, value: str | int = 1) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({command: value}) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def _reply(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CrowdError(f"the receiver has ended with {self._process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            self.close()
            raise CrowdError(reply["error"])
        return dict(reply)


# -- the child's end


class _Receivers:
    """All sessions of the process."""

    def __init__(self, wish: Wish) -> None:
        import rtspkit

        self._rtspkit = rtspkit
        self._wish = wish
        self._sessions: list[Session] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._packets = self._bytes = self._batches = 0
        self._kept: list[RtpPacket] = []
        self._latencies = Latencies()
        self._before: tracemalloc.Snapshot | None = None
        self.base_rss = rss()
        self.base_traced = tracemalloc.get_traced_memory()[0]

    async def connect(self) -> None:
        """Have every session play."""
        wish = self._wish
        options: dict[str, object] = {"transport": wish.transport}
        if wish.receiver:
            options["receiver"] = wish.receiver
        if wish.coalesce:
            options["coalesce"] = wish.coalesce
        room = asyncio.Semaphore(CONNECTING)

        async def one() -> None:
            async with room:
                self._sessions.append(await self._rtspkit.connect(wish.url, **options))

        async with asyncio.TaskGroup() as group:
            for _ in range(wish.sessions):
                group.create_task(one())

    async def close(self) -> None:
        await self._end_consumers()
        await asyncio.gather(*(session.aclose() for session in self._sessions))

    async def _end_consumers(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._tasks.clear()
        self._kept.clear()

    def engine(self) -> str:
        """The engine in use; empty in a revision that has but one."""
        return str(getattr(self._sessions[0].stats(), "receiver", "") or "")

    # -- commands

    async def begin(self, mode: str) -> dict[str, object]:
        """New consumers; what had waited for the old ones is not theirs."""
        await self._end_consumers()
        self._latencies = Latencies()
        door = self._wish.door
        shape = {"batches": "batches", "access_units": "units"}.get(door, "packets")
        consume = getattr(self, f"_{mode}_{shape}")
        for session in self._sessions:
            self._tasks.append(asyncio.create_task(consume(getattr(session, door)())))
        await asyncio.sleep(0)
        if tracemalloc.is_tracing():
            self._before = tracemalloc.take_snapshot()
        return {}

    async def snapshot(self, _: object) -> dict[str, object]:
        """Counters up to now."""
        use = resource.getrusage(resource.RUSAGE_SELF)
        stats = [session.stats() for session in self._sessions]
        return {
            "packets": self._packets,
            "received": sum(one.packets for one in stats),
            "bytes": self._bytes,
            "batches": self._batches,
            "at": time.monotonic(),
            "cpu": time.process_time(),
            "sleeps": use.ru_nvcsw,
            "rss": rss(),
            "traced": tracemalloc.get_traced_memory()[0],
            "base_rss": self.base_rss,
            "base_traced": self.base_traced,
            "lost": sum(one.lost for one in stats),
            "consumer_dropped": sum(one.consumer_dropped for one in stats),
            **{f"session_{name}": value for name, value in _numbers(stats[0]).items()},
        }

    async def latencies(self, _: object) -> dict[str, object]:
        """What was noted; the consumers end, so that working it out disturbs nobody."""
        await self._end_consumers()
        return dict(self._latencies.percentiles())

    async def traced(self, _: object) -> dict[str, object]:
        """Blocks that were made since ``begin`` and are alive."""
        after = tracemalloc.take_snapshot()
        assert self._before is not None
        small, large, size = _blocks(after)
        small_before, large_before, size_before = _blocks(self._before)
        return {
            "packets": len(self._kept),
            "buffers": len({id(packet.payload.obj) for packet in self._kept}),
            "small": small - small_before,
            "large": large - large_before,
            "large_bytes": size - size_before,
        }

    # -- consumers: what a user would write, and one thing more

    async def _count_packets(self, packets: AsyncIterator[RtpPacket]) -> None:
        async for packet in packets:
            self._packets += 1
            self._bytes += len(packet.payload)

    async def _count_units(self, units: AsyncIterator[AccessUnit]) -> None:
        async for unit in units:
            self._packets += 1
            self._bytes += len(unit.data)

    async def _count_batches(self, batches: AsyncIterator[list[RtpPacket]]) -> None:
        async for batch in batches:
            self._batches += 1
            self._packets += len(batch)
            for packet in batch:
                self._bytes += len(packet.payload)

    async def _latency_packets(self, packets: AsyncIterator[RtpPacket]) -> None:
        note, clock = self._latencies.note, time.monotonic_ns
        async for packet in packets:
            note(clock(), packet.arrival, packet.payload)

    async def _latency_batches(self, batches: AsyncIterator[list[RtpPacket]]) -> None:
        note, clock = self._latencies.note, time.monotonic_ns
        async for batch in batches:
            now = clock()
            for packet in batch:
                note(now, packet.arrival, packet.payload)

    async def _hold_packets(self, packets: AsyncIterator[RtpPacket]) -> None:
        keep = self._kept.append
        async for packet in packets:
            self._packets += 1
            keep(packet)

    async def _hold_batches(self, batches: AsyncIterator[list[RtpPacket]]) -> None:
        keep = self._kept.extend
        async for batch in batches:
            self._packets += len(batch)
            keep(batch)


def _numbers(stats: object) -> dict[str, float]:
    """Every plain number that a session counts; those of its pool as ``pool_fresh``."""
    names = [item.name for item in dataclasses.fields(stats)]  # type: ignore[arg-type]
    names += [name for name, value in vars(type(stats)).items() if isinstance(value, property)]
    numbers: dict[str, float] = {}
    for name in names:
        value = getattr(stats, name)
        if isinstance(value, int | float):
            numbers[name] = value
        elif dataclasses.is_dataclass(value):
            numbers.update({f"{name}_{k}": v for k, v in _numbers(value).items()})
    return numbers


def _blocks(snapshot: tracemalloc.Snapshot) -> tuple[int, int, int]:
    """How many small blocks there are, how many large, and the bytes of the large ones."""
    sizes = array("q", (trace.size for trace in snapshot.traces))
    large = [size for size in sizes if size > LARGE]
    return len(sizes) - len(large), len(large), sum(large)


async def _serve(wish: Wish) -> None:
    receivers = _Receivers(wish)
    try:
        await receivers.connect()
        await receivers.begin("count")
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells it
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        _say({"error": f"{type(error).__name__}: {error}"})
        await receivers.close()
        return
    _say({"sessions": wish.sessions, "receiver": receivers.engine()})
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        ((name, value),) = json.loads(line).items()
        _say(await getattr(receivers, name)(value))
    await receivers.close()


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)


def main() -> None:
    """Be a crowd."""
    wish = Wish(**json.loads(sys.argv[1]))
    pin(receiver_core())
    if wish.traced:
        tracemalloc.start(1)
    if wish.loop == "uvloop":
        import uvloop

        uvloop.run(_serve(wish))
    else:
        asyncio.run(_serve(wish))


if __name__ == "__main__":
    main()

"""A bare ``recvmmsg`` over many sockets that knows when the kernel had each packet: the floor.

In:     as ``bench.crowd``, of which it takes the place (``door="drain"``)
Out:    the same answers

Facts the code leans on
- SO_TIMESTAMPNS puts a ``timespec`` of CLOCK_REALTIME behind the header of a control message; the
  kernel writes the length of the control data over our own, so it is set anew before each call.
- Its consumer has a packet when ``recvmmsg`` has returned: nothing is done with it after that.
"""

from __future__ import annotations

import ctypes
import json
import resource
import select
import socket
import sys
import time
from struct import Struct

from bench.crowd import Wish
from bench.latencies import Latencies
from bench.measure import pin, receiver_core, rss
from bench.receivers.recvmmsg import CONTROL, CONTROL_DATA, SLOT, SLOTS, _Message, _Slots
from bench.receivers.rtsp import play

__all__ = ["Drain", "clock_offset"]

SO_TIMESTAMPNS = 35  # asm-generic/socket.h
RTP_HEADER = 12
TIMESPEC = Struct("@qq")
LENGTH = Struct("@I")
STRIDE = ctypes.sizeof(_Message)


def clock_offset(attempts: int = 20) -> int:
    """Nanoseconds from CLOCK_MONOTONIC to CLOCK_REALTIME: the pair read closest together."""
    pairs = []
    for _ in range(attempts):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        pairs.append((after - before, wall - (before + after) // 2))
    return min(pairs)[1]


class Drain:
    """Sockets that play, emptied as they fill.

    Args:
        wish: ``url``, ``sessions``; the rest is of rtspkit.
    """

    def __init__(self, wish: Wish) -> None:
        self._base_rss = rss()
        self._slots = _Slots(SLOTS, SLOT, control=True)
        messages = self._slots.messages
        self._fresh = bytes(messages)  # with the room for control data still whole
        self._results = memoryview(messages).cast("B")
        self._controls = memoryview(self._slots.controls).cast("B")
        self._memory = memoryview(self._slots.memory).cast("B")
        self._packets = 0
        self._offset = clock_offset()
        self._latencies: Latencies | None = None
        self._plays = [play(wish.url, "udp") for _ in range(wish.sessions)]
        self._poll = select.epoll()
        self._poll.register(0, select.EPOLLIN | select.EPOLLHUP)
        for one in self._plays:
            assert one.rtp is not None
            one.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._poll.register(one.rtp, select.EPOLLIN)

    def run(self) -> None:
        """Empty sockets and answer commands until the input ends."""
        while True:
            for number, _ in self._poll.poll():
                if number:
                    self._empty(number)
                elif not self._answer():
                    return

    def _empty(self, number: int) -> None:
        slots = self._slots
        count = SLOTS
        while count == SLOTS:
            ctypes.memmove(slots.messages, self._fresh, len(self._fresh))
            count = slots.fill(number)
            self._packets += count
            if self._latencies is not None:
                self._note(self._latencies, count, time.monotonic_ns())

    def _note(self, latencies: Latencies, count: int, now: int) -> None:
        last = ctypes.sizeof(_Message) - LENGTH.size * 2  # msg_len, then padding
        for index in range(count):
            (length,) = LENGTH.unpack_from(self._results, index * STRIDE + last)
            at = index * CONTROL + CONTROL_DATA
            seconds, nanoseconds = TIMESPEC.unpack_from(self._controls, at)
            arrival = (seconds * 1_000_000_000 + nanoseconds - self._offset) / 1e9
            begin = index * SLOT
            latencies.note(now, arrival, self._memory[begin + RTP_HEADER : begin + length])

    def _answer(self) -> bool:
        """One command; whether there was one."""
        line = sys.stdin.readline()
        if not line:
            return False
        ((name, value),) = json.loads(line).items()
        reply: dict[str, object] = {}
        if name == "begin":
            self._latencies = Latencies() if value == "latency" else None
        elif name == "latencies":
            assert self._latencies is not None
            found, self._latencies = self._latencies, None
            reply = dict(found.percentiles())
        elif name == "snapshot":
            reply = {
                "packets": self._packets,
                "received": self._packets,
                "at": time.monotonic(),
                "cpu": time.process_time(),
                "sleeps": resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw,
                "rss": rss(),
                "base_rss": self._base_rss,
            }
        print(json.dumps(reply), flush=True)
        return True


def main() -> None:
    """Be a drain."""
    wish = Wish(**json.loads(sys.argv[1]))
    pin(receiver_core())
    try:
        drain = Drain(wish)
    except (OSError, RuntimeError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"sessions": wish.sessions, "receiver": "recvmmsg"}), flush=True)
    drain.run()


if __name__ == "__main__":
    main()

"""Traces of RTP packets, and what the engine that takes them one by one says of them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from hypothesis import strategies as st

from rtspkit.engine.reception import Reception
from rtspkit.engine.reorder import Reorder
from rtspkit.wire.columns import PacketColumns
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

Trace = list[tuple[int, int, float]]  # sequence number, timestamp, arrival


def columns_of(trace: Trace, ssrcs=None, payload_types=None, markers=None) -> PacketColumns:
    """The columns that 20 bytes a packet would give."""
    count = len(trace)
    return PacketColumns(
        sequence_number=array("H", [number for number, _, _ in trace]),
        timestamp=array("I", [timestamp for _, timestamp, _ in trace]),
        marker=array("B", markers or [0] * count),
        payload_type=array("B", payload_types or [96] * count),
        ssrc=array("I", ssrcs or [7] * count),
        size=array("i", [20 + row % 7 for row in range(count)]),
        payload_size=array("i", [8 + row % 7 for row in range(count)]),
        arrival=array("d", [arrival for _, _, arrival in trace]),
        valid=array("B", [1] * count),
    )


@dataclass
class OneByOne:
    """Reception and Reorder, fed as ``StreamReceiver`` feeds them."""

    reception: Reception
    reorder: Reorder
    extended: list[int] = field(default_factory=list)
    jitter_ticks: list[float] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)

    def take(self, row: int, number: int, timestamp: int, arrival: float) -> None:
        restarts = self.reception.restarts
        extended = self.reception.receive(number, timestamp, arrival)
        if extended is None:
            self.strays.append(row)
            return
        if self.reception.restarts != restarts:
            assert self.strays.pop() == row - 1
            self.reorder.restart(extended - 1)
            self._push(extended - 1, arrival)
            self.jitter_ticks.append(self.jitter_ticks[-1])
        self._push(extended, arrival)
        self.jitter_ticks.append(self.reception.jitter_ticks)

    def _push(self, extended: int, arrival: float) -> None:
        packet = parse_rtp(
            serialize_rtp(
                b"", payload_type=96, sequence_number=extended & 0xFFFF, timestamp=0, ssrc=7
            )
        )
        packet.arrival = arrival
        self.reorder.push(extended, packet, arrival)
        self.extended.append(extended)


def one_by_one(trace: Trace, clock_rate: int, delay: float) -> OneByOne:
    """What the receive path counts."""
    machines = OneByOne(Reception(clock_rate), Reorder(512, delay))
    for row, packet in enumerate(trace):
        machines.take(row, *packet)
    return machines


MOVES = st.one_of(
    st.just(("next", 1)),
    st.just(("next", 1)),
    st.tuples(st.just("next"), st.integers(2, 20)),  # loss
    st.tuples(st.just("next"), st.sampled_from([999, 2998, 2999, 3000, 3001, 20_000, 32_768])),
    st.tuples(st.just("again"), st.integers(0, 8)),  # a duplicate, or one that comes late
    st.tuples(st.just("again"), st.sampled_from([998, 999, 1000, 1001, 1002, 32_767, 32_769])),
)
DELAYS = st.sampled_from([0.001, 0.02, 0.0, -0.01, 0.5, 11.0])
TICKS = st.sampled_from([3000, 0, 2999, 1, -3000, 2**31 - 1, 2**31, 900_001])


@st.composite
def traces(draw, max_size: int = 80) -> Trace:
    """One source: wraps, losses, duplicates, late packets, jumps of number, time and clock."""
    number = draw(st.sampled_from([0, 1, 65_530, 40_000]))
    timestamp = draw(st.sampled_from([0, 2**32 - 5000, 2**31]))
    arrival = draw(st.sampled_from([0.0, 1e6]))
    trace = []
    for (kind, step), delay, ticks in draw(
        st.lists(st.tuples(MOVES, DELAYS, TICKS), min_size=1, max_size=max_size)
    ):
        if kind == "next":
            number += step
        timestamp += ticks
        arrival += delay
        sent = number if kind == "next" else number - step
        trace.append((sent & 0xFFFF, timestamp & 0xFFFFFFFF, arrival))
    return trace

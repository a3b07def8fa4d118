"""Random traffic of one RTP channel, cut into batches as the network hands them on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import repeat

from hypothesis import strategies as st

from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import Goodbye, SenderReport, serialize_rtcp
from rtspkit.wire.rtp import RtpPacket, serialize_rtp

SSRC, OTHER_SSRC = 7, 9
PAYLOAD_TYPE = 96
FIELDS = (
    *("sequence_number", "timestamp", "ssrc", "payload_type", "marker", "payload", "csrcs"),
    *("extension", "padding_size", "arrival", "media_time", "wall_clock", "wall_time", "lost"),
    "discontinuity",
)

UNUSUAL: dict[str, dict[str, object]] = {
    "mark": {"marker": True},
    "pad": {"padding": 4},
    "ext": {"extension": (0xBEDE, b"\x10\x01\x00\x00")},
    "csrc": {"csrcs": (1, 2)},
    "type": {"payload_type": 97},
    "like": {"payload_type": 72, "marker": True},  # looks like RTCP
}

Arrivals = list[tuple[bytes, float]]  # packets and when they came


def fields_of(packet: RtpPacket) -> list[object]:
    """All that a packet says of itself, but for its stream."""
    return [bytes(packet), *(getattr(packet, name) for name in FIELDS)]


def datagrams_of(arrivals: Arrivals, layout: str, seed: int = 0) -> Datagrams:
    """A batch: ``"views"`` are a view each, ``"slab"`` are rows of one, anywhere in it.

    Arrivals that are all the same are one value that repeats.
    """
    data = [one for one, _ in arrivals]
    times = [at for _, at in arrivals]
    latest = max(times, default=0.0)
    equal = len(set(times)) == 1
    columns = [len(one) for one in data], repeat(times[0]) if equal else times, latest
    if layout == "views":
        return Datagrams([memoryview(one) for one in data], [0] * len(data), *columns)
    generator = random.Random(seed)
    slab, starts = bytearray(), [0] * len(data)
    for row in generator.sample(range(len(data)), len(data)):
        slab += generator.randbytes(generator.randrange(20))
        starts[row] = len(slab)
        slab += data[row]
    slab += generator.randbytes(generator.randrange(20))
    return Datagrams(repeat(memoryview(slab).toreadonly()), starts, *columns)


@dataclass
class Sender:
    """What a source, and those who disturb it, put on the wire."""

    number: int
    timestamp: int
    ssrc: int = SSRC

    def packet(self, number: int | None = None, **fields: object) -> bytes:
        defaults: dict[str, object] = {
            "payload_type": PAYLOAD_TYPE,
            "sequence_number": (self.number if number is None else number) & 0xFFFF,
            "timestamp": self.timestamp & 0xFFFFFFFF,
            "ssrc": self.ssrc,
        }
        return serialize_rtp(b"payload", **(defaults | fields))  # type: ignore[arg-type]

    def send(self, kind: str, amount: int) -> list[bytes]:
        """What one move puts on the wire."""
        if kind == "disturb":
            return self._disturb(amount)
        if kind == "again":
            return [self.packet(self.number - amount)]
        if kind == "swap":
            self.number += 2
            return [self.packet(), self.packet(self.number - 1)]
        if kind == "source":  # it goes on as another one
            self.ssrc, self.number = self.ssrc + 1, self.number + amount
            first = self.packet()
            self.number += 1
            return [first, self.packet()]
        self.number += amount
        return [self.packet(**UNUSUAL.get(kind, {}))]

    def _disturb(self, amount: int) -> list[bytes]:
        """What is no packet of the stream, or none at all."""
        report = SenderReport(
            self.ssrc, ntp=unix_to_ntp(1.7e9 + amount), rtp_timestamp=self.timestamp & 0xFFFFFFFF
        )
        stranger = {"ssrc": OTHER_SSRC, "payload_type": 97 if amount % 2 else PAYLOAD_TYPE}
        return [
            [b""],
            [b"\x80\x60\x00"],
            [b"\x00" + bytes(20)],
            [b"\xbf" + self.packet()[1:]],  # CSRCs, extension and padding that are not there
            [serialize_rtcp([report])],
            [serialize_rtcp([Goodbye([self.ssrc])])],
            [self.packet(5, **stranger)],
            [self.packet(6, **stranger), self.packet(7, **stranger)],
        ][amount % 8]


MOVES = st.one_of(
    *[st.just(("next", 1))] * 6,
    st.just(("mark", 1)),
    st.tuples(st.just("next"), st.sampled_from([2, 3, 9, 130, 2999, 3000, 20_000, 32_768])),
    st.tuples(st.just("again"), st.sampled_from([0, 1, 2, 3, 7, 999, 1001, 30_000])),
    st.just(("swap", 0)),
    st.tuples(st.sampled_from(["pad", "ext", "csrc", "type", "like"]), st.just(1)),
    st.tuples(st.just("disturb"), st.integers(0, 15)),
    st.tuples(st.just("source"), st.sampled_from([1, 500, -70])),
)
TICKS = st.sampled_from([0, 0, 0, 3000, 3000, 2999, -3000, 900_001, 2**31 - 1, 2**31])
WAITS = st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.033, 0.11, 2.5, 11.0])
STEPS = st.lists(st.tuples(MOVES, TICKS, WAITS), max_size=60)


@dataclass
class Batch:
    """Packets that arrive together; what happens behind them.

    Attributes:
        arrivals: The packets.
        layout: As for ``datagrams_of``.
        after: ``"deadline"``, ``"report"``, ``"play"`` or nothing.
    """

    arrivals: Arrivals
    layout: str
    after: str

    @property
    def end(self) -> float:
        return max((at for _, at in self.arrivals), default=0.0)


@st.composite
def batches(draw) -> list[Batch]:
    """The packets of one channel: losses, disorder, doubles, jumps, wraps, strangers, garbage."""
    sender = Sender(
        draw(st.sampled_from([0, 1, 65_520, 40_000])),
        draw(st.sampled_from([0, 2**32 - 5000, 2**31])),
    )
    arrivals: Arrivals = []
    now = 100.0
    for (kind, amount), ticks, wait in draw(STEPS):
        sender.timestamp += ticks
        for data in sender.send(kind, amount):
            arrivals.append((data, now))
        now += wait
    cut = []
    while arrivals:
        size = draw(st.sampled_from([1, 2, 5, 17, 64]))
        batch, arrivals = arrivals[:size], arrivals[size:]
        if draw(st.booleans()):
            batch = [(data, batch[-1][1]) for data, _ in batch]
        after = draw(st.sampled_from(["", "", "", "deadline", "report", "play"]))
        cut.append(Batch(batch, draw(st.sampled_from(["views", "slab"])), after))
    return cut

"""One play of a receiver that is a real program, and the sums of its outcome."""

from __future__ import annotations

import pytest

from bench.catalogue import RECEIVERS, Receiver
from bench.measure import CpuUse
from bench.play import Outcome, ReceiverFailed, Running, play
from bench.receivers.common import Counters
from bench.source import Source
from bench.traffic import Traffic


def outcome(**changes: object) -> Outcome:
    values: dict[str, object] = {
        "seconds": 2.0,
        "cpu": CpuUse(0.5),
        "sent": 1000,
        "drops": 0,
        "total": 1500,
        "counters": Counters(packets=1500),
        "memory": 1,
        "behind": 0.0,
        "blocked": 0,
    }
    return Outcome(**values | changes)


def test_cpu_is_shared_out_among_the_packets_that_arrived():
    assert outcome().cpu_per_packet == pytest.approx(500.0)
    half = outcome(drops=500)
    assert half.cpu_per_packet == pytest.approx(1000.0)
    assert half.packet_rate == 250.0
    assert half.loss == 0.5


def test_what_cannot_be_known_is_none():
    assert outcome(drops=None).loss is None
    assert outcome(counters=Counters()).uncounted is None
    assert outcome(counters=Counters(packets=1400)).uncounted == 100


@pytest.mark.parametrize(("key", "transport"), [("drain-recvmmsg", "udp"), ("drain-recv", "tcp")])
def test_a_receiver_is_measured_from_outside(key, transport, monkeypatch):
    monkeypatch.setattr("bench.play.WARM_UP", 0.0)
    with Source() as source:
        found = play(
            source,
            RECEIVERS[key],
            Traffic(rate=2000, pacing="flat"),
            transport=transport,
            streams=2,
            seconds=0.2,
        )
    assert found.sent / found.seconds == pytest.approx(4000, rel=0.5)
    assert found.cpu.total > 0
    assert found.memory > 1 << 20
    if transport == "udp":
        assert found.counters.packets == found.total - (found.drops or 0)
    else:
        assert found.counters.bytes > found.total * 1000


@pytest.mark.parametrize(
    ("key", "transport"),
    [("rtspkit-packets", "udp"), ("rtspkit-batches", "tcp"), ("rtspkit-units-asyncio", "udp")],
)
def test_our_own_receivers_count_every_packet(key, transport, monkeypatch):
    monkeypatch.setattr("bench.play.WARM_UP", 0.0)
    traffic = Traffic(rate=500)
    with Source() as source:
        found = play(source, RECEIVERS[key], traffic, transport=transport, seconds=0.1)
    assert found.total > 0
    assert found.uncounted == found.counters.lost == found.counters.dropped == 0


@pytest.mark.parametrize(
    ("module", "reason"), [("no_such_receiver", "No module named"), ("recvmmsg", "is for UDP")]
)
def test_a_receiver_that_does_not_come_up_says_why(module, reason):
    with Source() as source, pytest.raises(ReceiverFailed, match=reason):
        Running(Receiver("a", "a", module), source, "tcp")

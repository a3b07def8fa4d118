"""Times of packets, noted and worked out."""

import time

import pytest

from bench.latencies import Latencies
from bench.traffic import FILLER, make_stamp, read_stamp


def payload(stamp):
    return memoryview(bytes((FILLER, 0)) + bytes(50) + stamp)


def test_times_from_arrival_and_from_sending_are_told_apart():
    latencies = Latencies()
    stamp = make_stamp()
    sent = read_stamp(bytes((FILLER, 0)) + stamp).monotonic
    for microseconds in range(1, 101):
        consumed = sent + microseconds * 1_000
        latencies.note(consumed, (consumed - 500) / 1e9, payload(stamp))
    found = latencies.percentiles()
    assert found["packets"] == 100
    assert found["send_p50"] == pytest.approx(50.5, abs=0.01)
    assert found["send_p99"] == pytest.approx(99.01, abs=0.01)
    assert found["arrival_p90"] == pytest.approx(0.5, abs=0.2)
    assert found["wire_p50"] == pytest.approx(50.0, abs=0.2)


def test_packets_without_a_stamp_count_for_arrival_alone():
    latencies = Latencies()
    latencies.note(time.monotonic_ns(), time.monotonic(), memoryview(b"\x65" + bytes(40)))
    found = latencies.percentiles()
    assert found["packets"] == 1
    assert "arrival_p50" in found
    assert "send_p50" not in found


def test_nothing_noted_is_nothing_told():
    assert Latencies().percentiles() == {"packets": 0}


def test_no_memory_of_a_packet_is_kept():
    slab = bytearray(payload(make_stamp()))
    latencies = Latencies()
    latencies.note(1, 0.0, memoryview(slab))
    slab.extend(b"a bytearray with views cannot grow")
    assert latencies.percentiles()["packets"] == 1

"""SECURITY M5, M6, M7 and the limits on access units, for H.264 and H.265."""

import tracemalloc

import pytest

from rtspkit.options import Limits
from rtspkit.payload import depacketizer
from rtspkit.payload.nal import split_annex_b
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

# Per codec: a first slice, a slice that continues it, the fragments of a slice, an aggregate.
H264 = {
    "name": "H264",
    "slice": b"\x41\x9a\x05",
    "next slice": b"\x41\x02\x07",
    "start": b"\x5c\x81\x9a",
    "middle": b"\x5c\x01",
    "end": b"\x5c\x41\x01",
    "aggregate": b"\x78",
}
H265 = {
    "name": "H265",
    "slice": b"\x02\x01\xd0\x05",
    "next slice": b"\x02\x01\x50\x06",
    "start": b"\x62\x01\x81\xd0",
    "middle": b"\x62\x01\x01",
    "end": b"\x62\x01\x41\x01",
    "aggregate": b"\x60\x01",
}
CODECS = pytest.mark.parametrize("codec", [H264, H265], ids=["H264", "H265"])


class Stream:
    """Payloads pushed into a depacketizer under running numbers."""

    def __init__(self, codec, **limits):
        self.reader = depacketizer(codec["name"], 90_000, limits=Limits(**limits))
        self.number = 0

    def push(self, payload, timestamp=0, *, marker=False, arrival=0.0):
        data = serialize_rtp(
            payload,
            payload_type=96,
            sequence_number=self.number & 0xFFFF,
            timestamp=timestamp,
            ssrc=1,
            marker=marker,
        )
        self.number += 1
        packet = parse_rtp(data)
        packet.arrival = arrival
        return self.reader.push(packet)

    def takes_up(self, codec, timestamp):
        """Whether the next picture comes out whole."""
        units = self.push(codec["slice"], timestamp, marker=True)
        last = units[-1]
        return (split_annex_b(last.data), last.complete, last.timestamp) == (
            [codec["slice"]],
            True,
            timestamp,
        )


@CODECS
@pytest.mark.parametrize("size", [1, 4, 100, 0xFFFF])
def test_m5_a_length_past_the_end_drops_the_unit_is_counted_and_the_next_is_taken(codec, size):
    stream = Stream(codec)
    stream.push(codec["slice"])
    inside = codec["next slice"][: size - 1]
    aggregate = codec["aggregate"] + size.to_bytes(2, "big") + inside
    assert stream.push(aggregate) == stream.push(codec["next slice"], marker=True) == []
    counters = stream.reader.counters
    assert (counters.malformed, counters.dropped_units, counters.incomplete_units) == (1, 1, 0)
    assert stream.takes_up(codec, 3000)


@CODECS
@pytest.mark.parametrize("size", range(1, 4))
def test_m5_a_cut_fragment_header_never_reads_past_the_payload(codec, size):
    stream = Stream(codec)
    for name in ("start", "middle", "end"):
        stream.push(codec[name][:size], 0)
    assert stream.takes_up(codec, 3000)


@CODECS
def test_m5_nothing_of_one_unit_gets_into_the_next(codec):
    stream = Stream(codec)
    stream.push(codec["start"] + b"old")
    (unit,) = stream.push(codec["slice"], 3000, marker=True)
    assert b"old" not in unit.data
    assert stream.push(codec["end"] + b"old", 6000, marker=True) == []
    assert stream.takes_up(codec, 9000)


@CODECS
def test_m6_endless_fragments_end_at_the_size_limit_and_memory_stays_flat(codec):
    stream = Stream(codec)
    payload = codec["middle"] + b"\x55" * 1200
    tracemalloc.start()
    try:
        stream.push(codec["start"])
        peak = 0
        for _ in range(12_000):  # 14 MiB
            assert stream.push(payload) == []
        peak = tracemalloc.get_traced_memory()[1]
        assert tracemalloc.get_traced_memory()[0] < 256 * 1024  # given up, and freed
    finally:
        tracemalloc.stop()
    assert peak < 10 * 1024 * 1024  # 4 MiB, while the buffer grows once more
    assert stream.push(codec["end"], marker=True) == []
    assert stream.reader.counters.dropped_units == 1
    assert stream.takes_up(codec, 3000)


@CODECS
def test_m6_fragments_of_one_byte_cost_no_more_than_their_bytes(codec):
    stream = Stream(codec)
    payload = codec["middle"] + b"\x55"
    stream.push(codec["start"])
    tracemalloc.start()
    try:
        for _ in range(20_000):
            stream.push(payload)
        assert tracemalloc.get_traced_memory()[0] < 64 * 1024
    finally:
        tracemalloc.stop()


@CODECS
def test_m6_packets_with_one_timestamp_that_never_end_are_bounded(codec):
    stream = Stream(codec)
    units = []
    for _ in range(2000):
        units += stream.push(codec["next slice"])
    assert units == stream.push(codec["slice"], 3000)
    assert stream.reader.counters.dropped_units == 1


@CODECS
def test_m7_zero_length_units_do_not_loop_and_add_nothing(codec):
    stream = Stream(codec)
    zeros = codec["aggregate"] + bytes(2 * 30_000)
    assert stream.push(zeros) == []
    (unit,) = stream.push(codec["slice"], marker=True)
    assert split_annex_b(unit.data) == [codec["slice"]]
    assert stream.reader.deviations == ("aggregation-empty-unit",)


@CODECS
def test_m7_zero_length_fragments_do_not_grow_a_unit(codec):
    stream = Stream(codec)
    stream.push(codec["start"])
    for _ in range(5000):
        stream.push(codec["middle"])
    (unit,) = stream.push(codec["end"], marker=True)
    assert len(unit.data) < 16
    assert unit.complete


@CODECS
def test_m7_start_codes_without_nal_units_do_not_loop(codec):
    stream = Stream(codec)
    assert stream.push(b"\0\0\1" * 500) == []
    (unit,) = stream.push(codec["slice"], marker=True)
    assert split_annex_b(unit.data) == [codec["slice"]]


@CODECS
@pytest.mark.parametrize("piece", [b"\0\0\1", b"\0\0\1\x06"], ids=["empty", "tiny"])
def test_m7_a_flood_of_start_codes_is_given_up_without_a_large_allocation(codec, piece):
    stream = Stream(codec)
    kind = {"H264": b"\x1c\x86", "H265": b"\x62\x01\xa7"}[codec["name"]]  # SEI
    stream.push(kind + b"\x05")
    middle = kind[:-1] + bytes((kind[-1] & 0x3F,)) + piece * 400
    for _ in range(1000):
        stream.push(middle)
    tracemalloc.start()
    try:
        assert stream.push(codec["end"], marker=True) == []
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert stream.reader.counters.dropped_units == 1
    assert stream.takes_up(codec, 3000)


def test_the_default_limits_are_those_of_the_document():
    limits = Limits()
    assert limits.video_access_unit == 4 * 1024 * 1024
    assert limits.nal_units == 512
    assert limits.access_unit_age == 2.0


@CODECS
def test_limit_video_access_unit_is_exact(codec):
    size = 4 + len(codec["slice"]) + 10
    for body, delivered in ((b"\x55" * 10, True), (b"\x55" * 11, False)):
        stream = Stream(codec, video_access_unit=size)
        units = stream.push(codec["slice"] + body, marker=True)
        assert [len(unit.data) for unit in units] == [size] * delivered
        assert stream.reader.counters.dropped_units == (not delivered)
        assert stream.takes_up(codec, 3000)


@CODECS
def test_limit_nal_units_is_exact(codec):
    for more, delivered in ((511, True), (512, False)):
        stream = Stream(codec)
        stream.push(codec["slice"])
        for _ in range(more - 1):
            stream.push(codec["next slice"])
        units = stream.push(codec["next slice"], marker=True)
        assert [len(split_annex_b(unit.data)) for unit in units] == [512] * delivered
        assert stream.reader.counters.dropped_units == (not delivered)
        assert stream.takes_up(codec, 3000)


@CODECS
def test_limit_nal_units_counts_those_inside_of_aggregates_and_byte_streams(codec):
    aggregate, stream_of = codec["aggregate"], b""
    nal_unit = codec["next slice"]
    for _ in range(600):
        aggregate += len(nal_unit).to_bytes(2, "big") + nal_unit
        stream_of += b"\0\0\1" + nal_unit
    for payload in (aggregate, stream_of):
        stream = Stream(codec)
        stream.push(codec["slice"])
        assert stream.push(payload, marker=True) == []
        assert stream.reader.counters.dropped_units == 1


@CODECS
def test_limit_access_unit_age_drops_what_stays_unfinished(codec):
    stream = Stream(codec)
    stream.push(codec["start"], arrival=10.0)
    stream.push(codec["middle"], arrival=12.0)
    assert stream.push(codec["end"], marker=True, arrival=12.01) == []
    assert stream.reader.counters.dropped_units == 1
    assert stream.takes_up(codec, 3000)


@CODECS
def test_limit_access_unit_age_is_the_time_between_its_own_packets(codec):
    stream = Stream(codec)
    stream.push(codec["slice"], arrival=10.0)
    (unit,) = stream.push(codec["slice"], 3000, arrival=15.0)  # a picture every five seconds
    assert (unit.complete, unit.arrival) == (True, 10.0)


@CODECS
def test_waiting_parameter_sets_are_bounded_too(codec):
    name = codec["name"]
    nal_unit = b"\x67\x64\x00\x1e\x80" if name == "H264" else b"\x44\x01\x80"
    stream = Stream(codec)
    for index in range(2000):
        assert stream.push(nal_unit + b"\x01" * 50, timestamp=index) == []
    assert stream.reader.counters.dropped_units == 2000 // 513

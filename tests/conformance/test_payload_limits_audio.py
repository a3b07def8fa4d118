"""SECURITY M5 to M7 for audio: lengths that lie, fragments without end, units of nothing."""

import tracemalloc

import pytest

from rtspkit.options import Limits
from rtspkit.payload.au_header import serialize_au_headers
from rtspkit.payload.registry import depacketizer
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

HBR = "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190"
BIG = "mode=AAC-hbr;sizelength=21;indexlength=3;indexdeltalength=3;config=1190"
GENERIC = "mode=generic"
KIB_64 = 64 * 1024


def packet(payload, sequence_number=0, timestamp=0, *, marker=True):
    return parse_rtp(
        serialize_rtp(
            payload,
            payload_type=97,
            sequence_number=sequence_number & 0xFFFF,
            timestamp=timestamp,
            ssrc=1,
            marker=marker,
        )
    )


def reader(fmtp=HBR, name="MPEG4-GENERIC", limits=None):
    return depacketizer(name, 48_000, fmtp, 2, limits=limits)


def assert_takes_up_again(made, sequence_number, timestamp=1 << 20):
    """The next start is taken up: M5."""
    good = made.push(packet(b"\x00\x10\x00\x20good", sequence_number, timestamp))
    assert [unit.data for unit in good] == [b"good"]


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xff" + bytes(100),  # AU-headers-length past the end
        b"\x00\x10\xff\xf8" + bytes(100),  # AU-size past the end
        b"\x00\x20\x00\x08\xff\xf8" + bytes(100),  # that of the second unit
        b"\x00\x0f" + bytes(100),  # less than one header
        b"\x00\x00" + bytes(100),
        b"\x00",
        b"",
    ],
)
def test_m5_a_length_past_the_end_costs_its_unit_and_is_counted(payload):
    made = reader()
    units = made.push(packet(payload))
    assert all(len(unit.data) == 1 for unit in units)
    assert made.counters.malformed == 1
    assert made.counters.dropped_units == 1
    assert_takes_up_again(made, 1)


def test_m5_an_auxiliary_section_past_the_end_is_counted():
    made = reader(HBR + ";auxiliarydatasizelength=16")
    assert made.push(packet(b"\x00\x10\x00\x08\xff\xffa")) == []
    assert made.counters.malformed == 1


@pytest.mark.parametrize("fmtp", [BIG, GENERIC])
def test_m6_fragments_without_end_stop_at_64_kib_and_hold_no_more(fmtp):
    made = reader(fmtp)
    header = serialize_size((1 << 21) - 1) if fmtp is BIG else b""
    payload = header + bytes(1400)
    tracemalloc.start()
    try:
        for number in range(2_000):
            assert made.push(packet(payload, number, marker=False)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * KIB_64
    assert made.counters.dropped_units >= 1
    again = made.push(packet(serialize_size(4) + b"good" if header else b"good", 2_000, 1 << 20))
    assert [unit.data for unit in again] == [b"good"]


def serialize_size(size):
    """An AU Header Section with an AU-size of 21 bits."""
    return b"\x00\x18" + (size << 3).to_bytes(3, "big")


@pytest.mark.parametrize(("size", "delivered"), [(KIB_64, 1), (KIB_64 + 1, 0)])
@pytest.mark.parametrize("tells", [True, False])
def test_m6_the_limit_is_64_kib_to_the_byte(size, delivered, tells):
    made = reader(BIG)
    units = []
    starts = range(0, size, 1000)
    for number, start in enumerate(starts):
        piece = bytes(min(1000, size - start))
        payload = serialize_size(size if tells else len(piece)) + piece
        units += made.push(packet(payload, number, marker=start == starts[-1]))
    assert [len(unit.data) for unit in units] == [size] * delivered
    assert made.counters.dropped_units == 1 - delivered
    assert made.counters.malformed == 0


def test_m6_a_smaller_limit_holds_for_whole_units_too():
    made = reader(limits=Limits(audio_access_unit=3))
    payload = serialize_au_headers([3, 4, 2]) + b"aaabbbbcc"
    assert [unit.data for unit in made.push(packet(payload))] == [b"aaa", b"cc"]
    assert made.counters.dropped_units == 1


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "L8", "L16", "L24"])
def test_m6_samples_past_the_limit_are_dropped(name):
    made = reader(None, name, Limits(audio_access_unit=100))
    assert made.push(packet(bytes(108))) == []
    assert made.counters.dropped_units == 1
    assert [len(unit.data) for unit in made.push(packet(bytes(96), 1))] == [96]


def test_m6_units_that_wait_for_others_are_bounded():
    made = reader()
    waiting = 0
    for number in range(500):
        header = b"\x00\x20" + bytes([100 >> 5, (100 & 31) << 3, 100 >> 5, (100 & 31) << 3 | 7])
        waiting += 2 - len(made.push(packet(header + bytes(200), number, number)))
        assert waiting * 100 <= KIB_64
        assert waiting <= 128


@pytest.mark.parametrize("count", [1, 2, 500])
def test_m7_units_of_nothing_end_and_are_counted_once_a_packet(count):
    made = reader()
    assert made.push(packet(serialize_au_headers([0] * count))) == []
    assert made.counters.malformed == 1
    assert_takes_up_again(made, 1)


def test_m7_units_of_nothing_hide_none_that_is_there():
    made = reader()
    payload = serialize_au_headers([0, 2, 0, 1]) + b"aab"
    assert [unit.data for unit in made.push(packet(payload))] == [b"aa", b"b"]
    assert made.counters.malformed == 1


def test_m7_fragments_of_nothing_end():
    made = reader()
    made.push(packet(serialize_au_headers([4]) + b"ab", 0, marker=False))
    for number in range(1, 1000):
        assert made.push(packet(serialize_au_headers([4]), number, marker=False)) == []
    (unit,) = made.push(packet(serialize_au_headers([4]) + b"cd", 1000))
    assert unit.data == b"abcd"


@pytest.mark.parametrize("name", ["MPEG4-GENERIC", "PCMU", "PCMA", "L8", "L16", "L24"])
def test_m7_empty_payloads_are_counted_each(name):
    made = reader(HBR if name == "MPEG4-GENERIC" else None, name)
    for number in range(100):
        assert made.push(packet(b"", number)) == []
    assert made.counters.malformed == 100


def test_m7_more_headers_than_any_sender_writes_are_refused_before_they_are_units():
    made = reader("mode=generic;sizelength=1")
    assert made.push(packet(b"\xff\xff" + b"\xff" * 65_000)) == []
    assert made.counters.malformed == 1

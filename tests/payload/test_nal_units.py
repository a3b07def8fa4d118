"""NAL units out of packets: parameter sets, fragments, and many packets at a time.

H.264 stands for both codecs where they do not differ; what does is in test_h264.py and
test_h265.py.
"""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nal_sender import IDR, OTHER_SPS, P_2, PPS, SPROP, SPS, P, Sender, fragments, nal_units

from rtspkit.options import Limits
from rtspkit.payload import depacketizer, packetizer
from rtspkit.payload.h264 import H264Depacketizer
from rtspkit.payload.nal import join_annex_b
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

CODECS = pytest.mark.parametrize("codec", ["H264", "H265"])
KEY = {"H264": b"\x65\x88", "H265": b"\x26\x01\xaf"}
OTHER = {"H264": b"\x41\x9a", "H265": b"\x02\x01\xd0"}
OTHER_2 = {"H264": b"\x41\x02", "H265": b"\x02\x01\x10"}
MESSAGE = {"H264": b"\x06\x05\x01\x00\x80", "H265": b"\x4e\x01\x05\x01\x00\x80"}

# Parameter sets (QUIRKS: only in the SDP, or only in band)


def test_parameter_sets_only_in_sdp_begin_every_keyframe():
    sender = Sender(H264Depacketizer(90_000, {"sprop-parameter-sets": SPROP}))
    for timestamp in (0, 3000):
        (unit,) = sender.send(IDR, timestamp, marker=True)
        assert nal_units(unit) == [SPS, PPS, IDR]
        assert not unit.parameter_sets_changed
    assert sender.depacketizer.parameters.width == 320


def test_parameter_sets_only_in_band_begin_keyframes_that_lack_them():
    sender = Sender()
    assert sender.depacketizer.parameters is None
    sender.send(SPS)
    sender.send(PPS)
    (unit,) = sender.send(IDR, marker=True)
    assert not unit.parameter_sets_changed
    (unit,) = sender.send(IDR, 3000, marker=True)
    assert nal_units(unit) == [SPS, PPS, IDR]
    assert sender.depacketizer.parameter_sets == (SPS, PPS)


def test_in_band_parameter_sets_win_over_the_sdp_and_the_change_is_told_once():
    sender = Sender(H264Depacketizer(90_000, {"sprop-parameter-sets": SPROP}))
    sender.send(OTHER_SPS)
    sender.send(PPS)
    (unit,) = sender.send(IDR, marker=True)
    assert unit.parameter_sets_changed
    assert nal_units(unit) == [OTHER_SPS, PPS, IDR]
    assert sender.depacketizer.parameters.width == 1920
    (unit,) = sender.send(IDR, 3000, marker=True)
    assert nal_units(unit) == [OTHER_SPS, PPS, IDR]
    assert not unit.parameter_sets_changed


def test_a_change_inside_a_unit_that_is_dropped_is_told_with_the_next():
    sender = Sender(H264Depacketizer(90_000, {"sprop-parameter-sets": SPROP}))
    sender.send(OTHER_SPS)
    sender.send(b"\x78\x00\xff\x01", marker=True)
    (unit,) = sender.send(IDR, 3000, marker=True)
    assert unit.parameter_sets_changed


def test_a_fragmented_nal_unit_with_a_hole_is_left_out_of_its_unit():
    sender = Sender()
    sender.send(P)
    first, _, last = fragments(P_2 + b"\1" * 8)
    sender.send(first)
    sender.drop()
    (unit,) = sender.send(last, marker=True)
    assert nal_units(unit) == [P]
    assert (unit.complete, unit.lost) == (False, 1)
    assert sender.depacketizer.counters.incomplete_units == 1


def test_a_fragmented_nal_unit_cut_short_by_the_next_timestamp_makes_its_unit_incomplete():
    sender = Sender()
    sender.send(P)
    sender.send(fragments(P_2 + b"\1" * 8)[0])
    (unit,) = sender.send(P, 3000)
    assert (nal_units(unit), unit.complete, unit.lost) == ([P], False, 0)
    assert sender.depacketizer.counters.malformed == 1


def test_the_memory_of_packets_is_free_when_push_returns():
    sender = Sender()
    memory = bytearray(
        serialize_rtp(
            fragments(P + b"\1" * 20)[0],
            payload_type=96,
            sequence_number=0,
            timestamp=0,
            ssrc=1,
        )
    )
    packet = parse_rtp(memory)
    before = bytes(memory)
    sender.depacketizer.push(packet)
    assert memory == before
    del packet
    memory.append(0)  # raises BufferError while any view of it is alive


@pytest.mark.parametrize("limit", ["video_access_unit", "nal_units"])
def test_limits_of_the_caller_are_kept(limit):
    sender = Sender(H264Depacketizer(90_000, limits=Limits(**{limit: 1})))
    sender.send(P)
    sender.send(P_2, marker=True)
    assert sender.units == []
    assert sender.depacketizer.counters.dropped_units == 1


# Many at a time: the same as one by one, whatever comes


class Streams:
    """Packets of one stream, and what may happen to them on their way."""

    def __init__(self, codec, seed, *, extension=None):
        self.codec = codec
        self.chance = random.Random(seed)
        self.extension = extension  # of every packet

    def pictures(self, count, sizes):
        chance, codec = self.chance, self.codec
        for index in range(count):
            slices = [KEY[codec] if index % 5 == 0 else OTHER[codec]]
            slices += [OTHER_2[codec]] * chance.randrange(3)
            yield [MESSAGE[codec]] * (index % 3 == 0) + [
                slice_ + chance.randbytes(chance.choice(sizes)).replace(b"\0", b"\1")
                for slice_ in slices
            ]

    def packets(self, count=12, sizes=(5, 60, 400), *, mtu=60, change=None):
        writer = packetizer(
            self.codec, payload_type=96, ssrc=1, sequence_number=65_500, max_packet_size=mtu
        )
        made = []
        for index, picture in enumerate(self.pictures(count, sizes)):
            for data in writer.push(join_annex_b(picture), 3000 * index):
                fields = self.fields(data)
                if change is not None:
                    change(fields)
                packet = parse_rtp(serialize_rtp(**fields))
                packet.arrival = index / 30
                made.append(packet)
        return made

    def fields(self, data):
        packet = parse_rtp(data)
        names = ("payload_type", "sequence_number", "timestamp", "ssrc", "marker")
        fields = {name: getattr(packet, name) for name in names}
        return fields | {"payload": bytes(packet.payload), "extension": self.extension}

    def harm(self, fields):
        """One of the things that a packet in the middle of a NAL unit can have against it."""
        chance, payload = self.chance, fields["payload"]
        match chance.randrange(12):
            case 0:
                fields["payload"] = payload[: chance.randrange(5)]
            case 1:
                position, bit = chance.randrange(min(len(payload), 3)), 1 << chance.randrange(8)
                other = payload[position] ^ bit
                fields["payload"] = payload[:position] + bytes((other,)) + payload[position + 1 :]
            case 2:
                fields["payload_type"] = 97
            case 3:
                fields["padding"] = chance.randrange(1, 9)
            case 4:
                fields["csrcs"] = [1, 2]
            case 5:
                fields["extension"] = (0xBEDE, b"\x10\x01\0\0")
            case 6:
                fields["timestamp"] += chance.choice([1, 3000])
            case 7:
                fields["sequence_number"] ^= chance.choice([1, 2, 0x100])
            case 8:
                fields["marker"] = not fields["marker"]
            case 9:
                fields["payload"] = chance.randbytes(chance.randrange(30))
            case 10:
                fields["payload"] = payload[: 2 if self.codec == "H264" else 3]

    def harmed(self, rate):
        """A stream with losses, packets that come twice or late, and harm of each kind."""
        chance = self.chance

        def change(fields):
            if chance.random() < rate:
                self.harm(fields)

        made = []
        for packet in self.packets(change=change):
            if chance.random() < rate / 2:
                continue
            if chance.random() < rate / 4:
                packet.discontinuity = True
            if chance.random() < rate / 4:
                packet.arrival += 5.0
            made += [packet] * (1 + (chance.random() < rate / 4))
            if chance.random() < rate / 4:
                made.insert(chance.randrange(len(made)), made.pop())
        return made


def told(reader, units):
    """All that a depacketizer has to say."""
    return units, reader.counters, reader.deviations, reader.parameter_sets


def one_by_one(codec, packets, limits):
    reader = depacketizer(codec, 90_000, limits=limits)
    units = [unit for packet in packets for unit in reader.push(packet)]
    return told(reader, units + reader.flush())


def many(codec, packets, limits, sizes):
    """``push_many`` of runs of these sizes; 0 is one ``push``."""
    reader = depacketizer(codec, 90_000, limits=limits)
    units, position, turn = [], 0, 0
    while position < len(packets):
        size = sizes[turn % len(sizes)]
        if size:
            units += reader.push_many(packets[position : position + size])
        else:
            units += reader.push(packets[position])
        position, turn = position + (size or 1), turn + 1
    return told(reader, units + reader.flush())


@CODECS
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rate=st.sampled_from([0.0, 0.03, 0.3]),
    sizes=st.lists(st.sampled_from([0, 1, 2, 7, 64]), min_size=1, max_size=4),
    limits=st.builds(
        Limits,
        video_access_unit=st.sampled_from([100, 500, 4_000_000]),
        nal_units=st.sampled_from([2, 512]),
        access_unit_age=st.sampled_from([0.01, 2.0]),
    ),
)
def test_many_at_a_time_are_the_same_as_one_by_one(codec, seed, rate, sizes, limits):
    packets = Streams(codec, seed).harmed(rate)
    assert many(codec, packets, limits, sizes) == one_by_one(codec, packets, limits)


@CODECS
@pytest.mark.parametrize("seed", range(5))
def test_packets_with_header_extensions_make_the_same_units_as_those_without(codec, seed):
    bare = Streams(codec, seed).packets()
    extended = Streams(codec, seed, extension=(0xBEDE, b"\x10\x01\0\0")).packets()
    units = many(codec, bare, Limits(), [64])
    assert len(units[0]) == 12
    assert many(codec, extended, Limits(), [64]) == units


@CODECS
def test_units_that_came_in_many_packets_are_what_was_sent(codec):
    reader = depacketizer(codec, 90_000)
    units = reader.push_many(Streams(codec, 7).packets()) + reader.flush()
    assert [unit.data for unit in units] == [
        join_annex_b(picture) for picture in Streams(codec, 7).pictures(12, (5, 60, 400))
    ]
    assert all(unit.complete and type(unit.data) is bytes for unit in units)
    assert [unit.keyframe for unit in units] == [index % 5 == 0 for index in range(12)]


def test_the_arrival_of_a_unit_is_that_of_its_last_packet():
    sender = Sender()
    *unfinished, _ = fragments(P_2 + bytes(range(1, 40)), 5)
    packets = [sender.packet(payload) for payload in (P, *unfinished)]
    for index, packet in enumerate(packets):
        packet.arrival = 7.0 + index / 1000
    assert sender.depacketizer.push_many(packets) == []
    (unit,) = sender.send(P, 3000)
    assert (nal_units(unit), unit.arrival) == ([P], packets[-1].arrival)


def test_a_marker_before_fragments_without_one_does_not_make_them_whole():
    sender = Sender()
    *unfinished, _ = fragments(P_2 + bytes(range(1, 40)), 5)
    packets = [sender.packet(payload) for payload in (P, *unfinished)]
    packets[1] = parse_rtp(bytes(packets[1])[:1] + b"\xe0" + bytes(packets[1])[2:])
    assert sender.depacketizer.push_many(packets) == []
    (unit,) = sender.send(P, 3000)
    assert (nal_units(unit), unit.complete) == ([P], False)


@CODECS
@pytest.mark.parametrize("mtu", [60, 400])
def test_the_memory_of_packets_is_free_when_push_many_returns(codec, mtu):
    packets = Streams(codec, 3).packets(sizes=(5, 400, 1_900), mtu=mtu)
    datagrams = [bytearray(bytes(packet)) for packet in packets]
    before = [bytes(datagram) for datagram in datagrams]
    reader = depacketizer(codec, 90_000)
    for start in range(0, len(datagrams), 7):
        batch = datagrams[start : start + 7]
        reader.push_many([parse_rtp(datagram) for datagram in batch])
        for datagram in batch:
            datagram.append(0)  # raises BufferError while any view of it is alive
    assert [bytes(datagram[:-1]) for datagram in datagrams] == before


def endless(codec, count, size):
    """A first fragment and ``count`` middle ones of ``size`` bytes, all of one timestamp."""
    first, middle, *_ = Streams(codec, 1).packets(1, (400,), mtu=100)[1:]
    head = bytes(middle.payload[: 2 if codec == "H264" else 3])
    yield first
    for index in range(count):
        yield parse_rtp(
            serialize_rtp(
                head + bytes(size),
                payload_type=96,
                sequence_number=first.sequence_number + 1 + index & 0xFFFF,
                timestamp=0,
                ssrc=1,
            )
        )


@CODECS
@pytest.mark.parametrize(("size", "count", "most"), [(1200, 6_000, 5_000_000), (1, 20_000, 64_000)])
def test_m6_endless_fragments_many_at_a_time_stay_within_the_limit(codec, size, count, most):
    packets = list(endless(codec, count, size))
    reader = depacketizer(codec, 90_000)
    tracemalloc.start()
    try:
        for start in range(0, len(packets), 64):
            assert reader.push_many(packets[start : start + 64]) == []
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    reader.flush()
    assert reader.counters.dropped_units == 1


@CODECS
def test_fragments_that_go_on_for_too_long_are_given_up(codec):
    packets = list(endless(codec, 20, 100))
    for index, packet in enumerate(packets):
        packet.arrival = 10.0 + index / 5
    reader = depacketizer(codec, 90_000)
    assert reader.push_many(packets) + reader.flush() == []
    assert reader.counters.dropped_units == 1


@CODECS
@pytest.mark.parametrize("position", [0, 2])
def test_an_empty_fragment_at_either_end_is_noted(codec, position):
    payloads = [bytes(packet.payload) for packet in Streams(codec, 1).packets(1, (400,))][1:11]
    payloads[position] = payloads[position][: 2 if codec == "H264" else 3]
    if position:
        payloads[position] = payloads[position][:-1] + bytes((payloads[position][-1] | 0x40,))
    sender = Sender(depacketizer(codec, 90_000))
    for payload in payloads[: position + 1]:
        sender.send(payload)
    assert sender.depacketizer.deviations == ("fragment-empty",)


def test_no_packets_make_no_units():
    assert H264Depacketizer(90_000).push_many([]) == []


def test_a_fragment_never_reads_past_its_packet():
    sender = Sender()
    first, middle, last = fragments(IDR + bytes(range(1, 10)))
    packets = [sender.packet(payload) for payload in (first, middle[:1], last)]
    memory = memoryview(b"".join(bytes(packet) for packet in packets))
    starts = [0, len(packets[0]), len(packets[0]) + len(packets[1])]
    packets = [packet.moved(memory, at) for packet, at in zip(packets, starts, strict=True)]
    units = sender.depacketizer.push_many(packets)
    assert units + sender.flush() == []
    assert sender.depacketizer.counters.malformed == 1

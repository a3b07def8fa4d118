"""Samples in packets: whole, in their order, and in pieces that no sample is parted by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.options import Limits
from rtspkit.payload import pcm
from rtspkit.wire.rtp import WallClock, parse_rtp, serialize_rtp

ENCODINGS = [
    (pcm.PcmuDepacketizer, pcm.PcmuPacketizer, "PCMU", 1),
    (pcm.PcmaDepacketizer, pcm.PcmaPacketizer, "PCMA", 1),
    (pcm.L8Depacketizer, pcm.L8Packetizer, "L8", 1),
    (pcm.L16Depacketizer, pcm.L16Packetizer, "L16", 2),
    (pcm.L24Depacketizer, pcm.L24Packetizer, "L24", 3),
]


def packet(payload, sequence_number=0, timestamp=0, **known):
    made = parse_rtp(
        serialize_rtp(
            payload, payload_type=0, sequence_number=sequence_number, timestamp=timestamp, ssrc=1
        )
    )
    for name, value in known.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(("reader", "writer", "name", "size"), ENCODINGS)
def test_each_encoding_has_its_name_and_sample_size(reader, writer, name, size):
    assert reader.encoding_name == writer.encoding_name == name
    assert reader.sample_size == writer.sample_size == size


def test_a_packet_that_comes_late_or_twice_is_left_out():
    reader = pcm.PcmuDepacketizer(8000)
    packets = [packet(bytes([number]), number) for number in (7, 8, 8, 6, 9)]
    units = [unit for one in packets for unit in reader.push(one)]
    assert [unit.data for unit in units] == [b"\x07", b"\x08", b"\x09"]
    assert [unit.lost for unit in units] == [0, 0, 0]


def test_a_packet_is_an_access_unit():
    one = packet(b"\xff\x7f", 3, 99, arrival=2.0, media_time=1.0)
    one.wall_clock = WallClock(0.0, 100.0, "sr")
    (unit,) = pcm.PcmuDepacketizer(8000).push(one)
    assert (unit.data, unit.timestamp, unit.arrival, unit.media_time) == (b"\xff\x7f", 99, 2.0, 1.0)
    assert (unit.wall_time, unit.wall_source) == (101.0, "sr")
    assert unit.keyframe
    assert unit.complete
    assert type(unit.data) is bytes


def test_what_is_missing_and_what_begins_anew_is_told_with_the_next_samples():
    reader = pcm.PcmuDepacketizer(8000)
    reader.push(packet(b"a", 1))
    assert reader.push(packet(b"", 4, discontinuity=True, lost=2)) == []
    (unit,) = reader.push(packet(b"b", 6))
    assert (unit.lost, unit.discontinuity) == (3, True)
    (unit,) = reader.push(packet(b"c", 7))
    assert (unit.lost, unit.discontinuity) == (0, False)


def test_nothing_is_missing_after_a_flush():
    reader = pcm.PcmuDepacketizer(8000)
    reader.push(packet(b"a", 1))
    assert reader.flush() == []
    assert reader.push(packet(b"b", 600))[0].lost == 0


def test_a_payload_that_ends_within_a_sample_is_cut_and_marked():
    reader = pcm.L16Depacketizer(44_100, None, 2)
    (unit,) = reader.push(packet(b"LlRrLlR"))
    assert (unit.data, unit.complete) == (b"LlRr", False)
    assert (reader.counters.malformed, reader.counters.incomplete_units) == (1, 1)
    assert reader.counters.dropped_units == 0


@pytest.mark.parametrize("payload", [b"", b"LlR"])
def test_a_payload_without_a_whole_sample_is_dropped_and_counted(payload):
    reader = pcm.L16Depacketizer(44_100, None, 2)
    assert reader.push(packet(payload)) == []
    assert (reader.counters.malformed, reader.counters.dropped_units) == (1, 1)


def test_more_than_the_limit_is_dropped_and_counted():
    reader = pcm.PcmuDepacketizer(8000, limits=Limits(audio_access_unit=4))
    assert reader.push(packet(b"12345")) == []
    assert (reader.counters.malformed, reader.counters.dropped_units) == (0, 1)
    assert reader.push(packet(b"1234", 1))[0].data == b"1234"


@given(
    st.binary(max_size=100), st.sampled_from(ENCODINGS), st.one_of(st.none(), st.integers(-1, 9))
)
def test_any_payload_gives_its_whole_samples(payload, encoding, channels):
    reader_class, _, _, size = encoding
    reader = reader_class(8000, {}, channels)
    units = reader.push(packet(payload))
    whole = len(payload) - len(payload) % (size * max(channels or 1, 1))
    assert b"".join(unit.data for unit in units) == payload[:whole]


@given(
    st.sampled_from(ENCODINGS),
    st.integers(1, 5),
    st.binary(min_size=1, max_size=200),
    st.integers(28, 90),
    st.integers(0, (1 << 32) - 1),
)
def test_what_the_packetizer_cuts_is_put_together_again(encoding, channels, data, size, timestamp):
    reader_class, writer_class, _, sample = encoding
    frame = sample * channels
    data *= frame
    writer = writer_class(payload_type=0, ssrc=1, max_packet_size=size, channels=channels)
    reader = reader_class(8000, {}, channels)
    position = 0
    for one in writer.push(data, timestamp):
        assert len(one) <= size
        (unit,) = reader.push(parse_rtp(one))
        assert unit.timestamp == (timestamp + position // frame) & 0xFFFFFFFF
        assert unit.data == data[position : position + len(unit.data)]
        position += len(unit.data)
    assert position == len(data)
    assert reader.counters.malformed == 0


def test_samples_that_are_not_whole_are_refused():
    writer = pcm.L24Packetizer(payload_type=96, ssrc=1, channels=2)
    with pytest.raises(LocalProtocolError):
        writer.push(b"12345", 0)


@pytest.mark.parametrize("channels", [0, -1, 9])
def test_channels_that_fit_no_packet_are_refused(channels):
    with pytest.raises(ValueError, match="channels"):
        pcm.L16Packetizer(payload_type=96, ssrc=1, max_packet_size=28, channels=channels)


def test_no_samples_are_no_packets():
    assert pcm.PcmuPacketizer(payload_type=0, ssrc=1).push(b"", 0) == []

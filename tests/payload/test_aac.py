"""MPEG4-GENERIC: raw AAC frames out of packets, whatever the sender makes of RFC 3640."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.options import Limits
from rtspkit.payload.aac import (
    AacDepacketizer,
    AacPacketizer,
    AudioSpecificConfig,
    adts_header,
)
from rtspkit.payload.au_header import AuLayout, serialize_au_headers
from rtspkit.wire.rtp import WallClock, parse_rtp, serialize_rtp

FMTP = {
    "mode": "AAC-hbr",
    "sizelength": "13",
    "indexlength": "3",
    "indexdeltalength": "3",
    "config": "1190",
}


def depacketizer(clock_rate=48_000, channels=2, limits=None, **fmtp):
    return AacDepacketizer(clock_rate, FMTP | fmtp, channels, limits)


def packet(payload, sequence_number=0, timestamp=0, *, marker=True, **known):
    made = parse_rtp(
        serialize_rtp(
            payload,
            payload_type=97,
            sequence_number=sequence_number & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=1,
            marker=marker,
        )
    )
    for name, value in known.items():
        setattr(made, name, value)
    return made


def whole(*frames):
    return serialize_au_headers([len(frame) for frame in frames]) + b"".join(frames)


def fragment(data, size=None):
    """One fragment; ``size`` is that of the unit, or the fragment's own as some senders have it."""
    return serialize_au_headers([len(data) if size is None else size]) + data


def push(reader, *packets):
    return [unit for one in packets for unit in reader.push(one)]


def data(units):
    return [unit.data for unit in units]


# Whole units


def test_a_packet_of_one_unit():
    (unit,) = depacketizer().push(packet(whole(b"frame"), timestamp=77, arrival=5.0))
    assert (unit.data, unit.timestamp, unit.arrival) == (b"frame", 77, 5.0)
    assert unit.keyframe
    assert unit.complete
    assert type(unit.data) is bytes


def test_later_units_of_a_packet_are_later_by_a_frame_each():
    one = packet(whole(b"a", b"bb", b"ccc"), timestamp=0xFFFFFFFF, media_time=10.0)
    one.wall_clock = WallClock(media_time=0.0, wall=1_000.0, source="sr")
    units = depacketizer().push(one)
    assert data(units) == [b"a", b"bb", b"ccc"]
    assert [unit.timestamp for unit in units] == [0xFFFFFFFF, 1023, 2047]
    assert [unit.media_time for unit in units] == pytest.approx(
        [10.0, 10 + 1024 / 48_000, 10 + 2048 / 48_000]
    )
    assert [unit.wall_time for unit in units] == pytest.approx(
        [1_010.0, 1_010 + 1024 / 48_000, 1_010 + 2048 / 48_000]
    )
    assert {unit.wall_source for unit in units} == {"sr"}


@pytest.mark.parametrize(
    ("clock_rate", "fmtp", "ticks"),
    [
        (48_000, {"config": "1194"}, 960),  # frames of 960 samples
        (48_000, {"config": "eb098800"}, 2048),  # SBR: the core runs at 24 kHz
        (90_000, {"config": "1190"}, 1920),
        (48_000, {"constantduration": "512"}, 512),
        (48_000, {"config": ""}, 1024),
        (11_111, {"config": "zz"}, 1024),
        (0, {}, 1024),
    ],
)
def test_the_length_of_a_frame_is_that_of_the_config(clock_rate, fmtp, ticks):
    units = depacketizer(clock_rate, **fmtp).push(packet(whole(b"a", b"b")))
    assert units[1].timestamp == ticks


def test_the_composition_time_of_a_header_wins():
    reader = depacketizer(ctsdeltalength="6", sizelength="6", indexlength="0", indexdeltalength="0")
    headers = 0b000001_0_000001_1_111110  # AU-size 1, CTS-flag; AU-size 1, CTS-flag, -2
    payload = (20).to_bytes(2, "big") + (headers << 4).to_bytes(3, "big")
    units = reader.push(packet(payload + b"ab", timestamp=1000))
    assert [unit.timestamp for unit in units] == [1000, 998]


def test_units_without_headers_are_parted_by_their_constant_size():
    reader = AacDepacketizer(8000, {"mode": "CELP-cbr", "constantsize": "3"})
    assert data(reader.push(packet(b"aaabbb"))) == [b"aaa", b"bbb"]
    assert reader.parameter_sets == ()


def test_a_generic_stream_has_one_unit_a_packet():
    reader = AacDepacketizer(8000, {"mode": "generic", "config": "1590"})
    assert data(push(reader, packet(b"one", 0, 0), packet(b"two", 1, 160))) == [b"one", b"two"]


def test_what_follows_the_last_unit_is_left_out():
    reader = depacketizer()
    assert data(reader.push(packet(whole(b"abc") + b"rest", marker=False))) == [b"abc"]
    assert reader.counters.malformed == 0


# Fragments


@pytest.mark.parametrize("told", ["unit", "fragment"])
def test_fragments_are_joined_whichever_size_they_tell(told):
    size = 9 if told == "unit" else None
    reader = depacketizer()
    units = push(
        reader,
        packet(fragment(b"abc", size), 0, 5, marker=False, arrival=1.0),
        packet(fragment(b"def", size), 1, 5, marker=False, arrival=1.1),
        packet(fragment(b"ghi", size), 2, 5, arrival=1.2),
        packet(whole(b"next"), 3, 1029),
    )
    assert data(units) == [b"abcdefghi", b"next"]
    assert (units[0].timestamp, units[0].arrival, units[0].lost) == (5, 1.2, 0)
    assert reader.counters.dropped_units == 0
    assert reader.deviations == (() if told == "unit" else ("aac-fragment-size",))


def test_fragments_of_a_stream_without_headers_end_at_the_marker():
    reader = AacDepacketizer(8000, {"mode": "generic"})
    packets = [packet(b"ab", 0, 0, marker=False), packet(b"cd", 1, 0), packet(b"ef", 2, 9)]
    assert data(push(reader, *packets)) == [b"abcd", b"ef"]
    assert reader.deviations == ()


@pytest.mark.parametrize("told", ["unit", "fragment"])
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_unit_with_a_fragment_missing_is_dropped_and_the_next_one_says_so(told, missing):
    size = 9 if told == "unit" else None
    reader = depacketizer()
    push(  # how this sender fragments is known by now
        reader,
        packet(fragment(b"a", 2 if size else None), 8, 0, marker=False),
        packet(fragment(b"b", 2 if size else None), 9, 0),
    )
    packets = [
        packet(fragment(b"abc", size), 10, 5, marker=False),
        packet(fragment(b"def", size), 11, 5, marker=False),
        packet(fragment(b"ghi", size), 12, 5),
        packet(whole(b"next"), 13, 1029),
        packet(whole(b"last"), 14, 2053),
    ]
    del packets[missing]
    units = push(reader, *packets)
    behind_gap = told == "fragment" and missing == 2  # "next" may be the end of another unit
    assert data(units) == ([b"last"] if behind_gap else [b"next", b"last"])
    assert units[0].lost == 1
    assert reader.counters.dropped_units == 1 + behind_gap
    assert reader.counters.malformed == 0


def test_a_packet_that_comes_late_or_twice_is_left_out():
    reader = depacketizer()
    packets = [packet(whole(b"%d" % n), n, 1024 * n) for n in (7, 8, 8, 6, 9)]
    assert data(push(reader, *packets)) == [b"7", b"8", b"9"]


def test_a_fragment_that_comes_twice_is_joined_once():
    reader = depacketizer()
    one = packet(fragment(b"abc", 6), 0, 5, marker=False)
    assert data(push(reader, one, one, packet(fragment(b"def", 6), 1, 5))) == [b"abcdef"]


def test_the_next_timestamp_ends_a_unit_whose_marker_was_forgotten():
    reader = depacketizer()
    assert data(reader.push(packet(whole(b"marked"), 0, 0))) == [b"marked"]
    assert data(reader.push(packet(whole(b"bare"), 1, 1024, marker=False))) == []
    assert data(reader.push(packet(whole(b"next"), 2, 2048))) == [b"bare", b"next"]
    assert reader.deviations == ("aac-marker-missing",)


def test_a_sender_that_never_sets_the_marker_is_not_waited_for():
    reader = depacketizer()
    found = []
    for i in range(4):
        found.append(data(reader.push(packet(whole(b"f%d" % i), i, 1024 * i, marker=False))))
    assert found == [[], [b"f0", b"f1"], [b"f2"], [b"f3"]]


def test_a_marker_seen_later_is_believed_again():
    reader = depacketizer()
    push(reader, *(packet(whole(b"x"), i, 1024 * i, marker=False) for i in range(3)))
    units = push(
        reader,
        packet(whole(b"y"), 3, 3072),
        packet(fragment(b"ab"), 4, 4096, marker=False),
        packet(fragment(b"cd"), 5, 4096),
    )
    assert data(units) == [b"y", b"abcd"]


def test_flush_gives_a_last_unit_without_marker_but_no_part_of_one():
    reader = depacketizer()
    assert reader.push(packet(whole(b"only"), marker=False)) == []
    assert data(reader.flush()) == [b"only"]
    assert reader.push(packet(fragment(b"abc", 9), 1, 1024, marker=False)) == []
    assert reader.flush() == []
    assert reader.counters.dropped_units == 1
    assert reader.flush() == []


def test_a_discontinuity_ends_what_waits_and_is_told_with_the_next_unit():
    reader = depacketizer()
    units = push(
        reader,
        packet(fragment(b"abc", 6), 0, 5, marker=False),
        packet(b"", 500, 9, discontinuity=True, lost=3),
        packet(whole(b"new"), 501, 9),
    )
    assert data(units) == [b"new"]
    assert (units[0].discontinuity, units[0].lost) == (True, 3)
    assert not reader.push(packet(whole(b"more"), 502, 1033))[0].discontinuity


def test_a_unit_that_takes_too_long_is_dropped():
    reader = depacketizer(limits=Limits(access_unit_age=2.0))
    units = push(
        reader,
        packet(fragment(b"abc", 6), 0, 5, marker=False, arrival=1.0),
        packet(fragment(b"def", 6), 1, 5, arrival=3.5),
        packet(whole(b"new"), 2, 1029, arrival=3.6),
    )
    assert data(units) == [b"new"]
    assert reader.counters.dropped_units == 1


# Interleaving


def test_interleaved_units_come_in_their_order():
    reader = depacketizer()

    def group(first, sequence_number):
        frames = [b"%d" % (first + 3 * i) for i in range(3)]
        header = b"\x00\x30" + bytes([0, 8, 0, 8 | 2, 0, 8 | 2])  # AU-Index-delta 2
        return packet(header + b"".join(frames), sequence_number, 1024 * first)

    units = push(reader, group(0, 0), group(1, 1), group(2, 2)) + reader.flush()
    assert data(units) == [b"%d" % i for i in range(9)]
    assert [unit.timestamp for unit in units] == [1024 * i for i in range(9)]


# Bad input


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x00\x10",
        b"\xff\xff\x00\x00",
        b"\x00\x00data",
        whole(b""),
        whole(b"") + b"data",
        fragment(b"abc", 100),
    ],
)
def test_a_broken_payload_is_counted_and_the_next_one_is_good(payload):
    reader = depacketizer()
    assert reader.push(packet(payload)) == []
    assert (reader.counters.malformed, reader.counters.dropped_units) == (1, 1)
    assert data(reader.push(packet(whole(b"good"), 1, 1024))) == [b"good"]


def test_a_broken_unit_costs_itself_and_not_those_before_it():
    reader = depacketizer()
    payload = serialize_au_headers([2, 0, 2, 50]) + b"aabb"
    assert data(reader.push(packet(payload))) == [b"aa", b"bb"]
    assert (reader.counters.malformed, reader.counters.dropped_units) == (1, 1)


def test_more_bytes_than_the_unit_has_are_malformed():
    reader = depacketizer()
    packets = [packet(fragment(b"abc", 5), i, 5, marker=i == 2) for i in range(3)]
    assert push(reader, *packets) == []
    assert (reader.counters.malformed, reader.counters.dropped_units) == (1, 1)


def test_a_timestamp_that_stands_still_does_not_silence_the_stream():
    reader = depacketizer(limits=Limits(audio_access_unit=100))
    push(reader, packet(fragment(b"abc", 6), 0, 5, marker=False))
    later = [packet(whole(bytes(20)) + b"tail", 7 + i, 5, marker=False) for i in range(20)]
    assert push(reader, *later)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=40),
            st.integers(0, 3),
            st.sampled_from([0, 0, 1024]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=12,
    ),
    st.sampled_from(
        [
            {},
            FMTP,
            {"mode": "AAC-lbr"},
            {"mode": "generic"},
            {"constantsize": "3", "mode": "CELP-cbr"},
            {"sizelength": "3", "ctsdeltalength": "4", "auxiliarydatasizelength": "5"},
        ]
    ),
)
def test_any_packets_give_units_and_nothing_else(packets, fmtp):
    reader = AacDepacketizer(48_000, fmtp, None, Limits(audio_access_unit=64))
    sequence_number = timestamp = size = 0
    units = []
    for payload, step, ticks, marker, anew in packets:
        sequence_number, timestamp = sequence_number + step, timestamp + ticks
        one = packet(payload, sequence_number, timestamp, marker=marker, discontinuity=anew)
        units += reader.push(one)
        assert bytes(one.payload) == payload
        size += len(payload)
    units += reader.flush()
    assert all(0 < len(unit.data) <= 64 for unit in units)
    assert sum(len(unit.data) for unit in units) <= size


# Configuration and quirks


def test_the_config_is_the_parameter_set():
    reader = depacketizer()
    assert reader.parameter_sets == (b"\x11\x90",)
    assert reader.config == AudioSpecificConfig(2, 48_000, 2, 2)
    assert reader.deviations == ()


def test_a_config_in_base64_is_read():
    assert depacketizer(config="EZA=").parameter_sets == (b"\x11\x90",)


@pytest.mark.parametrize(("config", "deviations"), [("", ()), ("17", ("config-malformed",))])
def test_aac_without_config_gets_one_from_clock_rate_and_channels(config, deviations):
    reader = depacketizer(16_000, None, config=config)
    assert reader.parameter_sets == (b"\x14\x08",)
    assert reader.deviations == deviations


def test_aac_without_any_parameter_is_read_as_devices_send_it():
    reader = AacDepacketizer(48_000)
    assert data(reader.push(packet(whole(b"a", b"b")))) == [b"a", b"b"]
    assert reader.deviations == ("aac-layout-missing",)


def test_a_clock_rate_that_is_no_sample_rate_makes_no_config():
    assert depacketizer(90_000, config="").parameter_sets == ()


def test_an_adts_header_inside_a_unit_is_taken_off():
    reader = depacketizer()
    header = adts_header(AudioSpecificConfig(2, 48_000, 2, 2), 5)
    assert data(push(reader, packet(whole(header + b"frame")))) == [b"frame"]
    assert reader.deviations == ("aac-adts-header",)


# Round trip


@given(
    st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=8),
    st.integers(28, 700),
    st.integers(0, 0xFFFF),
)
def test_what_the_packetizer_cuts_is_put_together_again(frames, max_packet_size, first):
    writer = AacPacketizer(
        payload_type=97, ssrc=1, sequence_number=first, max_packet_size=max_packet_size
    )
    reader = depacketizer()
    units = []
    for place, frame in enumerate(frames):
        for one in writer.push(b"\x21" + frame, 1024 * place):
            assert len(one) <= max_packet_size
            units += reader.push(parse_rtp(one))
    assert data(units) == [b"\x21" + frame for frame in frames]
    assert [unit.timestamp for unit in units] == [1024 * i for i in range(len(frames))]
    assert reader.flush() == []
    assert reader.counters.malformed == reader.counters.dropped_units == 0


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=9), max_size=6),
    st.sampled_from([(13, 3, 3), (6, 2, 2), (16, 0, 0), (21, 3, 5)]),
)
def test_units_that_share_packets_come_apart(groups, lengths):
    layout = AuLayout(*lengths)
    names = ("sizelength", "indexlength", "indexdeltalength")
    fmtp = dict(zip(names, map(str, lengths), strict=True))
    reader = AacDepacketizer(48_000, fmtp | {"mode": "generic"})
    units = []
    for place, frames in enumerate(groups):
        header = serialize_au_headers([len(frame) for frame in frames], layout)
        units += reader.push(packet(header + b"".join(frames), place))
    assert data(units) == [frame for frames in groups for frame in frames]

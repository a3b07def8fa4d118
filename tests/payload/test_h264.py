"""H.264 payloads: each packet type of RFC 6184, what devices make of them, and the way back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.payload.h264 import H264Depacketizer, H264Packetizer
from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.wire.rtp import WallClock, parse_rtp, serialize_rtp

SPS = bytes.fromhex("6742c00cd901419f9f011000000300100000030320f142a480")
PPS = bytes.fromhex("68cb83cb20")
IDR, P, P_2 = b"\x65\x88\x01\x02", b"\x41\x9a\x05\x06", b"\x41\x02\x07\x08"
MESSAGE = b"\x06\x05\x01\x00\x80"


def packets(payloads, timestamp=0, *, first=100):
    last = len(payloads) - 1
    return [
        parse_rtp(
            serialize_rtp(
                payload,
                payload_type=96,
                sequence_number=first + index,
                timestamp=timestamp,
                ssrc=1,
                marker=index == last,
            )
        )
        for index, payload in enumerate(payloads)
    ]


def push(*payloads, depacketizer=None):
    """The units of one picture sent as these payloads, and the depacketizer."""
    depacketizer = depacketizer or H264Depacketizer(90_000)
    units = []
    for packet in packets(payloads):
        units += depacketizer.push(packet)
    return units + depacketizer.flush(), depacketizer


def nal_units(*payloads):
    units, _ = push(*payloads)
    return [nal_unit for unit in units for nal_unit in split_annex_b(unit.data)]


def sized(*nal_units):
    return b"".join(len(nal_unit).to_bytes(2, "big") + nal_unit for nal_unit in nal_units)


def multi_time(base, *entries, offset_size=2):
    data = base.to_bytes(2, "big")
    for order, ticks, nal_unit in entries:
        data += len(nal_unit).to_bytes(2, "big") + bytes((order,))
        data += ticks.to_bytes(offset_size, "big") + nal_unit
    return bytes((0x78 & 0xE0 | (26 if offset_size == 2 else 27),)) + data


def test_a_single_nal_unit_is_the_payload():
    (unit,), _ = push(P)
    assert unit.data == b"\0\0\0\1" + P


def test_a_stap_a_holds_several_nal_units():
    assert nal_units(b"\x78" + sized(SPS, PPS, IDR)) == [SPS, PPS, IDR]


def test_fu_a_fragments_are_one_nal_unit():
    (unit,), _ = push(b"\x5c\x81\x9a\x05", b"\x5c\x01\x06\x07", b"\x5c\x41\x08")
    assert unit.data == b"\0\0\0\1\x41\x9a\x05\x06\x07\x08"
    assert unit.complete


def test_a_stap_b_and_an_fu_b_carry_a_decoding_order_number():
    assert nal_units(
        b"\x79\x00\x07" + sized(SPS, PPS), b"\x7d\x85\x00\x08\x88", b"\x7c\x45\x01"
    ) == [
        SPS,
        PPS,
        b"\x65\x88\x01",
    ]


@pytest.mark.parametrize("offset_size", [2, 3])
def test_an_mtap_holds_nal_units_of_several_timestamps(offset_size):
    payload = multi_time(65_535, (0, 0, P), (1, 0, P_2), (2, 3000, P), offset_size=offset_size)
    units, depacketizer = push(payload)
    assert [split_annex_b(unit.data) for unit in units] == [[P, P_2], [P]]
    assert [unit.timestamp for unit in units] == [0, 3000]
    assert units[1].media_time == pytest.approx(3000 / 90_000)
    assert depacketizer.counters.malformed == 0


def test_each_unit_of_an_mtap_has_its_own_wall_time():
    (packet,) = packets([multi_time(7, (0, 0, P), (1, 9000, P_2))])
    packet.wall_clock = WallClock(0.0, 100.0, "sr")
    depacketizer = H264Depacketizer(90_000)
    units = depacketizer.push(packet) + depacketizer.flush()
    assert [unit.wall_time for unit in units] == [100.0, pytest.approx(100.1)]


def test_a_clock_rate_of_zero_in_the_sdp_costs_the_time_and_not_the_pictures():
    payload = multi_time(7, (0, 0, P), (1, 9000, P_2))
    units, _ = push(payload, depacketizer=H264Depacketizer(0))
    assert [(unit.timestamp, unit.media_time) for unit in units] == [(0, 0.0), (9000, 0.0)]


@pytest.mark.parametrize(
    "payloads",
    [
        (b"\x79\x00\x07" + sized(P), b"\x79\x00\x06" + sized(P_2)),
        (b"\x7d\x81\x00\x07\x9a", b"\x7c\x41\x01", b"\x79\x00\x06" + sized(P_2)),
        (multi_time(7, (0, 0, P)), multi_time(6, (0, 0, P_2))),
        (multi_time(7, (5, 0, P), (3, 0, P_2), (6, 3000, P)),),
    ],
)
def test_a_unit_in_another_order_than_decoding_order_is_dropped_and_counted(payloads):
    units, depacketizer = push(*payloads)
    assert units == []
    assert depacketizer.deviations == ("decoding-order-interleaved",)
    assert depacketizer.counters.malformed == 1
    assert depacketizer.counters.dropped_units == 1


def test_decoding_order_numbers_wrap_around():
    assert nal_units(b"\x79\xff\xff" + sized(P), b"\x79\x00\x00" + sized(P_2)) == [P, P_2]


# FU (QUIRKS: S and E both set, type changing, reserved bits, zero-length fragments)


def test_a_fragment_with_start_and_end_both_set_is_a_whole_nal_unit():
    units, depacketizer = push(b"\x5c\xc1\x9a\x05")
    assert units[0].data == b"\0\0\0\1\x41\x9a\x05"
    assert units[0].complete
    assert depacketizer.deviations == ("fragment-start-and-end",)


def test_a_type_changing_inside_a_fragmented_nal_unit_is_that_of_its_start():
    units, depacketizer = push(b"\x7c\x85\x88", b"\x7c\x01\x02", b"\x7c\x45\x03")
    assert units[0].data == b"\0\0\0\1\x65\x88\x02\x03"
    assert (units[0].keyframe, units[0].complete) == (True, True)
    assert depacketizer.deviations == ("fragment-header-changed",)


def test_reserved_bits_in_the_fu_header_are_ignored():
    units, depacketizer = push(b"\x5c\xa1\x9a", b"\x5c\x21\x05", b"\x5c\x61\x06")
    assert units[0].data == b"\0\0\0\1\x41\x9a\x05\x06"
    assert depacketizer.deviations == ("fragment-reserved-bit",)


def test_zero_length_fragments_add_nothing():
    units, depacketizer = push(
        b"\x5c\x81", b"\x5c\x01\x9a", b"\x5c\x01", b"\x5c\x01\x05", b"\x5c\x41"
    )
    assert units[0].data == b"\0\0\0\1\x41\x9a\x05"
    assert units[0].complete
    assert "fragment-empty" in depacketizer.deviations


def test_a_last_fragment_with_a_marker_and_without_end_is_taken_for_the_end():
    depacketizer = H264Depacketizer(90_000)
    for packet in packets([b"\x5c\x81\x9a", b"\x5c\x01\x05"]):
        assert depacketizer.push(packet) == []
    (unit,) = depacketizer.push(packets([P], 3000, first=102)[0])[:1]
    assert (split_annex_b(unit.data), unit.complete) == ([b"\x41\x9a\x05"], True)
    assert "fragment-end-missing" in depacketizer.deviations


@pytest.mark.parametrize("following", [P_2, b"\x5c\x81\x02\x07", b"\x78" + sized(P_2)])
def test_a_fragmented_nal_unit_that_never_ends_is_left_out(following):
    units, depacketizer = push(P, b"\x5c\x81\x03\x01", following, b"\x5c\x41\x08")
    (unit,) = units
    assert split_annex_b(unit.data)[0] == P
    assert b"\x03\x01" not in unit.data
    assert not unit.complete
    assert depacketizer.counters.malformed >= 1


# Start codes (QUIRKS: Annex B start codes inside FU or STAP-A)


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_start_codes_inside_a_fragmented_nal_unit_part_it(code):
    whole = code.join([SPS, PPS, IDR])
    units, depacketizer = push(
        b"\x7c\x87" + whole[1:20], b"\x7c\x07" + whole[20:31], b"\x7c\x47" + whole[31:]
    )
    (unit,) = units
    assert unit.data == join_annex_b([SPS, PPS, IDR])
    assert (unit.keyframe, unit.complete) == (True, True)
    assert depacketizer.parameter_sets == (SPS, PPS)
    assert depacketizer.deviations == ("start-code-in-payload",)


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_start_codes_inside_an_aggregate_part_its_nal_units(code):
    assert nal_units(b"\x78" + sized(code + SPS, PPS + code + IDR)) == [SPS, PPS, IDR]


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_a_payload_that_is_a_byte_stream_is_parted(code):
    assert nal_units(code + SPS + code + PPS + code + IDR) == [SPS, PPS, IDR]


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_a_fragmented_byte_stream_is_read_behind_its_start_code(code):
    whole = code + IDR
    (unit,), _ = push(bytes((28, 0x80 | whole[0])) + whole[1:6], bytes((28, 0x40)) + whole[6:])
    assert (split_annex_b(unit.data), unit.keyframe) == ([IDR], True)


# What breaks the RFC


@pytest.mark.parametrize(
    "payload",
    [
        b"\x7c",
        b"\x7d",
        b"\x7d\x85\x00",
        b"\x78",
        b"\x79\x00",
        b"\x79\x00\x01",
        b"\x78\x00\x05\x41\x9a",
        b"\x78" + sized(P_2) + b"\x00\x09\x41",
        b"\x7a\x00\x01",
        b"\x7a\x00\x01\x00\x09\x00\x00\x00\x41",
    ],
)
def test_a_payload_that_breaks_its_rfc_costs_its_unit_and_the_next_is_taken_up(payload):
    depacketizer = H264Depacketizer(90_000)
    units = []
    for packet in packets([P, payload, P_2]) + packets([P], 3000, first=103):
        units += depacketizer.push(packet)
    (unit,) = units
    assert (unit.timestamp, unit.complete) == (3000, True)
    assert depacketizer.counters.malformed == 1
    assert depacketizer.counters.dropped_units == 1


@pytest.mark.parametrize(
    "payload", [b"\xc1\x9a\x01", b"\x7e\x01", b"\x7f\x01", b"\x78" + sized(b"\x7c\x85")]
)
def test_a_nal_unit_that_may_not_be_is_left_out_of_its_unit(payload):
    units, depacketizer = push(P, payload, P_2)
    (unit,) = units
    assert split_annex_b(unit.data) == [P, P_2]
    assert not unit.complete
    assert depacketizer.counters.malformed == 1


def test_empty_units_and_a_stray_byte_in_an_aggregate_are_put_up_with():
    units, depacketizer = push(b"\x78" + sized(P, b"", P_2) + b"\x00")
    assert split_annex_b(units[0].data) == [P, P_2]
    assert units[0].complete
    assert depacketizer.deviations == ("aggregation-empty-unit", "aggregation-trailing-byte")


# Keyframes


def test_a_recovery_point_at_once_is_a_keyframe_without_idr():
    recovery_now, recovery_later = b"\x06\x06\x01\xc4\x80", b"\x06\x06\x01\x2a\x80"
    before = b"\x06\x05\xff\x01" + bytes(256) + b"\x06\x01\xc4\x80"
    assert push(recovery_now, P)[0][0].keyframe
    assert push(before, P)[0][0].keyframe
    assert not push(recovery_later, P)[0][0].keyframe
    assert not push(MESSAGE, P)[0][0].keyframe


@pytest.mark.parametrize(
    "message", [b"\x06", b"\x06\xff\xff", b"\x06\x06", b"\x06\x06\x01", b"\x06\x06\x01\x00"]
)
def test_a_cut_sei_is_no_recovery_point(message):
    assert not push(message, P)[0][0].keyframe


@given(st.lists(st.binary(max_size=60), max_size=12), st.booleans())
def test_no_payload_raises_and_memory_is_left_unchanged(payloads, typed):
    if typed:  # each of the packet types in turn
        payloads = [bytes((0x60 | 22 + i % 10,)) + payload for i, payload in enumerate(payloads)]
    made = packets(payloads)
    before = [bytes(packet) for packet in made]
    depacketizer = H264Depacketizer(90_000)
    units = [unit for packet in made for unit in depacketizer.push(packet)] + depacketizer.flush()
    assert all(unit.data.startswith(b"\0\0\0\1") for unit in units)
    assert [bytes(packet) for packet in made] == before


# The way back

BODY = st.binary(max_size=400).map(lambda b: b.replace(b"\0", b"\1"))
SLICES = st.lists(BODY, min_size=1, max_size=5)


def access_unit(key, bodies):
    heads = [b"\x65", b"\x65"] if key else [b"\x41", b"\x61"]
    slices = [
        heads[index % 2] + (b"\x88" if index == 0 else b"\x02") + body
        for index, body in enumerate(bodies)
    ]
    return ([SPS, PPS] if key else []) + [MESSAGE] + slices


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), SLICES), min_size=1, max_size=4),
    st.integers(28, 1500),
    st.sampled_from(["stap-a", "none"]),
    st.integers(0, 65_535),
)
def test_units_come_back_as_they_were_at_any_packet_size(pictures, size, aggregation, number):
    packetizer = H264Packetizer(
        payload_type=96,
        ssrc=1,
        sequence_number=number,
        max_packet_size=size,
        aggregation=aggregation,
    )
    depacketizer = H264Depacketizer(90_000)
    for index, (key, bodies) in enumerate(pictures):
        data = join_annex_b(access_unit(key or index == 0, bodies))
        sent = packetizer.push(data, index * 3000)
        assert max(map(len, sent)) <= size
        units = [unit for packet in sent for unit in depacketizer.push(parse_rtp(packet))]
        assert [(unit.data, unit.complete, unit.lost) for unit in units] == [(data, True, 0)]
    assert depacketizer.counters.malformed == 0
    assert depacketizer.deviations == ()


def payloads_of(data, **options):
    packetizer = H264Packetizer(payload_type=96, ssrc=1, **options)
    return [(payload, marker) for payload, _, marker in packetizer.payloads(data)]


def test_small_neighbours_share_a_stap_a_with_the_highest_importance():
    data = join_annex_b([MESSAGE, SPS, IDR])
    assert payloads_of(data) == [(b"\x78" + sized(MESSAGE, SPS, IDR), True)]


def test_aggregation_can_be_left_out():
    assert payloads_of(join_annex_b([SPS, IDR]), aggregation="none") == [(SPS, False), (IDR, True)]
    with pytest.raises(ValueError, match="aggregation"):
        H264Packetizer(payload_type=96, ssrc=1, aggregation="yes")


def test_a_long_nal_unit_is_cut_into_fu_a():
    data = b"\0\0\1\x65" + bytes(range(1, 31))
    sent = payloads_of(data, max_packet_size=12 + 16)
    assert [payload[:2].hex() for payload, _ in sent] == ["7c85", "7c05", "7c45"]
    assert [marker for _, marker in sent] == [False, False, True]
    assert b"".join(payload[2:] for payload, _ in sent) == bytes(range(1, 31))


def test_nothing_makes_no_packets():
    assert payloads_of(b"") == []


def test_parameter_sets_between_the_slices_of_a_picture_are_left_out():
    """Device: GStreamer 1.22 – ``rtph264pay config-interval=-1`` with several slices a picture."""
    second_slice = b"\x65\x08\x05\x06"
    units, depacketizer = push(SPS, PPS, MESSAGE, SPS, PPS, IDR, SPS, PPS, second_slice)
    (unit,) = units
    assert unit.keyframe
    assert unit.complete
    behind_the_first_slice = unit.data.partition(IDR)[2]
    assert split_annex_b(behind_the_first_slice) == [second_slice]
    assert "parameter-set-in-picture" in depacketizer.deviations


def test_new_parameter_sets_behind_the_slices_are_kept_for_what_needs_them():
    other = b"\x68\xeb\x83\xcb\x20"
    _, depacketizer = push(SPS, PPS, IDR, other)
    assert other in depacketizer.parameter_sets


def test_a_first_slice_that_no_encoder_made_is_not_called_the_rest_of_another():
    units, _ = push(b"\x65" + bytes(20))
    (unit,) = units
    assert unit.complete


def test_a_stream_that_begins_within_a_picture_says_so():
    later_slice = b"\x65\x1e\x22\x05"  # first_mb_in_slice 14, I
    units, _ = push(later_slice)
    assert [unit.complete for unit in units] == [False]

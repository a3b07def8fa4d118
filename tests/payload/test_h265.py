"""H.265 payloads: each packet type of RFC 7798, what devices make of them, and the way back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.payload.h265 import H265Depacketizer, H265Packetizer
from rtspkit.payload.nal import join_annex_b, split_annex_b
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

VPS = bytes.fromhex("40010c01ffff01600000030090000003000003003f959809")
SPS = bytes.fromhex(
    "42010101600000030090000003000003003fa005020171f265959a4932bc05a020000003002000000301e1"
)
PPS = bytes.fromhex("4401c172b44240")
SETS = [VPS, SPS, PPS]
AUD, MESSAGE, SUFFIX = b"\x46\x01\x10", b"\x4e\x01\x05\x01\x00\x80", b"\x50\x01\x05\x80"
IDR, CRA = b"\x26\x01\xaf\x01", b"\x2a\x01\xaf\x02"
P, P_2 = b"\x02\x01\xd0\x05", b"\x02\x01\x50\x06"
SPROP = {
    "sprop-sps": "QgEBAWAAAAMAkAAAAwAAAwA/oAUCAXHyZZWaSTK8BaAgAAADACAAAAMB4Q==",
    "sprop-pps": "RAHBcrRCQA==",
}
ORDERED = {"sprop-max-don-diff": "1"}


def packets(payloads, timestamp=0, *, first=100):
    last = len(payloads) - 1
    return [
        parse_rtp(
            serialize_rtp(
                payload,
                payload_type=98,
                sequence_number=first + index,
                timestamp=timestamp,
                ssrc=1,
                marker=index == last,
            )
        )
        for index, payload in enumerate(payloads)
    ]


def push(*payloads, fmtp=None):
    depacketizer = H265Depacketizer(90_000, fmtp)
    units = []
    for packet in packets(payloads):
        units += depacketizer.push(packet)
    return units + depacketizer.flush(), depacketizer


def nal_units(*payloads, fmtp=None):
    units, _ = push(*payloads, fmtp=fmtp)
    return [nal_unit for unit in units for nal_unit in split_annex_b(unit.data)]


def sized(*nal_units):
    return b"".join(len(nal_unit).to_bytes(2, "big") + nal_unit for nal_unit in nal_units)


def test_a_single_nal_unit_is_the_payload():
    (unit,), _ = push(P)
    assert unit.data == b"\0\0\0\1" + P
    assert not unit.keyframe


def test_an_aggregation_packet_holds_several_nal_units():
    (unit,), depacketizer = push(b"\x60\x01" + sized(*SETS, IDR))
    assert split_annex_b(unit.data) == [*SETS, IDR]
    assert (unit.keyframe, unit.complete) == (True, True)
    assert depacketizer.parameters.width == 640


def test_fragmentation_units_are_one_nal_unit():
    (unit,), _ = push(b"\x62\x01\x93\xaf\x05", b"\x62\x01\x13\x06", b"\x62\x01\x53\x07")
    assert unit.data == b"\0\0\0\1\x26\x01\xaf\x05\x06\x07"
    assert (unit.keyframe, unit.complete) == (True, True)


def test_a_paci_packet_is_read_without_its_extension():
    single = b"\x64\x01" + (1 << 9 | 3 << 4).to_bytes(2, "big") + b"xyz" + P[2:]
    assert nal_units(single) == [P]
    start = b"\x64\x01" + (49 << 9).to_bytes(2, "big") + b"\x81\xd0"
    assert nal_units(start, b"\x62\x01\x41\x05") == [P]


@pytest.mark.parametrize("nal_unit", [IDR, CRA, b"\x20\x01\xaf", b"\x28\x01\xaf"])
def test_every_random_access_picture_is_a_keyframe_with_the_sets_in_force(nal_unit):
    (unit,), _ = push(nal_unit, fmtp=SPROP)
    assert unit.keyframe
    assert split_annex_b(unit.data) == [SPS, PPS, nal_unit]


def test_a_vps_that_the_sdp_lacked_is_news_and_no_change():
    (unit,), depacketizer = push(*SETS, IDR, fmtp=SPROP)
    assert split_annex_b(unit.data) == [*SETS, IDR]
    assert not unit.parameter_sets_changed
    assert depacketizer.deviations == ("parameter-sets-incomplete",)
    assert depacketizer.parameter_sets == tuple(SETS)


def test_a_delimiter_is_left_out_of_keyframes_only():
    assert nal_units(AUD, *SETS, IDR) == [*SETS, IDR]
    assert nal_units(AUD, P) == [AUD, P]


def test_a_suffix_sei_ends_the_unit():
    (unit,), _ = push(P, P_2, SUFFIX)
    assert split_annex_b(unit.data) == [P, P_2, SUFFIX]


def test_first_slice_segments_part_pictures_with_the_same_timestamp():
    depacketizer, units = H265Depacketizer(90_000), []
    for packet in packets([P, P_2, P, P_2, b""])[:4]:
        units += depacketizer.push(packet)
    units += depacketizer.flush()
    assert [split_annex_b(unit.data) for unit in units] == [[P, P_2]] * 2


def test_a_slice_of_an_enhancement_layer_does_not_begin_a_picture():
    layer = b"\x02\x09\xd0\x05"
    (unit,), _ = push(P, layer, P_2)
    assert split_annex_b(unit.data) == [P, layer, P_2]


# Decoding order numbers


def test_decoding_order_numbers_are_read_where_the_sdp_announces_them():
    assert nal_units(b"\x02\x01\x00\x64\xd0\x05", fmtp=ORDERED) == [P]
    aggregate = b"\x60\x01\x00\x64" + sized(P) + b"\x00" + sized(P_2)
    assert nal_units(aggregate, fmtp=ORDERED) == [P, P_2]
    assert nal_units(b"\x62\x01\x81\x00\x64\xd0", b"\x62\x01\x41\x05", fmtp=ORDERED) == [P]


@pytest.mark.parametrize("value", ["0", "", "x", "-1", "99999", "1_0"])
def test_without_an_announcement_there_are_no_decoding_order_numbers(value):
    assert nal_units(P, fmtp={"sprop-max-don-diff": value}) == [P]


@pytest.mark.parametrize(
    "payloads",
    [
        (b"\x02\x01\x00\x64\xd0\x05", b"\x02\x01\x00\x63\x50\x06"),
        (b"\x02\x01\x00\x64\xd0\x05", b"\x60\x01\x00\x63" + sized(P_2)),
        (  # DOND 0 is one more than the number before
            b"\x60\x01\x00\x64" + sized(P) + b"\x00" + sized(P_2),
            b"\x02\x01\x00\x64\x50\x06",
        ),
        (b"\x02\x01\x00\x64\xd0\x05", b"\x62\x01\x81\x00\x63\x50", b"\x62\x01\x41\x06"),
    ],
)
def test_a_unit_in_another_order_than_decoding_order_is_dropped_and_counted(payloads):
    units, depacketizer = push(*payloads, fmtp=ORDERED)
    assert units == []
    assert depacketizer.deviations == ("decoding-order-interleaved",)
    assert depacketizer.counters.malformed == 1


def test_loss_forgets_the_decoding_order():
    depacketizer = H265Depacketizer(90_000, ORDERED)
    (before,) = packets([b"\x02\x01\x00\x64\xd0\x05"])
    (after,) = packets([b"\x02\x01\x00\x10\xd0\x05"], 3000, first=200)
    assert depacketizer.push(before)
    assert depacketizer.push(after)


# Fragments (QUIRKS: S and E both set, type changing, zero-length fragments)


def test_a_fragment_with_start_and_end_both_set_is_a_whole_nal_unit():
    units, depacketizer = push(b"\x62\x01\xc1\xd0\x05")
    assert split_annex_b(units[0].data) == [P]
    assert depacketizer.deviations == ("fragment-start-and-end",)


def test_a_type_changing_inside_a_fragmented_nal_unit_is_that_of_its_start():
    units, depacketizer = push(b"\x62\x01\x93\xaf", b"\x62\x01\x01\x02", b"\x62\x01\x53\x03")
    assert units[0].data == b"\0\0\0\1\x26\x01\xaf\x02\x03"
    assert depacketizer.deviations == ("fragment-header-changed",)


def test_zero_length_fragments_add_nothing():
    units, _ = push(b"\x62\x01\x81", b"\x62\x01\x01\xd0", b"\x62\x01\x01", b"\x62\x01\x41\x05")
    assert split_annex_b(units[0].data) == [P]
    assert units[0].complete


# Start codes (QUIRKS: Annex B start codes inside FU or STAP-A)


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_start_codes_inside_fragments_and_aggregates_part_them(code):
    whole = code.join([*SETS, IDR])
    fragments = (b"\x62\x01\xa0" + whole[2:50], b"\x62\x01\x60" + whole[50:])
    assert nal_units(*fragments) == [*SETS, IDR]
    assert nal_units(b"\x60\x01" + sized(code + VPS, SPS + code + PPS, IDR)) == [*SETS, IDR]
    assert nal_units(code + P) == [P]
    stream = code + IDR
    head = bytes((0x62 | stream[0] & 0x81, stream[1], 0x80 | stream[0] >> 1))
    assert nal_units(head + stream[2:6], b"\x62\x01\x40" + stream[6:]) == [IDR]


# What breaks the RFC


@pytest.mark.parametrize(
    ("payload", "fmtp"),
    [
        (b"\x02", None),
        (b"\x62", None),
        (b"\x62\x01", None),
        (b"\x60\x01", None),
        (b"\x60\x01\x00\x05\x02\x01", None),
        (b"\x60\x01" + sized(P_2) + b"\x00\x09\x02", None),
        (b"\x64\x01\x02", None),
        (b"\x64\x01\x02\x00", None),
        (b"\x64\x01\x02\x50\x01", None),
        (b"\x64\x01" + (50 << 9).to_bytes(2, "big") + b"\x02\x00\xff", None),
        (b"\x02\x01\x00\x65", ORDERED),
        (b"\x62\x01\x81\x00", ORDERED),
        (b"\x60\x01\x00\x65", ORDERED),
    ],
)
def test_a_payload_that_breaks_its_rfc_costs_its_unit_and_the_next_is_taken_up(payload, fmtp):
    first = P if fmtp is None else b"\x02\x01\x00\x64\xd0\x05"
    depacketizer, units = H265Depacketizer(90_000, fmtp), []
    for packet in packets([first, payload]) + packets([first], 3000, first=102):
        units += depacketizer.push(packet)
    (unit,) = units
    assert (unit.timestamp, unit.complete) == (3000, True)
    assert depacketizer.counters.malformed == 1
    assert depacketizer.counters.dropped_units == 1


@pytest.mark.parametrize(
    "payload", [b"\x82\x01\xd0", b"\x66\x01\xd0", b"\x7e\x01", b"\x60\x01" + sized(b"\x02")]
)
def test_a_nal_unit_that_may_not_be_is_left_out_of_its_unit(payload):
    (unit,), depacketizer = push(P, payload, P_2)
    assert split_annex_b(unit.data) == [P, P_2]
    assert not unit.complete
    assert depacketizer.counters.malformed == 1


def test_empty_units_and_a_stray_byte_in_an_aggregate_are_put_up_with():
    units, depacketizer = push(b"\x60\x01" + sized(P, b"", P_2) + b"\x00")
    assert split_annex_b(units[0].data) == [P, P_2]
    assert depacketizer.deviations == ("aggregation-empty-unit", "aggregation-trailing-byte")


@given(st.lists(st.binary(max_size=60), max_size=12), st.booleans(), st.booleans())
def test_no_payload_raises_and_memory_is_left_unchanged(payloads, typed, ordered):
    if typed:  # each of the packet types in turn
        payloads = [bytes((2 * (47 + i % 5), 1)) + payload for i, payload in enumerate(payloads)]
    made = packets(payloads)
    before = [bytes(packet) for packet in made]
    depacketizer = H265Depacketizer(90_000, ORDERED if ordered else None)
    units = [unit for packet in made for unit in depacketizer.push(packet)] + depacketizer.flush()
    assert all(unit.data.startswith(b"\0\0\0\1") for unit in units)
    assert [bytes(packet) for packet in made] == before


# The way back

BODY = st.binary(max_size=400).map(lambda b: b.replace(b"\0", b"\1"))
SLICES = st.lists(BODY, min_size=1, max_size=5)


def access_unit(key, bodies):
    head = b"\x26\x01" if key else b"\x02\x02"
    slices = [
        head + (b"\xaf" if index == 0 else b"\x50") + body for index, body in enumerate(bodies)
    ]
    return (SETS if key else []) + [MESSAGE, *slices]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), SLICES), min_size=1, max_size=4),
    st.integers(28, 1500),
    st.integers(0, 65_535),
)
def test_units_come_back_as_they_were_at_any_packet_size(pictures, size, number):
    packetizer = H265Packetizer(
        payload_type=98, ssrc=1, sequence_number=number, max_packet_size=size
    )
    depacketizer = H265Depacketizer(90_000)
    for index, (key, bodies) in enumerate(pictures):
        data = join_annex_b(access_unit(key or index == 0, bodies))
        sent = packetizer.push(data, index * 3000)
        assert max(map(len, sent)) <= size
        units = [unit for packet in sent for unit in depacketizer.push(parse_rtp(packet))]
        assert [(unit.data, unit.complete, unit.lost) for unit in units] == [(data, True, 0)]
    assert depacketizer.counters.malformed == 0
    assert depacketizer.deviations == ()


def payloads_of(data, **options):
    packetizer = H265Packetizer(payload_type=98, ssrc=1, **options)
    return [(payload, marker) for payload, _, marker in packetizer.payloads(data)]


def test_small_neighbours_share_a_packet_with_the_lowest_layer_and_temporal_id():
    higher = b"\x02\x0b\xd0"
    assert payloads_of(join_annex_b([higher, P])) == [(b"\x60\x01" + sized(higher, P), True)]


def test_a_long_nal_unit_is_cut_into_fragmentation_units():
    data = b"\0\0\1\x26\x01" + bytes(range(1, 31))
    sent = payloads_of(data, max_packet_size=12 + 16)
    assert [payload[:3].hex() for payload, _ in sent] == ["620193", "620113", "620153"]
    assert [marker for _, marker in sent] == [False, False, True]
    assert b"".join(payload[3:] for payload, _ in sent) == bytes(range(1, 31))


def test_a_nal_unit_without_a_whole_header_is_refused():
    with pytest.raises(LocalProtocolError, match="at least 2 bytes"):
        payloads_of(b"\0\0\1\x26")


def test_nothing_makes_no_packets():
    assert payloads_of(b"") == []

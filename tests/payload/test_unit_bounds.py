"""Where access units begin and end, and what loss does to them.

H.264 stands for both codecs here; what differs is in test_h264.py and test_h265.py.
"""

import random
import tracemalloc

from hypothesis import example, given, settings
from hypothesis import strategies as st
from nal_sender import (
    AUD,
    END_OF_SEQUENCE,
    IDR,
    IDR_2,
    MESSAGE,
    P_2,
    P_3,
    PICTURES,
    PPS,
    SPROP,
    SPS,
    P,
    Sender,
    fragments,
    nal_units,
)

from rtspkit.payload.h264 import H264Depacketizer, H264Packetizer
from rtspkit.payload.nal import join_annex_b
from rtspkit.wire.rtp import WallClock, parse_rtp


def test_a_marker_behind_a_slice_gives_the_unit_at_once():
    sender = Sender()
    assert sender.send(SPS) == sender.send(PPS) == []
    (unit,) = sender.send(IDR, marker=True)
    assert unit.data == join_annex_b([SPS, PPS, IDR])
    assert unit.keyframe
    assert unit.complete
    assert type(unit.data) is bytes
    (unit,) = sender.send(P, 3000, marker=True)
    assert (unit.data, unit.keyframe) == (join_annex_b([P]), False)


def test_what_the_session_knows_of_the_packets_is_on_the_unit():
    sender = Sender()
    clock = WallClock(media_time=1.0, wall=1000.0, source="sr")
    stream = object()
    sender.send(P, media_time=1.5, arrival=7.0, wall_clock=clock, stream=stream)
    (unit,) = sender.send(P_2, media_time=1.5, arrival=7.25, marker=True)
    assert (unit.media_time, unit.arrival, unit.stream) == (1.5, 7.25, stream)
    assert (unit.wall_time, unit.wall_source) == (1000.5, "sr")


def test_parameter_sets_with_a_timestamp_of_their_own_belong_to_the_next_picture():
    sender = Sender()
    sender.send(SPS, 10, marker=True)
    sender.send(PPS, 20, marker=True)
    (unit,) = sender.send(IDR, 30, marker=True)
    assert nal_units(unit) == [SPS, PPS, IDR]
    assert unit.timestamp == 30


# The marker (QUIRKS: never set, always set, or on SEI)


def test_marker_never_set_units_end_where_the_timestamp_changes():
    sender = Sender()
    for timestamp in (0, 3000, 6000):
        for payload in (P, P_2):
            sender.send(payload, timestamp)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == [[P, P_2]] * 3
    assert [unit.timestamp for unit in sender.units] == [0, 3000, 6000]
    assert all(unit.complete for unit in sender.units)
    assert "marker-missing" in sender.depacketizer.deviations


def test_marker_always_set_does_not_shred_pictures_of_many_slices():
    sender = Sender()
    pictures = [[SPS, PPS, IDR, IDR_2], [P, P_2, P_3], [P, P_2, P_3], [P]]
    for index, picture in enumerate(pictures):
        for payload in picture:
            sender.send(payload, 3000 * index, marker=True)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == pictures
    assert all(unit.complete for unit in sender.units)
    assert sender.depacketizer.deviations == ("marker-unreliable",)


def test_marker_always_set_on_fragments_does_not_shred_pictures():
    sender = Sender()
    for index in range(3):
        for nal_unit in (P + bytes(8) + b"\1", P_2 + bytes(8) + b"\1"):
            for payload in fragments(nal_unit):
                sender.send(payload, 3000 * index, marker=True)
    sender.flush()
    assert len(sender.units) == 3
    assert all(unit.complete for unit in sender.units)


def test_marker_found_to_lie_costs_one_picture_whose_rest_is_not_called_complete():
    sender = Sender()
    for index in range(3):
        for payload in (P, P_2, P_3):
            sender.send(payload, 3000 * index, marker=True)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == [[P], [P_2, P_3]] + [[P, P_2, P_3]] * 2
    assert [unit.complete for unit in sender.units] == [True, False, True, True]


def test_marker_on_every_nal_unit_is_found_out_too():
    sender = Sender()
    for index in range(3):
        for nal_unit in (P + b"\1" * 8, P_2 + b"\1" * 8):
            for payload in fragments(nal_unit):
                sender.send(payload, 3000 * index, marker=bool(payload[1] & 0x40))
    sender.flush()
    assert [unit.timestamp for unit in sender.units] == [0, 0, 3000, 6000]
    assert all(unit.complete for unit in sender.units[2:])


def test_marker_on_sei_does_not_end_the_unit():
    sender = Sender()
    assert sender.send(MESSAGE, marker=True) == []
    for payload in fragments(P + b"\1" * 8):
        sender.send(payload, marker=bool(payload[1] & 0x40))
    sender.send(MESSAGE, 3000, marker=True)
    for payload in fragments(P + b"\1" * 8):
        sender.send(payload, 3000, marker=bool(payload[1] & 0x40))
    assert [len(nal_units(unit)) for unit in sender.units] == [2, 2]
    assert all(unit.complete for unit in sender.units)


def test_marker_on_a_nal_unit_behind_the_picture_makes_no_unit_of_its_own():
    sender = Sender()
    for timestamp in (0, 3000):
        sender.send(P, timestamp, marker=True)
        sender.send(END_OF_SEQUENCE, timestamp, marker=True)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == [[P], [P]]
    assert "nal-unit-after-marker" in sender.depacketizer.deviations


def test_loss_and_new_beginnings_do_not_make_a_liar_of_the_marker():
    for fields in ({}, {"discontinuity": True}):
        sender = Sender()
        sender.send(P, marker=True)
        sender.drop()
        sender.send(SPS, **fields)
        sender.send(P_2, marker=True)
        (unit,) = sender.send(P, 3000, marker=True)
        assert unit.complete
        assert "marker-unreliable" not in sender.depacketizer.deviations
    sender = Sender()
    sender.send(P, marker=True)
    sender.drop()
    (unit,) = sender.send(P_2, marker=True)
    assert not unit.complete
    assert "marker-unreliable" not in sender.depacketizer.deviations


# Timestamps (QUIRKS: repeated)


def test_repeated_timestamps_with_markers_are_pictures_of_their_own():
    sender = Sender()
    for _ in range(3):
        sender.send(P)
        sender.send(P_2, marker=True)
    assert [nal_units(unit) for unit in sender.units] == [[P, P_2]] * 3
    assert all(unit.complete for unit in sender.units)
    assert "timestamp-repeated" in sender.depacketizer.deviations


def test_repeated_timestamps_without_markers_are_parted_by_first_slices():
    sender = Sender()
    for _ in range(3):
        sender.send(P)
        sender.send(P_2)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == [[P, P_2]] * 3


def test_the_age_of_a_picture_with_a_repeated_timestamp_is_its_own():
    sender = Sender()
    sender.send(P, arrival=10.0)
    sender.send(P, arrival=11.5)
    (unit,) = sender.send(P_2, arrival=13.0, marker=True)
    assert nal_units(unit) == [P, P_2]


def test_a_picture_that_does_not_end_in_time_is_dropped():
    sender = Sender()
    sender.send(P, arrival=10.0)
    sender.send(P_2, arrival=12.0)
    assert sender.send(P_3, arrival=12.5, marker=True) == []
    assert sender.depacketizer.counters.dropped_units == 1


def test_a_picture_that_ends_just_in_time_is_delivered():
    sender = Sender()
    sender.send(P, arrival=10.0)
    (unit,) = sender.send(P_2, arrival=12.0, marker=True)
    assert nal_units(unit) == [P, P_2]


def test_fragments_of_one_byte_take_little_more_memory_than_their_bytes():
    sender = Sender()
    first, middle, *_ = fragments(P + bytes(range(1, 40)), 40)
    sender.send(first)
    tracemalloc.start()
    try:
        for _ in range(5_000):
            sender.send(middle)
        assert tracemalloc.get_traced_memory()[0] < 60_000  # other threads have their share
    finally:
        tracemalloc.stop()


def test_an_access_unit_delimiter_begins_a_unit():
    sender = Sender()
    for payload in (AUD, P, AUD, P):
        sender.send(payload)
    sender.flush()
    assert [nal_units(unit) for unit in sender.units] == [[AUD, P]] * 2


def test_two_fields_under_one_honest_marker_are_one_unit():
    sender = Sender()
    sender.send(P)
    sender.send(P_2, marker=True)
    sender.send(P, 3000)
    (unit,) = sender.send(P, 3000, marker=True)
    assert nal_units(unit) == [P, P]


# Sequence numbers (QUIRKS: two packets with one sequence number)


def test_a_second_packet_with_the_same_sequence_number_is_left_out():
    sender = Sender()
    sender.send(P)
    sender.drop(-1)
    assert sender.send(P_3) == []
    (unit,) = sender.send(P_2, marker=True)
    assert nal_units(unit) == [P, P_2]
    assert (unit.complete, unit.lost) == (True, 0)


def test_a_late_packet_is_left_out_and_does_not_count_as_loss():
    sender = Sender()
    sender.send(P)
    sender.drop(-3)
    sender.send(P_3)
    sender.drop(2)
    (unit,) = sender.send(P_2, marker=True)
    assert (nal_units(unit), unit.complete, unit.lost) == ([P, P_2], True, 0)


def test_numbers_far_behind_begin_anew():
    sender = Sender(first=5000)
    sender.send(P, marker=True)
    sender.number = 100
    (unit,) = sender.send(P, 3000, marker=True)
    assert (unit.complete, unit.lost) == (True, 0)
    assert sender.send(P, 6000, marker=True)


# Loss


def test_a_unit_of_which_nothing_is_left_is_dropped_and_its_loss_told_with_the_next():
    sender = Sender()
    sender.send(P, marker=True)
    first, _, last = fragments(P + b"\1" * 8)
    sender.send(first, 3000)
    sender.drop(2)
    assert sender.send(last, 3000, marker=True) == []
    assert sender.depacketizer.counters.dropped_units == 1
    (unit,) = sender.send(P, 6000, marker=True)
    assert (unit.complete, unit.lost) == (True, 2)


def test_a_gap_between_two_units_makes_both_incomplete():
    sender = Sender()
    sender.send(P)
    sender.drop()
    (before,) = sender.send(P, 3000)
    (after,) = sender.send(P_2, 3000, marker=True)
    assert (before.complete, before.lost) == (False, 1)
    assert (after.complete, after.lost) == (False, 1)


def test_a_delimiter_proves_that_nothing_is_missing_behind_a_gap():
    sender = Sender()
    sender.send(P, marker=True)
    sender.drop()
    sender.send(AUD, 6000)
    (unit,) = sender.send(P, 6000, marker=True)
    assert (unit.complete, unit.lost) == (True, 1)


def test_parameter_sets_before_a_gap_stay_in_force_and_make_no_unit():
    sender = Sender()
    for payload in (SPS, PPS, MESSAGE):
        sender.send(payload)
    sender.drop()
    (unit,) = sender.send(IDR, 3000, marker=True)
    assert nal_units(unit) == [SPS, PPS, IDR]
    assert not unit.complete


def test_a_stream_that_begins_inside_a_picture_is_not_called_complete():
    sender = Sender()
    (unit,) = sender.send(P_2, marker=True)
    assert (unit.complete, unit.lost) == (False, 0)
    sender = Sender()
    _, middle, last = fragments(P + b"\1" * 8)
    assert sender.send(middle) == sender.send(last, marker=True) == []
    assert sender.depacketizer.counters.malformed == 0
    assert sender.depacketizer.counters.dropped_units == 1


def test_a_discontinuity_ends_the_open_unit_and_is_told_once():
    sender = Sender()
    sender.send(P)
    sender.number = 7
    (cut,) = sender.send(IDR, 90, discontinuity=True)
    assert (cut.complete, cut.discontinuity) == (False, False)
    (unit,) = sender.send(IDR_2, 90, marker=True)
    assert (unit.complete, unit.discontinuity) == (True, True)
    (unit,) = sender.send(P, 180, marker=True)
    assert not unit.discontinuity


def test_flush_gives_what_is_waiting_and_begins_anew():
    sender = Sender()
    sender.send(P)
    (unit,) = sender.flush()
    assert (nal_units(unit), unit.complete) == ([P], True)
    assert sender.flush() == []
    sender.number = 30_000
    (unit,) = sender.send(P, marker=True)
    assert (unit.complete, unit.lost) == (True, 0)


def test_flush_without_the_marker_of_an_honest_sender_is_not_complete():
    sender = Sender()
    sender.send(P)
    sender.send(P_2, marker=True)
    sender.send(P, 3000)
    (unit,) = sender.flush()
    assert not unit.complete


def test_sei_without_a_picture_is_no_keyframe():
    sender = Sender()
    sender.send(b"\x06\x06\x01\xc4\x80", marker=True)
    (unit,) = sender.flush()
    assert not unit.keyframe


def test_flush_gives_parameter_sets_that_no_picture_followed():
    sender = Sender()
    sender.send(SPS)
    sender.send(PPS, marker=True)
    (unit,) = sender.flush()
    assert (nal_units(unit), unit.keyframe, unit.complete) == ([SPS, PPS], False, True)
    sender.send(SPS, 9000)
    (unit,) = sender.flush()
    assert not unit.complete


def test_an_empty_payload_is_counted_and_costs_nothing():
    sender = Sender()
    sender.send(P)
    sender.send(b"")
    (unit,) = sender.send(P_2, marker=True)
    assert (nal_units(unit), unit.complete) == ([P, P_2], True)
    assert sender.depacketizer.counters.malformed == 1
    assert sender.depacketizer.deviations == ("payload-empty",)


@settings(max_examples=300, deadline=None)
@example(seed=1933, loss=0.5, mtu=113, marker="honest")
@given(
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 0.5),
    mtu=st.integers(28, 120),
    marker=st.sampled_from(["honest", "never"]),
)
def test_no_loss_pattern_makes_a_complete_unit_of_what_is_not(seed, loss, mtu, marker):
    chance = random.Random(seed)
    packetizer = H264Packetizer(
        payload_type=96, ssrc=1, sequence_number=65_500, max_packet_size=mtu
    )
    depacketizer = H264Depacketizer(90_000, {"sprop-parameter-sets": SPROP})
    sent, units, lost = {}, [], 0
    for index in range(30):
        bodies = [
            nal_unit + chance.randbytes(chance.randrange(60)).replace(b"\0", b"\1")
            if nal_unit[0] & 0x1F in (1, 5)
            else nal_unit
            for nal_unit in PICTURES[index % len(PICTURES)]
        ]
        timestamp = index * 3000
        sent[timestamp] = bodies
        for number, data in enumerate(packetizer.push(join_annex_b(bodies), timestamp)):
            if index + number and chance.random() < loss:
                lost += 1
                continue
            packet = parse_rtp(data)
            if marker == "never":
                packet = parse_rtp(data[:1] + bytes((96,)) + data[2:])
            units += depacketizer.push(packet)
    units += depacketizer.flush()
    for unit in units:
        got = nal_units(unit)
        want = [n for n in sent[unit.timestamp] if not (unit.keyframe and n == AUD)]
        if unit.keyframe:
            assert got[:2] == [SPS, PPS]
            want = [SPS, PPS] + [n for n in want if n not in (SPS, PPS)]
            got = [SPS, PPS] + [n for n in got if n not in (SPS, PPS)]
        # Nothing behind it and no marker: that the end of the stream is lost, nobody can tell.
        is_cut_at_the_end = marker == "never" and unit.timestamp == units[-1].timestamp
        if unit.complete:
            assert got == want[: len(got) if is_cut_at_the_end else None]
        else:
            assert lost
            assert set(got) <= set(want) | {SPS, PPS, MESSAGE}
    if not lost:
        assert len(units) == 30

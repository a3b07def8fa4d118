"""One access unit under construction."""

import random

import pytest

from rtspkit.options import Limits
from rtspkit.payload.h264_parameters import READER
from rtspkit.payload.nal import START_CODE, join_annex_b, split_annex_b
from rtspkit.payload.parameter_sets import ParameterSets
from rtspkit.payload.pending_unit import (
    CLOSED,
    DELIMITER,
    KEY,
    PARAMETER_SET,
    SEI,
    SLICE,
    PendingUnit,
)

SPS = bytes.fromhex("6742c00cd901419f9f011000000300100000030320f142a480")
PPS = bytes.fromhex("68cb83cb20")
AUD, MESSAGE, IDR, NON_IDR = b"\x09\x10", b"\x06\x05\x01\x00\x80", b"\x65\x88\x01", b"\x41\x9a\x01"
KINDS = {9: DELIMITER, 7: PARAMETER_SET, 8: PARAMETER_SET, 6: SEI, 5: SLICE | KEY, 1: SLICE}


def fill(unit, *nal_units):
    for nal_unit in nal_units:
        kind = KINDS[nal_unit[0] & 0x1F]
        if kind & SLICE:
            unit.has_slice = True
        assert unit.open(kind)
        start = unit.nal_start
        assert unit.add(nal_unit)
        unit.close()
        if not kind & SLICE:
            assert unit.last_nal_unit(start) == nal_unit
            unit.note_other(start, READER.key(nal_unit) if kind & PARAMETER_SET else None)
    return unit


def data_of(*nal_units, in_force=()):
    unit = fill(PendingUnit(Limits()), *nal_units)
    return split_annex_b(unit.data(ParameterSets(READER, in_force)))


def test_a_unit_that_is_no_keyframe_is_as_it_came():
    assert data_of(AUD, MESSAGE, NON_IDR, in_force=(SPS, PPS)) == [AUD, MESSAGE, NON_IDR]


def test_a_keyframe_with_all_sets_in_front_is_as_it_came():
    assert data_of(SPS, PPS, MESSAGE, IDR, in_force=(SPS, PPS)) == [SPS, PPS, MESSAGE, IDR]


def test_a_keyframe_without_sets_gets_those_in_force():
    assert data_of(MESSAGE, IDR, in_force=(SPS, PPS)) == [SPS, PPS, MESSAGE, IDR]


def test_a_keyframe_with_some_of_the_sets_gets_each_once():
    assert data_of(PPS, IDR, in_force=(SPS, PPS)) == [SPS, PPS, IDR]
    assert data_of(MESSAGE, SPS, PPS, IDR, in_force=(SPS, PPS)) == [SPS, PPS, MESSAGE, IDR]


def test_a_keyframe_has_no_delimiter_in_front_of_its_sets():
    assert data_of(AUD, SPS, PPS, IDR, in_force=(SPS, PPS)) == [SPS, PPS, IDR]
    assert data_of(AUD, IDR, in_force=(SPS, PPS)) == [SPS, PPS, IDR]


def test_a_set_that_cannot_be_read_stays_where_it_is():
    assert data_of(b"\x67\x01", PPS, IDR, in_force=(PPS,)) == [b"\x67\x01", PPS, IDR]


def test_a_nal_unit_with_a_hole_is_cut_off_again_and_its_room_is_free():
    unit = fill(PendingUnit(Limits()), IDR)
    room = unit.room
    unit.open(SLICE)
    unit.add(b"ha")
    unit.add(b"lf")
    unit.cut(unit.nal_start)
    assert b"".join(unit.parts) == join_annex_b([IDR])
    assert (unit.nal_start, unit.fragment, unit.slices) == (CLOSED, CLOSED, 1)
    assert (unit.room, unit.settled) == (room, len(unit.parts))
    unit.settle()
    assert unit.data(ParameterSets(READER, ())) == join_annex_b([IDR])


def test_whole_slices_are_counted():
    unit = fill(PendingUnit(Limits()), AUD, NON_IDR, NON_IDR)
    assert (unit.slices, unit.keyframe) == (2, False)
    assert fill(unit, IDR).keyframe


def test_more_nal_units_than_the_limit_break_the_unit():
    unit = fill(PendingUnit(Limits(nal_units=2)), AUD, NON_IDR)
    assert not unit.open(SLICE)
    assert unit.broken
    assert unit.parts == []
    assert not unit.open(SLICE)


def test_a_nal_unit_that_was_cut_off_does_not_count():
    unit = PendingUnit(Limits(nal_units=1))
    unit.open(SLICE)
    unit.cut(unit.nal_start)
    assert unit.open(SLICE)
    assert not unit.open(SLICE)


def test_more_bytes_than_the_limit_break_the_unit_and_are_freed():
    unit = fill(PendingUnit(Limits(video_access_unit=13)), b"\x41\x9a\x01\x02\x03")
    unit.open(SLICE)
    assert not unit.broken
    assert not unit.add(b"\x41")
    assert unit.broken
    assert (unit.parts, unit.nal_start) == ([], CLOSED)


def test_a_unit_of_just_the_limit_is_within_it():
    unit = fill(PendingUnit(Limits(video_access_unit=9)), b"\x41\x9a\x01\x02\x03")
    assert (unit.room, unit.broken) == (0, False)


@pytest.mark.parametrize("sizes", [[300], [300] * 3, [1] * 1000, [1, 300, 2, 3, 300, 1]])
def test_settling_copies_views_and_changes_no_byte(sizes):
    memory = bytearray(random.Random(1).randbytes(sum(sizes)))
    unit = PendingUnit(Limits())
    unit.open(SLICE)
    view, position = memoryview(memory), 0
    for size in sizes:
        unit.parts.append(view[position : position + size])
        unit.settle()
        position += size
    view.release()
    memory.append(0)  # raises BufferError while any view of it is alive
    unit.close()
    assert unit.data(ParameterSets(READER, ())) == START_CODE + memory[:-1]


def test_a_nal_unit_that_begins_settles_the_one_before():
    memory = bytearray(b"\x41\x9a\x01")
    unit = PendingUnit(Limits())
    unit.open(SLICE)
    unit.parts.append(memoryview(memory))
    unit.close()
    unit.open(SLICE)
    memory.append(0)
    assert all(type(part) is bytes for part in unit.parts)


def test_small_pieces_are_kept_as_few():
    unit = PendingUnit(Limits())
    unit.open(SLICE)
    for _ in range(10_000):
        unit.add(b"x")
        unit.settle()
    assert len(unit.parts) < 50

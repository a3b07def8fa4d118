"""What the marker bit of one sender is worth."""

import pytest

from rtspkit.options import Limits
from rtspkit.payload.marker import Marker, MarkerJudge
from rtspkit.payload.pending_unit import SLICE, PendingUnit


def unit(*, slices=True, middle=False):
    made = PendingUnit(Limits())
    made.has_slice = slices
    if middle:
        made.open(SLICE)
    return made


def judge(verdict=Marker.UNKNOWN):
    made = MarkerJudge({})
    made.verdict = verdict
    return made


def test_a_marker_behind_the_slices_of_several_packets_ends_the_unit_and_is_honest():
    marker = judge()
    assert marker.ends_unit(unit(), is_first_packet=False)
    assert marker.verdict is Marker.HONEST


def test_a_marker_on_the_only_packet_ends_the_unit_and_proves_nothing():
    marker = judge()
    assert marker.ends_unit(unit(), is_first_packet=True)
    assert marker.verdict is Marker.UNKNOWN


@pytest.mark.parametrize("verdict", Marker)
def test_a_marker_before_the_slices_never_ends_a_unit(verdict):
    assert not judge(verdict).ends_unit(unit(slices=False), is_first_packet=False)


@pytest.mark.parametrize("verdict", Marker)
def test_a_marker_inside_of_a_nal_unit_never_ends_a_unit(verdict):
    assert not judge(verdict).ends_unit(unit(middle=True), is_first_packet=False)


def test_two_markers_behind_slices_of_one_unit_are_lies():
    notes = {}
    marker, pending = MarkerJudge(notes), unit(middle=True)
    marker.ends_unit(pending, is_first_packet=True)
    pending.close()
    assert not marker.ends_unit(pending, is_first_packet=False)
    assert marker.verdict is Marker.LIES
    assert list(notes) == ["marker-unreliable"]
    assert not marker.ends_unit(unit(), is_first_packet=False)


def test_behind_a_marker_on_sei_the_timestamp_decides_once():
    marker, pending = judge(), unit(slices=False)
    marker.ends_unit(pending, is_first_packet=True)
    pending.has_slice = True
    assert not marker.ends_unit(pending, is_first_packet=False)
    marker.end_by_timestamp(pending, packets=4, marked=True)
    assert marker.verdict is Marker.HONEST
    assert marker.ends_unit(pending, is_first_packet=False)


def test_markers_on_all_packets_prove_no_honesty():
    marker, pending = judge(), unit(slices=False)
    marker.ends_unit(pending, is_first_packet=True)
    pending.has_slice = True
    marker.ends_unit(pending, is_first_packet=False)
    marker.end_by_timestamp(pending, packets=2, marked=True)
    assert marker.verdict is Marker.UNKNOWN


def test_a_unit_that_no_marker_ended_is_noted():
    notes = {}
    MarkerJudge(notes).end_by_timestamp(unit(), packets=3, marked=False)
    assert list(notes) == ["marker-missing"]


def test_a_damaged_unit_proves_nothing():
    notes = {}
    pending = unit()
    pending.damaged = True
    marker = MarkerJudge(notes)
    marker.end_by_timestamp(pending, packets=3, marked=False)
    assert (marker.verdict, notes) == (Marker.UNKNOWN, {})


def test_a_unit_to_be_dropped_ends_at_its_marker():
    pending = unit(slices=False)
    pending.give_up()
    assert judge().ends_unit(pending, is_first_packet=False)

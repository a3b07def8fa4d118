"""Whether another source may take over: two packets in order, and nobody between (M2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.source import SILENCE, SourceWatch
from rtspkit.wire.rtp import parse_rtp, serialize_rtp


def packet(number, ssrc=8):
    return parse_rtp(
        serialize_rtp(b"", payload_type=96, sequence_number=number & 0xFFFF, timestamp=0, ssrc=ssrc)
    )


def confirm(watch, one, *, received=5, expected_type=True, silence=0.0):
    return watch.confirm(one, received=received, expected_type=expected_type, silence=silence)


@pytest.mark.parametrize("number", [0, 1000, 65_535])
def test_two_in_order_take_over_and_the_first_one_is_given_back(number):
    watch, first = SourceWatch(), packet(number)
    assert confirm(watch, first) is None
    before = confirm(watch, packet(number + 1))
    assert bytes(before) == bytes(first)
    assert before.memory.obj is not first.memory.obj  # its slab may be used again meanwhile


@pytest.mark.parametrize("number", [10, 12, 9, 11 + 65_535])
def test_two_that_do_not_follow_each_other_do_not(number):
    watch = SourceWatch()
    confirm(watch, packet(10))
    assert confirm(watch, packet(number)) is None


def test_a_packet_of_the_present_source_between_them_keeps_it():
    watch = SourceWatch()
    confirm(watch, packet(10), received=5)
    assert confirm(watch, packet(11), received=6) is None
    assert confirm(watch, packet(12), received=6).sequence_number == 11


def test_a_packet_of_a_third_source_between_them_keeps_it():
    watch = SourceWatch()
    confirm(watch, packet(10, ssrc=8))
    assert confirm(watch, packet(11, ssrc=9)) is None
    assert confirm(watch, packet(11, ssrc=8)) is None


def test_a_foreign_payload_type_needs_a_silence_besides():
    watch = SourceWatch()
    for number in range(10):
        assert confirm(watch, packet(number), expected_type=False, silence=SILENCE) is None
    taken = confirm(watch, packet(10), expected_type=False, silence=SILENCE + 0.01)
    assert taken.sequence_number == 9


def test_what_took_over_is_no_candidate_any_more():
    watch = SourceWatch()
    confirm(watch, packet(1))
    assert confirm(watch, packet(2)) is not None
    assert confirm(watch, packet(3)) is None


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([7, 8, 9])), max_size=60))
def test_m2_who_takes_over_has_sent_the_two_packets_just_before(arrivals):
    """7 is the present source, which only counts."""
    watch, received, before = SourceWatch(), 0, None
    for number, ssrc in arrivals:
        if ssrc == 7:
            received += 1
            before = None
            continue
        one = packet(number, ssrc)
        taken = confirm(watch, one, received=received)
        in_order = before is not None and (before.ssrc, before.sequence_number + 1) == (
            ssrc,
            number,
        )
        assert (bytes(taken) if taken else None) == (bytes(before) if in_order else None)
        before = None if taken else one

"""What all payload formats share: counting what is missing, and numbering packets."""

import pytest

from rtspkit.errors import LocalProtocolError
from rtspkit.options import Limits
from rtspkit.payload.base import AccessUnit, Depacketizer, DepacketizerCounters, Packetizer
from rtspkit.wire.rtp import parse_rtp, serialize_rtp


class Whole(Depacketizer):
    """Each payload is a unit; tells what was missing."""

    encoding_name = "X-WHOLE"

    def push(self, packet):
        lost = self._missing_before(packet)
        return [AccessUnit(bytes(packet.payload), packet.timestamp, lost=lost)]

    def flush(self):
        return []


class Halves(Packetizer):
    """Two payloads a unit, the second one tick later and marked."""

    encoding_name = "X-HALVES"

    def payloads(self, data):
        middle = len(data) // 2
        return [(data[:middle], 0, False), (data[middle:], 1, True)]


def packet(sequence_number, *, lost=0, discontinuity=False):
    made = parse_rtp(
        serialize_rtp(
            b"x", payload_type=96, sequence_number=sequence_number & 0xFFFF, timestamp=0, ssrc=1
        )
    )
    made.lost, made.discontinuity = lost, discontinuity
    return made


def depacketizer():
    return Whole(90_000, {}, None, Limits())


def lost(reader, *packets):
    return [reader.push(one)[0].lost for one in packets]


def test_nothing_is_missing_between_neighbours():
    assert lost(depacketizer(), packet(1), packet(2), packet(3)) == [0, 0, 0]


def test_many_packets_are_pushed_one_after_the_other():
    one, other = depacketizer(), depacketizer()
    packets = [packet(number) for number in (1, 2, 5, 5, 6)]
    units = [unit for each in packets for unit in one.push(each)]
    assert other.push_many(packets) == units
    assert [unit.lost for unit in units] == [0, 0, 2, 0, 0]
    assert other.push_many([]) == []


def test_missing_packets_are_counted_across_the_wrap():
    assert lost(depacketizer(), packet(0xFFFE), packet(2)) == [0, 3]


def test_the_first_packet_tells_what_the_session_knows_of_it():
    assert lost(depacketizer(), packet(1, lost=4)) == [4]


def test_a_packet_that_begins_anew_is_not_compared_with_the_last_one():
    reader = depacketizer()
    packets = packet(1), packet(5_000, discontinuity=True), packet(5_001)
    assert lost(reader, *packets) == [0, 0, 0]


def test_a_packet_behind_the_last_one_has_nothing_missing_before_it():
    assert lost(depacketizer(), packet(10), packet(10), packet(4)) == [0, 0, 0]


def test_behind_is_what_comes_late_or_twice_but_not_what_begins_anew():
    reader = depacketizer()
    assert not reader._is_behind(packet(10))
    lost(reader, packet(10), packet(11))
    behind = {number: reader._is_behind(packet(number)) for number in (12, 11, 10, -116, -117, 13)}
    assert behind == {12: False, 11: True, 10: True, -116: True, -117: False, 13: False}
    assert not reader._is_behind(packet(10, discontinuity=True))


@pytest.mark.parametrize(("clock_rate", "seconds"), [(90_000, 0.5), (0, 0.0), (-1, 0.0)])
def test_a_clock_rate_that_cannot_be_makes_no_time_and_no_error(clock_rate, seconds):
    assert Whole(clock_rate, {}, None, Limits())._seconds(45_000) == seconds


def test_an_access_unit_is_whole_and_decodable_until_somebody_says_otherwise():
    unit = AccessUnit(b"x", 1)
    assert (unit.keyframe, unit.complete, unit.lost, unit.discontinuity) == (True, True, 0, False)
    assert unit.stream is unit.wall_time is unit.wall_source is None


def test_counters_begin_at_zero_and_belong_to_one_depacketizer():
    one, other = depacketizer(), depacketizer()
    one.counters.malformed += 1
    assert other.counters == DepacketizerCounters(0, 0, 0)


def test_a_depacketizer_without_parameter_sets_has_none():
    assert depacketizer().parameter_sets == ()


def test_packets_are_numbered_and_timed_by_the_packetizer():
    writer = Halves(payload_type=99, ssrc=7, sequence_number=0xFFFF)
    packets = [parse_rtp(one) for one in writer.push(b"abcd", 1 << 32)]
    assert [(p.sequence_number, p.timestamp, p.marker) for p in packets] == [
        (0xFFFF, 0, False),
        (0, 1, True),
    ]
    assert [bytes(p.payload) for p in packets] == [b"ab", b"cd"]
    assert {(p.payload_type, p.ssrc) for p in packets} == {(99, 7)}
    assert writer.sequence_number == 1


def test_the_timestamp_wraps_inside_a_unit():
    writer = Halves(payload_type=99, ssrc=7)
    packets = [parse_rtp(one) for one in writer.push(b"abcd", 0xFFFFFFFF)]
    assert [p.timestamp for p in packets] == [0xFFFFFFFF, 0]


def test_a_packet_size_without_room_for_a_payload_is_refused():
    assert Halves(payload_type=99, ssrc=7, max_packet_size=28).max_payload_size == 16
    with pytest.raises(ValueError, match="at least 28"):
        Halves(payload_type=99, ssrc=7, max_packet_size=27)


def test_a_payload_type_that_does_not_fit_is_refused_when_it_is_used():
    with pytest.raises(LocalProtocolError):
        Halves(payload_type=128, ssrc=7).push(b"ab", 0)


def test_the_repr_of_a_unit_gives_the_size_and_not_the_bytes():
    text = repr(AccessUnit(bytes(5_000_000), 3_000, media_time=1.5, lost=2))
    assert "data=5000000 bytes" in text
    assert "lost=2" in text
    assert len(text) < 200

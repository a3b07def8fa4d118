"""What numpy's loops have of their own: types, and runs that join without a seam."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.columns import parse_columns
from rtspkit.wire.rtp import serialize_rtp

np = pytest.importorskip("numpy")
numpy_columns = pytest.importorskip("rtspkit.wire.numpy_columns")

NAMES = tuple(numpy_columns.KINDS)


def packet(number, **more):
    return serialize_rtp(
        b"abc", payload_type=96, sequence_number=number, timestamp=number, ssrc=1, **more
    )


def lists(columns):
    return [getattr(columns, name).tolist() for name in NAMES]


def test_columns_have_the_types_that_are_documented():
    columns = parse_columns(packet(1), [15], engine="numpy")
    kinds = {name: getattr(columns, name).dtype.name for name in NAMES}
    assert kinds == {
        "sequence_number": "uint16",
        "timestamp": "uint32",
        "marker": "bool",
        "payload_type": "uint8",
        "ssrc": "uint32",
        "size": "int32",
        "payload_size": "int32",
        "arrival": "float64",
        "valid": "bool",
    }


def test_columns_own_their_memory_and_may_be_written():
    lengths, arrivals = np.array([15]), np.array([1.0])
    columns = parse_columns(packet(1), lengths, arrival=arrivals, engine="numpy")
    columns.size[0] = columns.arrival[0] = 9
    assert (lengths[0], arrivals[0]) == (15, 1.0)


@given(st.lists(st.sampled_from([packet(1), packet(2, padding=4), b"short", bytes(15)])))
def test_runs_join_without_a_seam(packets):
    whole = numpy_columns.RUN
    lengths, arrivals = list(map(len, packets)), [float(row) for row in range(len(packets))]
    numpy_columns.RUN = 3
    try:
        columns = parse_columns(b"".join(packets), lengths, arrival=arrivals, engine="numpy")
    finally:
        numpy_columns.RUN = whole
    plain = parse_columns(b"".join(packets), lengths, arrival=arrivals, engine="python")
    assert lists(columns) == lists(plain)


def test_more_than_one_run_of_the_real_size():
    count = numpy_columns.RUN + 5
    memory = packet(7) * count
    columns = parse_columns(memory, np.full(count, 15), slot_size=15, engine="numpy")
    assert len(columns) == count
    assert (columns.sequence_number == 7).all()


@pytest.mark.parametrize("kind", [np.uint64, np.int16, np.uint8])
def test_lengths_of_any_integer_type_are_taken(kind):
    assert len(parse_columns(packet(1), np.array([15], kind), engine="numpy")) == 1


def test_a_length_beyond_64_bits_with_sign():
    with pytest.raises(LocalProtocolError):
        parse_columns(packet(1), np.array([2**64 - 1], np.uint64), engine="numpy")


def test_a_length_beyond_one_run_is_found_in_the_next():
    lengths = [15] * numpy_columns.RUN + [16]
    with pytest.raises(LocalProtocolError):
        parse_columns(packet(1) * len(lengths), lengths, engine="numpy")

"""Headers as columns: the verdict and the numbers of ``parse_rtp``, with either engine."""

import sys
from array import array
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, MalformedPacket, MissingExtra
from rtspkit.wire.columns import LATEST, concatenate_columns, parse_columns, use_numpy
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

HAS_NUMPY = find_spec("numpy") is not None
needs_numpy = pytest.mark.skipif(not HAS_NUMPY, reason="numpy is not installed")
ENGINES = ["python", pytest.param("numpy", marks=needs_numpy)]
INSTALLED = ["python", "numpy"] if HAS_NUMPY else ["python"]
NAMES = (
    *("sequence_number", "timestamp", "marker", "payload_type", "ssrc"),
    *("size", "payload_size", "arrival", "valid"),
)

PLAIN = serialize_rtp(
    b"payload", payload_type=96, sequence_number=65_535, timestamp=2**32 - 1, ssrc=2**32 - 2
)
FULL = serialize_rtp(
    b"payload",
    payload_type=127,
    sequence_number=1,
    timestamp=2,
    ssrc=3,
    marker=True,
    csrcs=[7, 8],
    extension=(0xBEDE, bytes(8)),
    padding=4,
)


def values(columns):
    """Every column as a list."""
    return {name: getattr(columns, name).tolist() for name in NAMES}


def expected(packets, arrivals):
    """What ``parse_rtp`` says of the same packets."""
    rows = {name: [] for name in NAMES}
    for data, arrival in zip(packets, arrivals, strict=True):
        try:
            packet = parse_rtp(data)
        except MalformedPacket:
            rows["valid"].append(False)
            continue
        rows["valid"].append(True)
        rows["size"].append(len(packet))
        rows["payload_size"].append(len(packet.payload))
        rows["arrival"].append(arrival)
        for name in NAMES[:5]:
            rows[name].append(getattr(packet, name))
    return rows


def parsed(packets, engine, arrival=0.0):
    return parse_columns(
        b"".join(packets), [len(packet) for packet in packets], arrival=arrival, engine=engine
    )


@st.composite
def datagrams(draw):
    """Good packets, bad ones, and those that a few bytes make the difference for."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=40))
    data = bytearray(
        serialize_rtp(
            draw(st.binary(max_size=12)),
            payload_type=draw(st.integers(0, 127)),
            sequence_number=draw(st.integers(0, 0xFFFF)),
            timestamp=draw(st.integers(0, 0xFFFFFFFF)),
            ssrc=draw(st.integers(0, 0xFFFFFFFF)),
            marker=draw(st.booleans()),
            csrcs=draw(st.lists(st.integers(0, 9), max_size=3)),
            extension=draw(st.none() | st.just((0xBEDE, b"")) | st.just((1, bytes(8)))),
            padding=draw(st.integers(0, 6)),
        )
    )
    if draw(st.booleans()):
        data[0] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        data[-1] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


class TestVerdict:
    @pytest.mark.parametrize("engine", ENGINES)
    @given(packets=st.lists(datagrams(), max_size=12), place=st.integers(0, 3))
    def test_it_is_that_of_parse_rtp_for_all_bytes(self, engine, packets, place):
        """Any bytes: the same rows as packet by packet; nothing raised, nothing changed."""
        arrivals = [0.5 * row for row in range(len(packets))]
        memory = bytearray(place) + b"".join(packets)
        before = bytes(memory)
        offsets, offset = [], place
        for packet in packets:
            offsets.append(offset)
            offset += len(packet)
        columns = parse_columns(
            memory, list(map(len, packets)), offsets=offsets, arrival=arrivals, engine=engine
        )
        rows = expected(packets, arrivals)
        assert values(columns) == rows
        assert len(columns) == len(rows["size"])
        assert columns.malformed == rows["valid"].count(False)
        assert memory == before

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("whole", [PLAIN, FULL], ids=["plain", "full"])
    def test_a_packet_cut_anywhere(self, engine, whole):
        packets = [whole[:size] for size in range(len(whole) + 1)]
        assert values(parsed(packets, engine)) == expected(packets, [0.0] * len(packets))

    @pytest.mark.parametrize("engine", ENGINES)
    def test_every_first_byte(self, engine):
        packets = [bytes([first]) + FULL[1:] for first in range(256)]
        assert values(parsed(packets, engine)) == expected(packets, [0.0] * 256)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_an_extension_that_ends_the_packet(self, engine):
        head = b"\x90\x60" + bytes(10) + b"\xbe\xde\x00\x00"
        columns = parsed([head, head[:-1], b"\xb0" + head[1:]], engine)
        assert columns.valid.tolist() == [True, False, False]
        assert columns.payload_size.tolist() == [0]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_an_extension_that_claims_the_most(self, engine):
        head = b"\x90\x60" + bytes(10) + b"\xbe\xde\xff\xff"
        packets = [head, head + bytes(4 * 0xFFFF - 1), head + bytes(4 * 0xFFFF)]
        columns = parsed(packets, engine)
        assert columns.valid.tolist() == [False, False, True]
        assert columns.payload_size.tolist() == [0]


class TestLayout:
    @pytest.mark.parametrize("engine", ENGINES)
    def test_slots_begin_equally_far_apart(self, engine):
        memory = bytearray(3 * 64)
        memory[0 : len(PLAIN)] = PLAIN
        memory[128 : 128 + len(FULL)] = FULL
        columns = parse_columns(memory, [len(PLAIN), 5, len(FULL)], slot_size=64, engine=engine)
        assert columns.sequence_number.tolist() == [65_535, 1]
        assert columns.valid.tolist() == [True, False, True]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_the_last_slot_may_be_cut_short(self, engine):
        memory = PLAIN.ljust(64, b"\0") + PLAIN
        columns = parse_columns(memory, [len(PLAIN)] * 2, slot_size=64, engine=engine)
        assert len(columns) == 2

    @pytest.mark.parametrize("engine", ENGINES)
    def test_packets_one_after_the_other_need_no_offsets(self, engine):
        columns = parse_columns(PLAIN + FULL, [len(PLAIN), len(FULL)], engine=engine)
        assert columns.ssrc.tolist() == [2**32 - 2, 3]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_packets_may_lie_in_any_order_and_overlap(self, engine):
        memory = PLAIN + FULL
        columns = parse_columns(
            memory, [len(FULL), len(PLAIN), 12], offsets=[len(PLAIN), 0, 0], engine=engine
        )
        assert columns.sequence_number.tolist() == [1, 65_535, 65_535]
        assert columns.payload_size.tolist() == [7, 7, 0]

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("memory", [b"", PLAIN])
    def test_no_packets_are_no_rows(self, engine, memory):
        columns = parse_columns(memory, [], engine=engine)
        assert values(columns) == {name: [] for name in NAMES}
        assert (len(columns), columns.malformed) == (0, 0)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_empty_packets_of_empty_memory_are_malformed(self, engine):
        assert parse_columns(b"", [0, 0], offsets=[0, 0], engine=engine).malformed == 2

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: array("I", b)])
    def test_any_contiguous_memory_is_taken(self, engine, kind):
        memory = kind(PLAIN.ljust(20, b"\0"))
        assert len(parse_columns(memory, [len(PLAIN)], engine=engine)) == 1

    @pytest.mark.parametrize("engine", ENGINES)
    def test_columns_are_taken_where_lists_are(self, engine):
        size = len(PLAIN)
        columns = parse_columns(
            PLAIN + PLAIN,
            array("H", [size, size]),
            offsets=array("I", [0, size]),
            arrival=array("f", [1.5, 2.5]),
            engine=engine,
        )
        assert columns.arrival.tolist() == [1.5, 2.5]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_one_moment_for_all(self, engine):
        columns = parse_columns(PLAIN + b"x" + PLAIN, [19, 1, 19], arrival=7, engine=engine)
        assert columns.arrival.tolist() == [7.0, 7.0]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_nothing_of_the_memory_is_kept(self, engine):
        memory = bytearray(PLAIN)
        lengths, arrivals = array("q", [len(PLAIN)]), array("d", [1.0])
        columns = parse_columns(memory, lengths, arrival=arrivals, engine=engine)
        memory[:] = bytes(500)  # a BufferError while anybody looks at it
        lengths.extend([0])
        arrivals.extend([0])
        assert columns.sequence_number.tolist() == [65_535]
        assert (columns.size.tolist(), columns.arrival.tolist()) == ([19], [1.0])


class TestRefusal:
    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize(
        ("lengths", "more"),
        [
            ([20], {}),
            ([19, 1], {}),
            ([-1], {}),
            ([12], {"offsets": [8]}),
            ([12], {"offsets": [-1]}),
            ([0], {"offsets": [20]}),
            ([12], {"offsets": [2**63 - 1]}),
            ([2**63 - 1], {"offsets": [2**63 - 1]}),
            ([2**63], {}),
            ([2**64], {}),
            ([13], {"slot_size": 12}),
            ([12, 12], {"slot_size": 12}),
            ([12, 0], {"slot_size": 2**40}),
        ],
    )
    def test_a_packet_outside_of_its_memory(self, engine, lengths, more):
        with pytest.raises(LocalProtocolError, match=r"inside its memory|no memory has"):
            parse_columns(PLAIN, lengths, engine=engine, **more)

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize(
        "more",
        [
            {"offsets": [0], "slot_size": 19},
            {"slot_size": 0},
            {"offsets": []},
            {"arrival": []},
            {"arrival": float("nan")},
            {"arrival": [float("inf")]},
            {"arrival": [-2 * LATEST]},
        ],
    )
    def test_arguments_that_cannot_be(self, engine, more):
        with pytest.raises(LocalProtocolError):
            parse_columns(PLAIN, [19], engine=engine, **more)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_lengths_that_are_no_integers(self, engine):
        with pytest.raises(TypeError):
            parse_columns(PLAIN, [19.0], engine=engine)


class TestEngine:
    def test_there_is_no_other(self):
        with pytest.raises(LocalProtocolError, match="'fortran'"):
            use_numpy("fortran")

    @needs_numpy
    def test_auto_is_numpy_where_it_is_installed(self):
        assert (use_numpy("auto"), use_numpy("numpy"), use_numpy("python")) == (True, True, False)
        assert not isinstance(parsed([PLAIN], "auto").size, array)

    def test_auto_is_python_without_numpy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy", None)
        columns = parse_columns(PLAIN, [19])
        assert isinstance(columns.size, array)
        assert isinstance(concatenate_columns([columns]).size, array)

    def test_numpy_that_is_asked_for_and_missing_names_its_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy", None)
        with pytest.raises(MissingExtra, match=r"rtspkit\[numpy\]"):
            parse_columns(PLAIN, [19], engine="numpy")
        with pytest.raises(MissingExtra, match=r"rtspkit\[numpy\]"):
            concatenate_columns([], engine="numpy")

    def test_array_columns_have_the_type_codes_that_are_documented(self):
        columns = parsed([PLAIN], "python")
        codes = [getattr(columns, name).typecode for name in NAMES]
        assert codes == ["H", "I", "B", "B", "I", "i", "i", "d", "B"]


class TestConcatenation:
    @pytest.mark.parametrize("engine", ENGINES)
    @given(packets=st.lists(datagrams(), max_size=9), cuts=st.tuples(*[st.integers(0, 9)] * 2))
    def test_parts_of_any_engine_are_the_whole(self, engine, packets, cuts):
        first, second = sorted(cuts)
        pieces = [packets[:first], packets[first:second], packets[second:]]
        for made_by in INSTALLED:
            parts = [parsed(piece, made_by, arrival=3.0) for piece in pieces]
            whole = concatenate_columns(parts, engine=engine)
            assert values(whole) == values(parsed(packets, engine, arrival=3.0))
            assert (
                repr(whole) == f"PacketColumns({len(whole)} packets, {whole.malformed} malformed)"
            )

    @pytest.mark.parametrize("engine", ENGINES)
    def test_no_parts_are_no_rows(self, engine):
        assert len(concatenate_columns([], engine=engine)) == 0

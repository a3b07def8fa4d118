"""The structures of recvmmsg, as the kernel has them."""

from __future__ import annotations

import ctypes
import struct
import sys

import pytest

from rtspkit.net.message_headers import (
    ANSWER,
    CONTROL_SIZE,
    LoneHeader,
    MessageHeaders,
    Overflow,
    control_messages,
)
from rtspkit.net.mmsghdr import LAYOUT_KNOWN
from rtspkit.net.slab import DATAGRAMS, Slab

pytestmark = pytest.mark.skipif(not LAYOUT_KNOWN, reason="no layout for this platform")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_columns_look_at_every_header():
    headers = MessageHeaders(Slab(DATAGRAMS), Overflow(DATAGRAMS.slots))
    assert len(headers.lengths) == len(headers.control_lengths) == DATAGRAMS.slots
    assert headers.control_lengths.tolist() == [CONTROL_SIZE] * DATAGRAMS.slots
    for slot, header in enumerate(headers._headers):
        header.length = 1000 + slot
        header.control_length = 32
    assert headers.lengths.tolist() == list(range(1000, 1064))
    headers.reset()
    assert headers._headers[63].control_length == CONTROL_SIZE


def test_every_datagram_has_room_for_the_largest():
    headers = MessageHeaders(Slab(DATAGRAMS), Overflow(DATAGRAMS.slots))
    for slot, header in enumerate(headers._headers):
        assert header.vector_length == 2
        vectors = headers._vectors[slot * 2 : slot * 2 + 2]
        assert sum(vector.length for vector in vectors) == 64 * 1024
    bases = [vector.base for vector in headers._vectors]
    assert len(set(bases)) == len(bases)


def test_a_lone_header_points_where_it_is_told():
    header = LoneHeader()
    assert header.address.value == ctypes.addressof(header._header)
    header._header.control_length = 3
    header._header.length = 77
    assert ANSWER(header.answer) == (3, 77)
    header.point_at(4096)
    assert header._vector.base == 4096
    assert ANSWER(header.answer) == (CONTROL_SIZE, 77)
    assert len(header.control) == CONTROL_SIZE


def control(*messages: tuple[int, int, bytes]) -> memoryview:
    data = b""
    for level, kind, content in messages:
        data += struct.pack("QII", 16 + len(content), level, kind) + content
        data += bytes(-len(data) % 8)
    return memoryview(data)


def test_control_messages_are_told_apart():
    found = control_messages(control((1, 35, bytes(16)), (1, 40, b"four"), (17, 104, b"more")))
    assert [(level, kind, bytes(data)) for level, kind, data in found] == [
        (1, 35, bytes(16)),
        (1, 40, b"four"),
        (17, 104, b"more"),
    ]


@pytest.mark.parametrize(
    "broken",
    [b"", bytes(15), bytes(16), struct.pack("QII", 15, 1, 1), struct.pack("QII", 17, 1, 1)],
)
def test_a_broken_one_ends_them(broken):
    good = bytes(control((1, 40, b"four")))
    assert len(list(control_messages(memoryview(good + broken)))) == 1

"""Pieces: bytes in the pieces they came in, and the carry between them."""

import pytest

from rtspkit.wire.pieces import Pieces

JOIN = 64


def test_a_piece_is_taken_in_hand_in_place_and_read_only():
    data = bytearray(b"abc")
    pieces = Pieces()
    pieces.receive_data(data)
    data[0] = ord("x")
    assert pieces._view == b"xbc"
    assert pieces._view.readonly


def test_a_second_piece_waits_until_the_first_is_used_up():
    pieces = Pieces()
    pieces.receive_data(b"abc")
    pieces.receive_data(b"de")
    assert pieces._view == b"abc"
    assert pieces._load(join=JOIN)
    assert pieces._view == b"de"
    assert not pieces._load(join=JOIN)
    assert len(pieces._view) == 0


def test_an_empty_piece_is_nothing():
    pieces = Pieces()
    pieces.receive_data(b"")
    assert not pieces._load(join=0)


def test_views_of_other_shapes_are_read_as_bytes():
    pieces = Pieces()
    pieces.receive_data(memoryview(b"abcd").cast("I"))
    assert pieces._view == b"abcd"


def test_a_piece_that_is_not_contiguous_is_a_type_error():
    with pytest.raises(TypeError):
        Pieces().receive_data(memoryview(b"abcdef")[::2])


def test_an_open_question_takes_only_a_little_of_the_next_piece():
    pieces = Pieces()
    pieces.receive_data(b"ab")
    pieces._hold(1)
    pieces._in_order = False
    pieces.receive_data(bytes(JOIN + 5))
    assert pieces._load(join=JOIN)
    assert pieces._view == b"b" + bytes(JOIN)
    assert not pieces._carry
    assert pieces._load(join=JOIN)
    assert pieces._view == bytes(5)


def test_without_a_question_the_carry_stays_and_the_piece_comes_whole():
    pieces = Pieces()
    pieces.receive_data(b"ab")
    pieces._hold(1)
    pieces._in_order = False
    pieces.receive_data(bytes(JOIN + 5))
    assert pieces._load(join=0)
    assert len(pieces._view) == JOIN + 5
    assert pieces._carry == b"b"


def test_what_is_missing_is_collected_over_pieces_and_no_byte_more():
    pieces = Pieces()
    pieces._missing = 4
    pieces.receive_data(b"ab")
    assert not pieces._collect()
    pieces.receive_data(b"cdef")
    assert pieces._collect()
    assert pieces._carry == b"abcd"
    assert pieces._view[pieces._position :] == b"ef"


def test_after_stop_nothing_is_kept():
    pieces = Pieces()
    pieces.receive_data(b"ab")
    pieces.receive_data(b"cd")
    pieces._stop()
    pieces.receive_data(b"ef")
    assert not pieces._load(join=0)
    assert len(pieces._view) == 0


def test_at_rest_means_that_all_was_read_and_nothing_is_begun():
    pieces = Pieces()
    assert pieces.at_rest
    pieces.receive_data(b"abc")
    assert not pieces.at_rest
    pieces._position = 3
    assert pieces.at_rest
    pieces.receive_data(b"de")
    pieces.receive_data(b"f")
    pieces._position = 2
    assert not pieces.at_rest  # one waits

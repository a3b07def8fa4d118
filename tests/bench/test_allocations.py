"""Buffers, counted exactly."""

import pytest

from bench.allocations import buffers_of_recv


def test_what_recv_gives_is_one_buffer_for_each_packet():
    assert buffers_of_recv(200) == pytest.approx(1.0, abs=0.02)

"""The state of a stream, weighed."""

import pytest

from bench.memory import rtp_state


def test_the_state_of_a_stream_does_not_depend_on_how_many_are_weighed():
    few, many = rtp_state(200), rtp_state(600)
    assert set(few) == {"StreamReceiver", "Reports"}
    for name, size in few.items():
        assert 100 < size < 100_000
        assert many[name] == pytest.approx(size, rel=0.1)

"""F5, from numbers that are written down here."""

from __future__ import annotations

import pytest

from bench.result import Result
from bench.streams import MANY, RATE, judge


def test_the_share_of_a_core_is_that_of_one_stream():
    result = Result("streams")
    where = {"transport": "udp", "rate": float(RATE), "streams": MANY}
    result.add("rtspkit packets", "cpu_share", "", where, 0.5, 0.5)
    result.add("rtspkit packets", "cpu_share", "", where | {"streams": 1}, 0.9)
    judge(result)
    found = {target.text: target for target in result.targets}
    target = found["UDP, 100 streams: rtspkit packets, share of a core for each"]
    assert target.value == pytest.approx(0.005)
    assert target.met
    assert sum(one.value is not None for one in found.values()) == 1

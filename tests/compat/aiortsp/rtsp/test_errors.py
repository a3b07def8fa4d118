from __future__ import annotations

import pickle

import pytest

from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse

RESPONSE = RTSPResponse.made(454, "Session Not Found", 3)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RTSPError("a"), {"type": "unknown"}),
        (RTSPConnectionError("a"), {"type": "connection"}),
        (RTSPTimeoutError("a"), {"type": "timeout"}),
        (RTSPResponseError("a"), {"type": "response"}),
        (
            RTSPResponseError("a", RESPONSE),
            {"type": "response", "status": 454, "message": "Session Not Found"},
        ),
    ],
)
def test_each_says_what_it_is_about_and_can_be_pickled(error, reason):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.reason() == error.reason() == reason
    assert str(again) == str(error) == "a"
    assert isinstance(error, RTSPError)


def test_a_time_out_is_one_of_pythons_too():
    assert issubclass(RTSPTimeoutError, TimeoutError)

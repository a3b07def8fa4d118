"""Which errors are for good, before a session has played and after; and which losses are."""

from __future__ import annotations

import pytest

from rtspkit.engine.verdict import is_final, loss_of, may_return
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Forbidden,
    LimitExceeded,
    LocalProtocolError,
    NotFound,
    OptionNotSupported,
    RemoteProtocolError,
    RtspError,
    ServiceUnavailable,
    SessionNotFound,
    StreamNotFound,
    TooManySessions,
    Unauthorized,
    UnsupportedTransport,
    response_error,
)
from rtspkit.options import Retry

# error, whether it is final before a session has played, and after
TABLE = [
    (Unauthorized("DESCRIBE", 401), True, True),
    (Forbidden("SETUP", 403), True, True),
    (NotFound("DESCRIBE", 404), True, True),
    (TooManySessions("SETUP", 453), False, False),
    (ServiceUnavailable("DESCRIBE", 503), False, False),
    (SessionNotFound("PLAY", 454), False, False),
    (response_error("DESCRIBE", 500), False, False),
    (response_error("DESCRIBE", 400), True, False),
    (UnsupportedTransport("SETUP", 461), True, False),
    (OptionNotSupported("SETUP", 551), True, False),
    (RemoteProtocolError("not RTSP"), True, False),
    (LimitExceeded("body", 1, 2), True, False),
    (StreamNotFound("no stream is 'audio'"), True, False),
    (ConnectError("refused"), False, False),
    (ConnectError("certificate", retryable=False), True, True),
    (ConnectError("no such host", phase="resolve"), True, False),
    (ConnectionLost("gone"), False, False),
    (DeadlineExceeded("describe", 1.0), False, False),
    (DeadlineExceeded("first packet", 1.0), False, False),
]
IDS = [f"{type(error).__name__}-{error.phase}" for error, *_ in TABLE]


@pytest.mark.parametrize(("error", "before", "after"), TABLE, ids=IDS)
def test_whether_another_attempt_is_of_no_use(error, before, after):
    assert is_final(error, played=False) is before
    assert is_final(error, played=True) is after


@pytest.mark.parametrize(
    ("error", "returns"),
    [
        (ConnectionLost("gone"), True),
        (DeadlineExceeded("media silence", 10.0), True),
        (RemoteProtocolError("garbage"), True),
        (LimitExceeded("garbage", 1, 2), True),
        (SessionNotFound("GET_PARAMETER", 454), True),
        (LocalProtocolError("too much waits to be sent"), True),
        (Unauthorized("GET_PARAMETER", 401), False),
        (NotFound("GET_PARAMETER", 404), False),
        (RtspError("a defect of rtspkit: KeyError"), False),
        (response_error("GET_PARAMETER", 400), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whether_a_session_that_was_lost_so_can_be_had_back(error, returns):
    assert may_return(error) is returns
    for live in (True, False):
        assert loss_of(error, Retry(), live=live) is (error if returns else None)


@pytest.mark.parametrize("retry", [None, Retry(strategy="none")])
@pytest.mark.parametrize("error", [None, ConnectionLost("gone")])
def test_without_retry_nothing_is_to_be_had_back(retry, error):
    assert loss_of(error, retry, live=True) is None


def test_a_farewell_is_the_end_unless_the_user_says_otherwise():
    assert loss_of(None, Retry(), live=True) is None
    asked = Retry(after_goodbye=True)
    loss = loss_of(None, asked, live=True)
    assert isinstance(loss, ConnectionLost)
    assert "BYE" in str(loss)
    assert loss.phase == "streaming"


def test_a_presentation_that_has_an_end_ends():
    assert loss_of(None, Retry(after_goodbye=True), live=False) is None

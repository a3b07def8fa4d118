"""Every error has one word."""

import errno
import pickle

import pytest

from rtspkit.engine.cause import CAUSES, cause_of
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    RtspError,
    response_error,
)

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
UNREACHABLE = OSError(errno.EHOSTUNREACH, "no route to host")


def lost_by(cause):
    error = ConnectionLost("gone")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (response_error("SETUP", 453), "busy"),
        (response_error("DESCRIBE", 503), "busy"),
        (response_error("DESCRIBE", 404), "rejected"),
        (response_error("PLAY", 500), "rejected"),
        (RemoteProtocolError("HTTP/1.1"), "rejected"),
        (DeadlineExceeded("connect", 10.0), "timeout"),
        (DeadlineExceeded("describe", 10.0), "timeout"),
        (DeadlineExceeded("first packet", 1.5), "silent"),
        (DeadlineExceeded("media silence", 10.0), "silent"),
        (DeadlineExceeded("pool", 10.0), "other"),
        (TimeoutError(), "timeout"),
        (UNREACHABLE, "timeout"),
        (REFUSED, "refused"),
        (OSError(errno.ECONNREFUSED, "refused"), "refused"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (OSError(errno.EMFILE, "too many files"), "other"),
        (ValueError("?"), "other"),
        (RtspError("?"), "other"),
        (ConnectionLost("closed"), "reset"),
        (lost_by(ValueError()), "reset"),
        (lost_by(TimeoutError()), "timeout"),
        (lost_by(DeadlineExceeded("media silence", 10.0)), "silent"),
        (ConnectError("nothing known"), "other"),
        (ConnectError("name", causes=(OSError(-2, "unknown"),), phase="resolve"), "timeout"),
        (ConnectError("one", causes=(REFUSED,)), "refused"),
        (ConnectError("both", causes=(REFUSED, REFUSED)), "refused"),
        (ConnectError("one of two", causes=(REFUSED, UNREACHABLE)), "timeout"),
        (ConnectError("nested", causes=(ConnectError("in", causes=(REFUSED,)),)), "refused"),
        (ConnectError("local", causes=(OSError(errno.EMFILE, "files"),)), "other"),
    ],
)
def test_the_word_for_an_error(error, word):
    assert cause_of(error) == word
    assert word in CAUSES


def test_a_cause_that_was_raised_from_counts_like_one_that_was_listed():
    error = ConnectError("one")
    error.__cause__ = REFUSED
    assert cause_of(error) == "refused"


def test_a_circle_of_causes_ends():
    one, other = ConnectionLost("one"), ConnectionLost("other")
    one.__cause__, other.__cause__ = other, one
    assert cause_of(one) == "reset"
    ring = ConnectError("ring")
    ring.causes = (ring,)
    assert cause_of(ring) == "other"


def test_what_was_pickled_has_the_same_word():
    error = ConnectError("one", causes=(REFUSED,))
    assert cause_of(pickle.loads(pickle.dumps(error))) == "refused"

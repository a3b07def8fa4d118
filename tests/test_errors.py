"""Every exception: its words, its fields, its place in the tree, and that it can be pickled."""

import copy
import pickle
import re

import pytest

from rtspkit import errors
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    Forbidden,
    LimitExceeded,
    LocalProtocolError,
    MalformedPacket,
    MethodNotAllowed,
    MethodNotValid,
    MissingExtra,
    NotFound,
    OptionNotSupported,
    RemoteProtocolError,
    ResponseError,
    RtspError,
    ServiceUnavailable,
    SessionNotFound,
    StreamNotFound,
    TooManySessions,
    Unauthorized,
    UnsupportedPayload,
    UnsupportedTransport,
    response_error,
)

CLASSES = [getattr(errors, name) for name in errors.__all__ if name[0].isupper()]

TABLE = [  # error, its words, phase, retryable
    (RtspError("words"), "words", None, False),
    (RtspError("words", phase="setup", retryable=True), "words", "setup", True),
    (LocalProtocolError("bad URL", phase="url"), "bad URL", "url", False),
    (StreamNotFound("no stream is 'x'"), "no stream is 'x'", None, False),
    (RemoteProtocolError("not RTSP"), "not RTSP", None, False),
    (MalformedPacket("version 1"), "version 1", None, False),
    (LimitExceeded("body", 9, 10), "limits.body is 9, met 10", None, False),
    (LimitExceeded("age", 2.0, 3, phase="x"), "limits.age is 2.0, met 3", "x", False),
    (ConnectError("refused"), "refused", "connect", True),
    (ConnectError("no such host", retryable=False), "no such host", "connect", False),
    (ConnectionLost("gone", phase="streaming"), "gone", "streaming", True),
    (DeadlineExceeded("describe", 10.0), "describe: nothing within 10 s", "describe", True),
    (DeadlineExceeded("write", 0.5), "write: nothing within 0.5 s", "write", True),
    (DeadlineExceeded("play", 1, message="late"), "late", "play", True),
    (ResponseError("PLAY", 457, "Bad Range"), "PLAY answered 457 Bad Range", "play", False),
    (ResponseError("PLAY", 457), "PLAY answered 457", "play", False),
    (
        Unauthorized("DESCRIBE", 401, "No"),
        "DESCRIBE answered 401 No: user name and password are missing, or not the right ones",
        "describe",
        False,
    ),
    (Forbidden("PLAY", 403), "PLAY answered 403: this user may not do this", "play", False),
    (
        NotFound("DESCRIBE", 404, "Not Found"),
        "DESCRIBE answered 404 Not Found: check the path of the URL",
        "describe",
        False,
    ),
    (MethodNotAllowed("PAUSE", 405), "PAUSE answered 405", "pause", False),
    (
        TooManySessions("SETUP", 453),
        "SETUP answered 453: the camera has no room for another viewer",
        "setup",
        True,
    ),
    (SessionNotFound("PLAY", 454), "PLAY answered 454", "play", True),
    (MethodNotValid("PLAY", 455), "PLAY answered 455", "play", False),
    (
        UnsupportedTransport("SETUP", 461),
        "SETUP answered 461: try another transport",
        "setup",
        False,
    ),
    (ServiceUnavailable("DESCRIBE", 503, "Busy"), "DESCRIBE answered 503 Busy", "describe", True),
    (OptionNotSupported("SETUP", 551), "SETUP answered 551", "setup", False),
    (
        UnsupportedPayload("X-NEW"),
        "no depacketizer for 'X-NEW'; packets() still delivers it",
        None,
        False,
    ),
    (MissingExtra("av", "frames()"), "frames() needs: pip install 'rtspkit[av]'", None, False),
    (MissingExtra("av"), "this needs: pip install 'rtspkit[av]'", None, False),
]


@pytest.mark.parametrize(("error", "words", "phase", "retryable"), TABLE)
def test_words_phase_and_retryable(error, words, phase, retryable):
    assert str(error) == words
    assert (error.phase, error.retryable) == (phase, retryable)


@pytest.mark.parametrize("words", [row[1] for row in TABLE])
def test_words_have_no_capital_no_full_stop_and_one_line(words):
    first = words.split()[0]
    assert first.isupper() or words[0].islower()
    assert not words.endswith((".", ":", " "))
    assert words.isprintable()


def test_every_class_is_in_the_table_and_in_the_tree_at_the_head_of_the_file():
    assert {type(row[0]) for row in TABLE} == set(CLASSES)
    tree = re.findall(r"(?:─ |^    )([A-Z]\w+)", errors.__doc__, re.MULTILINE)
    assert sorted(tree) == sorted(cls.__name__ for cls in CLASSES)
    for cls in CLASSES:
        assert issubclass(cls, RtspError)
        assert cls.__doc__


@pytest.mark.parametrize("error", [row[0] for row in TABLE])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_it_survives_pickling_with_all_its_fields(error, again):
    twin = again(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)
    assert (twin.phase, twin.retryable) == (error.phase, error.retryable)


def test_every_cause_is_kept_and_pickled():
    causes = (OSError(111, "refused"), TimeoutError("late"))
    error = pickle.loads(pickle.dumps(ConnectError("none of 2 addresses", causes=causes)))
    assert [str(cause) for cause in error.causes] == ["[Errno 111] refused", "late"]


def test_it_can_be_caught_as_what_the_standard_library_calls_it():
    assert isinstance(DeadlineExceeded("connect", 1.0), TimeoutError)
    assert isinstance(MissingExtra("av"), ImportError)


def test_fields_carry_the_evidence():
    error = ResponseError("SETUP", 500, "Oops", cseq=7, phase="again")
    assert (error.method, error.status_code, error.reason_phrase) == ("SETUP", 500, "Oops")
    assert (error.cseq, error.phase) == (7, "again")
    limit = LimitExceeded("body", 9, 10)
    assert (limit.limit, limit.maximum, limit.actual) == ("body", 9, 10)
    assert DeadlineExceeded("play", 3.0).seconds == 3.0
    assert UnsupportedPayload("X").encoding_name == "X"
    assert MissingExtra("av").extra == "av"


@pytest.mark.parametrize(
    ("status", "cls", "retryable"),
    [
        (301, ResponseError, False),
        (400, ResponseError, False),
        (401, Unauthorized, False),
        (403, Forbidden, False),
        (404, NotFound, False),
        (405, MethodNotAllowed, False),
        (453, TooManySessions, True),
        (454, SessionNotFound, True),
        (455, MethodNotValid, False),
        (461, UnsupportedTransport, False),
        (500, ResponseError, True),
        (503, ServiceUnavailable, True),
        (551, OptionNotSupported, False),
        (999, ResponseError, True),
    ],
)
def test_each_status_has_its_class(status, cls, retryable):
    error = response_error("PLAY", status, "words", cseq=3)
    assert type(error) is cls
    assert (error.status_code, error.cseq, error.retryable) == (status, 3, retryable)


def test_foreign_text_is_one_short_safe_line():
    error = ResponseError("PLAY", 500, "\x1b[2J\r\nx" * 1000)
    assert str(error).isprintable()
    assert len(str(error)) < 120
    assert str(UnsupportedPayload("\r\n" * 100)).isprintable()

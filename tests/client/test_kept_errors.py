"""Errors that are kept hold nothing but themselves."""

from __future__ import annotations

from rtspkit.client.kept_errors import without_frames
from rtspkit.errors import ConnectError, ConnectionLost


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_an_error_keeps_its_words_and_its_causes_and_loses_its_frames():
    inner = raised(ConnectionResetError("reset"))
    error = raised(ConnectionLost("gone", phase="streaming"), inner)
    assert error.__traceback__ is not None
    assert without_frames(error) is error
    assert (str(error), error.phase, error.__cause__) == ("gone", "streaming", inner)
    assert error.__traceback__ is inner.__traceback__ is None


def test_so_do_the_errors_of_each_address():
    causes = (raised(TimeoutError("one")), raised(ConnectionRefusedError("other")))
    error = raised(ConnectError("no connection", causes=causes))
    without_frames(error)
    assert [cause.__traceback__ for cause in error.causes] == [None, None]
    assert error.causes == causes


def test_what_was_being_handled_meanwhile_loses_them_too():
    error, context = raised(ConnectionLost("second")), raised(OSError("first"))
    error.__context__ = context
    without_frames(error)
    assert error.__context__ is context
    assert context.__traceback__ is None


def test_a_circle_of_causes_ends():
    one, other = raised(OSError("one")), raised(OSError("other"))
    one.__cause__, other.__cause__ = other, one
    without_frames(one)
    assert one.__traceback__ is other.__traceback__ is None

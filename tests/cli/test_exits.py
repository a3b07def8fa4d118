"""Every error has its documented code, and a line that says what to do."""

import json
import socket

import pytest

from rtspkit import errors
from rtspkit.cli.exits import CODES, CommandError, advice, exit_code, report_error

CASES = [
    (errors.RtspError("x"), 1),
    (errors.RemoteProtocolError("x"), 1),
    (errors.ServiceUnavailable("DESCRIBE", 503), 1),
    (errors.LocalProtocolError("x"), 2),
    (errors.StreamNotFound("x"), 2),
    (CommandError("x", 2), 2),
    (errors.ConnectError("x"), 3),
    (errors.Unauthorized("DESCRIBE", 401), 4),
    (errors.NotFound("DESCRIBE", 404), 5),
    (errors.DeadlineExceeded("describe", 1.0), 6),
    (errors.ConnectionLost("x"), 7),
    (errors.UnsupportedTransport("SETUP", 461), 8),
    (errors.UnsupportedPayload("X"), 8),
    (errors.OptionNotSupported("SETUP", 551), 8),
    (errors.MissingExtra("av"), 9),
]


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda case: repr(case)[:40])
def test_each_error_has_its_code(error, code):
    assert exit_code(error) == code
    assert code in CODES


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ConnectError("x", causes=(socket.gaierror(-2, "no"),)), "host name"),
        (errors.ConnectError("x", causes=(ConnectionRefusedError(),)), "check the port"),
        (errors.ConnectError("x"), "network"),
        (errors.DeadlineExceeded("connect", 1.0), "network"),
        (errors.DeadlineExceeded("first packet", 1.0), "--transport"),
        (errors.DeadlineExceeded("describe", 1.0), "--timeout"),
        (errors.ConnectionLost("x"), "run it again"),
        (errors.RemoteProtocolError("x"), "RTSP server?"),
    ],
)
def test_an_error_says_what_to_do(error, words):
    assert words in advice(error)


def test_an_error_is_one_line_whatever_is_in_it(capsys):
    assert report_error(errors.RtspError("two\nlines\x1b[31m"), as_json=False) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "rtspkit: two lines [31m\n"


def test_an_error_can_be_an_object(capsys):
    assert report_error(errors.DeadlineExceeded("setup", 2.0), as_json=True) == 6
    assert json.loads(capsys.readouterr().err) == {
        "error": "DeadlineExceeded",
        "message": "setup: nothing within 2 s",
        "advice": "check that this is an RTSP server, or allow it more with --timeout",
        "phase": "setup",
        "retryable": True,
        "exit_code": 6,
    }


def test_a_wrong_command_line_is_an_object_too(capsys):
    assert report_error(CommandError("no", 2), as_json=True) == 2
    assert json.loads(capsys.readouterr().err)["error"] == "UsageError"

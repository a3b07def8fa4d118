"""How a command ends: its exit code, and one line that says what to do.

Layer:  cli
In:     the error that ended it
Out:    a number of ``CODES``; a line for a person, or a JSON object for a program
"""

from __future__ import annotations

import json
import socket
import sys

from rtspkit.cli.figures import one_line
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    MissingExtra,
    NotFound,
    OptionNotSupported,
    RemoteProtocolError,
    RtspError,
    Unauthorized,
    UnsupportedPayload,
    UnsupportedTransport,
)

__all__ = ["CODES", "CommandError", "advice", "exit_code", "report_error"]

CODES = {
    0: "fine; of demo: every stream came, without loss; of doctor: media came",
    1: "no packet came; of demo: or some were lost; or another failure",
    2: "the command line, the URL or the file cannot be used",
    3: "no connection: nothing listens there, or the host is not known",
    4: "user name and password are wanted, or wrong",
    5: "the server has no such stream",
    6: "a deadline has passed: the server, or its media, is silent",
    7: "the connection was there, and was lost",
    8: "the transport, the encoding or a feature is not supported",
    9: "an optional package is missing",
    130: "interrupted (Ctrl-C); serve and play end in order",
    143: "terminated (SIGTERM); serve and play end in order",
}

_BY_ERROR: tuple[tuple[type[RtspError], int], ...] = (
    (LocalProtocolError, 2),
    (ConnectError, 3),
    (Unauthorized, 4),
    (NotFound, 5),
    (DeadlineExceeded, 6),
    (ConnectionLost, 7),
    (UnsupportedTransport, 8),
    (UnsupportedPayload, 8),
    (OptionNotSupported, 8),
    (MissingExtra, 9),
)


class CommandError(Exception):
    """What a command cannot do, when no ``RtspError`` says it.

    Args:
        message: One line, what to do included.
        code: Out of ``CODES``.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: RtspError | CommandError) -> int:
    """The exit code for an error."""
    if isinstance(error, CommandError):
        return error.code
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), 1)


def advice(error: RtspError | CommandError) -> str:
    """What to do about an error, where its own words do not say it; else empty."""
    if isinstance(error, ConnectError):
        if any(isinstance(cause, socket.gaierror) for cause in error.causes):
            return "check the host name"
        if any(isinstance(cause, ConnectionRefusedError) for cause in error.causes):
            return "nothing listens there: check the port, and that RTSP is switched on"
        return "check the address and the network"
    if isinstance(error, DeadlineExceeded):
        if error.phase in ("connect", "resolve"):
            return "check the address and the network"
        if error.phase in ("first packet", "media", "streaming"):
            return "no media came: try another --transport"
        return "check that this is an RTSP server, or allow it more with --timeout"
    if isinstance(error, ConnectionLost):
        return "run it again; with -v it tells what happened before"
    if isinstance(error, RemoteProtocolError):
        return "check the port: is this an RTSP server?"
    return ""


def report_error(error: RtspError | CommandError, *, as_json: bool) -> int:
    """Print an error on standard error, in one line.

    Args:
        error: What ended the command.
        as_json: Whether the line is a JSON object.

    Returns:
        The exit code.
    """
    code, message, what_to_do = exit_code(error), one_line(str(error)), advice(error)
    if as_json:
        line = json.dumps(
            {
                "error": "UsageError" if type(error) is CommandError else type(error).__name__,
                "message": message,
                "advice": what_to_do or None,
                "phase": getattr(error, "phase", None),
                "retryable": getattr(error, "retryable", False),
                "exit_code": code,
            }
        )
    else:
        line = f"rtspkit: {message}; {what_to_do}" if what_to_do else f"rtspkit: {message}"
    print(line, file=sys.stderr, flush=True)
    return code

"""The command line: what can be asked for, and how every command ends.

Layer:  cli
In:     arguments
Out:    an exit code of ``exits.CODES``; never a traceback for what a user can meet
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn, get_args

from rtspkit.cli.demo import demo
from rtspkit.cli.doctor import doctor
from rtspkit.cli.exits import CODES, CommandError, report_error
from rtspkit.cli.play import play
from rtspkit.cli.probe import probe
from rtspkit.cli.serve import serve
from rtspkit.cli.trust import add_trust
from rtspkit.client.run import run
from rtspkit.errors import RtspError
from rtspkit.options import Strategy
from rtspkit.version import __version__

__all__ = ["main"]

Command = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]

PORT = 8554  # of serve; 554 is for root
INTERRUPTED = 130  # 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM
MAX_SECONDS = 1e9
TIMES = "Times to the first packet and keyframe count from the call of connect()."
USER_INFO = re.compile(r"://\S*@")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the secrets in it."""

    def error(self, message: str) -> NoReturn:
        safe = USER_INFO.sub("://***@", message)
        raise CommandError(f"{safe}; see {self.prog} --help", 2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``rtspkit`` command.

    Args:
        argv: Arguments without the program's name; None for those of the process.

    Returns:
        The exit code; ``rtspkit --help`` lists them.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of servers may be any text
    try:
        arguments = _parse(words)
        as_json = arguments.json
        return run(_until_terminated(arguments))
    except SystemExit as leaving:  # --help and --version
        return leaving.code if isinstance(leaving.code, int) else 0
    except (RtspError, CommandError) as error:
        return report_error(error, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone
        _drop_output()
        return 1
    except OSError as error:  # a full disk, too many open files
        _drop_output()
        return report_error(CommandError(error.strerror or str(error), 1), as_json=as_json)


def _drop_output() -> None:
    """What still waits for standard output goes nowhere, or Python would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(words: list[str]) -> argparse.Namespace:
    """Read the arguments; what is not known may be a secret and is not repeated whole."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        names = ", ".join(options) or "there are too many"
        parser.error(f"unknown arguments: {names}")
    return arguments


async def _until_terminated(arguments: argparse.Namespace) -> int:
    """Carry out a command; SIGTERM ends it in order, with TEARDOWN."""
    command: Command = arguments.command
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGTERM, terminate)  # not on Windows, not in a thread
    try:
        return await command(arguments)
    except asyncio.CancelledError:
        if not terminated:
            raise
        return TERMINATED
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGTERM)


def _parser() -> _Parser:
    parser = _Parser(
        prog="rtspkit",
        allow_abbrev=False,
        description="Play, probe and serve RTSP.",
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rtspkit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_probe(commands)
    _add_play(commands)
    _add_doctor(commands)
    _add_serve(commands)
    return parser


def _exit_codes() -> str:
    lines = [f"  {code:>3}  {meaning}" for code, meaning in CODES.items()]
    return "\n".join(["exit codes:", *lines])


def _add(commands: Any, name: str, command: Command, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=f"{what}.", allow_abbrev=False
    )
    parser.epilog = TIMES if command in (demo, play) else None
    parser.set_defaults(command=command, username=None, password=None, packets=None)
    parser.set_defaults(ca=None, fingerprint=None, insecure=False, retry="auto", remember=True)
    parser.add_argument("--json", action="store_true", help="JSON, one object a line; errors too")
    return parser


def _add_demo(commands: Any) -> None:
    parser = _add(commands, "demo", demo, "Play the embedded camera over UDP, then over TCP")
    parser.add_argument(
        "--seconds", type=_seconds, default=5.0, help="for each transport (default: %(default)g)"
    )
    _add_timeout(parser)
    _add_verbose(parser)


def _add_probe(commands: Any) -> None:
    parser = _add(commands, "probe", probe, "Tell what a server has, without playing it")
    _add_url(parser)
    _add_timeout(parser)
    add_trust(parser)


def _add_play(commands: Any) -> None:
    parser = _add(commands, "play", play, "Play a URL and show packets, loss, jitter, rates")
    _add_url(parser)
    parser.add_argument(
        "--transport",
        choices=("auto", "udp", "tcp"),
        default="auto",
        help="auto is UDP, then TCP when UDP is refused or silent (default: %(default)s)",
    )
    parser.add_argument("--packets", type=_packets, metavar="N", help="stop after N packets")
    parser.add_argument("--seconds", type=_seconds, help="stop after so many seconds of playing")
    parser.add_argument(
        "--retry",
        choices=get_args(Strategy),
        default="auto",
        metavar="STRATEGY",
        help="how it comes back when it is lost: %(choices)s (default: %(default)s)",
    )
    parser.add_argument(
        "--no-remember",
        dest="remember",
        action="store_false",
        help="keep nothing of this server in the cache folder, and read nothing",
    )
    _add_timeout(parser)
    _add_verbose(parser)
    add_trust(parser)


def _add_doctor(commands: Any) -> None:
    what = "Tell what works with a server, what does not, and what to set"
    parser = _add(commands, "doctor", doctor, what)
    _add_url(parser)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=5.0,
        help="to listen over each transport (default: %(default)g)",
    )
    _add_timeout(parser)
    add_trust(parser)


def _add_serve(commands: Any) -> None:
    parser = _add(commands, "serve", serve, "Be a camera, for other players")
    parser.add_argument(
        "--file", help="H.264 byte stream without B-frames; with rtspkit[av] also MP4 and the like"
    )
    parser.add_argument(
        "--frame-rate", type=_rate, help="of an H.264 byte stream (default: what it says, or 25)"
    )
    parser.add_argument("--host", help="numeric address to listen at (default: this machine only)")
    parser.add_argument("--port", type=_port, default=PORT, help="0 for any (default: %(default)s)")
    parser.add_argument("--transport", choices=("udp", "tcp"), help="refuse the other one")
    _add_credentials(parser, "demanded of every client")
    parser.add_argument("--seconds", type=_seconds, help="stop after so many seconds")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the requests, on stderr")


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="rtsp://camera:554/path")
    _add_credentials(parser, "instead of those in the URL")


def _add_credentials(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--username", "--user", metavar="NAME", help=what)
    parser.add_argument("--password", metavar="SECRET", help=what)


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="for connecting, for a response, and for media that are silent (default: 10)",
    )


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="tell events, on stderr")


def _seconds(text: str) -> float:
    return _number(text, MAX_SECONDS, "seconds")


def _rate(text: str) -> float:
    return _number(text, 1000.0, "frames per second")


def _number(text: str, maximum: float, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= maximum:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {unit} above 0")
    return number


def _packets(text: str) -> int:
    return _whole(text, 1, 10**15, "a whole number above 0")


def _port(text: str) -> int:
    return _whole(text, 0, 65_535, "a port, 0 to 65535")


def _whole(text: str, minimum: int, maximum: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and minimum <= int(text[:20]) <= maximum):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return int(text[:20])

"""``rtspkit serve``: the embedded camera, for other players.

Layer:  cli
"""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from argparse import Namespace
from collections.abc import Sequence

from rtspkit.cli.exits import CommandError
from rtspkit.cli.figures import one_line
from rtspkit.cli.source import load_file
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.testing.presentation import Track
from rtspkit.wire.message import Request
from rtspkit.wire.url import remove_userinfo

__all__ = ["serve"]


async def serve(arguments: Namespace) -> int:
    """Carry the command out until it is interrupted; gives its exit code."""
    tracks: Sequence[str | Track] = ("H264", "MPEG4-GENERIC")
    if arguments.file is not None:
        tracks = load_file(arguments.file, arguments.frame_rate)
    camera = Camera(
        tracks=tracks,
        host=arguments.host,
        port=arguments.port,
        transports=("udp", "tcp") if arguments.transport is None else (arguments.transport,),
        authentication=_authentication(arguments),
        on_request=_tell if arguments.verbose else None,
    )
    try:
        await camera.start()
    except OSError as error:
        raise CommandError(_cannot_listen(error, arguments), 1) from None
    try:
        print(_announcement(camera, as_json=arguments.json), flush=True)
        try:
            async with asyncio.timeout(arguments.seconds):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return 0
    finally:
        await camera.aclose()
    raise AssertionError("the future has no result")


def _authentication(arguments: Namespace) -> Authentication | None:
    username, password = arguments.username, arguments.password
    if username is None and password is None:
        return None
    if not username or password is None:
        raise CommandError("give both --user and --password, or none of them", 2)
    return Authentication(username=username, password=password)


def _cannot_listen(error: OSError, arguments: Namespace) -> str:
    where = f"port {arguments.port}" + (f" of {arguments.host}" if arguments.host else "")
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use; choose another with --port, or 0 for any"
    return f"cannot listen at {where}: {error.strerror or error}; change --host or --port"


def _announcement(camera: Camera, *, as_json: bool) -> str:
    encodings = [track.encoding_name for track in camera.presentation]
    url = camera.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    if as_json:
        return json.dumps(
            {
                "url": url,
                "transports": list(camera.transports),
                "authentication": None if camera.authentication is None else "digest",
                "streams": encodings,
            }
        )
    transports = " and ".join(name.upper() for name in camera.transports)
    elsewhere = "" if url == camera.url else "; elsewhere with the address of this machine"
    return f"{url}\n{', '.join(encodings)} over {transports}{elsewhere}; Ctrl-C ends it"


def _tell(request: Request) -> None:
    line = f"{request.method} {one_line(remove_userinfo(request.uri))}"
    print(line, file=sys.stderr, flush=True)

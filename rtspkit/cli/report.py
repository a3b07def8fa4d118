"""The numbers of a session for programs: one JSON object on one line of standard output.

Layer:  cli
"""

from __future__ import annotations

import json
from typing import Self

from rtspkit.cli.figures import one_line
from rtspkit.cli.measure import Reading
from rtspkit.client.session import Session
from rtspkit.errors import RtspError

__all__ = ["JsonReport"]


class JsonReport:
    """Takes the place of a table, and prints only the end."""

    interval = 3600.0  # seconds; nothing is shown in between

    def __init__(self) -> None:
        self._names: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def begin(self, session: Session) -> None:
        """Remember the URL, without its password, and the server."""
        self._names = {"url": str(session.url), "server": session.server}

    def show(self, reading: Reading) -> None:
        """Not shown."""

    def finish(self, reading: Reading, summary: str, error: RtspError | None) -> None:
        """Print the object; its ``error`` is the message of what ended the session, or null."""
        message = None if error is None else one_line(str(error))
        print(json.dumps(reading.to_json() | self._names | {"error": message}), flush=True)

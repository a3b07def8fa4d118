"""Carrying out a dialogue of the engine: each step that it asks for is done, and answered.

Layer:  client (decides nothing: what is asked, and what follows from it, is the engine's)
"""

from __future__ import annotations

from typing import Any, Protocol

from rtspkit.engine.handshake import Agreed, Ask, Dialogue, OpenPorts, Refused
from rtspkit.errors import RtspError
from rtspkit.wire.message import Response

__all__ = ["Stage", "carry_out"]


class Stage(Protocol):
    """Where a dialogue takes place."""

    async def ask(
        self, method: str, uri: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Response:
        """Send a request and wait for its response of 2xx."""

    def open_ports(self, step: OpenPorts) -> tuple[int, int]:
        """Bind two ports for a stream."""

    def agree(self, step: Agreed) -> None:
        """A stream was set up."""

    def refuse(self, step: Refused) -> None:
        """A stream is left out."""


async def carry_out(stage: Stage, dialogue: Dialogue) -> Any:
    """Go through a dialogue step by step; gives what it returns.

    Raises:
        RtspError: What the dialogue makes of a step that failed.
    """
    answer: object = None
    error: RtspError | None = None
    while True:
        try:
            step = dialogue.throw(error) if error is not None else dialogue.send(answer)
        except StopIteration as stop:
            return stop.value
        answer, error = None, None
        try:
            if isinstance(step, Ask):
                answer = await stage.ask(step.method, step.uri, step.headers, step.body)
            elif isinstance(step, OpenPorts):
                answer = stage.open_ports(step)
            elif isinstance(step, Agreed):
                stage.agree(step)
            elif isinstance(step, Refused):
                stage.refuse(step)
        except RtspError as failure:
            error = failure

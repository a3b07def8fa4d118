"""A dialogue of the engine is carried out step by step, and told what came of each."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rtspkit.client.dialogues import carry_out
from rtspkit.engine.handshake import Agreed, Ask, OpenPorts, Refused
from rtspkit.errors import NotFound, RtspError
from rtspkit.wire.message import Response
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)


class Stage:
    """Does what it is asked to, and keeps a list of it; ``error`` is what a request meets."""

    def __init__(self, error: Exception | None = None) -> None:
        self.done: list[object] = []
        self.error = error

    async def ask(
        self, method: str, uri: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Response:
        self.done.append((method, uri, headers, body))
        if self.error is not None:
            raise self.error
        return Response(200, method)

    def open_ports(self, step: OpenPorts) -> tuple[int, int]:
        self.done.append(step)
        return 5000, 5001

    def agree(self, step: Agreed) -> None:
        self.done.append(step)

    def refuse(self, step: Refused) -> None:
        self.done.append(step)


def an_ask(method: str = "SETUP") -> Ask:
    return Ask(method, "rtsp://camera/x", (("A", "1"),), b"body")


async def test_each_step_is_done_and_its_answer_given_back():
    ports, refused = OpenPorts(VIDEO), Refused(VIDEO, NotFound("SETUP", 404, "Not Found"))
    agreed = Agreed(VIDEO, (0, 1), None)
    answers: list[object] = []

    def dialogue() -> Generator[Any, Any, str]:
        for step in (an_ask(), ports, agreed, refused):
            answers.append((yield step))
        return "done"

    stage = Stage()
    assert await carry_out(stage, dialogue()) == "done"
    asked = "SETUP", "rtsp://camera/x", (("A", "1"),), b"body"
    assert stage.done == [asked, ports, agreed, refused]
    assert answers == [Response(200, "SETUP"), (5000, 5001), None, None]


async def test_a_step_that_fails_is_told_to_the_dialogue_which_may_go_on():
    def dialogue() -> Generator[Any, Any, str]:
        try:
            yield an_ask()
        except NotFound as error:
            answer = yield OpenPorts(VIDEO)
            return f"{error.status_code} {answer}"
        return "no error"

    stage = Stage(NotFound("SETUP", 404, "Not Found"))
    assert await carry_out(stage, dialogue()) == "404 (5000, 5001)"


async def test_what_the_dialogue_does_not_take_is_raised():
    def dialogue() -> Generator[Any, Any, None]:
        yield an_ask()

    with pytest.raises(NotFound):
        await carry_out(Stage(NotFound("SETUP", 404, "Not Found")), dialogue())


async def test_what_it_makes_of_a_failure_is_raised():
    def dialogue() -> Generator[Any, Any, None]:
        try:
            yield an_ask()
        except NotFound as error:
            raise RtspError("nothing is there") from error

    with pytest.raises(RtspError, match="nothing is there"):
        await carry_out(Stage(NotFound("SETUP", 404, "Not Found")), dialogue())


async def test_a_defect_is_none_of_its_business():
    def dialogue() -> Generator[Any, Any, str]:
        try:
            yield an_ask()
        except ZeroDivisionError:
            return "swallowed"
        return "no error"

    with pytest.raises(ZeroDivisionError):
        await carry_out(Stage(ZeroDivisionError()), dialogue())

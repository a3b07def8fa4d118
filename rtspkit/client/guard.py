"""What happens to an exception where the event loop calls us and nobody catches it.

Layer:  client
Rule
- A defect must not turn into silence: the loop's handler gets the exception, and the session
  ends with an error.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from rtspkit.errors import RtspError

__all__ = ["Guarded", "guarded", "told_defect"]

P = ParamSpec("P")


class Guarded(Protocol):
    """What has guarded methods."""

    def fail(self, error: RtspError) -> None:
        """End with this error."""

    def report(self, defect: Exception) -> None:
        """Tell the loop of an exception that nobody expected, and end."""


G = TypeVar("G", bound=Guarded)


def guarded(method: Callable[Concatenate[G, P], None]) -> Callable[Concatenate[G, P], None]:
    """Let whatever a method raises end the session; it returns all the same."""

    def call(owner: G, /, *args: P.args, **keywords: P.kwargs) -> None:
        try:
            method(owner, *args, **keywords)
        except RtspError as error:
            owner.fail(error)
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            owner.report(defect)

    def call_with_two(owner: G, first: object, second: object) -> None:
        try:
            method(owner, first, second)  # type: ignore[call-arg,arg-type]  # they were counted
        except RtspError as error:
            owner.fail(error)
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            owner.report(defect)

    # What the sockets call has two arguments: said so, a call costs half as much.
    if method.__code__.co_argcount == 1 + 2:
        return functools.wraps(method)(call_with_two)  # type: ignore[return-value]
    return functools.wraps(method)(call)


def told_defect(loop: asyncio.AbstractEventLoop, defect: Exception, phase: str) -> RtspError:
    """Give an exception that nobody expected to the loop's handler; the error that ends for it."""
    error = RtspError(
        f"a defect of rtspkit: {type(defect).__name__}; the loop's exception handler has it",
        phase=phase,
    )
    error.__cause__ = defect
    loop.call_exception_handler(
        {"message": "a session of rtspkit met a defect", "exception": defect}
    )
    return error

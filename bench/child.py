"""A process of ours that talks over its pipes and ends with its ``with`` block."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from types import TracebackType
from typing import IO, Self

__all__ = ["Child", "end"]


class Child(ABC):
    """What holds such a process."""

    @abstractmethod
    def close(self) -> None:
        """End the process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def end(process: subprocess.Popen[str], seconds: float) -> None:
    """Close its pipes, which tells it to end, and see that it does within so many seconds."""
    pipes: tuple[IO[str] | None, ...] = (process.stdin, process.stdout)
    for pipe in pipes:
        if pipe is not None:
            pipe.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

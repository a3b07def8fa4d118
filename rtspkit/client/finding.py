"""What a diagnosis found, as plain values.

Layer:  client
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rtspkit.errors import RtspError

__all__ = ["NOT_REACHED", "Diagnosis", "Finding", "Number", "Outcome"]

NOT_REACHED = "not reached"  # what was seen in a step that an earlier one is in the way of

Outcome = Literal["ok", "warning", "failed", "skipped"]
Number = float | int | str | bool | None


@dataclass(slots=True)
class Finding:
    """One step of a diagnosis.

    Attributes:
        step: What was tried: ``"udp"``.
        outcome: ``"ok"``; ``"warning"``: it works, and something is to be known; ``"failed"``;
            ``"skipped"``: it was not tried.
        seen: What was met, in words, with the numbers.
        advice: What to do or to set; empty where there is nothing.
        numbers: The same for programs; times in seconds.
    """

    step: str
    outcome: Outcome
    seen: str
    advice: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)


@dataclass(slots=True)
class Diagnosis:
    """All of them.

    Attributes:
        url: What was looked at, without its password.
        findings: In the order of the steps.
        transports: Those that media came over.
        seconds: How long it took.
        error: What is in the way of any media; None when there was media.
    """

    url: str
    findings: list[Finding] = field(default_factory=list)
    transports: tuple[str, ...] = ()
    seconds: float = 0.0
    error: RtspError | None = None

"""Numbers as people read them; foreign text made safe for a terminal.

Layer:  cli
"""

from __future__ import annotations

__all__ = ["NONE", "clock", "count", "decimal", "milliseconds", "one_line", "plural", "shorten"]

NONE = "-"  # where there is no number


def count(number: int, width: int = 12) -> str:
    """``12,345``; ``1234567`` or ``12.3 M`` where that is too wide."""
    for text in (f"{number:,}", str(number), f"{number / 1e6:.1f} M"):
        if len(text) <= width:
            return text
    return f"{number / 1e9:.1f} G"


def plural(number: int, noun: str) -> str:
    """``1 packet``, ``12,345 packets``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def decimal(number: float | None) -> str:
    """``123.4``, ``12,345``, or a dash."""
    if number is None:
        return NONE
    return f"{number:.1f}" if abs(number) < 999.95 else f"{number:,.0f}"


def clock(seconds: float) -> str:
    """``0:07``, ``99:59``, ``1h40m``, ``4d04h``: five characters at most, up to 99 days."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes}:{rest:02}"
    hours, minutes = divmod(minutes, 60)
    if hours < 100:
        return f"{hours}h{minutes:02}m"
    return f"{hours // 24}d{hours % 24:02}h"


def milliseconds(seconds: float | None) -> str:
    """``0.41 ms``, ``12 ms``, ``1.52 s``, or a dash."""
    if seconds is None:
        return NONE
    if seconds < 0.00995:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.2f} s"


def one_line(text: str) -> str:
    """Text of others without line ends and without what moves a cursor."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def shorten(text: str, width: int) -> str:
    """Text of others on one line, cut to ``width`` characters."""
    safe = one_line(text)
    return safe if len(safe) <= width else safe[: width - 1] + "…"

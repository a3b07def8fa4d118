"""The Range header and ``a=range``: which part of a presentation is meant.

Layer:  wire
In:     ``npt=…``, ``clock=…`` or ``smpte=…``
Out:    Range; and back
Source: RFC 2326 §3.5 (smpte), §3.6 (npt), §3.7 (clock), §12.29, C.1.5

Facts the code leans on
- SMPTE times stay in parts: the frame rate that would make them seconds is not known here.
- Live sources say ``npt=now-``, or ``npt=0-`` and mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.number import WHOLE_SECONDS, parse_decimal, parse_seconds

__all__ = ["Range", "SmpteTime", "parse_range", "serialize_range"]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
LAST_SECOND = 253_402_300_799  # of the year 9999, the last that can be written
UNITS = ("npt", "clock", "smpte", "smpte-25", "smpte-30-drop")
_CLOCK = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{0,9}))?(Z?)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SmpteTime:
    """A SMPTE relative timestamp.

    Attributes:
        seconds: Of hours, minutes and seconds together.
        frame: Frame in that second, 0 to 99.
        subframe: Hundredth of that frame, 0 to 99.
    """

    seconds: int
    frame: int = 0
    subframe: int = 0


@dataclass(slots=True)
class Range:
    """One range.

    Attributes:
        unit: ``"npt"`` (seconds), ``"clock"`` (Unix seconds), ``"smpte"``, ``"smpte-25"`` or
            ``"smpte-30-drop"`` (``SmpteTime``).
        start: Where it begins; None when open, or when it is ``now``.
        end: Where it ends; None when open.
        now: Whether it begins at the live edge (``npt=now-``).
        time: When it is to take effect, in Unix seconds; None for at once.
        deviations: What the reader put up with.
    """

    unit: str = "npt"
    start: float | SmpteTime | None = None
    end: float | SmpteTime | None = None
    now: bool = False
    time: float | None = None
    deviations: tuple[str, ...] = field(default=(), compare=False)


def parse_range(value: str) -> Range:
    """Read the value of a Range header or of an ``a=range`` attribute.

    Raises:
        RemoteProtocolError: An unknown unit, or a start that is no time. Nothing else,
            whatever the text is.

    Source: RFC 2326 §12.29.
    """
    deviations: list[str] = []
    specifier, _, parameters = value.strip().partition(";")
    unit, equals, times = specifier.partition("=")
    unit = unit.strip().lower()
    if not equals and unit[:1] in tuple("0123456789-"):
        deviations.append("range-unit-missing")
        unit, times = "npt", specifier
    if unit not in UNITS:
        raise RemoteProtocolError(f"no range that is known: {value[:80]!r}")
    start_text, dash, end_text = (part.strip() for part in times.partition("-"))
    if not dash:
        deviations.append("range-without-dash")
    now = unit == "npt" and start_text.lower() == "now"
    start = None if now or not start_text else _time(unit, start_text, deviations)
    if start is None and not now and start_text:
        raise RemoteProtocolError(f"no start of a range: {value[:80]!r}")
    end = _time(unit, end_text, deviations) if end_text else None
    if end is None and end_text:
        deviations.append("range-end-unusable")
    if start is None and end is None and not now:
        deviations.append("range-empty")
    name, _, time_text = parameters.partition("=")
    time = _clock(time_text.strip(), deviations) if name.strip().lower() == "time" else None
    return Range(unit, start, end, now, time, tuple(dict.fromkeys(deviations)))


def _time(unit: str, text: str, deviations: list[str]) -> float | SmpteTime | None:
    if unit == "npt":
        return _npt(text)
    return _clock(text, deviations) if unit == "clock" else _smpte(text)


def _npt(text: str) -> float | None:
    """``seconds[.fraction]`` or ``hours:minutes:seconds[.fraction]``."""
    if ":" not in text:
        return parse_seconds(text)
    parts = text.split(":", 3)
    if len(parts) != 3:
        return None
    hours = parse_decimal(parts[0], maximum=WHOLE_SECONDS // 10_000)
    minutes = parse_decimal(parts[1], maximum=59)
    seconds = parse_seconds(parts[2])
    if hours is None or minutes is None or seconds is None or seconds >= 60:
        return None
    return round(hours * 3600 + minutes * 60 + seconds, 9)


def _clock(text: str, deviations: list[str]) -> float | None:
    """``YYYYMMDDTHHMMSS[.fraction]Z`` in Unix seconds; None when there is no such time."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    if not match[8]:
        deviations.append("range-clock-without-zone")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    microsecond = int((match[7] or "")[:6].ljust(6, "0"))
    try:
        instant = datetime(year, month, day, hour, minute, 0, microsecond, EPOCH.tzinfo)
    except ValueError:
        return None
    if second > 60:  # 60 is a leap second
        return None
    seconds = (instant - EPOCH + timedelta(seconds=second)).total_seconds()
    return seconds if seconds < LAST_SECOND else None


def _smpte(text: str) -> SmpteTime | None:
    """``hours:minutes:seconds[:frames[.subframes]]``."""
    parts = text.split(":", 4)
    if not 3 <= len(parts) <= 4:
        return None
    frame_text, point, subframe_text = (parts[3] if len(parts) == 4 else "0").partition(".")
    numbers = [parse_decimal(part, maximum=99) for part in (*parts[:3], frame_text)]
    subframe = parse_decimal(subframe_text, maximum=99) if point else 0
    hours, minutes, seconds, frame = numbers
    if hours is None or minutes is None or seconds is None or frame is None or subframe is None:
        return None
    if minutes > 59 or seconds > 59:
        return None
    return SmpteTime(hours * 3600 + minutes * 60 + seconds, frame, subframe)


def serialize_range(value: Range) -> str:
    """Write a range.

    Raises:
        LocalProtocolError: An unknown unit, or a time that the unit cannot hold.

    Source: RFC 2326 §12.29.
    """
    if value.unit not in UNITS:
        raise LocalProtocolError(f"no unit of a range: {value.unit[:32]!r}")
    if value.now and (value.unit != "npt" or value.start is not None):
        raise LocalProtocolError("a range that begins now has the unit npt and no start")
    start = "now" if value.now else _written(value.unit, value.start)
    end = _written(value.unit, value.end)
    if not start and not end:
        raise LocalProtocolError("a range needs a start or an end")
    time = "" if value.time is None else f";time={_written('clock', value.time)}"
    return f"{value.unit}={start}-{end}{time}"


def _written(unit: str, time: float | SmpteTime | None) -> str:
    if time is None:
        return ""
    if isinstance(time, SmpteTime) != unit.startswith("smpte"):
        raise LocalProtocolError(f"not a time of the unit {unit}: {time!r}")
    if isinstance(time, SmpteTime):
        return _written_smpte(time)
    if unit == "clock":
        return _written_clock(time)
    if not 0 <= time <= WHOLE_SECONDS:
        raise LocalProtocolError(f"npt is 0 to {WHOLE_SECONDS} seconds, not {time!r}")
    return f"{time:.9f}".rstrip("0").rstrip(".")


def _written_smpte(time: SmpteTime) -> str:
    hours, rest = divmod(time.seconds, 3600)
    if not (0 <= hours < 100 and 0 <= time.frame < 100 and 0 <= time.subframe < 100):
        raise LocalProtocolError(f"out of the range of SMPTE times: {time!r}")
    text = f"{hours}:{rest // 60:02}:{rest % 60:02}"
    if time.frame or time.subframe:
        text += f":{time.frame:02}"
    return f"{text}.{time.subframe:02}" if time.subframe else text


def _written_clock(time: float) -> str:
    try:
        instant = EPOCH + timedelta(seconds=time)
    except (OverflowError, ValueError):
        raise LocalProtocolError(f"no time of a calendar: {time!r}") from None
    fraction = f".{instant.microsecond:06}".rstrip("0") if instant.microsecond else ""
    return f"{instant.year:04}{instant:%m%dT%H%M%S}{fraction}Z"

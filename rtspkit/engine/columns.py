"""What a bulk of RTP packets says of each of its sources: order, loss, jitter, rates.

Layer:  engine (no state between two calls)
In:     the PacketColumns of ``wire.columns``, in the order of arrival
Out:    SourceColumns (unwrapped, a row per packet), SourceStatistics (the sums)
Source: RFC 3550 A.1, A.3, A.8; RFC 5761 §4

Facts the code leans on
- The rules are those of ``Reception`` and ``Reorder``, packet for packet: what is a jump, a
  stray, a restart, a duplicate. A source that only ever comes late is not restarted, though
  (``Reorder.stuck``): that is for a stream that somebody waits for.
- Integers are the same with numpy and without it. Jitter is summed up in another order: it
  agrees to 1e-9 of its value, or to 1e-9 ticks.
- RTCP among the packets (RFC 5761) is no source, and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import rtspkit.engine.plain_columns as plain_columns
from rtspkit.engine.source_columns import Gap, RateWindow, SourceColumns, SourceStatistics
from rtspkit.errors import LocalProtocolError
from rtspkit.wire.columns import Engine, PacketColumns, use_numpy

__all__ = [
    "Gap",
    "RateWindow",
    "SourceColumns",
    "SourceStatistics",
    "analyze_columns",
    "unwrap_columns",
]

DEFAULT_CLOCK_RATE = 90_000  # where nothing says another: that of video
SHORTEST_WINDOW = 0.001  # seconds


class _Machine(Protocol):
    """The loops, by engine."""

    def sources(
        self, columns: PacketColumns, clock_rates: Mapping[int, int], clock_rate: int, /
    ) -> list[SourceColumns]: ...

    def statistics(
        self, columns: PacketColumns, source: SourceColumns, window: float, /
    ) -> SourceStatistics: ...


def _machine(engine: Engine) -> _Machine:
    if use_numpy(engine):
        import rtspkit.engine.numpy_columns as numpy_columns

        return numpy_columns
    return plain_columns


def unwrap_columns(
    columns: PacketColumns,
    clock_rate: int | Mapping[int, int] = DEFAULT_CLOCK_RATE,
    *,
    engine: Engine = "auto",
) -> list[SourceColumns]:
    """The packets of each source, with numbers that do not wrap, in the order of arrival.

    Args:
        columns: Made by either engine; in the order of arrival.
        clock_rate: RTP ticks per second: of all sources, or by payload type. A source has that
            of its first packet; 90,000 when the mapping does not say.
        engine: ``"numpy"``, ``"python"``, or ``"auto"``: numpy where it is installed.

    Returns:
        One each, in the order in which they appear.

    Raises:
        LocalProtocolError: A clock rate that is none.
        MissingExtra: ``engine="numpy"``, and it is not installed.
    """
    by_type = clock_rate if isinstance(clock_rate, Mapping) else {}
    for_all = DEFAULT_CLOCK_RATE if isinstance(clock_rate, Mapping) else clock_rate
    for rate in (for_all, *by_type.values()):
        if not 0 < rate < 1 << 32:
            raise LocalProtocolError(f"a clock rate of {rate} ticks per second")
    return _machine(engine).sources(columns, by_type, for_all)


def analyze_columns(
    columns: PacketColumns,
    clock_rate: int | Mapping[int, int] = DEFAULT_CLOCK_RATE,
    *,
    window: float = 1.0,
    engine: Engine = "auto",
) -> list[SourceStatistics]:
    """What the packets of each source add up to.

    Args:
        columns: Made by either engine; in the order of arrival.
        clock_rate: RTP ticks per second: of all sources, or by payload type. A source has that
            of its first packet; 90,000 when the mapping does not say.
        window: Seconds over which ``windows`` count, at least 0.001.
        engine: ``"numpy"``, ``"python"``, or ``"auto"``: numpy where it is installed.

    Returns:
        One each, in the order in which they appear.

    Raises:
        LocalProtocolError: A clock rate or a window that is none.
        MissingExtra: ``engine="numpy"``, and it is not installed.
    """
    if not SHORTEST_WINDOW <= window < float("inf"):
        raise LocalProtocolError(f"a window of {window} seconds, instead of 0.001 or more")
    machine = _machine(engine)
    sources = unwrap_columns(columns, clock_rate, engine=engine)
    return [machine.statistics(columns, source, window) for source in sources]

"""The numbers of one session at one moment, gathered from where they are counted.

Layer:  client
"""

from __future__ import annotations

from dataclasses import asdict, replace

from rtspkit.client.driver import Driver
from rtspkit.client.iterators import UnitCounters
from rtspkit.engine.statistics import SessionStats, StreamStats
from rtspkit.wire.stream import Stream

__all__ = ["session_stats"]


def session_stats(
    driver: Driver,
    streams: tuple[Stream, ...],
    unit_counters: list[dict[int, UnitCounters]],
    *,
    transport: str | None,
    duration: float,
    played_at: float | None,
    consumer_dropped: int,
) -> SessionStats:
    """Gather what the machines and the iterators have counted."""
    machine, playback = driver.machine, driver.playback
    counted = []
    for stream in streams:
        receiver = playback.receivers.get(stream.index)
        stats = receiver.snapshot() if receiver is not None else StreamStats(index=stream.index)
        counted.append(_with_units(stats, stream, unit_counters, played_at))
    return SessionStats(
        streams=tuple(counted),
        transport=transport,
        duration=duration,
        requests=machine.counters.requests,
        responses=machine.counters.responses,
        keepalives=machine.keepalive.sent,
        server_requests=machine.counters.server_requests,
        unmatched_responses=machine.counters.unmatched,
        unknown_channel=playback.unknown_channel,
        foreign_datagrams=driver.foreign_datagrams,
        skipped_bytes=machine.counters.skipped,
        consumer_dropped=consumer_dropped,
    )


def _with_units(
    stats: StreamStats,
    stream: Stream,
    unit_counters: list[dict[int, UnitCounters]],
    played_at: float | None,
) -> StreamStats:
    """Add the access units, as the iterator that has made most of them counts."""
    counters = [c[stream.index] for c in unit_counters if stream.index in c]
    if not counters:
        return stats
    most = max(counters, key=lambda c: c.access_units)
    values = asdict(most)
    if most.first_keyframe is not None and played_at is not None:
        values["first_keyframe"] = max(most.first_keyframe - played_at, 0.0)
    return replace(stats, **values)

"""The numbers of one session at one moment, gathered from where they are counted.

Layer:  client
"""

from __future__ import annotations

from dataclasses import asdict, replace

from rtspkit.client.access_units import UnitCounters
from rtspkit.client.driver import Driver
from rtspkit.engine.statistics import SessionStats, StreamStats
from rtspkit.wire.stream import Stream

__all__ = ["connection_stats", "with_units"]


def connection_stats(driver: Driver, streams: tuple[Stream, ...]) -> SessionStats:
    """Gather what the machines and the sockets of one connection have counted."""
    machine, playback, reading = driver.machine, driver.playback, driver.measure()
    counted = []
    for stream in streams:
        receiver = playback.receivers.get(stream.index)
        stats = receiver.snapshot() if receiver is not None else StreamStats(index=stream.index)
        dropped = reading.kernel_dropped_by_stream.get(stream.index, 0)
        counted.append(replace(stats, kernel_dropped=dropped))
    return SessionStats(
        streams=tuple(counted),
        requests=machine.counters.requests,
        responses=machine.counters.responses,
        keepalives=machine.keepalive.sent,
        server_requests=machine.counters.server_requests,
        unmatched_responses=machine.counters.unmatched,
        unknown_channel=playback.unknown_channel,
        foreign_datagrams=driver.ports.foreign_datagrams,
        skipped_bytes=machine.counters.skipped,
        receiver=reading.receiver,
        wake_ups=reading.wake_ups,
        system_calls=reading.system_calls,
        largest_batch=reading.largest_batch,
        joined=reading.joined,
        copied=reading.copied,
        kernel_dropped=reading.kernel_dropped,
        receive_buffer=reading.receive_buffer,
        pool=reading.pool,
    )


def with_units(
    stats: SessionStats,
    unit_counters: list[dict[int, UnitCounters]],
    played_at: float | None,
) -> SessionStats:
    """Add the access units of each stream, as the iterator that has made most of them counts."""
    streams = tuple(_with_units(stream, unit_counters, played_at) for stream in stats.streams)
    return replace(stats, streams=streams)


def _with_units(
    stats: StreamStats,
    unit_counters: list[dict[int, UnitCounters]],
    played_at: float | None,
) -> StreamStats:
    counters = [c[stats.index] for c in unit_counters if stats.index in c]
    if not counters:
        return stats
    most = max(counters, key=lambda c: c.access_units)
    values = asdict(most)
    if most.first_keyframe is not None and played_at is not None:
        values["first_keyframe"] = max(most.first_keyframe - played_at, 0.0)
    return replace(stats, **values)

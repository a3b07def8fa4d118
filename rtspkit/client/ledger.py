"""The books of a session that has had more than one connection: their sum.

Layer:  client
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from rtspkit.engine.statistics import SessionStats, StreamStats

__all__ = ["Ledger"]

Stats = TypeVar("Stats", SessionStats, StreamStats)

STREAM_SUMS = [
    "packets",
    "bytes",
    "expected",
    "lost",
    "kernel_dropped",
    "skipped",
    "duplicates",
    "late",
    "reordered",
    "strays",
    "unknown_ssrc",
    "unknown_payload_type",
    "malformed",
    "discontinuities",
    "rtcp_packets",
    "sender_reports",
    "rtcp_unknown_ssrc",
    "misplaced",
]
SESSION_SUMS = [
    "requests",
    "responses",
    "keepalives",
    "server_requests",
    "unmatched_responses",
    "unknown_channel",
    "foreign_datagrams",
    "skipped_bytes",
    "wake_ups",
    "system_calls",
    "joined",
    "copied",
    "kernel_dropped",
]


class Ledger:
    """What earlier connections have counted."""

    def __init__(self) -> None:
        self._before: SessionStats | None = None

    def close(self, stats: SessionStats) -> None:
        """A connection is over; these are its numbers alone."""
        self._before = self.total(stats)

    def total(self, stats: SessionStats) -> SessionStats:
        """The numbers of all connections, where ``stats`` has those of the last one."""
        before = self._before
        if before is None:
            return stats
        earlier = {stream.index: stream for stream in before.streams}
        streams = tuple(_stream(earlier.get(stream.index), stream) for stream in stats.streams)
        return replace(
            _sum(before, stats, SESSION_SUMS),
            streams=streams,
            largest_batch=max(before.largest_batch, stats.largest_batch),
        )


def _stream(before: StreamStats | None, stats: StreamStats) -> StreamStats:
    if before is None:
        return stats
    total = _sum(before, stats, STREAM_SUMS)
    if before.first_packet is not None:
        total = replace(total, first_packet=before.first_packet)
    if stats.last_packet is None:  # nothing has come over this connection yet
        latest = {n: getattr(before, n) for n in ("last_packet", "media_time", "bitrate", "ssrc")}
        total = replace(total, **latest)
    return total


def _sum(before: Stats, stats: Stats, names: list[str]) -> Stats:
    """``stats``, with these numbers counted on."""
    return replace(stats, **{name: getattr(before, name) + getattr(stats, name) for name in names})

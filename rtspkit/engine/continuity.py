"""What goes on when a session comes back over another connection: streams, and their time.

Layer:  engine (pure functions)
In:     the streams of before, and those of a fresh description
Out:    the streams of before where nothing has changed, and what has

Rules
- A stream whose format is the same stays the same object: what the user holds stays right.
- A stream is known again by its place and media; else by its media and encoding; else by its media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.stream import Stream

__all__ = ["Change", "Moment", "check_complete", "gone", "reconcile", "same_format"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a stream was: its last packet's ``media_time`` and arrival, in monotonic seconds."""

    media_time: float
    arrival: float


@dataclass(frozen=True, slots=True)
class Change:
    """A stream of before, and the one in its place; None where there is none."""

    before: Stream | None
    stream: Stream | None


def same_format(one: Stream, other: Stream) -> bool:
    """Whether a decoder that was made for one can go on with the other."""
    return (
        one.media.casefold() == other.media.casefold()
        and one.encoding_name == other.encoding_name
        and one.payload_type == other.payload_type
        and one.clock_rate == other.clock_rate
        and one.channels == other.channels
        and dict(one.fmtp) == dict(other.fmtp)
    )


def reconcile(
    known: tuple[Stream, ...], fresh: tuple[Stream, ...]
) -> tuple[tuple[Stream, ...], tuple[Change, ...]]:
    """Find the streams of before in a fresh description.

    Args:
        known: The streams that were set up before.
        fresh: Every stream of the description, in its order.

    Returns:
        ``fresh``, with the known objects where the format is the same: their place, control URL
        and the like are those of the description now. And what has changed: each known stream
        with what is in its place, and None where nothing is.
    """
    pairs = _pair(known, fresh)
    streams = list(fresh)
    changes = []
    for before in known:
        stream = pairs.get(id(before))
        if stream is not None and same_format(before, stream):
            _renew(before, stream)
            streams[streams.index(stream)] = before
        else:
            changes.append(Change(before, stream))
    return tuple(streams), tuple(changes)


def _pair(known: tuple[Stream, ...], fresh: tuple[Stream, ...]) -> Mapping[int, Stream]:
    """By the identity of each known stream, the one that has its place now."""
    found: dict[int, Stream] = {}
    for alike in (_same_place, _same_encoding, _same_media):
        for before in known:
            if id(before) in found:
                continue
            taken = {id(stream) for stream in found.values()}
            for stream in fresh:
                if id(stream) not in taken and alike(before, stream):
                    found[id(before)] = stream
                    break
    return found


def _same_media(before: Stream, stream: Stream) -> bool:
    return before.media.casefold() == stream.media.casefold()


def _same_encoding(before: Stream, stream: Stream) -> bool:
    return _same_media(before, stream) and before.encoding_name == stream.encoding_name


def _same_place(before: Stream, stream: Stream) -> bool:
    return _same_encoding(before, stream) and before.index == stream.index


def _renew(before: Stream, stream: Stream) -> None:
    """What a connection or the description may change without changing the format."""
    before.index = stream.index
    before.control_url = stream.control_url
    before.direction = stream.direction
    before.framerate = stream.framerate
    before.back_channel = stream.back_channel
    before.transport = before.ssrc = None


def gone(
    known: tuple[Stream, ...], changes: tuple[Change, ...], chosen: tuple[Stream, ...]
) -> list[Stream]:
    """The streams of before that are not set up again, not even in another format."""
    successors = {change.before: change.stream for change in changes}
    return [before for before in known if successors.get(before, before) not in chosen]


def check_complete(
    known: tuple[Stream, ...], changes: tuple[Change, ...], chosen: tuple[Stream, ...]
) -> None:
    """See that every stream of before is set up again, maybe in another format.

    Raises:
        RemoteProtocolError: One is not; retryable, since cameras that just start often lack one.
    """
    for before in gone(known, changes, chosen):
        name = f"{before.media} {before.encoding_name}".rstrip()
        raise RemoteProtocolError(
            f"the server came back without its {name}", phase="setup", retryable=True
        )

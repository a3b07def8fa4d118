"""Which streams of a presentation are set up.

Layer:  engine
In:     what the user asked for: media, encoding names, indices, streams or a predicate
Out:    streams, in the order of the description

Rule
- Without a wish, everything is taken but back channels and ``a=inactive``; when that leaves
  nothing, the marks are wrong and everything is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rtspkit.errors import RemoteProtocolError, StreamNotFound
from rtspkit.wire.stream import Stream

__all__ = ["Select", "Selection", "select_streams"]

Select = str | int | Stream
"""Names streams: a media, an encoding name, an index, or the stream itself."""

Selection = Select | Iterable[Select] | Callable[[Stream], bool] | None


def select_streams(streams: tuple[Stream, ...], wish: Selection = None) -> tuple[Stream, ...]:
    """The streams that the wish names.

    Raises:
        RemoteProtocolError: The presentation has no streams at all.
        StreamNotFound: A part of the wish names none of them.
    """
    if not streams:
        raise RemoteProtocolError("the description has no media", phase="describe")
    if wish is None:
        towards_us = tuple(s for s in streams if not s.back_channel and s.direction != "inactive")
        return towards_us or streams
    if callable(wish):
        chosen = {stream.index for stream in streams if wish(stream)}
        if not chosen:
            raise StreamNotFound(f"the predicate takes no stream; {_offer(streams)}")
    else:
        chosen = set()
        parts = [wish] if isinstance(wish, str | int | Stream) else list(wish)
        for part in parts:
            if not isinstance(part, str | int | Stream):
                raise TypeError(f"a stream is selected by name, index or itself, not by {part!r}")
            found = {stream.index for stream in streams if stream.matches(part)}
            if not found:
                raise StreamNotFound(f"no stream is {part!r}; {_offer(streams)}")
            chosen |= found
        if not chosen:
            raise StreamNotFound(f"the selection is empty; {_offer(streams)}")
    return tuple(stream for stream in streams if stream.index in chosen)


def _offer(streams: tuple[Stream, ...]) -> str:
    names = ", ".join(f"{s.index}: {s.media} {s.encoding_name}".rstrip() for s in streams)
    return f"the presentation has {names}"

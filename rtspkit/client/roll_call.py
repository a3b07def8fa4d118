"""Which streams of a session have come back, and which are still missing.

Layer:  client
Rule
- A session is back when every stream of sound or pictures that has played before sends packets
  again: there are cameras that come back with their sound alone. Metadata may be silent.
"""

from __future__ import annotations

import asyncio

from rtspkit.engine.playback import CONTINUOUS_MEDIA
from rtspkit.errors import ConnectionLost, DeadlineExceeded, RtspError
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.stream import Stream

__all__ = ["RollCall"]


class RollCall:
    """One attempt's streams, until all have answered or the connection has ended."""

    def __init__(self) -> None:
        self.missing: set[Stream] = set()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def expect(self, streams: set[Stream]) -> None:
        """These are to come; before the first packet."""
        self.missing = {s for s in streams if s.media.lower() in CONTINUOUS_MEDIA}
        if not self.missing:
            self._settle()

    def answer(self, packets: list[RtpPacket]) -> bool:
        """Packets have come; whether nobody is missing any more."""
        self.missing.difference_update([packet.stream for packet in packets])
        if self.missing:
            return False
        self._settle()
        return True

    def _settle(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def fail(self, error: RtspError | None) -> None:
        """The connection has ended."""
        if not self._done.done():
            self._done.set_exception(
                error or ConnectionLost("the stream ended at once", phase="first packet")
            )
            self._done.exception()  # seen, even when nobody waits for it any more

    async def complete(self, seconds: float) -> None:
        """Wait until nobody is missing.

        Raises:
            RtspError: A stream did not come within so many seconds, or the connection has ended.
        """
        await asyncio.wait([self._done], timeout=seconds)
        if self._done.done():
            self._done.result()
            return
        names = ", ".join(sorted(f"{s.media} {s.encoding_name}".rstrip() for s in self.missing))
        raise DeadlineExceeded(
            "first packet",
            seconds,
            message=f"first packet: {names} did not come back within {seconds:g} s",
        )

"""Whether a session is still alive: any byte or reply counts, silence has a deadline.

Layer:  engine (``now`` comes in)
In:     start, media(now), control(now)
Out:    ``deadline``; handle_deadline gives the error that ends the session

Rules
- Before the first packet the deadline is that of the transport; after it, ``media_silence``.
- Sessions of audio or video live by their media, and by any reply in between.
- A session of nothing but metadata may be silent for minutes: it lives by the replies to its
  keep-alives, and has as long as two of them take.
- A paused session is not watched.
"""

from __future__ import annotations

from rtspkit.errors import ConnectionLost, DeadlineExceeded, RtspError

__all__ = ["Liveness"]


class Liveness:
    """The watch over one session; off until ``start``."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._first_packet = 0.0
        self._silence = 0.0
        self._held = False
        self.seen_media = False

    def start(
        self, now: float, *, first_packet: float, silence: float, continuous: bool = True
    ) -> None:
        """Begin to watch.

        Args:
            now: Monotonic seconds.
            first_packet: Seconds that the first packet may take.
            silence: Seconds of silence after it.
            continuous: Whether there is audio or video; without, replies are all that is asked.
        """
        self._last = now
        self._first_packet = first_packet
        self._silence = silence
        self.seen_media = not continuous

    def stop(self) -> None:
        """Stop watching: paused, or over."""
        self._last = None

    def media(self, now: float) -> None:
        """RTP arrived."""
        if self._last is not None:
            self._last = now
            self.seen_media = True

    def control(self, now: float) -> None:
        """A reply or RTCP arrived; before the first packet that proves nothing."""
        if self._last is not None and self.seen_media:
            self._last = now

    def hold(self, held: bool, now: float) -> None:
        """Nothing is read, at our own wish: silence means nothing until it is."""
        self._held = held
        if self._last is not None and not held:
            self._last = now

    @property
    def deadline(self) -> float | None:
        """When silence has lasted too long; None while nobody watches."""
        if self._last is None or self._held:
            return None
        return self._last + (self._silence if self.seen_media else self._first_packet)

    def handle_deadline(self, now: float) -> RtspError | None:
        """The error that ends the session, when its time has come."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return None
        self.stop()
        if not self.seen_media:
            return DeadlineExceeded(
                "first packet",
                self._first_packet,
                message=f"first packet: PLAY was answered, but no media came within "
                f"{self._first_packet:g} s; try another transport",
            )
        words = f"no media and no reply for {self._silence:g} s"
        lost = ConnectionLost(words, phase="streaming")
        lost.__cause__ = DeadlineExceeded("media silence", self._silence)
        return lost

"""One RTSP session of the camera: its tracks, its state, its time-out, its playing.

Layer:  testing
In:     set_up, prepare, start, pause, touch; RTP goes out by one task while it plays
Out:    packets, at their time by the loop's clock
Source: RFC 2326 §10.4 to §10.7, A.2 (states of a server); RFC 3550 §6.4.1
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Literal

from rtspkit.testing.outlet import InterleavedOutlet
from rtspkit.testing.sender import TrackSender

if TYPE_CHECKING:
    from rtspkit.testing.camera_core import CameraCore

__all__ = ["CameraSession"]

State = Literal["ready", "playing", "closed"]


class CameraSession:
    """One session.

    Args:
        camera: Whose session it is.
        session_id: Its id.

    Attributes:
        id: Its id.
        senders: One for each track that was set up, by the track's place.
        state: ``"ready"``, ``"playing"`` or ``"closed"``.
        last_seen: When the client last gave a sign of life, by the loop's clock.
        plays: How often it began to play.
    """

    def __init__(self, camera: CameraCore, session_id: str) -> None:
        self.camera = camera
        self.id = session_id
        self.senders: dict[int, TrackSender] = {}
        self.state: State = "ready"
        self.last_seen = camera.now()
        self.plays = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._start = 0.0  # npt where the segment begins
        self._stop = math.inf  # npt where it ends
        self._scale = 1.0
        self._pace = 1.0  # seconds of presentation in a second
        self._began = 0.0  # by the loop's clock
        self._report_due = math.inf
        self._arm()

    def touch(self) -> None:
        """The client gave a sign of life."""
        self.last_seen = self.camera.now()

    def _arm(self) -> None:
        timeout = self.camera.session_timeout
        if timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self.last_seen + timeout, self._expire)

    def _expire(self) -> None:
        timeout = self.camera.session_timeout
        if timeout is not None and self.camera.now() - self.last_seen >= timeout:
            self._timer = None
            self.camera.sessions_expired += 1
            if self.camera.close_on_expiry:
                self._close_connections()
            self.close()
        else:
            self._arm()

    def _close_connections(self) -> None:
        """End the connections that carry media of this session."""
        for sender in self.senders.values():
            if isinstance(sender.outlet, InterleavedOutlet):
                sender.outlet.connection.close()

    def add(self, sender: TrackSender) -> None:
        """Take a track in; in a playing session it plays from now on."""
        self.senders[sender.index] = sender
        if self.state == "playing":
            npt = self.npt()
            sender.begin(npt, stopped=0.0, scale=self._scale, seek=True)

    def remove(self, index: int) -> None:
        """Take a track out."""
        self.senders.pop(index).outlet.close()

    def npt(self) -> float:
        """The moment of the presentation that is played now, in seconds."""
        if self.state != "playing":
            return self._start
        if math.isinf(self._pace):
            return self._next_npt()
        return self._start + (self.camera.now() - self._began) * self._pace

    def _next_npt(self) -> float:
        return min((sender.next_npt for sender in self.senders.values()), default=self._start)

    def prepare(
        self,
        *,
        start: float | None,
        stop: float | None = None,
        scale: float = 1.0,
        speed: float = 1.0,
    ) -> float:
        """Get ready to play, and stop what plays.

        Args:
            start: Where to begin, in seconds; None to go on from where it is.
            stop: Where to end; None for the end of the presentation.
            scale: Seconds of presentation in a second of RTP time.
            speed: How much faster than in real time packets are sent.

        Returns:
            Where it really begins: at a keyframe.
        """
        self.pause()
        stopped, seek = self._start, start is not None or not self.plays
        if seek:
            video = [s for s in self.senders.values() if s.track.media == "video"]
            begin = start or 0.0
            for sender in video[:1]:
                track = sender.track
                begin = track.ticks(track.keyframe_at(begin)) / track.clock_rate
            self._start = begin
        for sender in self.senders.values():
            sender.begin(self._start, stopped=stopped, scale=scale, seek=seek)
        self._scale, self._pace = scale, scale * speed * self.camera.speed
        end = self.camera.duration
        self._stop = min(math.inf if stop is None else stop, math.inf if end is None else end)
        return self._start

    def start(self) -> None:
        """Begin to play what ``prepare`` got ready."""
        if self.state != "ready":
            return
        self.state = "playing"
        self.plays += 1
        self._began = self.camera.now()
        interval = self.camera.report_interval
        self._report_due = math.inf if interval is None else self._began + self.camera.report_delay
        self._task = self.camera.spawn(self._play())

    def pause(self) -> None:
        """Stop playing, and keep the place."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.state == "playing":
            reached = self.npt()
            self._start = min(reached, max(self._next_npt(), self._start))
            self.state = "ready"

    def close(self) -> None:
        """End the session: nothing is sent any more. Idempotent."""
        self.pause()
        self.state = "closed"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for index in list(self.senders):
            self.remove(index)
        self.camera.forget(self)

    async def _play(self) -> None:
        """Send every unit at its time, and sender reports between them."""
        camera = self.camera
        while (sender := self._next_sender()) is not None:
            npt = sender.next_npt
            due = self._began + (npt - self._start) / self._pace
            now = camera.now()
            if (wake := min(due, self._report_due)) > now:
                await asyncio.sleep(wake - now)
                continue
            if self._report_due <= now:
                self._report(now)
                continue
            await sender.outlet.drain()
            if camera.media_stopped:
                sender.skip()
            else:
                camera.send_unit(sender)
            await asyncio.sleep(0)
        await self._until_end()
        self._finish()

    def _next_sender(self) -> TrackSender | None:
        limit = self.camera.packets
        waiting = [
            sender
            for sender in self.senders.values()
            if sender.next_npt < self._stop and (limit is None or sender.made < limit)
        ]
        return min(waiting, key=lambda sender: sender.next_npt, default=None)

    def _report(self, now: float) -> None:
        interval = self.camera.report_interval
        self._report_due = math.inf if interval is None else now + interval
        if self.camera.media_stopped:
            return
        npt = self.npt()
        ntp = self.camera.ntp()
        for sender in self.senders.values():
            sender.report(ntp, npt, self.camera.edit_report)

    async def _until_end(self) -> None:
        """The last unit has a duration too."""
        if self.camera.packets is None and math.isfinite(self._stop):
            end = self._began + (self._stop - self._start) / self._pace
            await asyncio.sleep(max(end - self.camera.now(), 0.0))

    def _finish(self) -> None:
        """The end of the presentation, or of the range that was asked for."""
        ended = self.camera.duration is not None and self._stop >= self.camera.duration
        if ended or self.camera.packets is not None:
            for sender in self.senders.values():
                sender.goodbye()
        if not math.isinf(self._stop):
            self._start = self._stop
        self.state = "ready"
        self._task = None
        self.camera.changed()

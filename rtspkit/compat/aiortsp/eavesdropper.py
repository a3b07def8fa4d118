"""A driver whose owner also sees what aiortsp shows: every response, and RTCP as it comes.

Layer:  compat
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rtspkit.client.driver import Driver
from rtspkit.client.options import ConnectOptions
from rtspkit.client.sink import Sink
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.message import Response
from rtspkit.wire.rtp import RtpPacket

__all__ = ["Eavesdropper"]


class Eavesdropper(Driver):
    """One connection, overheard.

    Args:
        options: As for any driver.
        sink: As for any driver.
        on_rtcp: Gets each RTCP datagram, before the session reads it.

    Attributes:
        answer: The last response of 2xx; None before the first.
        rtcp_channel: Where RTCP comes over TCP; None over UDP.
    """

    def __init__(
        self, options: ConnectOptions, sink: Sink, on_rtcp: Callable[[memoryview], None]
    ) -> None:
        super().__init__(options, sink)
        self.answer: Response | None = None
        self.rtcp_channel: int | None = None
        self._on_report = on_rtcp
        # The playback is given everything that arrives; what it is given is seen on its way.
        self._take_frames = self.playback.receive_frames
        self._take_rtcp = self.playback.receive_rtcp
        self.playback.receive_frames = self._see_frames  # type: ignore[method-assign]
        self.playback.receive_rtcp = self._see_rtcp  # type: ignore[method-assign]

    async def ask(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        """As of any driver; the response is kept."""
        self.answer = await super().ask(method, uri, headers, body)
        return self.answer

    def _see_frames(self, frames: Iterable[FrameRun]) -> list[RtpPacket]:
        frames = list(frames)
        for run in frames:
            if run.channel == self.rtcp_channel:
                self._see(run.datagrams)
        return self._take_frames(frames)

    def _see_rtcp(self, index: int, datagrams: Datagrams) -> list[RtpPacket]:
        self._see(datagrams)
        return self._take_rtcp(index, datagrams)

    def _see(self, datagrams: Datagrams) -> None:
        for view in datagrams:
            self._on_report(view)

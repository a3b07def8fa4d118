"""A session that the server has dropped (454), asked for again on the same connection.

Layer:  client
Source: RFC 2326 §11.3.6
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtspkit.client.driver import FROM_THE_START, Driver
from rtspkit.engine.events import Event, SessionRestored
from rtspkit.engine.handshake import Presentation, set_up_streams
from rtspkit.errors import ConnectionLost, RtspError
from rtspkit.options import Timeouts

__all__ = ["Restoration", "set_up_again"]


async def set_up_again(
    driver: Driver, presentation: Presentation, timeouts: Timeouts, *, playing: bool
) -> None:
    """SETUP for the same streams over the same transport, and PLAY when it played.

    Args:
        driver: The connection.
        presentation: What was set up before.
        timeouts: ``connect`` is the deadline of the whole.
        playing: False for a paused session, which stays so.

    Raises:
        ConnectionLost: The server did not give it again; ``__cause__`` has the reason.
    """
    steps = set_up_streams(presentation.chosen, presentation.kind, driver.note, required=True)
    try:
        async with asyncio.timeout(timeouts.connect):
            await driver.run(steps)
            if playing:
                position = driver.playback.position
                if position is None:  # it was no pause: time has gone on
                    driver.playback.carry_on(driver.playback.moments(), ())
                await driver.play(
                    presentation,
                    timeouts.first_packet_tcp,
                    range_header=FROM_THE_START if position is None else f"npt={position:.3f}-",
                    resumed=True,
                )
    except (RtspError, TimeoutError) as error:
        reason = str(error) or f"not within {timeouts.connect:g} s"
        raise ConnectionLost(
            f"the server dropped the session and did not give it again ({reason})",
            phase="streaming",
        ) from error


class Restoration:
    """The attempts to get one session back, one at a time.

    Args:
        timeouts: ``connect`` is the deadline of each.
        now: Gives monotonic seconds.
        on_event: Told when one has succeeded; one that fails ends the driver.
    """

    def __init__(
        self, timeouts: Timeouts, now: Callable[[], float], on_event: Callable[[Event], None]
    ) -> None:
        self._timeouts = timeouts
        self._now = now
        self._on_event = on_event
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the session is being asked for at the moment."""
        return self._task is not None

    def begin(self, driver: Driver, presentation: Presentation, *, playing: bool) -> None:
        """Ask for the session again, unless that is done already."""
        if self._task is None:
            attempt = self._run(driver, presentation, playing=playing)
            self._task = asyncio.get_running_loop().create_task(attempt)

    async def _run(self, driver: Driver, presentation: Presentation, *, playing: bool) -> None:
        began = self._now()
        try:
            await set_up_again(driver, presentation, self._timeouts, playing=playing)
        except RtspError as error:
            driver.fail(error)
        except Exception as defect:  # noqa: BLE001 - the loop's handler gets it
            driver.report(defect)
        else:
            self._on_event(SessionRestored(self._now(), self._now() - began))
        finally:
            self._task = None

    def cancel(self) -> None:
        """Give up; called from within it, nothing happens."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def settle(self) -> None:
        """Wait until it is over, whatever became of it."""
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait([self._task])

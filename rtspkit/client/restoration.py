"""A session that the server has dropped (454), asked for again on the same connection.

Layer:  client
Source: RFC 2326 §11.3.6
"""

from __future__ import annotations

import asyncio

from rtspkit.client.driver import FROM_THE_START, Driver
from rtspkit.engine.handshake import Presentation, set_up_streams
from rtspkit.errors import ConnectionLost, RtspError
from rtspkit.options import Timeouts

__all__ = ["set_up_again"]


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

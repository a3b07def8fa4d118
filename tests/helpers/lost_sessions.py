"""Sessions that are lost and come back: how to open one, and how to wait for what it tells."""

from __future__ import annotations

from typing import TypeVar

from faulty import wait

import rtspkit
from rtspkit import Retry
from rtspkit.client.connector import Connector
from rtspkit.client.driver import Driver
from rtspkit.client.iterators import PacketIterator
from rtspkit.engine.events import Event
from rtspkit.engine.handshake import Presentation
from rtspkit.errors import RtspError
from rtspkit.testing.camera import Camera
from rtspkit.wire.rtp import RtpPacket

STEADY = Retry(strategy="linear")  # delays that everybody can reckon: 1 s, 3 s, 5 s

E = TypeVar("E", bound=Event)


def open_steadily(camera: Camera, transport: str = "tcp", **options: object) -> Connector:
    """A session that is tried for at once, and then after 1 s, 3 s, 5 s …"""
    options.setdefault("retry", STEADY)
    return rtspkit.connect(camera.url, transport=transport, **options)


async def told(session: rtspkit.Session, kind: type[E], number: int = 1) -> E:
    """The first event of a kind, or the second …; waited for when it is yet to come."""
    async for event in session.events():
        if isinstance(event, kind):
            number -= 1
            if not number:
                return event
    raise AssertionError(f"the session has ended, and there was no such {kind.__name__}")


async def told_all(session: rtspkit.Session, *kinds: type[Event]) -> list[Event]:
    """Every event of these kinds, of a session that has ended."""
    return [event async for event in session.events() if isinstance(event, kinds)]


async def packets_until(packets: PacketIterator, media_time: float) -> list[RtpPacket]:
    """What comes up to a time of the presentation."""
    taken = []
    async for packet in packets:
        taken.append(packet)
        if packet.media_time >= media_time:
            break
    return taken


def methods(camera: Camera) -> list[str]:
    """What was asked of it, in order."""
    return [request.method for request in camera.requests]


def asked(camera: Camera, method: str) -> int:
    """How often it was asked that."""
    return methods(camera).count(method)


class Begun:
    """Where the results of attempts go: keeps what it is told.

    Attributes:
        begun: Drivers that were handed over, with what was set up on them.
        ends: What each of them has ended with.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.packets: list[RtpPacket] = []
        self.begun: list[tuple[Driver, Presentation]] = []
        self.ends: list[RtspError | None] = []

    def on_packets(self, packets: list[RtpPacket]) -> None:
        self.packets += packets

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_gone(self) -> None:
        raise AssertionError("no session was dropped")

    def on_end(self, error: RtspError | None) -> None:
        self.ends.append(error)

    def begin(self, driver: Driver, presentation: Presentation) -> None:
        self.begun.append((driver, presentation))

    async def leave(self) -> None:
        """Take leave on every connection."""
        for driver, _ in self.begun:
            await driver.leave()

    def told(self, kind: type[E]) -> list[E]:
        """Every event of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


async def packets_until_empty(packets: PacketIterator) -> list[RtpPacket]:
    """What waits in its queue."""
    return [await anext(packets) for _ in range(len(packets._queue.items))]


async def restart(camera: Camera, after: float) -> None:
    """Nobody listens for so many seconds."""
    await camera.aclose()
    await wait(after)
    await camera.start()

"""A bad network between a client and an RTSP server, drawn from a seed.

Layer:  testing
In:     RTSP connections of clients, to ``link.url``
Out:    RTSP connections to the server; RTP and RTCP of UDP sessions pass through the link too

    async with Camera() as camera, Link(camera.url, down=Impairment(loss=0.05), seed=7) as link:
        async with rtspkit.connect(link.url) as session:
            ...
        assert stats.lost == link.counters("down", "rtp").dropped

The n-th packet of a stream meets the same fate for the same seed, whenever it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from rtspkit.testing.impairment import Impairment, LaneCounters
from rtspkit.testing.link_circuit import LinkCircuit
from rtspkit.testing.link_relay import Direction, Kind, LinkRelay
from rtspkit.testing.listener import Listener
from rtspkit.testing.ports import Address
from rtspkit.wire.url import parse_url

__all__ = ["Link"]

CLOSING = 2.0  # seconds that closing may take


class Link:
    """A proxy for RTSP with everything that belongs to it.

    Args:
        target: URL of the presentation on the server.
        down: What happens to datagrams on the way to the client.
        up: What happens to datagrams on the way to the server.
        tcp_down: What happens to TCP on the way to the client.
        tcp_up: What happens to TCP on the way to the server.
        seed: Of all that is by chance.
        host: Numeric address to listen at.
        port: Port to listen at; 0 for a free one.

    Attributes:
        down, up, tcp_down, tcp_up: As above; may be changed while the link runs.
        stalled: Whether nothing passes, over UDP or TCP: a black hole.
        refusing: Whether new connections are ended with a RST.
        circuits: TCP connections of clients that are open.
        relays: Those of all SETUPs over UDP so far, in order.
        connections_made: TCP connections of clients so far.
    """

    def __init__(
        self,
        target: str,
        *,
        down: Impairment | None = None,
        up: Impairment | None = None,
        tcp_down: Impairment | None = None,
        tcp_up: Impairment | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        url = parse_url(target)
        self.target = (url.host, url.port)
        self.down = down or Impairment()
        self.up = up or Impairment()
        self.tcp_down = tcp_down or Impairment()
        self.tcp_up = tcp_up or Impairment()
        self.seed = seed
        self.stalled = False
        self.refusing = False
        self.circuits: list[LinkCircuit] = []
        self.relays: list[LinkRelay] = []
        self.connections_made = 0
        self._scheme, self._path = url.scheme, url.target
        self._host, self._port = host, port
        self._circuits_made = 0
        self._listener: Listener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        if self._listener is None:
            self._listener = await Listener.open(
                lambda: LinkCircuit(self).client, hosts=(self._host,), port=self._port
            )
            self._port = self._listener.port

    async def aclose(self) -> None:
        """Close everything. Idempotent; never raises."""
        listener, self._listener = self._listener, None
        for circuit in list(self.circuits):
            circuit.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if waiting := tasks | self._closing:
            await asyncio.wait(waiting, timeout=CLOSING)
        for relay in self.relays:
            await relay.aclose()
        if listener is not None:
            await listener.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    @property
    def url(self) -> str:
        """Where the presentation is, through the link; without credentials."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}{self._path}"

    def counters(
        self, direction: Direction = "down", kind: Kind = "rtp", *, stream: int | None = None
    ) -> LaneCounters:
        """What happened to the datagrams of one kind.

        Args:
            direction: ``"down"`` is to the client.
            kind: ``"rtp"`` or ``"rtcp"``.
            stream: Which SETUP over UDP, from 0 in the order of the link; None for the sum.
        """
        relays = self.relays if stream is None else [self.relays[stream]]
        lanes = [relay.lane(direction, kind) for relay in relays]
        return sum((lane.counters for lane in lanes), LaneCounters())

    def cut(self) -> None:
        """End all TCP connections with a RST, on both sides."""
        for circuit in list(self.circuits):
            circuit.reset()

    def stall(self) -> None:
        """Let nothing pass any more; TCP waits, datagrams are lost."""
        self.stalled = True

    def resume(self) -> None:
        """Let everything pass again; what waited in TCP comes at once."""
        self.stalled = False
        for circuit in list(self.circuits):
            circuit.resume()

    def next_circuit(self) -> int:
        """A number for a new circuit."""
        self._circuits_made += 1
        return self._circuits_made - 1

    def opened(self, circuit: LinkCircuit) -> None:
        """A client has connected."""
        self.circuits.append(circuit)
        self.connections_made += 1

    def ended(self, circuit: LinkCircuit) -> None:
        """Both connections of a circuit are ending."""
        if circuit in self.circuits:
            self.circuits.remove(circuit)
        for end in (circuit.client, circuit.server):
            if not end.closed.done():
                self._closing.add(end.closed)
                end.closed.add_done_callback(self._closing.discard)

    def new_relay(
        self, client_host: Address, host: str, client: tuple[int, int], server_host: str
    ) -> LinkRelay:
        """Ports for one SETUP over UDP."""
        relay = LinkRelay(
            len(self.relays),
            seed=self.seed,
            down=self.down,
            up=self.up,
            client_host=client_host,
            client=client,
            server_host=server_host,
            host=host,
            blocked=lambda: self.stalled,
        )
        self.relays.append(relay)
        return relay

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until it ends or the link is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": "a task of the link failed", "exception": error, "task": task}
            )

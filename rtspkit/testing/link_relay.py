"""The way of one track's datagrams through a link: two ports on each side.

Layer:  testing
In:     RTP and RTCP from the server, RTCP (and more) from the client
Out:    the same to the other side, as the impairments will have it
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Literal

from rtspkit.testing.impairment import DatagramLane, Impairment
from rtspkit.testing.ports import Address, DatagramPort, bind_pair

__all__ = ["Direction", "Kind", "LinkRelay"]

Direction = Literal["down", "up"]  # to the client, to the server
Kind = Literal["rtp", "rtcp"]
KINDS: tuple[Kind, Kind] = ("rtp", "rtcp")


def _host_toward(server_host: str) -> str:
    """The address to bind to for what comes from a server."""
    if server_host.startswith("127.") or server_host == "::1":
        return server_host
    return "::" if ":" in server_host else "0.0.0.0"


class _Flow:
    """One lane, with the port that it leaves by."""

    def __init__(self, lane: DatagramLane, blocked: Callable[[], bool]) -> None:
        self.lane = lane
        self.port: DatagramPort | None = None
        self.address: Address | None = None
        self._blocked = blocked
        self._timer: asyncio.TimerHandle | None = None

    def push(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._blocked():
            self.lane.counters.received += 1
            self.lane.counters.dropped += 1
            return
        self.lane.push(data, loop.time())
        self.pump()

    def pump(self) -> None:
        """Send what is due, and come back for the rest."""
        loop = asyncio.get_running_loop()
        for data in self.lane.due(loop.time()):
            if self.port is not None and self.address is not None:
                self.port.send(data, self.address)
        self.close_timer()
        if (deadline := self.lane.deadline) is not None:
            self._timer = loop.call_at(deadline, self.pump)

    def close_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class LinkRelay:
    """The datagrams of one SETUP.

    Args:
        place: Its number in the link, from 0; part of the seed.
        seed: Of the link.
        down: What happens on the way to the client.
        up: What happens on the way to the server.
        client_host: Address of the client.
        client: Ports of the client.
        server_host: Address of the server.
        host: Our address toward the client.
        blocked: Whether nothing passes now.

    Attributes:
        client: Ports of the client.
        server: Ports of the server, once known.
        toward_server: Our ports, in the place of the client's.
        toward_client: Our ports, in the place of the server's.
    """

    def __init__(
        self,
        place: int,
        *,
        seed: int,
        down: Impairment,
        up: Impairment,
        client_host: Address,
        client: tuple[int, int],
        server_host: str,
        host: str,
        blocked: Callable[[], bool],
    ) -> None:
        self.place = place
        self.client = client
        self._server: tuple[int, int] | None = None
        self._server_host = server_host
        self._ports: list[DatagramPort] = []
        self._sockets: list[socket.socket] = []
        self._closed = False
        near, far = bind_pair(host), bind_pair(_host_toward(server_host))
        self._sockets = [*near, *far]
        self.toward_client = (near[0].getsockname()[1], near[1].getsockname()[1])
        self.toward_server = (far[0].getsockname()[1], far[1].getsockname()[1])
        self._flows: dict[tuple[Direction, Kind], _Flow] = {}
        what: dict[Direction, Impairment] = {"down": down, "up": up}
        for direction, impairment in what.items():
            for kind in KINDS:
                lane = DatagramLane(impairment, seed, f"{direction} {kind} {place}")
                self._flows[direction, kind] = _Flow(lane, blocked)
        for kind, port in zip(KINDS, client, strict=True):
            self._flows["down", kind].address = (client_host[0], port, *client_host[2:])

    @property
    def server(self) -> tuple[int, int] | None:
        return self._server

    @server.setter
    def server(self, ports: tuple[int, int] | None) -> None:
        self._server = ports
        if ports is not None:
            for kind, port in zip(KINDS, ports, strict=True):
                self._flows["up", kind].address = (self._server_host, port)

    def lane(self, direction: Direction, kind: Kind) -> DatagramLane:
        """One of the four lanes."""
        return self._flows[direction, kind].lane

    async def open(self) -> None:
        """Begin to relay; what came in before has waited in the system."""
        loop = asyncio.get_running_loop()
        for number, one in enumerate(tuple(self._sockets)):
            kind = KINDS[number % 2]
            inward: Direction = "up" if number < 2 else "down"
            receive = partial(self._receive, inward, kind)
            _, port = await loop.create_datagram_endpoint(
                lambda one=one, receive=receive: DatagramPort(one, receive),  # type: ignore[misc]
                sock=one,
            )
            self._sockets.remove(one)
            self._ports.append(port)
            self._flows["down" if inward == "up" else "up", kind].port = port
            if self._closed:
                port.close()
        for flow in self._flows.values():
            flow.pump()

    def _receive(self, direction: Direction, kind: Kind, data: bytes, address: Address) -> None:
        flow = self._flows[direction, kind]
        if direction == "down":
            answer = self._flows["up", kind]
            if answer.address is None:  # the server did not say: it is where it sends from
                answer.address = address
        flow.push(data)

    def close(self) -> None:
        """Stop relaying. Idempotent."""
        self._closed = True
        for flow in self._flows.values():
            flow.close_timer()
            flow.lane.clear()
        for port in self._ports:
            port.close()

    async def aclose(self) -> None:
        """Stop relaying, and wait until the sockets are gone."""
        self.close()
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        if waiting := [port.closed for port in self._ports if not port.closed.done()]:
            await asyncio.wait(waiting)

"""The way of one track's packets to its client: UDP ports, or channels of a connection.

Layer:  testing
In:     RTP and RTCP packets
Out:    datagrams to the client's ports, or interleaved frames; what the client sends back
Source: RFC 2326 §10.12, §12.39
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rtspkit.testing.ports import Address, DatagramPort, open_pair
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.transport import Transport

__all__ = ["FrameWriter", "InterleavedOutlet", "Outlet", "UdpOutlet"]


class FrameWriter(Protocol):
    """What an interleaved outlet needs of a connection."""

    def write_frames(self, data: bytes) -> bool:
        """Write whole frames; False when the connection is closing."""

    async def drain(self) -> None:
        """Wait until the connection takes more."""

    def close(self) -> None:
        """End the connection."""


class Outlet(Protocol):
    """One track's way to its client."""

    transport: Transport

    def send(self, packet: bytes, *, rtcp: bool = False) -> bool:
        """Send one packet now; False when it could not be."""

    def send_many(self, packets: Sequence[bytes]) -> int:
        """Send RTP packets now, together; how many could be, from the front."""

    async def drain(self) -> None:
        """Wait until more may be sent."""

    def close(self) -> None:
        """Let go of what the outlet owns. Idempotent."""


class UdpOutlet:
    """Two UDP ports of the camera, and those of the client.

    Attributes:
        transport: What the response to SETUP says.
        addresses: Where RTP and RTCP go to.
        ports: Our own.
    """

    def __init__(
        self,
        transport: Transport,
        addresses: tuple[Address, Address],
        ports: tuple[DatagramPort, DatagramPort],
    ) -> None:
        self.transport = transport
        self.addresses = addresses
        self.ports = ports

    @classmethod
    async def open(
        cls,
        transport: Transport,
        *,
        local: Address,
        peer: Address,
        ssrc: int,
        on_datagram: Callable[[int, bytes, Address], None],
    ) -> UdpOutlet:
        """Open a pair of ports for a client.

        Args:
            transport: As asked for; has ``client_port``.
            local: Our end of the control connection.
            peer: The client's end of it; media goes to this host, whatever the request says.
            ssrc: For the response.
            on_datagram: Called with 0 (RTP port) or 1, the data and the sender's address.
        """
        assert transport.client_port is not None
        ports = await open_pair(local[0], on_datagram)
        agreed = Transport(
            "UDP",
            delivery="unicast",
            client_port=transport.client_port,
            server_port=(ports[0].port, ports[1].port),
            ssrc=ssrc,
            mode="play",
        )
        rtp, rtcp = transport.client_port
        return cls(agreed, ((peer[0], rtp, *peer[2:]), (peer[0], rtcp, *peer[2:])), ports)

    def send(self, packet: bytes, *, rtcp: bool = False) -> bool:
        return self.ports[rtcp].send(packet, self.addresses[rtcp])

    def send_many(self, packets: Sequence[bytes]) -> int:
        return self.ports[0].send_many(packets, self.addresses[0])

    async def drain(self) -> None:
        await self.ports[0].writable.wait()

    def close(self) -> None:
        for port in self.ports:
            port.close()


class InterleavedOutlet:
    """Two channels of a control connection.

    Attributes:
        transport: What the response to SETUP says.
        connection: Where the frames go.
        channels: Of RTP and RTCP.
    """

    def __init__(self, connection: FrameWriter, channels: tuple[int, int], *, ssrc: int) -> None:
        self.connection = connection
        self.channels = channels
        self.transport = Transport(
            "TCP", delivery="unicast", interleaved=channels, ssrc=ssrc, mode="play"
        )

    def send(self, packet: bytes, *, rtcp: bool = False) -> bool:
        return self.connection.write_frames(serialize_frame(self.channels[rtcp], packet))

    def send_many(self, packets: Sequence[bytes]) -> int:
        frames = b"".join(serialize_frame(self.channels[0], packet) for packet in packets)
        return len(packets) if self.connection.write_frames(frames) else 0

    async def drain(self) -> None:
        await self.connection.drain()

    def close(self) -> None:
        """Nothing is owned: the connection lives on."""

"""SETUP: which transport of those asked for is taken, and the way it opens.

Layer:  testing
In:     the Transport header of a request, and the connection it came on
Out:    an outlet; its ``transport`` is what the response says
Source: RFC 2326 §10.4, §10.12, §12.39
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rtspkit.errors import RemoteProtocolError
from rtspkit.testing.answer import refuse
from rtspkit.testing.outlet import InterleavedOutlet, Outlet, UdpOutlet
from rtspkit.testing.ports import Address
from rtspkit.wire.header import Transport, parse_transports
from rtspkit.wire.message import Request

if TYPE_CHECKING:
    from rtspkit.testing.camera_connection import CameraConnection
    from rtspkit.testing.camera_session import CameraSession

__all__ = ["choose_channels", "choose_transport", "open_outlet"]


def choose_transport(request: Request, enabled: Collection[str]) -> Transport:
    """The first transport of a request that is enabled.

    Args:
        request: A SETUP.
        enabled: Of ``"udp"`` and ``"tcp"``.

    Raises:
        Refused: 400 without a Transport header, 461 when none will do.
    """
    value = request.headers.get("Transport")
    if value is None:
        raise refuse(400)
    try:
        wanted = parse_transports(value)
    except RemoteProtocolError:
        raise refuse(461) from None
    for transport in wanted:
        if transport.profile != "AVP" or transport.delivery == "multicast":
            continue
        if transport.protocol == "TCP" and "tcp" in enabled:
            return transport
        if transport.protocol == "UDP" and "udp" in enabled and transport.client_port is not None:
            return transport
    raise refuse(461)


def choose_channels(
    wanted: tuple[int, int] | None, taken: Collection[int], *, swap: bool = False
) -> tuple[int, int]:
    """The channels of a track: those asked for, when they are free.

    Args:
        wanted: Asked for; None for any.
        taken: Those of other tracks on the connection.
        swap: Give others in any case, as some servers do.

    Raises:
        Refused: 453, no two channels are left.
    """
    if wanted is not None and not swap and not set(wanted) & set(taken):
        return wanted
    avoid = {*taken, *(wanted or ())}
    for first in range(0, 256, 2):
        if first not in avoid and first + 1 not in avoid:
            return first, first + 1
    raise refuse(453)


async def open_outlet(
    wanted: Transport,
    session: CameraSession,
    index: int,
    connection: CameraConnection,
    ssrc: int,
) -> Outlet:
    """Open the way of one track to the client, whatever transport was chosen."""
    camera = connection.camera
    if wanted.protocol == "TCP":
        taken = [c for c, route in connection.routes.items() if route[0].state != "closed"]
        channels = choose_channels(wanted.interleaved, taken, swap=camera.swap_channels)
        for rtcp, channel in enumerate(channels):
            connection.routes[channel] = (session, index, bool(rtcp))
            connection.reader.channels.add(channel)
        return InterleavedOutlet(connection, channels, ssrc=ssrc)

    def receive(port: int, data: bytes, address: Address) -> None:
        camera.received(session, index, data, rtcp=port == 1)

    outlet = await UdpOutlet.open(
        wanted, local=connection.local, peer=connection.peer, ssrc=ssrc, on_datagram=receive
    )
    camera.own(*(port.closed for port in outlet.ports))
    return outlet

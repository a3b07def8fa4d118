"""Which transport a URL's scheme means.

Layer:  compat
"""

from __future__ import annotations

from rtspkit.compat.aiortsp.transport.base import RTPTransport
from rtspkit.compat.aiortsp.transport.tcp import TCPTransport
from rtspkit.compat.aiortsp.transport.udp import UDPTransport

__all__ = ["transport_for_scheme"]

_SCHEMES: dict[str, type[RTPTransport]] = {
    "rtsp": UDPTransport,
    "rtspu": UDPTransport,
    "rtspt": TCPTransport,
    "rtsps": TCPTransport,
}


def transport_for_scheme(scheme: str) -> type[RTPTransport]:
    """UDP for ``rtsp`` and ``rtspu``, TCP for ``rtspt`` and ``rtsps``.

    Raises:
        ValueError: Another scheme.
    """
    try:
        return _SCHEMES[scheme]
    except KeyError:
        raise ValueError(f"no transport for the URL scheme {scheme!r}") from None

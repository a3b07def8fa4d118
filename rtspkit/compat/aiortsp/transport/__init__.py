"""The transports of aiortsp, by its import paths."""

from __future__ import annotations

from rtspkit.compat.aiortsp.transport.base import RTPTransport, RTPTransportClient
from rtspkit.compat.aiortsp.transport.scheme import transport_for_scheme
from rtspkit.compat.aiortsp.transport.tcp import TCPTransport
from rtspkit.compat.aiortsp.transport.udp import UDPTransport

__all__ = [
    "RTPTransport",
    "RTPTransportClient",
    "TCPTransport",
    "UDPTransport",
    "transport_for_scheme",
]

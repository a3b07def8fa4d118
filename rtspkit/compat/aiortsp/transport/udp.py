"""Media over UDP.

Layer:  compat
"""

from __future__ import annotations

from rtspkit.compat.aiortsp.transport.base import RTPTransport

__all__ = ["UDPTransport"]


class UDPTransport(RTPTransport):
    """Media over a pair of UDP ports, which SETUP opens."""

    kind = "udp"

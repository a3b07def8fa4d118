"""Media over the control connection.

Layer:  compat
"""

from __future__ import annotations

from rtspkit.compat.aiortsp.transport.base import RTPTransport

__all__ = ["TCPTransport"]


class TCPTransport(RTPTransport):
    """Media interleaved with the messages of the connection."""

    kind = "tcp"

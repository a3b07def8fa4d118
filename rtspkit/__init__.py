"""The asyncio RTSP/RTP client library that people trust with their cameras.

import rtspkit

async def main():
    async with rtspkit.connect("rtsp://user:secret@camera/stream") as session:
        async for packet in session.packets("video"):
            print(packet.sequence_number, packet.media_time, len(packet.payload))

rtspkit.run(main())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtspkit.client.connector import connect
    from rtspkit.client.pool import ConnectionPool
    from rtspkit.client.probe import probe
    from rtspkit.client.run import run
    from rtspkit.client.session import Session
    from rtspkit.engine.statistics import SessionStats, StreamStats
    from rtspkit.errors import (
        ConnectError,
        ConnectionLost,
        DeadlineExceeded,
        LimitExceeded,
        LocalProtocolError,
        MalformedPacket,
        MissingExtra,
        NotFound,
        RemoteProtocolError,
        ResponseError,
        RtspError,
        SessionNotFound,
        StreamNotFound,
        TooManySessions,
        Unauthorized,
        UnsupportedPayload,
        UnsupportedTransport,
    )
    from rtspkit.options import TLS, Limits, Racing, Retry, Timeouts
    from rtspkit.payload.base import AccessUnit
    from rtspkit.version import __version__
    from rtspkit.wire.rtp import RtpPacket
    from rtspkit.wire.sdp import SessionDescription
    from rtspkit.wire.stream import Stream

__all__ = [
    "TLS",
    "AccessUnit",
    "ConnectError",
    "ConnectionLost",
    "ConnectionPool",
    "DeadlineExceeded",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "MalformedPacket",
    "MissingExtra",
    "NotFound",
    "Racing",
    "RemoteProtocolError",
    "ResponseError",
    "Retry",
    "RtpPacket",
    "RtspError",
    "Session",
    "SessionDescription",
    "SessionNotFound",
    "SessionStats",
    "Stream",
    "StreamNotFound",
    "StreamStats",
    "Timeouts",
    "TooManySessions",
    "Unauthorized",
    "UnsupportedPayload",
    "UnsupportedTransport",
    "__version__",
    "connect",
    "probe",
    "run",
]

# Where each name lives: it is imported when it is first used, so that importing the library costs
# a program next to nothing until it connects.
_HOMES = {
    "rtspkit.client.connector": ("connect",),
    "rtspkit.client.pool": ("ConnectionPool",),
    "rtspkit.client.probe": ("probe",),
    "rtspkit.client.run": ("run",),
    "rtspkit.client.session": ("Session",),
    "rtspkit.engine.statistics": (
        "SessionStats",
        "StreamStats",
    ),
    "rtspkit.errors": (
        "ConnectError",
        "ConnectionLost",
        "DeadlineExceeded",
        "LimitExceeded",
        "LocalProtocolError",
        "MalformedPacket",
        "MissingExtra",
        "NotFound",
        "RemoteProtocolError",
        "ResponseError",
        "RtspError",
        "SessionNotFound",
        "StreamNotFound",
        "TooManySessions",
        "Unauthorized",
        "UnsupportedPayload",
        "UnsupportedTransport",
    ),
    "rtspkit.options": (
        "Limits",
        "Racing",
        "Retry",
        "TLS",
        "Timeouts",
    ),
    "rtspkit.payload.base": ("AccessUnit",),
    "rtspkit.version": ("__version__",),
    "rtspkit.wire.rtp": ("RtpPacket",),
    "rtspkit.wire.sdp": ("SessionDescription",),
    "rtspkit.wire.stream": ("Stream",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}
_LAYERS = ("client", "engine", "net", "payload", "wire")


def __getattr__(name: str) -> object:
    """Import a public name, or a layer with all its modules, when it is first asked for."""
    if name in _LAYERS:
        import_module("rtspkit.client.probe")  # the topmost: it brings all the others
        return import_module(f"rtspkit.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'rtspkit' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_LAYERS]

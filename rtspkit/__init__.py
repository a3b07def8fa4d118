"""The asyncio RTSP/RTP client library that people trust with their cameras.

import rtspkit

async def main():
    async with rtspkit.connect("rtsp://user:secret@camera/stream") as session:
        async for packet in session.packets("video"):
            print(packet.sequence_number, packet.media_time, len(packet.payload))

rtspkit.run(main())
"""

from rtspkit.client.connector import connect
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
from rtspkit.options import Limits, Timeouts
from rtspkit.payload.base import AccessUnit
from rtspkit.version import __version__
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.sdp import SessionDescription
from rtspkit.wire.stream import Stream

__all__ = [
    "AccessUnit",
    "ConnectError",
    "ConnectionLost",
    "DeadlineExceeded",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "MalformedPacket",
    "MissingExtra",
    "NotFound",
    "RemoteProtocolError",
    "ResponseError",
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

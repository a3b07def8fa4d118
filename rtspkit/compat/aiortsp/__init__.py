"""aiortsp 1.4 on this library's engine: put ``rtspkit.compat.`` before ``aiortsp`` in your imports.

    from rtspkit.compat.aiortsp.rtsp.reader import RTSPReader

    async with RTSPReader("rtspt://camera/stream", run_loop=True) as reader:
        async for packet in reader.iter_packets():
            print(packet.seq, packet.pt, len(packet))

The modules have aiortsp's paths; the names of daily use are here, too. What was a defect there
(hangs, ends without a word, Basic before Digest) is not kept: each module says where it differs.
"""

from __future__ import annotations

from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtcp.parser import RTCP
from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.rtsp.reader import RTSPReader
from rtspkit.compat.aiortsp.rtsp.session import RTSPMediaSession, sanitize_rtsp_url
from rtspkit.compat.aiortsp.transport.base import RTPTransport, RTPTransportClient
from rtspkit.compat.aiortsp.transport.scheme import transport_for_scheme

__all__ = [
    "RTCP",
    "RTP",
    "RTPTransport",
    "RTPTransportClient",
    "RTSPConnection",
    "RTSPConnectionError",
    "RTSPError",
    "RTSPMediaSession",
    "RTSPReader",
    "RTSPResponseError",
    "RTSPTimeoutError",
    "sanitize_rtsp_url",
    "transport_for_scheme",
]

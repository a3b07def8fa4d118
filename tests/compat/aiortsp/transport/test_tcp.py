from __future__ import annotations

from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.session import RTSPMediaSession
from rtspkit.compat.aiortsp.transport.tcp import TCPTransport
from rtspkit.testing.camera import Camera


async def test_the_session_is_set_up_over_tcp():
    async with (
        Camera() as camera,
        RTSPConnection("127.0.0.1", camera.port) as connection,
        TCPTransport(connection) as transport,
        RTSPMediaSession(connection, camera.url, transport),
    ):
        (setup,) = [r for r in camera.requests if r.method == "SETUP"]
    assert "RTP/AVP/TCP" in setup.headers["Transport"]

"""The client against GStreamer's RTSP server over TLS: media, keep-alive, who is trusted."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from itertools import pairwise

import pytest
from certificates import AUTHORITY, fingerprint
from interop_servers import ESCAPED_PASSWORD, SYSTEM_PYTHON, USER, GstServer

import rtspkit
from rtspkit.errors import ConnectError, Unauthorized
from rtspkit.options import TLS, Racing

pytestmark = pytest.mark.interop

TRUSTED = TLS(ca=AUTHORITY)
PACKETS = 300


async def take(session: rtspkit.Session, number: int) -> list[rtspkit.RtpPacket]:
    packets = []
    async with asyncio.timeout(30):
        async for packet in session.packets():
            packets.append(packet)
            if len(packets) == number:
                return packets
    raise AssertionError(f"it ended after {len(packets)} packets")


@pytest.mark.parametrize("mode", ["none", "first-wins", "last-wins", "hybrid"])
async def test_media_comes_without_loss_and_no_session_is_left(gst_tls: GstServer, mode):
    teardowns = gst_tls.requests("TEARDOWN")
    options = {"tls": TRUSTED, "racing": Racing(mode=mode)}
    async with rtspkit.connect(gst_tls.url("/h264"), **options) as session:
        packets = await take(session, PACKETS)
        assert session.transport == "tcp"
        assert gst_tls.sessions == 1
        stats = session.stats()
    assert gst_tls.settle() == 0
    assert gst_tls.requests("TEARDOWN") == teardowns + 1
    assert (stats.lost, stats.duplicates) == (0, 0)
    for index in range(2):
        mine = [p.sequence_number for p in packets if p.stream.index == index]
        assert len(mine) > 10
        assert all((b - a) % 65_536 == 1 for a, b in pairwise(mine))


async def test_a_short_session_is_kept_alive(gst_tls: GstServer):
    loop = asyncio.get_running_loop()
    async with rtspkit.connect(gst_tls.url("/pcmu"), tls=TRUSTED) as session:
        begun = loop.time()
        async with asyncio.timeout(30):
            async for _ in session.packets():
                if loop.time() - begun > 7:
                    break
        assert gst_tls.sessions == 1
    assert gst_tls.settle() == 0


@pytest.mark.parametrize(
    "tls",
    [TLS(fingerprint=fingerprint("self_signed")), TLS(insecure=True)],
    ids=["fingerprint", "insecure"],
)
async def test_a_server_that_signs_itself_is_trusted_by_name(gst_alone: GstServer, tls):
    url = gst_alone.url("/pcmu", f"{USER}:{ESCAPED_PASSWORD}")
    async with rtspkit.connect(url, tls=tls) as session:
        assert len(await take(session, 20)) == 20
    assert gst_alone.settle() == 0


async def test_a_wrong_password_is_said_over_tls_too(gst_alone: GstServer):
    with pytest.raises(Unauthorized):
        await rtspkit.connect(gst_alone.url("/pcmu", f"{USER}:wrong"), tls=TLS(insecure=True))
    assert gst_alone.settle() == 0


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (None, "not trusted"),
        (TRUSTED, "not trusted"),
        (TLS(fingerprint=fingerprint("camera")), "TLS.fingerprint"),
    ],
    ids=["system", "authority", "fingerprint"],
)
async def test_a_server_that_is_not_trusted_gets_no_request(gst_alone: GstServer, tls, words):
    before = gst_alone.requests("DESCRIBE")
    with pytest.raises(ConnectError, match=words) as caught:
        await rtspkit.connect(gst_alone.url("/pcmu", f"{USER}:{ESCAPED_PASSWORD}"), tls=tls)
    assert not caught.value.retryable
    assert gst_alone.requests("DESCRIBE") == before


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_context_of_the_user_chooses_the_version(gst_tls: GstServer, version):
    mine = ssl.create_default_context(cafile=AUTHORITY)
    mine.minimum_version = mine.maximum_version = version
    async with rtspkit.connect(gst_tls.url("/h264-tcp"), tls=mine) as session:
        assert len(await take(session, 100)) == 100
        assert session.stats().lost == 0
    assert gst_tls.settle() == 0


def test_the_server_speaks_no_rtsp_in_the_clear(gst_tls: GstServer):
    """So that what the tests above have seen has come over TLS."""
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        "s.settimeout(5); s.sendall(b'OPTIONS * RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n');"
        "sys.stdout.buffer.write(s.recv(100))"
    )
    command = [SYSTEM_PYTHON, "-c", code, str(gst_tls.port)]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert b"RTSP/" not in done.stdout

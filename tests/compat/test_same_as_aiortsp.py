"""One program, run with aiortsp and with ours in its place: the same packets come out."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKETS = 150
PROGRAM = """
import asyncio, hashlib, json, sys
from urllib.parse import urlparse

from aiortsp.rtsp.connection import RTSPConnection
from aiortsp.rtsp.reader import RTSPReader
from aiortsp.rtsp.session import RTSPMediaSession
from aiortsp.transport import RTPTransportClient, transport_for_scheme

from rtspkit.testing import Authentication, Camera


def what(packet):
    fields = packet.seq, packet.ts, packet.pt, packet.m, packet.version, packet.p, packet.x
    whole = packet.cc, len(packet), hashlib.sha256(packet.data).hexdigest()
    assert bytes(packet).endswith(packet.data)
    return [*fields, *whole]


async def simply(url):
    found = []
    async with RTSPReader(url) as reader:
        async for packet in reader.iter_packets():
            found.append(what(packet))
            if len(found) == NUMBER:
                sdp = reader.session.sdp
                return found, [sdp.media_clock_rate(), sdp.guess_h264_props()]


class Client(RTPTransportClient):
    def __init__(self):
        self.found, self.reports, self.enough = [], [], asyncio.Event()

    def handle_rtp(self, rtp):
        if len(self.found) < NUMBER:
            self.found.append(what(rtp))
        elif self.reports:
            self.enough.set()

    def handle_rtcp(self, rtcp):
        self.reports.append([[p.pt for p in rtcp.packets], rtcp.packets[1].items[0][1][0][0]])


async def by_hand(url):
    at, client = urlparse(url), Client()
    async with RTSPConnection(at.hostname, at.port, at.username, at.password) as connection:
        async with transport_for_scheme(at.scheme)(connection) as transport:
            transport.subscribe(client)
            async with RTSPMediaSession(connection, url, transport=transport) as session:
                await session.play()
                await client.enough.wait()
                await session.keep_alive()
                told = [session.session_keepalive, sorted(session.session_options)]
                assert session.stats.received >= NUMBER
                return client.found, [client.reports[0], *told]


async def main():
    authentication = Authentication(username="me", password="pw", qop=())  # all that aiortsp knows
    options = dict(authentication=authentication, session_timeout=30, report_interval=0.2)
    numbers = dict(sequence_number=65_500, timestamp=2**32 - 9_000)
    async with Camera(speed=5, **options, **numbers) as camera:
        url = camera.url.replace("rtsp://", sys.argv[1] + "://me:pw@")
        async with asyncio.timeout(20):
            print(json.dumps([await simply(url), await by_hand(url)]))


NUMBER = int(sys.argv[2])
asyncio.run(main())
"""


def run(program: str, scheme: str) -> list[object]:
    """What it prints, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, scheme, str(PACKETS)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ours(program: str) -> str:
    """The program with our modules in the place of aiortsp's: nothing else is changed."""
    return program.replace("from aiortsp.", "from rtspkit.compat.aiortsp.")


@pytest.mark.skipif(
    importlib.util.find_spec("aiortsp") is None,
    reason="aiortsp is not installed: it comes with the extra [bench]",
)
@pytest.mark.parametrize("scheme", ["rtsp", "rtspt"])
def test_the_same_program_gets_the_same_packets(scheme):
    theirs = run(PROGRAM, scheme)
    assert run(ours(PROGRAM), scheme) == theirs
    (simple, _), (by_hand, _) = theirs
    assert len(simple) == len(by_hand) == PACKETS


def test_the_program_runs_with_ours_alone_and_needs_no_dpkt():
    guard = "import sys\nsys.modules['dpkt'] = sys.modules['aiortsp'] = None\n"
    (simple, about), (by_hand, told) = run(guard + ours(PROGRAM), "rtspt")
    assert [packet[0] for packet in simple[:40:39]] == [65_500, 3]
    assert simple == by_hand
    assert about[0] == 90_000
    assert told[0] == [[200, 202], 1]
    assert told[1] == 27

from __future__ import annotations

import logging

import pytest

import rtspkit
from rtspkit.compat.aiortsp.packet import RTP
from rtspkit.compat.aiortsp.rtcp.parser import RTCP
from rtspkit.compat.aiortsp.rtsp.errors import RTSPError
from rtspkit.compat.aiortsp.rtsp.supervised import SupervisedConnection, SupervisedSession
from rtspkit.compat.aiortsp.transport import RTPTransportClient, TCPTransport, UDPTransport
from rtspkit.testing.actions import Reply
from rtspkit.testing.camera import Camera

LOGGER = logging.getLogger(__name__)


class Client(RTPTransportClient):
    def __init__(self) -> None:
        self.packets: list[RTP] = []
        self.reports: list[RTCP] = []

    def handle_rtp(self, rtp):
        self.packets.append(rtp)

    def handle_rtcp(self, rtcp):
        self.reports.append(rtcp)


@pytest.mark.parametrize(("kind", "transport"), [("udp", UDPTransport), ("tcp", TCPTransport)])
async def test_it_shows_what_the_session_is(kind, transport):
    async with (
        Camera(session_timeout=50.0) as camera,
        rtspkit.connect(camera.url, streams="video", transport=kind) as session,
    ):
        connection = SupervisedConnection(session, lambda: None, LOGGER, 7)
        view = SupervisedSession(connection, session, "video", LOGGER)
        assert (connection.host, connection.port) == ("127.0.0.1", camera.port)
        assert connection.running
        assert type(view.transport) is transport
        assert view.transport.running
        assert view.is_setup
        assert view.session_keepalive == 45
        assert view.sdp.media_payload_type() == 96
        await anext(session.packets())
        assert view.stats.received > 0
    assert not connection.running


async def test_sender_reports_are_told_before_the_packets_that_know_of_them():
    sent = []

    def remember(track, report):
        sent.append(report)
        return report

    async with (
        Camera(speed=5, report_interval=0.1, on_report=remember) as camera,
        rtspkit.connect(camera.url, streams="video", transport="tcp") as session,
    ):
        connection = SupervisedConnection(session, lambda: None, LOGGER, 7)
        view = SupervisedSession(connection, session, "video", LOGGER)
        client = Client()
        view.transport.subscribe(client)
        iterator = session.packets()
        while len(client.reports) < 2:
            view.receive(await anext(iterator))
    for report, original in zip(client.reports, sent, strict=False):
        (sr,) = report.packets
        assert (sr.ssrc, sr.ts) == (original.ssrc, original.rtp_timestamp)
        assert sr.to_wire().ntp == pytest.approx(original.ntp, abs=2**32 / 1e5)  # 10 us


async def test_requests_go_through_the_session():
    async with Camera() as camera:
        camera.parameters["position"] = "5"
        async with rtspkit.connect(camera.url, streams="video", transport="tcp") as session:
            connection = SupervisedConnection(session, lambda: None, LOGGER, 7)
            view = SupervisedSession(connection, session, "video", LOGGER)
            asked = await connection.send_request("GET_PARAMETER", camera.url, body=b"position\r\n")
            assert (asked.status, asked.content) == (200, "position: 5\r\n")
            await connection.send_request("SET_PARAMETER", camera.url, body=b"position: 6\r\n")
            assert camera.parameters["position"] == "6"
            with pytest.raises(RTSPError, match="DESCRIBE"):
                await connection.send_request("DESCRIBE", camera.url)
            assert (await view.keep_alive()).status == 200
            assert (await view.pause()).status == 200
            assert session.state == "paused"
            camera.script("PLAY", Reply(200))  # it has no absolute time
            assert (await view.play(seek=0.5, speed=2)).status == 200
            assert session.state == "playing"
        play = [r for r in camera.requests if r.method == "PLAY"][-1]
        assert play.headers["Range"] == "clock=19700101T000000.5Z-"
        assert play.headers["Scale"] == "2"


async def test_closing_it_ends_the_reader():
    stopped = []
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, streams="video", transport="tcp") as session,
    ):
        connection = SupervisedConnection(session, lambda: stopped.append(1), LOGGER, 7)
        view = SupervisedSession(connection, session, "video", LOGGER)
        await connection.prepare()
        await view.setup()
        await view.teardown()
        connection.close()
        await connection.aclose()
        assert stopped == [1, 1, 1]

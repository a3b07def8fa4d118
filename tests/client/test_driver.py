"""What moves bytes, times and events: the limits of one connection, and what defects do to it."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import pytest
from leaks import Inventory
from raw_server import Peer, RawServer, bye, reply, rtp

import rtspkit
from rtspkit import ConnectionLost, DeadlineExceeded, LimitExceeded, RtspError, Timeouts
from rtspkit.client.driver import Driver
from rtspkit.client.options import build_options
from rtspkit.client.session import Session
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame

virtual_clock = pytest.mark.virtual_clock


def expect_failures(failures: list[dict[str, object]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))


# -- defects ----------------------------------------------------------------------------------


class Defect(Exception):
    """What nobody expects."""


def raise_defect(*_: object, **__: object) -> None:
    raise Defect


@pytest.mark.parametrize(
    ("transport", "place"),
    [
        ("tcp", "receive_frames"),
        ("udp", "receive_rtp"),
        ("udp", "receive_rtcp"),
        ("tcp", "handle_deadline"),
    ],
)
async def test_a_defect_ends_the_session_and_reaches_the_loops_handler(
    transport, place, monkeypatch
):
    failures: list[dict[str, object]] = []
    expect_failures(failures)
    options = {"transport": transport, "timeouts": Timeouts(teardown=0.1)}
    async with Camera(report_interval=0.05) as camera:
        async with rtspkit.connect(camera.url, **options, retry=None) as session:
            iterator = session.packets()
            await anext(iterator)
            playback = session._supervisor.driver.playback
            monkeypatch.setattr(playback, place, raise_defect)
            if place == "handle_deadline":
                playback.liveness._last -= 100  # the alarm rings at once
                session._supervisor.driver._alarm.arm()
            with pytest.raises(RtspError) as caught:
                async for _ in iterator:
                    pass
            assert session.state == "lost"
        assert camera.sessions == {}  # TEARDOWN was still sent
        assert camera.requests[-1].method == "TEARDOWN"
    assert "a defect of rtspkit: Defect" in str(caught.value)
    assert isinstance(caught.value.__cause__, Defect)
    assert [type(context["exception"]) for context in failures] == [Defect]


async def test_a_defect_while_restoring_ends_the_session(monkeypatch):
    failures: list[dict[str, object]] = []
    expect_failures(failures)
    async with (
        Camera() as camera,
        rtspkit.connect(camera.url, transport="tcp", retry=None) as session,
    ):
        monkeypatch.setattr(session._supervisor.driver, "run", raise_defect)
        camera.end_sessions()
        with pytest.raises(rtspkit.SessionNotFound):
            await session.get_parameter()
        with pytest.raises(RtspError, match="a defect of rtspkit"):
            async for _ in session.packets():
                pass
    assert [type(context["exception"]) for context in failures] == [Defect]


async def test_a_defect_while_leaving_does_not_keep_the_socket(monkeypatch):
    failures: list[dict[str, object]] = []
    expect_failures(failures)
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url, transport="tcp", retry=None)
        monkeypatch.setattr(session._supervisor.driver.playback, "leave", raise_defect)
        await session.aclose()
        assert session.state == "closed"
    assert [type(context["exception"]) for context in failures] == [Defect]


# -- both ways --------------------------------------------------------------------------------


@virtual_clock
async def test_a_peer_that_takes_nothing_is_lost_after_the_write_deadline():
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(write=3, media_silence=50, teardown=0.5)
    async with RawServer() as server:
        async with rtspkit.connect(
            server.url, transport="tcp", timeouts=timeouts, retry=None
        ) as session:
            server.peers[0].transport.pause_reading()
            iterator = session.packets()
            body = bytes(100_000)
            tasks = []
            while session._supervisor.driver._circuit.blocked_since is None:
                tasks.append(asyncio.create_task(session.set_parameter(body)))
                await asyncio.sleep(0)
            begun = loop.time()
            with pytest.raises(DeadlineExceeded) as caught:
                async for _ in iterator:
                    pass
            assert loop.time() - begun == pytest.approx(3, abs=0.1)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert caught.value.phase == "write"
    assert all(isinstance(result, RtspError) for result in results)


async def test_c6_what_waits_to_be_sent_is_bounded():
    async with RawServer() as server:
        options = {"transport": "tcp", "timeouts": Timeouts(teardown=0.1)}
        async with rtspkit.connect(server.url, **options, retry=None) as session:
            server.peers[0].transport.pause_reading()
            tasks = []
            while not any(task.done() for task in tasks):
                tasks.append(asyncio.create_task(session.set_parameter(bytes(100_000))))
                await asyncio.sleep(0)
                assert session._supervisor.driver._circuit.waiting <= 256 * 1024
        results = await asyncio.gather(*tasks, return_exceptions=True)
    limits = [result for result in results if isinstance(result, LimitExceeded)]
    assert limits
    assert (limits[0].limit, limits[0].maximum) == ("output", 256 * 1024)


async def test_media_before_the_answer_to_play_is_delivered():
    def answer(request: Request, peer: Peer) -> bytes:
        return peer.media(3) + reply(request, Session="1") + peer.media(2)

    async with RawServer({"PLAY": answer}) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            iterator = session.packets()
            assert [(await anext(iterator)).sequence_number for _ in range(5)] == list(range(5))


async def test_m1_a_stranger_cannot_speak_for_the_camera_over_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        async with Camera(tracks=("PCMU",), speed=10) as camera:
            url = camera.url
            async with rtspkit.connect(url, transport="udp") as session:
                iterator = session.packets()
                first = await anext(iterator)
                rtp_port, rtcp_port = session.streams[0].transport.client_port
                for ahead in range(1, 50):
                    number = first.sequence_number + ahead & 0xFFFF
                    forged = rtp(number, payload=b"evil", ssrc=first.ssrc)
                    stranger.sendto(forged, ("127.0.0.1", rtp_port))
                    stranger.sendto(bye(first.ssrc), ("127.0.0.1", rtcp_port))
                received = [await anext(iterator) for _ in range(40)]
                assert session.stats().foreign_datagrams >= 1
                assert session.stats().duplicates == 0
    assert all(packet.payload != b"evil" for packet in received)


async def test_datagrams_that_are_no_rtp_are_counted():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        async with RawServer() as server:
            server.server_port = f";server_port={media.getsockname()[1]}-9"

            def play(request: Request, peer: Peer) -> bytes:
                setup = next(r for r in server.requests if r.method == "SETUP")
                port = int(setup.headers.get("Transport").rpartition("=")[2].partition("-")[0])
                for data in (b"", b"x", bytes(60_000), rtp(1), b"\x80" * 11, rtp(2)):
                    media.sendto(data, ("127.0.0.1", port))
                return reply(request, Session="1")

            server.answers["PLAY"] = play
            async with rtspkit.connect(server.url, transport="udp") as session:
                iterator = session.packets()
                numbers = [(await anext(iterator)).sequence_number for _ in range(2)]
                assert session.stats().streams[0].malformed == 3
    assert numbers == [1, 2]


# -- its life ---------------------------------------------------------------------------------


def new_driver(url: str, **options: object) -> Driver:
    made = build_options(url, None, None, "tcp", None, **options)
    return Driver(made, Session(made))


async def test_hanging_up_is_idempotent_and_needs_no_connection():
    driver = new_driver("rtsp://127.0.0.1:9/x")
    driver.hang_up()
    driver.hang_up()
    driver.close()
    await driver.leave()
    with pytest.raises(ConnectionLost, match="the session is closed"):
        await driver.ask("OPTIONS", "rtsp://127.0.0.1:9/x")


async def test_closing_fails_requests_that_wait():
    async with RawServer({"OPTIONS": b""}) as server:
        driver = new_driver(server.url)
        await driver.open()
        task = asyncio.create_task(driver.ask("OPTIONS", server.url))
        await server.until(lambda: server.methods == ["OPTIONS"])
        driver.close()
        with pytest.raises(ConnectionLost, match="closed"):
            await task


async def test_leaving_without_a_session_sends_nothing():
    async with RawServer() as server:
        driver = new_driver(server.url)
        await driver.open()
        await driver.leave()
        await driver.leave()
        assert server.requests == []


async def test_hanging_up_with_a_session_sends_teardown_once():
    inventory = Inventory()
    async with RawServer() as server:
        driver = new_driver(server.url)
        await driver.open()
        await driver.ask("SETUP", server.url, (("Transport", "RTP/AVP/TCP;interleaved=0-1"),))
        assert driver.has_session
        driver.hang_up()
        driver.hang_up()
        await asyncio.wait([server.peers[0].closed])
        assert server.methods == ["SETUP", "TEARDOWN"]
    await inventory.assert_nothing_left()


@virtual_clock
@pytest.mark.parametrize("quirk", ["get-parameter-silent", "get-parameter-501", "no-public"])
async def test_a_session_is_kept_alive_in_spite_of(quirk):
    timeouts = Timeouts(response=2)
    options = {"session_timeout": 6.0, "tracks": ("PCMU",), "speed": 0.2}
    async with Camera(quirks={quirk}, **options) as camera:
        async with rtspkit.connect(camera.url, transport="tcp", timeouts=timeouts) as session:
            async for packet in session.packets():
                if packet.media_time > 5:  # 25 seconds have passed
                    break
            assert session.session_timeout == 6
            assert session.stats().keepalives >= 7
        assert camera.sessions_expired == 0


@virtual_clock
async def test_reports_are_sent_over_both_transports():
    for transport in ("udp", "tcp"):
        async with Camera(speed=0.2) as camera:
            async with rtspkit.connect(camera.url, transport=transport) as session:
                async for packet in session.packets("video"):
                    if packet.media_time > 2.4:  # 12 seconds have passed
                        break
            await camera.wait_until(lambda: not camera.sessions)
        reports = [one for one in camera.rtcp_received if one.track == 0]
        assert 3 <= len(reports) <= 9
        gaps = [b.now - a.now for a, b in pairwise(reports[:-1])]
        assert max(gaps) <= 5.1
        kinds = [type(packet).__name__ for packet in reports[-1].packets]
        assert kinds == ["ReceiverReport", "SourceDescription", "Goodbye"]


async def test_a_frame_after_the_end_harms_nothing():
    async with RawServer() as server:
        async with rtspkit.connect(server.url, transport="tcp", retry=None) as session:
            session._supervisor.driver.fail(ConnectionLost("by decree"))
            server.peers[0].write(serialize_frame(0, rtp(9)))
            with pytest.raises(ConnectionLost, match="by decree"):
                async for _ in session.packets():
                    pass
        assert server.methods[-1] == "TEARDOWN"

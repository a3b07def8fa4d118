from __future__ import annotations

import asyncio

import pytest
from raw_server import Peer, RawServer, reply

import rtspkit
from rtspkit import ConnectionLost, DeadlineExceeded, NotFound, Timeouts, UnsupportedTransport
from rtspkit.client.transport_memory import remembered_transports
from rtspkit.engine.events import (
    AttemptFailed,
    SessionEnded,
    StateChanged,
    StreamSkipped,
    TransportRejected,
)
from rtspkit.testing.actions import Delay, Reply
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request

virtual_clock = pytest.mark.virtual_clock


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


async def test_can_be_awaited():
    async with Camera() as camera:
        session = await rtspkit.connect(camera.url)
        assert session.state == "playing"
        await session.aclose()
        assert camera.sessions == {}


async def test_can_be_entered_and_tears_down_at_the_end():
    async with Camera() as camera:
        async with rtspkit.connect(camera.url) as session:
            assert len(camera.sessions) == 1
        assert session.state == "closed"
        assert camera.sessions == {}
        assert methods(camera)[-1] == "TEARDOWN"


async def test_a_session_is_not_closed_by_what_the_block_raises_alone():
    async with Camera() as camera:
        with pytest.raises(KeyError):
            async with rtspkit.connect(camera.url):
                raise KeyError
        assert camera.sessions == {}


async def test_one_connector_makes_a_session_each_time():
    async with Camera() as camera:
        connector = rtspkit.connect(camera.url)
        for _ in range(2):
            async with connector as session:
                await anext(session.packets())
        assert camera.sessions_made == 2


async def test_two_streams_take_four_requests_until_play():
    async with Camera() as camera, rtspkit.connect(camera.url):
        assert methods(camera)[:4] == ["DESCRIBE", "SETUP", "SETUP", "PLAY"]


async def test_without_play_nothing_plays_until_it_is_asked_for():
    async with Camera(speed=10) as camera, rtspkit.connect(camera.url, play=False) as session:
        assert session.state == "ready"
        assert "PLAY" not in methods(camera)
        await session.play()
        assert session.state == "playing"
        assert camera.requests[-1].headers.get("Range") == "npt=0.000-"
        await anext(session.packets())


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ("video", ["video"]),
        ("MPEG4-GENERIC", ["audio"]),
        (1, ["audio"]),
        (["audio", "video"], ["video", "audio"]),
        (lambda stream: stream.clock_rate == 90_000, ["video"]),
        (None, ["video", "audio"]),
    ],
    ids=["media", "encoding", "index", "several", "predicate", "all"],
)
async def test_only_selected_streams_are_set_up(streams, chosen):
    async with Camera() as camera, rtspkit.connect(camera.url, streams=streams) as session:
        assert [stream.media for stream in session.streams] == chosen
        assert methods(camera).count("SETUP") == len(chosen)


async def test_a_predicate_that_raises_ends_connect_and_nothing_is_left():
    async with Camera() as camera:
        with pytest.raises(AttributeError):
            await rtspkit.connect(camera.url, streams=lambda stream: stream.no_such_thing)
        await camera.wait_until(lambda: not camera.connections)


async def test_a_stream_that_nobody_named_may_be_refused():
    async with Camera() as camera:
        camera.script("SETUP", Reply(404), url="track1")
        async with rtspkit.connect(camera.url) as session:
            assert [stream.media for stream in session.streams] == ["video"]
        events = [event async for event in session.events()]
        assert [e.stream.media for e in events if isinstance(e, StreamSkipped)] == ["audio"]
        with pytest.raises(rtspkit.NotFound):
            await rtspkit.connect(camera.url, streams=["video", "audio"])
        assert camera.sessions == {}


# -- transports -------------------------------------------------------------------------------


async def test_the_scheme_may_name_the_transport():
    async with Camera() as camera:
        for scheme, transport in (("rtspt", "tcp"), ("rtspu", "udp"), ("rtsp", "udp")):
            url = camera.url.replace("rtsp:", f"{scheme}:")
            async with rtspkit.connect(url) as session:
                assert session.transport == transport
            assert camera.requests[0].uri.startswith("rtsp://")


async def test_what_worked_is_tried_first_the_next_time():
    async with Camera(transports=("tcp",)) as camera:
        for refused in (1, 1):
            async with rtspkit.connect(camera.url) as session:
                assert session.transport == "tcp"
            assert [r.headers.get("Transport") or "" for r in camera.requests].count(
                "RTP/AVP/UDP"
            ) <= refused
        setups = [r for r in camera.requests if r.method == "SETUP"]
        assert len(setups) == 1 + 2 + 2  # UDP refused once, two streams each


async def test_a_named_transport_neither_uses_nor_changes_the_memory():
    async with Camera() as camera:
        server = ("127.0.0.1", camera.port)
        async with rtspkit.connect(camera.url, transport="tcp"):
            pass
        assert remembered_transports.order(server, ("udp", "tcp"), 0.0) == ("udp", "tcp")
        async with rtspkit.connect(camera.url) as session:
            assert session.transport == "udp"


async def test_a_session_that_remembers_nothing_leaves_nothing_behind():
    async with Camera(transports=("tcp",)) as camera:
        for _ in range(2):
            async with rtspkit.connect(camera.url, remember=False) as session:
                pass
            told = [event async for event in session.events()]
            assert [type(event) for event in told].count(TransportRejected) == 1
        async with rtspkit.connect(camera.url) as session:
            pass
        async with rtspkit.connect(camera.url, remember=False) as session:
            pass
        assert TransportRejected in [type(event) async for event in session.events()]


async def test_the_session_can_be_had_before_its_first_attempt():
    early = []
    async with Camera() as camera:
        connecting = rtspkit.connect(camera.url)
        connecting.on_session = lambda session: early.append((session, session.state))
        async with connecting as session:
            assert early == [(session, "connecting")]


async def test_a_connect_that_fails_is_told_to_whoever_listens_early():
    early = []
    async with Camera() as camera:
        connecting = rtspkit.connect(camera.url + "/nothing")
        connecting.on_session = early.append
        with pytest.raises(NotFound) as caught:
            await connecting
        (session,) = early
        told = [event async for event in session.events()]
        assert [type(event) for event in told] == [AttemptFailed, StateChanged, SessionEnded]
        assert told[-1].error is caught.value
        assert session.state == "lost"


async def test_a_refusal_is_told_as_an_event():
    async with Camera(transports=("tcp",)) as camera:
        async with rtspkit.connect(camera.url) as session:
            pass
        events = [event async for event in session.events()]
    (rejected,) = [event for event in events if isinstance(event, TransportRejected)]
    assert (rejected.transport, rejected.following) == ("udp", "tcp")
    assert "461" in rejected.reason
    states = [(e.before, e.state) for e in events if isinstance(e, StateChanged)]
    assert states == [("connecting", "ready"), ("ready", "playing"), ("playing", "closed")]


async def test_one_wished_transport_that_is_refused_is_an_error():
    async with Camera(transports=("tcp",)) as camera:
        with pytest.raises(UnsupportedTransport):
            await rtspkit.connect(camera.url, transport="udp")


async def test_an_order_of_ones_own():
    async with Camera(transports=("udp",)) as camera:
        url = camera.url
        async with rtspkit.connect(url, transport=("tcp", "udp")) as session:
            assert session.transport == "udp"


async def test_without_udp_ports_auto_goes_on_over_tcp():
    async with Camera() as camera:
        held = await rtspkit.connect(camera.url, transport="udp", streams="video")
        port = held.streams[0].transport.client_port[0]
        options = {"client_ports": (port, port + 1)}
        async with rtspkit.connect(camera.url, **options) as session:
            assert session.transport == "tcp"
        with pytest.raises(rtspkit.LocalProtocolError, match="no free pair of UDP ports"):
            await rtspkit.connect(camera.url, transport="udp", **options)
        await held.aclose()


async def test_client_ports_are_kept_to():
    async with Camera() as camera:
        options = {"client_ports": (42_000, 42_999)}
        async with rtspkit.connect(camera.url, transport="udp", **options) as session:
            for stream in session.streams:
                assert 42_000 <= stream.transport.client_port[0] <= 42_998


async def test_a_literal_ipv6_address():
    async with Camera(speed=10) as camera:
        url = camera.url.replace("127.0.0.1", "[::1]")
        for transport in ("udp", "tcp"):
            async with rtspkit.connect(url, transport=transport) as session:
                await anext(session.packets())
        assert "[::1]" in camera.requests[0].uri


async def test_headers_and_user_agent_go_with_every_request():
    async with Camera() as camera:
        options = {"headers": {"X-Token": "1"}, "user_agent": "me/1"}
        async with rtspkit.connect(camera.url, **options):
            pass
        for request in camera.requests:
            assert request.headers.get("X-Token") == "1"
            assert request.headers.get("User-Agent") == "me/1"


# -- the budget -------------------------------------------------------------------------------


@virtual_clock
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
async def test_c8_connect_fails_at_its_budget_whatever_is_slow(method):
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(connect=3, response=60)
    async with RawServer({method: b"", "TEARDOWN": b""}) as server:
        begun = loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            await rtspkit.connect(server.url, transport="tcp", timeouts=timeouts)
        assert loop.time() - begun == pytest.approx(3, abs=0.1)
        assert caught.value.phase == method.lower()
        await asyncio.wait([server.peers[0].closed])
    assert ("TEARDOWN" in server.methods) == (method == "PLAY")


@virtual_clock
async def test_c8_the_budget_holds_for_all_attempts_together():
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(connect=2, first_packet=1.5)
    silent = {"on_packet": lambda index, packet: [], "report_interval": None}
    async with Camera(**silent) as camera:
        camera.script("DESCRIBE", Delay(1.0))
        begun = loop.time()
        with pytest.raises(DeadlineExceeded):
            await rtspkit.connect(camera.url, timeouts=timeouts)
        assert loop.time() - begun == pytest.approx(2, abs=0.1)


async def test_a_server_that_hangs_up_after_play_gives_its_packets_and_then_the_error():
    def answer(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(3))
        peer.transport.close()

    async with RawServer({"PLAY": answer}) as server:
        session = await rtspkit.connect(server.url, transport="tcp", retry=None)
        iterator = session.packets()
        for number in range(3):
            assert (await anext(iterator)).sequence_number == number
        with pytest.raises(ConnectionLost):
            await anext(iterator)
        assert session.state == "lost"
        await session.aclose()
        assert session.state == "closed"


async def test_a_finite_presentation_may_be_over_before_connect_returns():
    async with Camera(packets=3, speed=1e6) as camera:
        timeouts = Timeouts(bye_grace=0.05)
        async with rtspkit.connect(camera.url, transport="tcp", timeouts=timeouts) as session:
            assert len([packet async for packet in session.packets()]) == 6
            assert session.state == "ended"


async def test_s4_urls_of_the_server_are_never_connected_to():
    """Content-Base and controls of another host are request text only."""
    for quirk in ("content-base-other-host", "control-other-host"):
        async with Camera(quirks={quirk}, speed=10) as camera:
            async with rtspkit.connect(camera.url) as session:
                await anext(session.packets())
            assert camera.connections_made == 1


async def test_s5_a_foreign_source_in_transport_is_not_listened_to():
    def answer(request: Request, peer: Peer) -> bytes:
        plain = peer.server.plain(request, peer)
        return plain.replace(b"unicast", b"unicast;source=192.0.2.9;destination=192.0.2.8")

    async with RawServer({"SETUP": answer}) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            await anext(session.packets())
            assert session.streams[0].transport.source == "192.0.2.9"

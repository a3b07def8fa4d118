"""A session is back when its streams are; and losses that come at the wrong moment."""

from __future__ import annotations

import asyncio

import pytest
from lost_sessions import (
    asked,
    open_steadily,
    packets_until,
    restart,
    told,
    told_all,
)
from raw_server import SDP, Peer, RawServer, bye, reply

import rtspkit
from rtspkit import (
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    Retry,
    Timeouts,
)
from rtspkit.engine.events import (
    AttemptFailed,
    Event,
    Reconnected,
    SessionEnded,
    StreamChanged,
    StreamEnded,
)
from rtspkit.testing.actions import Close
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame
from rtspkit.wire.rtp import RtpPacket

virtual_clock = pytest.mark.virtual_clock
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


def only(index: int):
    """Media of one stream alone, from now on."""
    return lambda place, packet: [packet] if place == index else []


# -- the streams that come back --------------------------------------------------------------------


@virtual_clock
@both_transports
async def test_sound_alone_is_no_session_that_has_come_back(transport):
    timeouts = Timeouts(first_packet_tcp=3.0)
    async with Camera() as camera:
        async with open_steadily(camera, transport, timeouts=timeouts) as session:
            packets, video = session.packets("audio"), session.packets("video")
            await packets_until(packets, 0.5)
            camera.on_packet = only(1)
            torn_down = asked(camera, "TEARDOWN")
            camera.kill()
            failure = await told(session, AttemptFailed)
            assert session.state == "reconnecting"
            assert isinstance(failure.error, DeadlineExceeded)
            assert str(failure.error) == ("first packet: video H264 did not come back within 3 s")
            await camera.wait_until(lambda: not camera.sessions)
            assert asked(camera, "TEARDOWN") > torn_down
            camera.on_packet = None
            await told(session, Reconnected)
            assert session.state == "playing"
            now = asyncio.get_running_loop().time()
            times = {}
            for door in (packets, video):
                packet = await anext(door)
                while packet.arrival < now:
                    packet = await anext(door)
                times[packet.stream.media] = packet.media_time
            assert times["audio"] == pytest.approx(times["video"], abs=0.1)
        await camera.wait_until(lambda: not camera.sessions)


def record_order(session: rtspkit.Session) -> list[str]:
    """Names of events, and encodings of packets, in the order in which consumers get them."""
    order: list[str] = []
    fanout = session._fanout
    put_event, put_packets = fanout.put_event, fanout.put_packets

    def tell(event: Event) -> None:
        order.append(type(event).__name__)
        put_event(event)

    def give(packets: list[RtpPacket]) -> None:
        order.extend(packet.stream.encoding_name for packet in packets)
        put_packets(packets)

    fanout.put_event, fanout.put_packets = tell, give
    return order


@virtual_clock
@both_transports
async def test_another_format_is_told_before_its_first_packet(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        order = record_order(session)
        before, (video, sound) = session.streams, session.streams
        packets, units = session.packets("audio"), session.access_units("audio")
        await anext(units)
        await packets_until(packets, 0.5)
        camera.tracks = ("H264", "PCMU")
        await restart(camera, 0.2)
        change = await told(session, StreamChanged)
        assert change.before is sound
        assert (change.stream.encoding_name, change.stream.clock_rate) == ("PCMU", 8000)
        assert session.streams[0] is video
        assert session.streams[1] is change.stream
        assert before[1].encoding_name == "MPEG4-GENERIC"
        taken = await packets_until(packets, 3.0)
        fresh = [packet for packet in taken if packet.stream is change.stream]
        assert change.at <= fresh[0].arrival
        assert {packet.payload_type for packet in fresh} == {0}
        assert fresh[0].discontinuity
        old = [packet for packet in taken if packet.stream is sound]
        assert taken == old + fresh
        unit = await anext(units)
        while unit.stream is sound:
            unit = await anext(units)
        assert unit.stream is change.stream
        assert unit.discontinuity
        assert len(unit.data) == 160
    assert order.count("StreamChanged") == 1
    assert order.index("StreamChanged") < order.index("PCMU")
    assert "MPEG4-GENERIC" not in order[order.index("StreamChanged") :]


@virtual_clock
@both_transports
async def test_a_stream_that_is_missing_is_waited_for(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        streams, packets = session.streams, session.packets()
        await packets_until(packets, 0.5)
        camera.tracks = ("H264",)
        await restart(camera, 0.2)
        failure = await told(session, AttemptFailed, 2)
        assert isinstance(failure.error, RemoteProtocolError)
        assert "without its audio MPEG4-GENERIC" in str(failure.error)
        assert session.state == "reconnecting"
        await camera.wait_until(lambda: not camera.sessions)  # it was torn down
        camera.tracks = ("H264", "MPEG4-GENERIC")
        await restart(camera, 0.2)
        await told(session, Reconnected)
        assert session.streams == streams
        last = await packets_until(packets, session.stats().duration + 0.5)
        assert {packet.stream for packet in last} == set(streams)


@virtual_clock
async def test_a_stream_that_is_missing_is_let_go_where_not_all_are_required():
    async with Camera() as camera, open_steadily(camera, require_all=False) as session:
        video, sound = session.streams
        packets, gone = session.packets(), session.packets("audio")
        await packets_until(packets, 0.5)
        camera.tracks = ("H264",)
        await restart(camera, 0.2)
        await told(session, Reconnected)
        assert session.streams == (video,)
        assert session.state == "playing"
        await packets_until(packets, 4.0)
        assert [packet async for packet in gone] != []  # and it ends
        ended = await told(session, StreamEnded)
        assert ended.stream is sound


@virtual_clock
async def test_a_camera_with_room_for_one_has_its_session_of_before_taken_away_first():
    """Over UDP, the session outlives the connection, and would be in our own way for a minute."""
    async with Camera(max_sessions=1) as camera, open_steadily(camera, "udp") as session:
        await packets_until(session.packets(), 0.5)
        camera.kill(sessions=False)
        await told(session, Reconnected)
        assert session.stats().attempts == {"linear": 2}
        assert camera.sessions_made == 2
        assert len(camera.sessions) == 1


# -- losses that come at the wrong moment ----------------------------------------------------------


@virtual_clock
@both_transports
async def test_lost_again_right_after_it_came_back(transport):
    async with Camera() as camera, open_steadily(camera, transport) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        for turn in range(4):
            camera.kill()
            await told(session, Reconnected, turn + 1)
        taken = await packets_until(packets, 30.0)
        assert session.state == "playing"
        times = [packet.media_time for packet in taken if packet.stream.index == 0]
        assert times == sorted(times)
        assert session.stats().reconnects >= 4


@virtual_clock
async def test_lost_again_with_the_answer_to_play():
    async with Camera() as camera, open_steadily(camera) as session:
        packets = session.packets()
        await packets_until(packets, 0.5)
        rule = camera.script("PLAY", Close(answered=True), nth=[1, 2])
        camera.kill()
        await packets_until(packets, 6.0)
        assert rule.hits == 2
        assert session.state == "playing"


@virtual_clock
async def test_the_first_loss_may_come_before_connect_has_returned():
    """A server that gives a few packets and hangs up with the answer to PLAY."""

    def play(request: Request, peer: Peer) -> bytes:
        if len(peer.server.peers) == 1:
            asyncio.get_running_loop().call_soon(peer.reset)
        return peer.server.plain(request, peer)

    async with (
        RawServer({"PLAY": play}) as server,
        rtspkit.connect(server.url, transport="tcp", retry=Retry(strategy="linear")) as session,
    ):
        await told(session, Reconnected)
        assert session.state == "playing"


@virtual_clock
async def test_a_stream_that_says_goodbye_while_the_others_are_waited_for():
    """The attempt has failed: what is over at once has not come back."""
    sdp = SDP + SDP[SDP.index(b"m=") :].replace(b"track0", b"track1").replace(b"0 RTP", b"2 RTP")

    def play(request: Request, peer: Peer) -> bytes:
        answer = reply(request, Session="1", Range="npt=0-")
        first, second = peer.media(1), peer.media(1, channel=2)
        if len(peer.server.peers) != 2:
            return answer + first + second
        return answer + first + serialize_frame(1, bye()) + serialize_frame(3, bye())

    async with RawServer({"PLAY": play}, sdp=sdp) as server:
        options = {"retry": Retry(strategy="linear"), "timeouts": Timeouts(bye_grace=0.5)}
        async with rtspkit.connect(server.url, transport="tcp", **options) as session:
            packets = session.packets()
            assert {(await anext(packets)).stream for _ in range(2)} == set(session.streams)
            server.peers[0].reset()
            failure = await told(session, AttemptFailed)
            assert isinstance(failure.error, ConnectionLost | DeadlineExceeded)
            await told(session, Reconnected)


@virtual_clock
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@both_transports
async def test_lost_at_the_moment_of_closing(transport, turns):
    async with Camera() as camera:
        session = await open_steadily(camera, transport)
        packets = session.packets()
        await packets_until(packets, 0.5)
        camera.kill()
        for _ in range(turns):
            await asyncio.sleep(0)
        await session.aclose()
        assert session.state == "closed"
        async for _ in packets:
            pass  # it ends, and does not raise
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)
    (end,) = await told_all(session, SessionEnded)
    assert end.error is None

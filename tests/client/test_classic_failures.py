"""What the clients before this one stumbled over, each by its name."""

from __future__ import annotations

import asyncio

import pytest
from raw_server import SDP, Peer, RawServer, reply, rtp

import rtspkit
from rtspkit.engine.events import QuirkSeen
from rtspkit.testing.actions import EditBytes, Split
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame


async def play(url: str, number: int = 5, **options: object) -> tuple[set[str], rtspkit.Session]:
    """Play some packets; the quirks that were met."""
    options.setdefault("transport", "tcp")
    async with rtspkit.connect(url, **options) as session:
        iterator = session.packets()
        for _ in range(number):
            await anext(iterator)
    events = [event async for event in session.events()]
    return {event.identifier for event in events if isinstance(event, QuirkSeen)}, session


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_every_reply_split_after_its_first_byte(transport):
    async with Camera(speed=10) as camera:
        camera.script(None, Split([1]))
        await play(camera.url, transport=transport)
        assert camera.sessions == {}


async def test_every_reply_in_pieces_of_one_byte():
    async with Camera(speed=10) as camera:
        camera.script("DESCRIBE", Split(1, pause=0))
        camera.script("SETUP", Split(1, pause=0))
        await play(camera.url, transport="udp")


@pytest.mark.parametrize(
    ("quirk", "identifier"),
    [
        ("folded-headers", "folded-header"),
        ("latin-1", None),
        ("no-reason-phrase", "reason-phrase-missing"),
        ("no-interleaved", "interleaved-missing"),
        ("line-feed-only", "line-feed-only"),
        ("no-cseq", "cseq-missing"),
        ("no-transport", "transport-missing"),
        ("sdp-unknown-media", None),
        ("rtcp-among-rtp", None),
        ("media-before-reply", None),
        ("junk-before-frames", "garbage"),
        ("unknown-channel", None),
    ],
)
async def test_plays_in_spite_of(quirk, identifier):
    async with Camera(speed=10, quirks={quirk}) as camera:
        met, session = await play(camera.url, 40)
        assert camera.sessions == {}
        assert camera.protocol_errors == type(camera.protocol_errors)()
    assert identifier is None or identifier in met
    assert session.stats().lost == 0


async def test_latin_1_bytes_in_a_header_are_read():
    def answer(request: Request, peer: Peer) -> bytes:
        return peer.server.plain(request, peer).replace(b"CSeq", b"Server: K\xe4mera\r\nCSeq")

    async with RawServer({"DESCRIBE": answer}) as server:
        _, session = await play(server.url, 1)
    assert session.server == "K\xe4mera"


@pytest.mark.virtual_clock
async def test_options_without_public_keeps_the_session_alive_by_options():
    async with Camera(quirks={"no-public"}, session_timeout=1.0, speed=10) as camera:
        async with rtspkit.connect(camera.url, transport="tcp") as session:
            iterator = session.packets()
            await camera.wait_until(lambda: _count(camera, "OPTIONS") >= 3)
            await anext(iterator)
            assert session.state == "playing"
        assert camera.sessions_expired == 0
        assert _count(camera, "GET_PARAMETER") == 0


def _count(camera: Camera, method: str) -> int:
    return [request.method for request in camera.requests].count(method)


@pytest.mark.parametrize("schemes", [("basic", "digest"), ("digest", "basic")])
@pytest.mark.parametrize("one_line", [False, True])
async def test_digest_is_taken_where_basic_comes_first(schemes, one_line):
    authentication = Authentication(schemes=schemes, one_line=one_line)
    async with Camera(authentication=authentication) as camera:
        _, session = await play(camera.url, username="user", password="secret")
        sent = [r.headers.get("Authorization") for r in camera.requests]
    assert session.authentication == "digest"
    assert sent[0] is None
    assert all(value.startswith("Digest ") for value in sent[1:])


@pytest.mark.parametrize(
    ("password", "in_url"),
    [("", ""), ("p@ss:w/rd#?%", "p%40ss%3Aw%2Frd%23%3F%25"), ("päss", "p%C3%A4ss")],
    ids=["empty", "percent-encoded", "not-ascii"],
)
@pytest.mark.parametrize("schemes", [("basic",), ("digest",)])
async def test_passwords_of_every_kind(password, in_url, schemes):
    authentication = Authentication(username="user", password=password, schemes=schemes)
    async with Camera(authentication=authentication) as camera:
        await play(camera.url.replace("rtsp://", f"rtsp://user:{in_url}@"))
        await play(camera.url, username="user", password=password)
        assert camera.refused == 0


async def test_a_nonce_that_gets_stale_while_playing_is_renewed():
    authentication = Authentication(nonce_requests=3)
    async with Camera(authentication=authentication, speed=10) as camera:
        async with rtspkit.connect(camera.url, username="user", password="secret") as session:
            for _ in range(10):
                await session.get_parameter()
        assert camera.sessions == {}


async def test_unknown_media_lines_are_streams_of_their_own():
    sdp = SDP + b"m=message 0 TCP/MSRP *\r\na=control:track1\r\nm=x-what 0 RTP/AVP 120\r\n"
    async with RawServer(sdp=sdp) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp", streams="audio") as session:
            await anext(session.packets())
            assert len(session.description.media) == 3
            assert [stream.media for stream in session.streams] == ["audio"]


async def test_rtcp_of_unknown_types_harms_nothing():
    odd = bytes([0x80, 211, 0, 1, 0, 0, 0, 1]) + bytes([0x81, 199, 0, 0])

    def answer(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1"))
        peer.write(serialize_frame(1, odd) + serialize_frame(1, b"\x80") + peer.media(3))

    async with RawServer({"PLAY": answer}) as server:
        await play(server.url, 3)


async def test_the_iteration_never_ends_in_silence():
    """Each end raises or is in order: here, the server goes away without a word."""
    async with RawServer() as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp", retry=None) as session:
            iterator = session.packets()
            await anext(iterator)
            server.peers[0].transport.close()
            with pytest.raises(rtspkit.ConnectionLost):
                async for _ in iterator:
                    pass


async def test_cancellation_is_not_swallowed():
    async with Camera() as camera:

        async def consume() -> None:
            async with rtspkit.connect(camera.url) as session:
                async for _ in session.packets():
                    pass

        task = asyncio.create_task(consume())
        await camera.wait_until(lambda: camera.packets_sent.total() > 3)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await camera.wait_until(lambda: not camera.sessions)


async def test_a_reply_between_frames_is_found():
    def answer(request: Request, peer: Peer) -> None:
        peer.write(serialize_frame(0, rtp(100)) + reply(request, Session="1") + peer.media(2))

    async with RawServer({"GET_PARAMETER": answer}) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            assert await session.get_parameter() == b""


async def test_an_answer_to_another_request_is_not_taken_for_ours():
    def answer(request: Request, peer: Peer) -> None:
        wrong = reply(request, "404 Not Yours").replace(b"CSeq: ", b"CSeq: 99")
        peer.write(wrong + reply(request, Session="1"))

    async with RawServer({"GET_PARAMETER": answer}) as server:
        url = server.url
        async with rtspkit.connect(url, transport="tcp") as session:
            assert await session.get_parameter() == b""
            assert session.stats().unmatched_responses == 1


async def test_bytes_behind_a_reply_are_not_lost():
    async with Camera(speed=10) as camera:
        camera.script("OPTIONS", EditBytes(lambda data: data + b"\r\n"))
        await play(camera.url, 40)

"""Sessions over TLS and IPv6 from end to end: the URL says it, and nothing goes without."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from certificates import AUTHORITY, fingerprint, server_context
from raw_server import RawServer

from rtspkit.client.connector import Connector
from rtspkit.client.opening import no_room, open_connection, reserve
from rtspkit.client.options import ConnectOptions, build_options
from rtspkit.client.pool import ConnectionPool
from rtspkit.client.session import Session
from rtspkit.errors import ConnectError, ConnectionLost, DeadlineExceeded
from rtspkit.net.budget import budget_of
from rtspkit.options import TLS, Racing
from rtspkit.testing.camera import Camera

TRUSTED = TLS(ca=AUTHORITY)


def options_for(url: str, **rest: object) -> ConnectOptions:
    kinds, headers = rest.pop("transport", "auto"), rest.pop("headers", None)
    return build_options(url, None, None, kinds, headers, **rest)


def connect(url: str, **rest: object) -> Connector:
    return Connector(options_for(url, **rest), remember=False)


async def play_some(session: Session, number: int = 20) -> list[bytes]:
    payloads = []
    async for packet in session.packets():
        payloads.append(bytes(packet.payload))
        if len(payloads) == number:
            break
    return payloads


@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("mode", ["none", "first-wins", "last-wins", "hybrid"])
async def test_a_session_plays(host, secure, mode):
    rest = {"tls": TRUSTED} if secure else {}
    context = server_context() if secure else None
    async with Camera(host=host, tls=context, speed=20) as camera:
        racing = Racing(mode=mode)
        async with connect(camera.url, racing=racing, **rest) as session:
            assert len(await play_some(session)) == 20
            assert session.stats().lost == 0
            assert session.transport == ("tcp" if secure else "udp")
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)
        scheme = "rtsps" if secure else "rtsp"
        authority = f"[{host}]" if ":" in host else host
        assert {r.uri.partition("://")[0] for r in camera.requests} == {scheme}
        assert camera.requests[-1].method == "TEARDOWN"
        assert camera.url.startswith(f"{scheme}://{authority}:")
        assert camera.connections_made == camera.sessions_made == 1
        assert camera.protocol_errors == []


@pytest.mark.parametrize(
    "tls",
    [
        TLS(fingerprint=fingerprint("self_signed")),
        TLS(insecure=True),
        TLS(ca=AUTHORITY.replace("authority", "self_signed")),
    ],
    ids=["fingerprint", "insecure", "as its own authority"],
)
async def test_a_camera_that_signs_itself_can_be_trusted_by_name(tls):
    camera = Camera(tls=server_context("self_signed"), speed=20)
    async with camera, connect(camera.url, tls=tls) as session:
        assert await play_some(session)


async def test_a_certificate_that_is_not_right_ends_connect_at_once_without_a_request():
    async with Camera(tls=server_context("self_signed")) as camera:
        with pytest.raises(ConnectError, match="not trusted") as caught:
            await connect(camera.url)
        assert not caught.value.retryable
        assert camera.requests == []
        assert camera.connections_made <= 1


async def test_a_camera_without_tls_never_sees_a_request_meant_for_tls():
    async with Camera() as camera:
        url = camera.url.replace("rtsp://", "rtsps://user:secret@")
        with pytest.raises(ConnectError, match="is no TLS"):
            await connect(url, tls=TLS(insecure=True))
        assert camera.requests == []


async def test_the_proof_of_a_connection_is_asked_as_every_request_is():
    async with RawServer() as server:
        options = options_for(server.url, headers=(("X-Mine", "1"),), user_agent="mine")
        circuit = await open_connection(options, "last-wins", lambda *_: 0, lambda _: None)
        (request,) = server.requests
        assert (request.method, request.uri, request.cseq) == ("OPTIONS", server.url, 0)
        assert request.headers.get("User-Agent") == "mine"
        assert request.headers.get("X-Mine") == "1"
        circuit.close()
        await circuit.wait_closed()


async def test_the_context_of_a_user_decides():
    mine = ssl.create_default_context(cafile=AUTHORITY)
    camera = Camera(tls=server_context(), speed=20)
    async with camera, connect(camera.url, tls=mine) as session:
        assert await play_some(session)


async def test_every_connection_takes_a_place_in_the_budget_until_it_is_closed():
    budget = budget_of(asyncio.get_running_loop())
    async with RawServer() as server:
        place = ("127.0.0.1", server.port)
        options = options_for(server.url)
        circuit = await open_connection(options, "first-wins", lambda *_: 0, lambda _: None)
        assert budget.taken(place) == 1
        circuit.close()
        await circuit.wait_closed()
        assert budget.taken(place) == 0
    with pytest.raises(ConnectError):
        await open_connection(options, "first-wins", lambda *_: 0, lambda _: None)
    assert budget.taken(place) == 0


async def test_a_race_is_no_wider_than_its_lease():
    async with RawServer({"OPTIONS": b""}) as server:
        options = options_for(server.url, racing=Racing(delay=0.01, timeout=0.2))
        for number in (3, 1):
            before = len(server.peers)
            lease = await reserve(options, fresh=False)
            assert lease.places.number == 3
            lease.places.shrink(number)
            with pytest.raises(DeadlineExceeded):
                await open_connection(
                    options, "last-wins", lambda *_: 0, lambda _: None, lease=lease
                )
            assert len(server.peers) - before == number
            assert lease.places.number == 0


async def test_a_connection_that_was_kept_and_has_ended_meanwhile_is_an_error_to_try_again():
    async with RawServer() as server, ConnectionPool() as pool:
        options = options_for(server.url, pool=pool, transport="tcp")
        async with Connector(options, remember=False) as session:
            await play_some(session, 3)
        lease = await reserve(options, fresh=False)
        assert lease.idle is not None
        lease.idle.close()
        with pytest.raises(ConnectionLost, match="kept open") as caught:
            await open_connection(options, "none", lambda *_: 0, lambda _: None, lease=lease)
        assert caught.value.retryable
        await server.until(lambda: server.peers[0].closed.done())
        await asyncio.sleep(0)
        assert pool.connections == 0


async def test_what_it_means_to_find_no_room_names_host_and_limit():
    async with ConnectionPool(max_connections_per_host=2) as pool:
        assert no_room(options_for("rtsp://camera/")) is None
        error = no_room(options_for("rtsp://[::1]:8554/", pool=pool))
        assert error is not None
        assert str(error) == (
            "pool: no room for a connection to [::1]:8554 within 10 s: "
            "ConnectionPool.max_connections_per_host is 2"
        )

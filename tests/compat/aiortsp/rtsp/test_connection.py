from __future__ import annotations

import asyncio
import socket

import pytest
from raw_server import RawServer, reply

from rtspkit.compat.aiortsp.rtsp.connection import RTSPConnection
from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.testing.actions import Drop
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

virtual_clock = pytest.mark.virtual_clock


async def test_requests_are_answered_as_they_come():
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        assert connection.running
        options = await connection.send_request("OPTIONS", camera.url)
        assert "DESCRIBE" in options.headers["public"]
        described = await connection.send_request(
            "DESCRIBE", camera.url, headers={"Accept": "application/sdp", "CSeq": 99, "X-Size": 5}
        )
        assert described.content.startswith("v=0")
        assert described.status == 200
    assert camera.requests[1].headers["X-Size"] == "5"
    assert camera.requests[1].cseq == 2
    assert not connection.running
    assert connection.result.result() == "ok"


async def test_a_refusal_raises_with_the_answer():
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        with pytest.raises(RTSPResponseError) as caught:
            await connection.send_request("DESCRIBE", camera.url + "/none")
        assert caught.value.response.status == 404
        assert caught.value.reason()["status"] == 404
        assert connection.running


@virtual_clock
@pytest.mark.parametrize("timeout", [None, 3])
async def test_no_answer_raises_in_time(timeout):
    loop = asyncio.get_running_loop()
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        camera.script("OPTIONS", Drop())
        began = loop.time()
        with pytest.raises(RTSPTimeoutError):
            await connection.send_request("OPTIONS", camera.url, timeout=timeout)
        assert loop.time() - began < (timeout or 10) + 0.2


async def test_nobody_there_is_told():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        connection = RTSPConnection("127.0.0.1", closed.getsockname()[1])
        with pytest.raises(RTSPConnectionError, match="refused"):
            await connection.prepare()
    assert not connection.running


async def test_a_server_that_speaks_something_else_is_told():
    async with RawServer(greeting=b"SSH-2.0-OpenSSH_9.6\r\n") as server:
        with pytest.raises(RTSPConnectionError):
            async with RTSPConnection("127.0.0.1", server.port) as connection:
                await connection.send_request("OPTIONS", server.url)


async def test_it_is_used_once_it_is_open():
    connection = RTSPConnection("127.0.0.1", 9)
    assert not connection.running
    with pytest.raises(RTSPConnectionError):
        await connection.send_request("OPTIONS", "rtsp://127.0.0.1/")
    connection.close()
    await connection.aclose()


async def test_a_loss_ends_what_waits_and_is_told():
    async with Camera() as camera, RTSPConnection("127.0.0.1", camera.port) as connection:
        rule = camera.script("OPTIONS", Drop())
        asking = asyncio.ensure_future(connection.send_request("OPTIONS", camera.url))
        await camera.wait_until(lambda: rule.hits == 1)
        camera.kill()
        with pytest.raises(RTSPConnectionError):
            await asking
        with pytest.raises(RTSPConnectionError):
            await connection.result
        assert not connection.running


async def test_digest_goes_before_basic():
    authentication = Authentication(schemes=("basic", "digest"))
    async with (
        Camera(authentication=authentication) as camera,
        RTSPConnection("127.0.0.1", camera.port, "user", "secret") as connection,
    ):
        await connection.send_request("DESCRIBE", camera.url)
    assert camera.requests[-1].headers["Authorization"].startswith("Digest")


@pytest.mark.parametrize(("accepted", "works"), [(None, True), (["Digest"], False)])
async def test_basic_can_be_ruled_out(accepted, works):
    async with Camera(authentication=Authentication(schemes=("basic",))) as camera:
        async with RTSPConnection(
            "127.0.0.1", camera.port, "user", "secret", accept_auth=accepted
        ) as connection:
            if works:
                await connection.send_request("DESCRIBE", camera.url)
            else:
                with pytest.raises(RTSPResponseError) as caught:
                    await connection.send_request("DESCRIBE", camera.url)
                assert caught.value.response.status == 401
        sent = [r for r in camera.requests if "Authorization" in r.headers]
        assert bool(sent) is works


async def test_a_wrong_password_is_tried_once():
    async with Camera(username="user", password="secret") as camera:
        async with RTSPConnection("127.0.0.1", camera.port, "user", "guess") as connection:
            with pytest.raises(RTSPResponseError, match="401"):
                await connection.send_request("DESCRIBE", camera.url)
        assert len(camera.requests) == 2


async def test_a_body_goes_out_and_comes_back():
    def answer(request, peer):
        return reply(request, body=request.body, Content_Type="text/parameters")

    async with (
        RawServer({"GET_PARAMETER": answer}) as server,
        RTSPConnection("127.0.0.1", server.port) as connection,
    ):
        response = await connection.send_request(
            "GET_PARAMETER",
            server.url,
            headers={"Content-Type": "text/parameters"},
            body=b"position",
        )
    assert response.data == b"position"


async def test_with_tls_nothing_is_asked_in_the_clear():
    async with Camera() as camera:
        connection = RTSPConnection("127.0.0.1", camera.port, ssl=True, timeout=2)
        with pytest.raises(RTSPError):
            await connection.prepare()
        assert not connection.running
    assert camera.requests == []

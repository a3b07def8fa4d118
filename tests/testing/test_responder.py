from __future__ import annotations

import pytest
from rtspkit_raw import RawClient

from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.credentials import Credentials, authorize, parse_challenges
from rtspkit.wire.header import parse_public, parse_transport
from rtspkit.wire.message import Response

TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


async def status(client: RawClient, method: str, uri: str | None = None, **headers: str) -> int:
    return (await client.request(method, uri, **headers)).status_code


async def test_options_lists_the_methods():
    async with Camera(methods=("OPTIONS", "DESCRIBE")) as camera, RawClient(camera.url) as client:
        answer = await client.request("OPTIONS", "*")
        assert parse_public(answer.headers.get("Public")) == {"OPTIONS", "DESCRIBE"}
        refused = await client.request("PLAY")
        assert (refused.status_code, refused.headers.get("Allow")) == (405, "OPTIONS, DESCRIBE")


async def test_errors_of_the_rfc():
    async with Camera() as camera, RawClient(camera.url) as client:
        other = camera.url.replace("stream", "other")
        assert await status(client, "DESCRIBE", other) == 404
        assert await status(client, "OPTIONS", f"{camera.url}/track9") == 404
        assert await status(client, "RECORD") == 405
        assert await status(client, "FLY") == 501
        assert await status(client, "PLAY") == 454
        assert await status(client, "PLAY", Session="1234") == 454
        assert await status(client, "PLAY", Session=" ; ") == 400
        assert await status(client, "DESCRIBE", Accept="text/plain") == 406
        assert await status(client, "OPTIONS", Require="x") == 551
        assert await status(client, "SETUP", f"{camera.url}/track0") == 400
        assert await status(client, "SETUP", Transport=TCP) == 459
        assert (await client.request("OPTIONS", CSeq="x")).status_code == 400
        client.output.write(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n")
        assert (await client.answer()).status_code == 505
        assert camera.sessions == {}


async def test_states_of_a_session():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        assert await status(client, "PAUSE") == 455
        await client.set_up(1)
        assert await status(client, "PLAY", f"{camera.url}/track0") == 460
        assert await status(client, "PLAY", f"{camera.url}/") == 200
        assert await status(client, "PLAY") == 200
        assert (await client.set_up(0)).status_code == 455
        assert await status(client, "PAUSE") == 200
        assert (await client.set_up(0)).status_code == 200
        assert await status(client, "TEARDOWN") == 200
        assert await status(client, "TEARDOWN") == 454


async def test_only_enabled_transports_are_taken():
    async with Camera(transports=("tcp",)) as camera, RawClient(camera.url) as client:
        assert (await client.set_up(0, transport="udp")).status_code == 461
        assert camera.sessions == {}
        answer = await client.set_up(0)
        transport = parse_transport(answer.headers.get("Transport"))
        assert (transport.protocol, transport.interleaved) == ("TCP", (0, 1))
        assert transport.ssrc == next(iter(camera.sessions.values())).senders[0].ssrc


async def test_a_presentation_of_one_track_may_be_set_up_as_a_whole():
    async with Camera(tracks=("H264",)) as camera, RawClient(camera.url) as client:
        assert await status(client, "SETUP", Transport=TCP) == 200


@pytest.mark.parametrize("path", ["/", "/a/b?channel=1&subtype=0"])
async def test_any_path_may_be_served(path):
    async with Camera(path=path) as camera, RawClient(camera.url) as client:
        answer = await client.request("DESCRIBE")
        base = answer.headers.get("Content-Base")
        assert await status(client, "SETUP", f"{base}track1", Transport=TCP) == 200
        assert await status(client, "SETUP", f"{camera.url}track0", Transport=TCP) == 200


@pytest.mark.parametrize("unit", ["smpte=0:10:00-", "clock=20240101T000000Z-", "npt=99-"])
async def test_ranges_that_it_has_not_are_457(unit):
    async with Camera(duration=10) as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        assert await status(client, "PLAY", Range=unit) == 457
        assert await status(client, "PLAY", Range="npt=now-") == 200


async def test_odd_numbers_in_play_are_answered_with_what_is_done():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        answer = await client.request("PLAY", Scale="-1", Speed="1000")
        assert (answer.headers.get("Scale"), answer.headers.get("Speed")) == ("1", "64")
        assert await status(client, "PLAY", Range="nonsense") == 400


async def test_parameters_are_set_and_told():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.set_up(0)
        assert (await client.request("SET_PARAMETER", body=b"a: 1\r\nb:2\r\n")).status_code == 200
        assert camera.parameters == {"a": "1", "b": "2"}
        answer = await client.request("GET_PARAMETER", body=b"b\r\na\r\n")
        assert answer.body == b"b: 2\r\na: 1\r\n"
        assert (await client.request("GET_PARAMETER", body=b"c\r\n")).status_code == 451
        assert (await client.request("GET_PARAMETER")).body == b""


async def test_the_advertised_timeout_may_be_another_one():
    async with Camera(advertised_timeout=5) as camera, RawClient(camera.url) as client:
        answer = await client.set_up(0)
        assert answer.headers.get("Session") == f"{client.session};timeout=5"
    async with Camera(session_timeout=None) as camera, RawClient(camera.url) as client:
        answer = await client.set_up(0)
        assert answer.headers.get("Session") == client.session


async def test_everything_but_options_is_authenticated():
    async def ask(client: RawClient, method: str, uri: str, **headers: str) -> Response:
        first = await client.request(method, uri, **headers)
        assert first.status_code == 401
        (challenge,) = parse_challenges(first.headers.get_all("WWW-Authenticate"))
        value = authorize(challenge, Credentials("user", "secret"), method, uri, cnonce="c")
        return await client.request(method, uri, Authorization=value, **headers)

    async with Camera(authentication=Authentication()) as camera, RawClient(camera.url) as client:
        assert await status(client, "OPTIONS") == 200
        assert (await ask(client, "DESCRIBE", camera.url)).status_code == 200
        answer = await ask(client, "SETUP", f"{camera.url}/track0", Transport=TCP)
        client.session = answer.headers.get("Session").partition(";")[0]
        assert (await ask(client, "PLAY", camera.url)).status_code == 200
        assert (await ask(client, "TEARDOWN", camera.url)).status_code == 200
        assert camera.refused == 0
        assert camera.challenged == 4


async def test_a_setup_that_fails_leaves_no_session():
    async with Camera() as camera, RawClient(camera.url) as client:
        for first in range(0, 256, 2):
            value = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
            answer = await client.request("SETUP", f"{camera.url}/track0", Transport=value)
            assert answer.status_code == 200
        sessions = len(camera.sessions)
        assert await status(client, "SETUP", f"{camera.url}/track0", Transport=TCP) == 453
        assert len(camera.sessions) == sessions == 128

from __future__ import annotations

import re

import pytest
from rtspkit_raw import RawClient

from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.testing.quirks import QUIRKS
from rtspkit.wire.credentials import Credentials, authorize, parse_challenges
from rtspkit.wire.message import InterleavedFrame
from rtspkit.wire.rtcp import Goodbye, is_rtcp, parse_rtcp

# one loop is enough: the quirks are about what is said, not about how
ONE_LOOP = pytest.mark.asyncio(loop_factories=["asyncio"])

# what only changes an option of the camera
OPTIONS = {
    "expiry-closes": ("close_on_expiry", True),
    "no-reports": ("report_interval", None),
    "reports-keep-alive": ("keepalive", ("rtcp",)),
    "reports-late": ("report_delay", 3.0),
}
REPORTS = {"ntp-zero", "ntp-hour-off", "report-foreign-ssrc"}
PACKETS = {
    "bad-padding",
    "duplicates",
    "empty-payload",
    "extension",
    "foreign-ssrc-first",
    "marker-always",
    "no-marker",
    "rtcp-among-rtp",
    "ssrc-changes",
    "unknown-payload-type",
}
CHALLENGES = {"basic-first", "challenge-blanks", "challenge-unquoted", "challenges-on-one-line"}
ELSEWHERE = {"media-before-reply", "stale-unannounced"}
ANSWERS = sorted(set(QUIRKS) - set(OPTIONS) - REPORTS - PACKETS - CHALLENGES - ELSEWHERE)


async def answers(quirk: str | None, *, authenticated: bool = False) -> bytes:
    """All that a camera without media says to a fixed row of requests, ports made equal."""
    what = Authentication(schemes=("digest", "basic")) if authenticated else None
    camera = Camera(quirks={quirk} if quirk else (), authentication=what)
    async with camera, RawClient(camera.url) as client:
        camera.stop_media()
        client.send("OPTIONS")
        client.send("DESCRIBE")
        client.send("SETUP", f"{camera.url}/track0", Transport="RTP/AVP/TCP;interleaved=0-1")
        await camera.wait_until(lambda: camera.answered == 3)
        session = next(iter(camera.sessions), "0")
        ports = "RTP/AVP;unicast;client_port=40000-40001"
        client.send("SETUP", f"{camera.url}/track1", Transport=ports, Session=session)
        for method in ("PLAY", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"):
            client.send(method, Session=session)
        client.output.write_eof()
        data = await client.input.read()
        data = data.replace(f"127.0.0.1:{camera.port}".encode(), b"CAMERA")
    data = re.sub(rb"server_port=[1-9]\d*-\d+", b"server_port=N-N", data)
    return re.sub(rb'nonce="?[0-9a-f]+', b"nonce", data)


@pytest.fixture(scope="module")
def usual() -> dict[str, object]:
    """What a camera without quirks does, asked for once: it is the same each time."""
    return {}


async def media(quirk: str | None) -> list[bytes]:
    """All that a camera sends on the RTP channel in 60 packets of its own."""
    camera = Camera(
        quirks={quirk} if quirk else (), packets=60, speed=1000, tracks=("H264",), path="/"
    )
    async with camera, RawClient(camera.url.rstrip("/")) as client:
        await client.play(0)
        found: list[bytes] = []
        while True:
            (frame, *more) = await client.frames(1)
            for one in (frame, *more):
                if one.channel == 0:
                    found.append(bytes(one.payload))
                elif is_rtcp(one.payload) and isinstance(parse_rtcp(one.payload)[-1], Goodbye):
                    return found


@ONE_LOOP
@pytest.mark.parametrize("quirk", ANSWERS)
async def test_quirk_changes_what_is_answered(quirk, usual):
    usual["answers"] = usual.get("answers") or await answers(None)
    assert await answers(quirk) != usual["answers"]


@ONE_LOOP
@pytest.mark.parametrize("quirk", sorted(CHALLENGES))
async def test_quirk_changes_what_is_demanded(quirk):
    usual = await answers(None, authenticated=True)
    assert await answers(quirk, authenticated=True) != usual


async def test_without_quirks_answers_and_media_are_the_same_each_time():
    assert await answers(None) == await answers(None)
    assert await media(None) == await media(None)


@ONE_LOOP
@pytest.mark.parametrize("quirk", sorted(PACKETS))
async def test_quirk_changes_what_is_sent(quirk, usual):
    usual["media"] = usual.get("media") or await media(None)
    assert await media(quirk) != usual["media"]


@pytest.mark.parametrize(("quirk", "option"), OPTIONS.items())
async def test_quirk_sets_an_option(quirk, option):
    name, value = option
    assert getattr(Camera(), name) != value
    assert getattr(Camera(quirks={quirk}), name) == value


@pytest.mark.parametrize("quirk", sorted(REPORTS))
async def test_quirk_changes_sender_reports(quirk):
    async with Camera(quirks={quirk}) as camera, RawClient(camera.url) as client:
        await client.play(0)
        (report, *_) = await client.reports()
        ssrc = next(iter(camera.sessions.values())).senders[0].ssrc
        hours = (report.ntp - camera.ntp()) / (3600 << 32)
    assert (report.ntp == 0, round(hours) == 1, report.ssrc != ssrc) == {
        "ntp-zero": (True, False, False),
        "ntp-hour-off": (False, True, False),
        "report-foreign-ssrc": (False, False, True),
    }[quirk]


async def test_media_before_reply():
    camera = Camera(quirks={"media-before-reply"})
    async with camera, RawClient(camera.url) as client:
        await client.play(0)
        assert len([e for e in client.events if isinstance(e, InterleavedFrame)]) >= 3


@pytest.mark.parametrize("quirks", [(), {"stale-unannounced"}])
async def test_stale_unannounced(quirks):
    what = Authentication(nonce_requests=1)
    async with (
        Camera(authentication=what, quirks=quirks) as camera,
        RawClient(camera.url) as client,
    ):
        first = await client.request("DESCRIBE")
        (challenge,) = parse_challenges(first.headers.get_all("WWW-Authenticate"))
        value = authorize(
            challenge, Credentials("user", "secret"), "DESCRIBE", camera.url, cnonce="c"
        )
        assert (await client.request("DESCRIBE", Authorization=value)).status_code == 200
        again = await client.request("DESCRIBE", Authorization=value)
    assert again.status_code == 401
    (challenge,) = parse_challenges(again.headers.get_all("WWW-Authenticate"))
    assert challenge.stale is not bool(quirks)


async def test_several_quirks_work_together():
    camera = Camera(quirks={"no-public", "channel-swap", "no-cseq", "line-feed-only"})
    async with camera, RawClient(camera.url) as client:
        answer = await client.request("OPTIONS")
        assert (answer.cseq, "Public" in answer.headers) == (None, False)
        assert "line-feed-only" in answer.deviations
        assert "interleaved=2-3" in (await client.set_up(0)).headers.get("Transport")


async def test_reply_in_frame_can_be_found_by_a_tolerant_reader():
    camera = Camera(quirks={"reply-in-frame"})
    async with camera, RawClient(camera.url) as client:
        camera.stop_media()
        await client.play(0)
        client.send("GET_PARAMETER")
        data = await client.input.readuntil(b"\r\n\r\n")
    assert data[:4] == b"$\x00\x01\x90"
    assert b"RTSP/1.0 200 OK" in data[4:404]


def test_unknown_names_are_refused_with_the_list():
    with pytest.raises(ValueError, match="no-public"):
        Camera(quirks={"no-such-quirk"})


def test_quirks_of_authentication_need_some():
    with pytest.raises(ValueError, match="authentication"):
        Camera(quirks={"basic-first"})


def test_every_quirk_says_what_it_means_in_one_line():
    for name, quirk in QUIRKS.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert quirk.meaning
        assert "\n" not in quirk.meaning

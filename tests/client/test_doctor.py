"""A diagnosis: each step, what is in the way, and that it knocks no more than it has to."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from own_certificate import FINGERPRINT, server_context
from raw_server import RawServer

from rtspkit.client.doctor import STEPS, diagnose
from rtspkit.client.finding import NOT_REACHED, Diagnosis, Finding
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    TooManySessions,
    Unauthorized,
    UnsupportedTransport,
)
from rtspkit.options import TLS, Timeouts
from rtspkit.testing.actions import Close, Drop
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.testing.impairment import Impairment
from rtspkit.testing.link import Link

virtual_clock = pytest.mark.virtual_clock
RTP_HEADER = 12  # bytes
NON_IDR, IDR, FRAGMENT = 1, 5, 28  # NAL unit types
ALL = [step for step in STEPS if step != "tls"]


async def look(url: str, **options: object) -> Diagnosis:
    loop = asyncio.get_running_loop()
    zero = time.time() - loop.time()
    return await diagnose(url, **{"seconds": 2.5, "wall": lambda: zero + loop.time()} | options)


def outcomes(diagnosis: Diagnosis) -> dict[str, str]:
    return {finding.step: finding.outcome for finding in diagnosis.findings}


def the(step: str, diagnosis: Diagnosis) -> Finding:
    return next(finding for finding in diagnosis.findings if finding.step == step)


def not_reached(diagnosis: Diagnosis) -> list[str]:
    return [one.step for one in diagnosis.findings if one.seen == NOT_REACHED]


@virtual_clock
async def test_a_camera_that_is_well():
    steps: list[str] = []
    found: list[Finding] = []
    async with Camera(username="user", password="secret") as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        diagnosis = await look(url, on_step=steps.append, on_finding=found.append)
        assert camera.sessions == {}
    assert outcomes(diagnosis) == dict.fromkeys(ALL, "ok")
    assert [finding.step for finding in diagnosis.findings] == ALL
    assert {finding.step for finding in found} == set(ALL)
    assert steps == ["name", "connect", "rtsp", "udp", "tcp"]
    assert diagnosis.transports == ("udp", "tcp")
    assert diagnosis.error is None
    assert 5 <= diagnosis.seconds < 6
    assert "secret" not in repr(diagnosis)
    assert the("authentication", diagnosis).seen == "digest, MD5"
    assert the("keep-alive", diagnosis).numbers["method"] == "GET_PARAMETER"


@virtual_clock
async def test_a_wrong_password_is_one_sentence_and_two_attempts_at_most():
    async with Camera(username="user", password="secret") as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:wrong@")
        diagnosis = await look(url)
        tried = [request for request in camera.requests if "Authorization" in request.headers]
        assert 1 <= len(tried) <= 2
        assert camera.sessions == {}
    assert isinstance(diagnosis.error, Unauthorized)
    finding = the("authentication", diagnosis)
    assert (finding.outcome, finding.seen) == (
        "failed",
        "the user name or the password is wrong (digest, MD5)",
    )
    assert not_reached(diagnosis) == ALL[4:]
    assert diagnosis.transports == ()


@virtual_clock
async def test_a_password_that_is_wanted():
    async with Camera(username="user", password="secret") as camera:
        diagnosis = await look(camera.url)
        assert not any("Authorization" in request.headers for request in camera.requests)
    assert isinstance(diagnosis.error, Unauthorized)
    assert the("authentication", diagnosis).seen == "user name and password are wanted"


@virtual_clock
async def test_basic_in_the_clear_is_told():
    basic = Authentication(username="user", password="secret", schemes=("basic",))
    async with Camera(authentication=basic) as camera:
        diagnosis = await look(camera.url, username="user", password="secret")
    assert outcomes(diagnosis)["authentication"] == "warning"


@virtual_clock
async def test_a_path_that_the_server_does_not_have():
    async with Camera() as camera:
        diagnosis = await look(camera.url + "/elsewhere")
    assert isinstance(diagnosis.error, NotFound)
    assert "404" in the("rtsp", diagnosis).seen
    assert not_reached(diagnosis) == ALL[4:]


@virtual_clock
async def test_udp_behind_a_firewall():
    async with Camera() as camera, Link(camera.url, down=Impairment(blocked=True)) as link:
        diagnosis = await look(link.url)
        assert camera.sessions == {}
    found = outcomes(diagnosis)
    assert (found["udp"], found["nat"], found["tcp"]) == ("failed", "failed", "ok")
    assert 'transport="tcp"' in the("udp", diagnosis).advice
    assert "firewall" in the("nat", diagnosis).seen
    assert diagnosis.transports == ("tcp",)
    assert diagnosis.error is None
    assert [found[step] for step in ALL[8:]] == ["ok"] * 5


@virtual_clock
async def test_a_camera_that_takes_one_transport():
    async with Camera(transports=("tcp",)) as camera:
        diagnosis = await look(camera.url)
    found = outcomes(diagnosis)
    assert (found["udp"], found["nat"], found["tcp"]) == ("failed", "skipped", "ok")
    assert "461" in the("udp", diagnosis).seen


@virtual_clock
async def test_no_transport_at_all():
    async with Camera(transports=()) as camera:
        diagnosis = await look(camera.url)
    assert isinstance(diagnosis.error, UnsupportedTransport)
    assert diagnosis.transports == ()
    assert not_reached(diagnosis) == ["keep-alive", "clock", "loss", "keyframes"]
    assert outcomes(diagnosis)["quirks"] == "ok"


@virtual_clock
async def test_a_camera_without_room():
    async with Camera(max_sessions=0) as camera:
        diagnosis = await look(camera.url)
    assert isinstance(diagnosis.error, TooManySessions)
    assert "close other viewers" in the("udp", diagnosis).advice


@virtual_clock
async def test_a_camera_that_plays_nothing():
    async with Camera() as camera:
        camera.media_stopped = True
        diagnosis = await look(camera.url)
    assert isinstance(diagnosis.error, DeadlineExceeded)
    found = outcomes(diagnosis)
    assert (found["udp"], found["nat"], found["tcp"]) == ("failed", "skipped", "failed")
    assert "transport=" not in the("udp", diagnosis).advice


@virtual_clock
async def test_a_stream_without_keyframes():
    def without_idr(track: int, packet: bytes) -> list[bytes]:
        """The same pictures, as if none of them were one to begin with (RFC 6184 §5.6, §5.8)."""
        place = RTP_HEADER + (packet[RTP_HEADER] & 0x1F == FRAGMENT)
        if packet[place] & 0x1F == IDR:
            packet = packet[:place] + bytes([packet[place] - IDR + NON_IDR]) + packet[place + 1 :]
        return [packet]

    async with Camera(tracks=("H264",), on_packet=without_idr) as camera:
        diagnosis = await look(camera.url)
    finding = the("keyframes", diagnosis)
    assert finding.outcome == "warning"
    assert "GOP" in finding.advice


@virtual_clock
@pytest.mark.parametrize(
    ("quirk", "step"),
    [
        ("no-reports", "clock"),
        ("ntp-zero", "clock"),
        ("ntp-hour-off", "clock"),
    ],
)
async def test_clocks_that_are_wrong(quirk, step):
    async with Camera(quirks={quirk}) as camera:
        diagnosis = await look(camera.url)
    assert outcomes(diagnosis) == dict.fromkeys(ALL, "ok") | {step: "warning"}


@virtual_clock
async def test_quirks_are_told():
    async with Camera(quirks={"no-reason-phrase", "no-rtp-info"}) as camera:
        diagnosis = await look(camera.url)
    seen = the("quirks", diagnosis).seen
    assert "reason-phrase-missing" in seen
    assert "rtp-info-missing" in seen


@virtual_clock
async def test_one_transport_by_the_scheme_of_the_url():
    async with Camera() as camera:
        diagnosis = await look(camera.url.replace("rtsp://", "rtspt://"))
    found = outcomes(diagnosis)
    assert (found["udp"], found["nat"], found["tcp"]) == ("skipped", "skipped", "ok")
    assert diagnosis.transports == ("tcp",)


@virtual_clock
@pytest.mark.parametrize("action", [Drop(), Close()])
async def test_options_that_are_not_answered_are_a_quirk(action):
    async with Camera() as camera:
        camera.script("OPTIONS", action)
        diagnosis = await look(camera.url)
    assert "options-refused" in the("quirks", diagnosis).seen
    assert diagnosis.transports == ("udp", "tcp")


# -- before there is any RTSP


async def test_a_port_that_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    diagnosis = await look(f"rtsp://127.0.0.1:{port}/")
    assert isinstance(diagnosis.error, ConnectError)
    assert "nothing listens there" in the("connect", diagnosis).advice
    assert not_reached(diagnosis) == ALL[2:]


async def test_a_host_that_nobody_knows():
    diagnosis = await look("rtsp://camera.invalid/")
    assert isinstance(diagnosis.error, ConnectError)
    assert outcomes(diagnosis)["name"] == "failed"
    assert not_reached(diagnosis) == ALL[1:]


async def test_a_name_server_that_hangs(monkeypatch):
    async def resolve(*arguments: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("rtspkit.client.doctor.resolve", resolve)
    diagnosis = await look("rtsp://camera.example/", timeouts=Timeouts(connect=0.05))
    assert isinstance(diagnosis.error, DeadlineExceeded)
    assert diagnosis.error.phase == "resolve"
    assert "DNS" in the("name", diagnosis).advice


@virtual_clock
async def test_a_server_that_hangs():
    with socket.create_server(("127.0.0.1", 0)) as one:
        diagnosis = await look(f"rtsp://127.0.0.1:{one.getsockname()[1]}/")
    assert isinstance(diagnosis.error, DeadlineExceeded)
    assert the("rtsp", diagnosis).seen == "describe: nothing within 10 s"
    assert diagnosis.seconds == pytest.approx(10, abs=0.1)


async def test_a_server_of_another_protocol():
    async with RawServer(greeting=b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        diagnosis = await look(server.url)
    assert isinstance(diagnosis.error, RemoteProtocolError)
    assert "SSH-2.0" in the("rtsp", diagnosis).seen
    assert "does not speak RTSP" in the("rtsp", diagnosis).advice


@virtual_clock
async def test_a_server_that_hangs_up():
    async with Camera() as camera:
        camera.script("DESCRIBE", Close())
        diagnosis = await look(camera.url)
    assert isinstance(diagnosis.error, ConnectionLost)


async def test_a_certificate_that_nobody_trusts_ends_it_before_the_password_is_sent(
    tmp_path: Path,
):
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received.append(await reader.read())
        except OSError:
            pass  # a handshake that was broken off
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(tmp_path))
    async with server:
        port = server.sockets[0].getsockname()[1]
        diagnosis = await look(f"rtsps://user:secret@localhost:{port}/")
    assert isinstance(diagnosis.error, ConnectError)
    assert not diagnosis.error.retryable
    assert FINGERPRINT in the("tls", diagnosis).advice
    assert set(received) <= {b""}
    assert not_reached(diagnosis) == ALL[2:]


async def test_a_camera_over_tls(tmp_path: Path):
    async with Camera(tls=server_context(tmp_path), username="user", password="secret") as camera:
        diagnosis = await look(
            camera.url,
            username="user",
            password="secret",
            tls=TLS(fingerprint=FINGERPRINT),
            seconds=0.3,
        )
        assert camera.sessions == {}
    found = outcomes(diagnosis)
    assert list(found) == list(STEPS)
    assert (found["tls"], found["udp"], found["nat"], found["tcp"]) == (
        "ok",
        "skipped",  # it would be in the clear
        "skipped",
        "ok",
    )
    assert diagnosis.transports == ("tcp",)


async def test_a_file_of_certificates_that_is_none(tmp_path: Path):
    async with Camera(tls=server_context(tmp_path)) as camera:
        diagnosis = await look(camera.url, tls=TLS(ca=str(tmp_path / "none.pem")))
    assert isinstance(diagnosis.error, LocalProtocolError)
    assert "none.pem" in the("tls", diagnosis).seen


@pytest.mark.parametrize(
    ("url", "options"),
    [("http://camera/", {}), ("rtsp://camera/", {"tls": TLS()}), ("rtsp:///", {})],
)
async def test_what_cannot_be_used_is_raised_at_once(url, options):
    with pytest.raises(LocalProtocolError):
        await look(url, **options)


@virtual_clock
@pytest.mark.parametrize("after", [0.05, 1.0, 5.0])
async def test_one_who_gives_up_leaves_nothing_behind(after):
    async with Camera() as camera:
        task = asyncio.ensure_future(look(camera.url))
        asyncio.get_running_loop().call_later(after, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        await camera.wait_until(lambda: not camera.sessions)

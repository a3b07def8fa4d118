from __future__ import annotations

import asyncio

import pytest
from rtspkit_raw import RawClient

from rtspkit.errors import DeadlineExceeded
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request
from rtspkit.wire.ntp import ntp_to_unix


def test_tracks_are_known_by_encoding_name():
    camera = Camera(tracks=("pcmu", "AAC"))
    camera.load()
    assert [track.encoding_name for track in camera.presentation] == ["PCMU", "MPEG4-GENERIC"]
    assert [track.control for track in camera.presentation] == ["track0", "track1"]
    with pytest.raises(ValueError, match="VP8"):
        Camera(tracks=("VP8",)).load()


def test_tracks_of_the_user_keep_their_control():
    camera = Camera(tracks=("H264",))
    camera.load()
    mine = camera.presentation[0]
    mine.control = "mine"
    other = Camera(tracks=(mine, mine))
    other.load()
    assert [track.control for track in other.presentation] == ["mine", "mine"]


def test_records_are_bounded(monkeypatch):
    monkeypatch.setattr("rtspkit.testing.camera_core.MAX_RECORDS", 10)
    camera = Camera()
    for number in range(25):
        camera.record(Request("OPTIONS", str(number)))
    assert len(camera.requests) <= 10
    assert camera.requests[-1].uri == "24"


def test_a_seed_gives_the_same_numbers_again():
    numbers = []
    for seed in (1, 1, 2):
        camera = Camera(seed=seed)
        numbers.append(
            (camera.new_ssrc(), camera.first_sequence_number(), camera.first_timestamp())
        )
    assert numbers[0] == numbers[1] != numbers[2]


class TestRunning:
    async def test_waits_until_something_is_so(self):
        async with Camera() as camera, RawClient(camera.url) as client:
            waiting = asyncio.create_task(camera.wait_until(lambda: len(camera.requests) == 1))
            client.send("OPTIONS")
            await waiting

    async def test_waiting_ends_in_time_and_passes_errors_on(self):
        async with Camera() as camera:
            with pytest.raises(DeadlineExceeded):
                await camera.wait_until(lambda: False, timeout=0.01)
            waiting = asyncio.create_task(camera.wait_until(lambda: bool(camera.requests) or 1 / 0))
            with pytest.raises(ZeroDivisionError):
                await waiting

    async def test_the_wall_clock_is_shifted_when_told(self):
        camera = Camera()
        before = camera.ntp()
        camera.wall_shift = -3600.0
        assert ntp_to_unix(before) - ntp_to_unix(camera.ntp()) == pytest.approx(3600, abs=1)

    async def test_a_failure_in_a_hook_is_reported_to_the_loop(self):
        loop, failures = asyncio.get_running_loop(), []
        handler = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

        def broken(track, packet):
            raise RuntimeError("a bug in the test")

        async with Camera(on_packet=broken) as camera, RawClient(camera.url) as client:
            await client.play(0)
            assert (await client.request("GET_PARAMETER")).status_code == 200
        loop.set_exception_handler(handler)
        assert [str(failure) for failure in failures] == ["a bug in the test"]

    @pytest.mark.parametrize("alone", [True, False])
    async def test_nonces_are_of_one_connection_unless_told_otherwise(self, alone):
        what = Authentication(nonce_per_connection=alone)
        async with Camera(authentication=what) as camera:
            found = []
            for _ in range(2):
                async with RawClient(camera.url) as client:
                    answer = await client.request("DESCRIBE")
                    found.append(answer.headers.get("WWW-Authenticate"))
            assert (found[0] != found[1]) is alone
            assert (camera.challenged, camera.refused) == (2, 0)

from __future__ import annotations

import asyncio
import time

import pytest
from rtspkit_raw import RawClient

from rtspkit.errors import DeadlineExceeded
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.testing.sender import TrackSender
from rtspkit.wire.message import Request
from rtspkit.wire.ntp import ntp_to_unix
from rtspkit.wire.transport import Transport


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


class Outlet:
    """Keeps what is sent together."""

    def __init__(self, room: int = 1000) -> None:
        self.transport = Transport("UDP")
        self.bursts: list[list[bytes]] = []
        self.room = room

    def send(self, packet: bytes, *, rtcp: bool = False) -> bool:
        return self.send_many([packet]) == 1

    def send_many(self, packets: list[bytes]) -> int:
        taken = packets[: self.room]
        self.room -= len(taken)
        self.bursts.append(taken)
        return len(taken)

    async def drain(self) -> None:
        """There is always room."""

    def close(self) -> None:
        """Nothing is owned."""


def send_unit(outlet: Outlet, **options) -> Camera:
    """A camera that has sent the first unit of its picture, in packets of 400 bytes."""
    camera = Camera(**options)
    camera.load()
    numbers = {"ssrc": 7, "sequence_number": 1, "timestamp": 0, "max_packet_size": 400}
    sender = TrackSender(camera.presentation[0], 0, outlet, **numbers)
    sender.begin(0.0, stopped=0.0, scale=1.0, seek=True)
    camera.send_unit(sender)
    return camera


def test_the_packets_of_a_unit_are_sent_together():
    outlet = Outlet()
    camera = send_unit(outlet)
    (burst,) = outlet.bursts
    assert len(burst) > 10
    assert camera.packets_sent == {0: len(burst)}


@pytest.mark.parametrize("quirks", [(), ("duplicates", "rtcp-among-rtp")])
def test_a_hook_on_packets_runs_between_them_and_changes_nothing_by_itself(quirks):
    together, apart = Outlet(), Outlet()
    sent_before: list[int] = []

    def hook(track: int, packet: bytes) -> list[bytes]:
        sent_before.append(len(apart.bursts))
        return [packet]

    send_unit(together, quirks=quirks)
    send_unit(apart, quirks=quirks, on_packet=hook)
    assert [packet for (packet,) in apart.bursts] == together.bursts[0]
    assert sent_before[:2] == ([0, 1] if not quirks else [0, 0])
    assert sent_before[-1] > 10


def test_packets_that_find_no_room_are_counted():
    outlet = Outlet(room=3)
    camera = send_unit(outlet)
    assert camera.packets_sent == {0: 3}
    assert camera.packets_failed[0] > 7


def test_a_unit_without_packets_sends_nothing():
    outlet = Outlet()
    assert send_unit(outlet, on_packet=lambda track, packet: []).packets_sent == {}
    assert outlet.bursts == []


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

    async def test_the_wall_clock_is_that_of_the_machine(self):
        assert ntp_to_unix(Camera().ntp()) == pytest.approx(time.time(), abs=1)

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

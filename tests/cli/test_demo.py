"""``rtspkit demo``: both transports, nothing lost, and the numbers to show for it."""

import json

import pytest

from rtspkit.testing.actions import Reply
from rtspkit.testing.camera import Camera
from rtspkit.testing.sender import TrackSender


def test_plays_udp_and_then_tcp(cli):
    ended = cli("demo", "--seconds", "0.5", "--json")
    assert (ended.code, ended.err) == (0, "")
    udp, tcp = (json.loads(line) for line in ended.out.splitlines())
    assert (udp["transport"], tcp["transport"]) == ("udp", "tcp")
    for values in (udp, tcp):
        assert 0.5 <= values["seconds"] < 2
        assert values["packets"] > 20
        assert values["bytes"] > 10_000
        assert values["lost"] == values["duplicates"] == 0
        assert values["access_units"] > 20
        assert values["keyframes"] == 1
        assert 0 < values["time_to_first_packet"] <= values["time_to_first_keyframe"] < 2
        assert [stream["media"] for stream in values["streams"]] == ["video", "audio"]


@pytest.mark.usefixtures("without_rich")
def test_shows_both_tables(cli):
    ended = cli("demo", "--seconds", "0.3")
    assert (ended.code, ended.err) == (0, "")
    udp, tcp = ended.out.split("\n\n")
    assert udp.startswith("UDP  rtsp://127.0.0.1:")
    assert tcp.startswith("TCP  rtsp://127.0.0.1:")
    for text in (udp, tcp):
        assert "none lost" in text.splitlines()[-1]
        assert max(map(len, text.splitlines())) <= 80


def test_loss_is_not_fine(cli, monkeypatch):
    send = TrackSender.send_many
    count = 0

    def lossy(self, packets):
        nonlocal count
        first, count = count, count + len(packets)
        send(self, [one for n, one in enumerate(packets, first) if n != 9])
        return len(packets)

    monkeypatch.setattr(TrackSender, "send_many", lossy)
    ended = cli("demo", "--seconds", "0.4", "--json")
    assert ended.code == 1
    udp, tcp = (json.loads(line) for line in ended.out.splitlines())
    assert (udp["lost"], tcp["lost"]) == (1, 0)
    assert "udp: 1 packet was lost" in json.loads(ended.err)["message"]


def test_a_transport_that_fails_does_not_hide_the_other(cli, monkeypatch):
    start = Camera.start

    async def start_scripted(self):
        await start(self)
        self.script("DESCRIBE", Reply(404), nth=1)

    monkeypatch.setattr(Camera, "start", start_scripted)
    ended = cli("demo", "--seconds", "0.2", "--json")
    assert ended.code == 5
    assert json.loads(ended.out)["transport"] == "tcp"
    assert json.loads(ended.err)["error"] == "NotFound"


def test_silence_is_not_fine(cli, monkeypatch):
    monkeypatch.setattr(TrackSender, "send_many", lambda self, packets: len(packets))
    ended = cli("demo", "--seconds", "0.2")
    assert ended.code == 1
    assert ended.err.count("\n") == 2
    assert "no packet" in ended.err

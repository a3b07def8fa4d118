"""``rtspkit play``: the numbers, the bounds, and every way that it can end."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading

import pytest

from rtspkit.cli.measure import Reading, StreamReading
from rtspkit.cli.play import summarize, timeouts_from
from rtspkit.options import Timeouts
from rtspkit.testing.authenticator import Authentication

FAST = {"speed": math.inf, "packets": 60}
COUNTS = ("packets", "bytes", "lost", "duplicates", "access_units", "keyframes")
TIMES = ("jitter", "time_to_first_packet", "time_to_first_keyframe")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_prints_one_true_object(cli, start_camera, transport):
    camera = start_camera(**FAST)
    ended = cli("play", camera.url, "--transport", transport, "--packets", "120", "--json")
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    values = json.loads(line)
    assert values["transport"] == transport
    assert values["url"] == camera.url
    assert values["error"] is None
    assert values["packets"] == camera.packets_sent.total() == 120
    assert values["lost"] == values["duplicates"] == 0
    assert 0 < values["time_to_first_packet"] <= values["time_to_first_keyframe"] < 5
    assert 0 <= values["jitter"] < 1
    for name in COUNTS:
        assert values[name] == sum(stream[name] for stream in values["streams"])
    for stream in values["streams"]:
        assert all(isinstance(stream[name], int) for name in COUNTS)
        assert all(isinstance(stream[name], float | None) for name in TIMES)
    assert [stream["encoding_name"] for stream in values["streams"]] == ["H264", "MPEG4-GENERIC"]


@pytest.mark.usefixtures("without_rich")
def test_prints_a_table_and_a_summary(cli, start_camera):
    camera = start_camera(**FAST)
    ended = cli("play", camera.url, "--packets", "120")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"UDP  {camera.url}  rtspkit camera"
    assert lines[-1].startswith("UDP: 120 packets in ")
    assert "none lost" in lines[-1]
    assert max(map(len, lines[1:])) <= 80


def test_draws_a_table_on_a_terminal(start_camera, terminal):
    pytest.importorskip("rich")
    from rtspkit.cli import main

    camera = start_camera()
    with terminal:
        assert main(["play", camera.url, "--transport", "tcp", "--seconds", "0.6"]) == 0
    assert terminal.text.count("kbit/s") >= 3  # drawn again and again
    assert "\x1b[32mTCP: " in terminal.text.rpartition("kbit/s")[2]


def test_stops_after_seconds(cli, start_camera):
    ended = cli("play", start_camera().url, "--seconds", "0.3", "--json")
    assert ended.code == 0
    assert 0.3 <= json.loads(ended.out)["seconds"] < 2


def test_tells_events_on_standard_error(cli, start_camera):
    camera = start_camera(transports=("tcp",), **FAST)
    ended = cli("play", camera.url, "--packets", "120", "-v", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["transport"] == "tcp"
    told = ended.err.splitlines()
    assert "udp does not work, tcp is next" in told[0]
    assert told[-1].endswith("the session has ended")


def test_takes_the_password_from_the_url_and_never_shows_it(cli, start_camera):
    camera = start_camera(authentication=Authentication(password="hid@den"), **FAST)
    url = camera.url.replace("//", "//user:hid%40den@")
    ended = cli("play", url, "--packets", "120", "-v")
    assert ended.code == 0
    assert "user:***@" in ended.out
    assert "den" not in ended.out.replace("hidden", "") + ended.err


def test_a_refused_transport_is_8(cli, start_camera):
    camera = start_camera(transports=("tcp",))
    ended = cli("play", camera.url, "--transport", "udp")
    assert (ended.code, ended.out) == (8, "")
    assert "try another transport" in ended.err


def test_no_packet_is_1(cli, start_camera):
    camera = start_camera(on_packet=lambda index, data: [])
    ended = cli("play", camera.url, "--transport", "tcp", "--seconds", "0.2")
    assert ended.code == 1
    assert ended.err.startswith("rtspkit: no packet came in 0.2 s; ")
    assert ended.out.splitlines()[-1] == "TCP: 0 packets in 0.2 s"


def test_silent_media_is_6(cli, start_camera):
    camera = start_camera(on_packet=lambda index, data: [], on_report=lambda index, report: None)
    ended = cli("play", camera.url, "--transport", "tcp", "--timeout", "0.3", "--retry", "none")
    assert ended.code == 6
    assert ended.err.count("\n") == 1
    assert "--transport" in ended.err


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_lost_connection_is_7_after_the_summary(cli, start_camera, words):
    camera = start_camera(on_packet=lambda index, data: cut(index, data))
    count = 0

    def cut(index, data):
        nonlocal count
        count += 1
        if count == 30:
            camera.kill()
        return [data]

    ended = cli("play", camera.url, "--transport", "tcp", "--retry", "none", *words)
    assert ended.code == 7
    assert ended.err.count("\n") == 1
    if words:
        values = json.loads(ended.out)
        assert "closed" in values["error"]
        assert json.loads(ended.err)["error"] == "ConnectionLost"
    else:
        assert ended.out.splitlines()[-1].startswith("TCP: ")


def killing(start_camera, at):
    """A camera that resets its connections, once, when it has sent so many packets."""
    count = 0

    def see(index, data):
        nonlocal count
        count += 1
        if count == at:
            camera.kill()
        return [data]

    camera = start_camera(on_packet=see)
    return camera


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_survives_a_loss_and_tells_of_it(cli, start_camera, transport):
    camera = killing(start_camera, 30)
    ended = cli("play", camera.url, "--transport", transport, "--packets", "60")
    assert ended.code == 0
    assert camera.sessions_made == 2
    told = ended.err.splitlines()
    assert "lost: the server " in told[0]
    assert "attempt 1 at once (exponential-jitter" in told[0]
    assert "s  back after 0." in told[-1]
    assert len(told) < 5
    assert ", 1 reconnect, 0." in ended.out.splitlines()[-1]


def test_json_has_the_numbers_of_a_loss_and_nothing_else_is_told(cli, start_camera):
    camera = killing(start_camera, 30)
    words = ("--transport", "tcp", "--packets", "60", "--retry", "linear", "--no-remember")
    ended = cli("play", camera.url, *words, "--json")
    assert (ended.code, ended.err) == (0, "")
    values = json.loads(ended.out)
    assert values["reconnects"] == 1
    assert 0 < values["outage"] < 2
    assert values["attempts"] == {"linear": 2}
    assert values["strategy"] == "linear"
    assert values["last_error"].startswith("the server ")
    assert values["error"] is None


def test_a_closed_port_is_told_attempt_by_attempt(cli, closed_url):
    ended = cli("play", closed_url, "--timeout", "1.5")
    assert (ended.code, ended.out) == (3, "")
    told = ended.err.splitlines()
    assert "attempt 1 failed: no connection" in told[0]
    assert "; attempt 2 in " in told[0]
    assert told[-1].startswith("rtspkit: no connection")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_takes_leave_and_sums_up(start_camera, environment, number, code):
    playing = threading.Event()
    count = 0

    def see(index, data):
        nonlocal count
        count += 1
        if count == 20:
            playing.set()
        return [data]

    camera = start_camera(on_packet=see)
    command = [sys.executable, "-m", "rtspkit", "play", camera.url, "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert playing.wait(20)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (code, "")
    assert json.loads(out)["packets"] > 0
    assert [request.method for request in camera.requests][-1] == "TEARDOWN"


def test_a_reader_that_goes_away_is_no_traceback(start_camera, environment):
    camera = start_camera()
    command = [sys.executable, "-m", "rtspkit", "play", camera.url, "--seconds", "20"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("UDP  ")
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr.read() == ""
    assert [request.method for request in camera.requests][-1] == "TEARDOWN"


def test_the_timeout_bounds_every_kind_of_silence():
    assert timeouts_from(None) == Timeouts()
    three = timeouts_from(3.0)
    assert (three.connect, three.response, three.media_silence) == (3.0, 3.0, 3.0)
    assert three.first_packet_tcp == 3.0
    assert timeouts_from(0.3).first_packet == pytest.approx(0.1)  # leaves time for TCP


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (StreamReading(), "UDP: 0 packets in 2.0 s"),
        (StreamReading(packets=1), "UDP: 1 packet in 2.0 s, none lost"),
        (
            StreamReading(packets=1234, lost=5, duplicates=2, late=1, malformed=3, keyframes=4),
            "UDP: 1,234 packets in 2.0 s, 5 lost, 2 duplicates, 1 late, 3 malformed, 4 keyframes",
        ),
    ],
)
def test_the_summary_tells_what_there_is_to_tell(stream, text):
    assert summarize(Reading(transport="udp", seconds=2.0, streams=(stream,))) == text


def test_the_summary_tells_when_we_were_too_slow():
    reading = Reading(
        transport="udp", seconds=1.0, consumer_dropped=9, streams=(StreamReading(packets=1),)
    )
    assert "9 not read in time" in summarize(reading)

"""``rtspkit probe``: what a server has, for people and for programs."""

import json

from rtspkit.cli.probe import describe_probe
from rtspkit.client.probe import Probe
from rtspkit.testing.actions import EditBytes
from rtspkit.testing.authenticator import Authentication
from rtspkit.wire.sdp import SessionDescription
from rtspkit.wire.stream import Stream


def test_tells_a_program_everything(cli, start_camera):
    camera = start_camera(
        transports=("tcp",), authentication=Authentication(algorithms=("SHA-256",))
    )
    ended = cli("probe", camera.url, "--json", "--username", "user", "--password", "secret")
    assert (ended.code, ended.err) == (0, "")
    values = json.loads(ended.out)
    video, audio = values.pop("streams")
    methods = values.pop("methods")
    assert "DESCRIBE" in methods
    assert values == {
        "url": camera.url,
        "server": "rtspkit camera",
        "authentication": "digest",
        "algorithm": "SHA-256",
        "transports": {"udp": False, "tcp": True},
        "session_timeout": 60.0,
        "quirks": [],
        "title": "rtspkit camera",
    }
    assert video == {
        "index": 0,
        "media": "video",
        "encoding_name": "H264",
        "payload_type": 96,
        "clock_rate": 90_000,
        "channels": None,
        "direction": None,
        "back_channel": False,
        "control_url": f"{camera.url}/track0",
        "codec": "avc1.42C01F",
        "width": 640,
        "height": 360,
        "frame_rate": 25.0,
    }
    assert (audio["encoding_name"], audio["clock_rate"]) == ("MPEG4-GENERIC", 48_000)
    assert camera.sessions == {}


def test_tells_a_person_in_80_columns(cli, start_camera):
    camera = start_camera(tracks=("H264", "PCMU"))
    ended = cli("probe", camera.url)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"{camera.url}\n"
        "  server          rtspkit camera\n"
        "  authentication  none asked for\n"
        "  transports      UDP yes, TCP yes\n"
        "  session timeout 60 s\n"
        "  methods         DESCRIBE, GET_PARAMETER, OPTIONS, PAUSE, PLAY, SETUP,\n"
        "                  SET_PARAMETER, TEARDOWN\n"
        "  quirks          none\n"
        "\n"
        "  #  media  encoding  clock rate  details\n"
        "  0  video  H264       90,000 Hz  640x360, avc1.42C01F, 25 frames/s\n"
        "  1  audio  PCMU        8,000 Hz\n"
    )


def test_tells_what_a_server_refuses(cli, start_camera):
    camera = start_camera(transports=("udp",), max_sessions=1)
    ended = cli("probe", camera.url)
    assert "UDP yes, TCP refused" in ended.out


def test_tells_what_it_could_not_find_out(cli, start_camera):
    camera = start_camera()
    camera.max_sessions = 0
    ended = cli("probe", camera.url)
    assert ended.code == 0
    assert "UDP not known: SETUP failed" in ended.out
    assert "session timeout -" in ended.out


def test_a_quirk_is_named(cli, start_camera):
    camera = start_camera(server="")
    camera.script("DESCRIBE", EditBytes(lambda data: data.replace(b" 200 OK", b" 200", 1)))
    ended = cli("probe", camera.url)
    assert ended.code == 0
    assert "  server          -\n" in ended.out
    assert "  quirks          reason-phrase-missing\n" in ended.out


def test_names_of_the_server_cannot_move_the_cursor():
    found = Probe(
        url="rtsp://camera/",
        server="a\x1b]0;b",
        methods=("C\r",),
        authentication=None,
        algorithm=None,
        streams=(Stream(0, "d\x1b", "e\n", 96, 90_000),),
        video={},
        description=SessionDescription(),
    )
    lines = describe_probe(found)
    assert lines[-1] == "  0  d      e          90,000 Hz"
    assert all(line.isprintable() for line in lines)

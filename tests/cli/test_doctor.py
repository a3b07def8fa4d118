"""``rtspkit doctor``: what a person reads, what a program reads, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from rtspkit.cli import doctor as module
from rtspkit.cli.doctor import code_of, diagnosis_to_json, plain_lines, reached, summarize
from rtspkit.client.doctor import STEPS
from rtspkit.client.finding import NOT_REACHED, Diagnosis, Finding
from rtspkit.errors import DeadlineExceeded, NotFound
from rtspkit.testing.camera import Camera

BRIEF = ("--seconds", "0.3")


def findings(text: str) -> dict[str, str]:
    """The mark of each step."""
    lines = [line.split() for line in text.splitlines()]
    marks = ("ok", "note", "FAIL", "-")
    return {words[1]: words[0] for words in lines if len(words) > 2 and words[0] in marks}


def test_a_camera_that_is_well(cli, start_camera):
    camera = start_camera()
    ended = cli("doctor", camera.url, *BRIEF)
    assert ended.code == 0
    assert findings(ended.out) == {step: "ok" for step in STEPS if step != "tls"}
    assert ended.out.startswith(f"{camera.url}\n")
    assert ended.out.endswith("\n\nIt works over UDP and TCP.\n")
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    assert camera.sessions == {}


def test_progress_is_told_beside_it(cli, start_camera):
    ended = cli("doctor", start_camera().url, *BRIEF)
    assert ended.err.splitlines() == [
        "doctor: looking the name up ...",
        "doctor: connecting to each address ...",
        "doctor: asking for the description, and for the methods ...",
        "doctor: playing over UDP, for 0.3 s ...",
        "doctor: playing over TCP, for 0.3 s ...",
    ]


def test_every_step_that_is_told_has_its_words():
    told = {"name", "connect", "tls", "rtsp", "udp", "tcp"}
    assert set(module.DOING) == told
    assert told <= set(STEPS)


def test_a_program_gets_one_object(cli, start_camera):
    camera = start_camera(transports=("tcp",))
    ended = cli("doctor", camera.url, "--json", *BRIEF)
    assert ended.code == 0
    (line,) = ended.out.splitlines()
    values = json.loads(line)
    steps = {finding["step"]: finding for finding in values.pop("findings")}
    assert list(steps) == [step for step in STEPS if step != "tls"]
    assert steps["udp"]["outcome"] == "failed"
    assert steps["udp"]["advice"] == 'set transport="tcp" (--transport tcp)'
    assert steps["tcp"]["numbers"]["packets"] > 0
    assert 0.3 < values.pop("seconds") < 5
    assert values == {
        "url": camera.url,
        "works": True,
        "transports": ["tcp"],
        "summary": "It works over TCP; udp failed.",
        "error": None,
        "message": None,
        "exit_code": 0,
    }


def test_a_wrong_password(cli, start_camera):
    camera = start_camera(username="user", password="secret")
    ended = cli("doctor", camera.url, "--user", "user", "--password", "wrong-one")
    assert ended.code == 4
    assert findings(ended.out)["authentication"] == "FAIL"
    assert "wrong-one" not in ended.out + ended.err
    assert "It does not work: authentication: the user name or the password is wrong" in ended.out
    assert "not tried: streams, udp, nat, tcp" in " ".join(ended.out.split())


def test_a_path_that_is_not_there(cli, start_camera):
    ended = cli("doctor", start_camera().url + "/elsewhere")
    assert ended.code == 5
    assert "404" in ended.out


def test_a_closed_port(cli, closed_url):
    ended = cli("doctor", closed_url)
    assert ended.code == 3
    assert findings(ended.out)["connect"] == "FAIL"
    assert "-> nothing listens there" in ended.out


def test_an_unknown_host(cli):
    ended = cli("doctor", "rtsp://camera.invalid/", "--json")
    assert ended.code == 3
    values = json.loads(ended.out)
    assert (values["works"], values["error"], values["exit_code"]) == (False, "ConnectError", 3)


def test_a_server_that_hangs(cli, silent_url):
    ended = cli("doctor", silent_url, "--timeout", "0.1")
    assert ended.code == 6
    assert "nobody answers" in ended.out


def test_a_server_of_another_protocol(cli, foreign_url):
    ended = cli("doctor", foreign_url)
    assert ended.code == 1
    assert "does not speak RTSP" in ended.out


@pytest.mark.parametrize("words", [("http://camera/",), ("rtsp://camera/", "--seconds", "0"), ()])
def test_what_cannot_be_used(cli, words):
    ended = cli("doctor", *words)
    assert (ended.code, ended.out) == (2, "")


# -- what is shown of a diagnosis


def diagnosis(*found: Finding, **options: object) -> Diagnosis:
    return Diagnosis("rtsp://camera/", list(found), **options)


def test_advice_stands_below_what_was_seen():
    one = Finding("udp", "failed", "no packet came", "set it")
    assert plain_lines(diagnosis(one, transports=("tcp",)))[1:3] == [
        "  FAIL  udp             no packet came",
        "                        -> set it",
    ]


def test_foreign_text_moves_no_cursor_and_stays_in_its_place():
    one = Finding("rtsp", "ok", f"evil\x1b[2J\nserver {'long ' * 40}")
    lines = plain_lines(diagnosis(one, transports=("tcp",)))
    assert not any("\x1b" in line for line in lines)
    assert max(len(line) for line in lines) <= 80
    assert all(line.startswith(" " * 24) for line in lines[2:5])
    assert "\\u001b" not in json.dumps(diagnosis_to_json(diagnosis(one)))


def test_steps_that_were_not_come_to_share_a_line():
    rest = [Finding(step, "skipped", NOT_REACHED) for step in ("udp", "tcp")]
    shown = reached(diagnosis(Finding("name", "ok", "x"), *rest))
    assert [finding.seen for finding in shown] == ["x", "not tried: udp, tcp"]


@pytest.mark.parametrize(
    ("found", "options", "sentence"),
    [
        ([], {"transports": ("udp", "tcp")}, "It works over UDP and TCP."),
        (
            [Finding("udp", "failed", "x"), Finding("clock", "warning", "x")],
            {"transports": ("tcp",)},
            "It works over TCP; udp failed; see the notes on clock.",
        ),
        ([Finding("udp", "failed", "no\nroom")], {}, "It does not work: udp: no room."),
        ([], {"error": NotFound("PLAY", 404)}, f"It does not work: {NotFound('PLAY', 404)}."),
        ([], {}, "It does not work: no media."),
    ],
)
def test_the_sentence(found, options, sentence):
    assert summarize(diagnosis(*found, **options)) == sentence


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"transports": ("tcp",)}, 0),
        ({"error": DeadlineExceeded("describe", 10.0)}, 6),
        ({}, 1),
    ],
)
def test_the_exit_code(options, code):
    assert code_of(diagnosis(**options)) == code


# -- on a terminal


def test_without_rich_a_terminal_gets_plain_lines(terminal, without_rich, monkeypatch):
    monkeypatch.delitem(sys.modules, "rtspkit.cli.rich_findings", raising=False)
    with terminal:
        module._show(diagnosis(Finding("udp", "ok", "fine"), transports=("udp",)))
    assert "  ok    udp             fine" in terminal.text


def test_with_rich_a_terminal_gets_colours(terminal):
    pytest.importorskip("rich")
    with terminal:
        module._show(diagnosis(Finding("udp", "ok", "fine"), transports=("udp",)))
    assert "\x1b[32mok\x1b[0m" in terminal.text


def test_interrupted_it_leaves_no_session(start_camera, environment):
    """SIGTERM while it listens: TEARDOWN, and the exit code for it."""
    camera: Camera = start_camera()
    process = subprocess.Popen(
        [sys.executable, "-m", "rtspkit", "doctor", camera.url, "--seconds", "30"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "UDP" in line:
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    process.stderr.close()
    assert camera.sessions == {}

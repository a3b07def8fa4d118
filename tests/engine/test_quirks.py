"""Deviations are told once, counted always, and hold no secret."""

import re
from pathlib import Path

import pytest

from rtspkit.engine.quirks import DETAIL, MAXIMUM_KINDS, QUIRKS, QuirkLog

SOURCE = Path(__file__).parent.parent.parent / "rtspkit"


def test_the_first_of_its_kind_is_told_and_all_are_counted():
    log = QuirkLog()
    event = log.note("garbage", 5.0, "3 bytes")
    assert (event.at, event.identifier, event.detail) == (5.0, "garbage", "3 bytes")
    assert event.meaning == QUIRKS["garbage"]
    assert log.note("garbage", 6.0) is None
    assert log.counts == {"garbage": 2}


def test_an_identifier_without_an_entry_is_its_own_meaning():
    assert QuirkLog().note("something-new", 0.0).meaning == "something-new"


def test_a_peer_that_invents_kinds_is_given_no_memory_for_them():
    log = QuirkLog()
    told = [log.note(f"kind-{number}", 0.0) for number in range(2 * MAXIMUM_KINDS)]
    assert sum(event is not None for event in told) == len(log.counts) == MAXIMUM_KINDS
    assert log.note("kind-0", 1.0) is None
    assert log.counts["kind-0"] == 2


@pytest.mark.parametrize(
    "detail",
    [
        "rtsp://user:hunter2@camera/live",
        "url=rtsp://user:hunter2@camera/live;seq=1",
        "RTP/AVP;unicast;destination=rtsp://hunter2@camera/",
        "rtsp://camera/live?password=hunter2&channel=1",
        "rtsp://camera/user=admin&password=hunter2",
    ],
)
def test_a_detail_holds_no_secret(detail):
    shown = repr(QuirkLog().note("content-base-user-info", 0.0, detail))
    assert "hunter2" not in shown
    assert "camera" in shown


def test_a_detail_is_short_and_of_one_line():
    event = QuirkLog().note("garbage", 0.0, "\x1b[31m\r\n" + "x" * 9000)
    assert event.detail.startswith("?[31m??xxx")
    assert len(event.detail) == DETAIL + 1
    assert event.detail.isprintable()


def test_every_entry_is_a_stable_identifier_that_something_notes():
    code = "\n".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "quirks.py")
    for identifier, meaning in QUIRKS.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", identifier)
        assert meaning
        assert meaning[0].islower() or meaning.startswith(("SETUP", "PLAY", "OPTIONS", "DESCRIBE"))
        assert f'"{identifier}"' in code, identifier

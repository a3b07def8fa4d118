"""What a response says of its session."""

import pytest

from rtspkit.engine.identity import LearntSession, learn_session
from rtspkit.wire.message import Headers, Response


def learn(value, known=None, *, setting_up=True):
    headers = Headers() if value is None else Headers([("Session", value)])
    return learn_session(Response(200, "OK", headers), known, setting_up=setting_up)


def test_setup_begins_a_session():
    assert learn("12345678;timeout=20") == LearntSession("12345678", 20)


def test_a_timeout_may_be_missing():
    assert learn("12345678") == LearntSession("12345678", None)


def test_the_newest_identifier_counts_and_the_change_is_told():
    assert learn("b", "a", setting_up=False) == LearntSession("b", None, ("session-id-changed",))
    assert learn("b", "a") == LearntSession("b", None, ("session-id-changed",))
    assert learn("a", "a").deviations == ()


@pytest.mark.parametrize("setting_up", [True, False])
def test_without_the_header_the_known_one_stays(setting_up):
    assert learn(None, "a", setting_up=setting_up) == LearntSession("a")


def test_setup_without_the_header_is_a_deviation_when_there_is_no_session():
    assert learn(None) == LearntSession(None, None, ("session-missing",))


def test_an_unreadable_header_changes_nothing():
    assert learn("", "a") == LearntSession("a", None, ("session-unreadable",))
    assert learn(";timeout=5") == LearntSession(None, None, ("session-unreadable",))


def test_only_setup_begins_a_session():
    """After TEARDOWN, or after 454, a late answer must not bring the old one back."""
    assert learn("a;timeout=5", setting_up=False) == LearntSession(None)


def test_the_readers_deviations_are_passed_on():
    assert learn("a;timeout=0").deviations == ("session-timeout-zero",)

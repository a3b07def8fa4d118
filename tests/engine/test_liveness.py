"""Silence has a deadline; any byte or reply is a sign of life."""

import pytest

from rtspkit.engine.cause import cause_of
from rtspkit.engine.liveness import Liveness
from rtspkit.errors import ConnectionLost, DeadlineExceeded


def watched(*, continuous=True, now=100.0):
    liveness = Liveness()
    liveness.start(now, first_packet=1.5, silence=10.0, continuous=continuous)
    return liveness


def test_nobody_is_watched_before_play():
    liveness = Liveness()
    liveness.media(1.0)
    liveness.control(1.0)
    assert liveness.deadline is None
    assert liveness.handle_deadline(1e9) is None
    assert not liveness.seen_media


def test_the_first_packet_has_the_deadline_of_its_transport():
    liveness = watched()
    assert liveness.deadline == 101.5
    assert liveness.handle_deadline(101.4) is None
    error = liveness.handle_deadline(101.5)
    assert isinstance(error, DeadlineExceeded)
    assert (error.phase, error.seconds) == ("first packet", 1.5)
    assert "no media came within 1.5 s" in str(error)


def test_replies_and_reports_prove_nothing_before_the_first_packet():
    liveness = watched()
    liveness.control(101.0)
    assert liveness.deadline == 101.5


def test_silence_after_it_is_a_connection_lost():
    liveness = watched()
    liveness.media(101.0)
    assert liveness.deadline == 111.0
    error = liveness.handle_deadline(111.0)
    assert isinstance(error, ConnectionLost)
    assert str(error) == "no media and no reply for 10 s"
    assert (error.phase, error.retryable) == ("streaming", True)


@pytest.mark.parametrize("sign", ["media", "control"])
def test_any_sign_of_life_counts_after_it(sign):
    liveness = watched()
    liveness.media(101.0)
    getattr(liveness, sign)(105.0)
    assert liveness.deadline == 115.0


def test_a_session_of_metadata_lives_by_replies_alone():
    liveness = watched(continuous=False)
    assert liveness.deadline == 110.0
    liveness.control(109.0)
    assert liveness.deadline == 119.0
    assert isinstance(liveness.handle_deadline(119.0), ConnectionLost)


def test_a_paused_session_is_not_watched_and_is_again_after_play():
    liveness = watched()
    liveness.media(101.0)
    liveness.stop()
    liveness.media(102.0)
    assert liveness.deadline is None
    liveness.start(200.0, first_packet=10.0, silence=10.0)
    assert (liveness.deadline, liveness.seen_media) == (210.0, False)


def test_the_error_comes_once():
    liveness = watched()
    assert liveness.handle_deadline(200.0) is not None
    assert liveness.handle_deadline(300.0) is None
    assert liveness.deadline is None


def test_while_nothing_is_read_silence_means_nothing():
    liveness = watched()
    liveness.media(101.0)
    liveness.hold(True, 105.0)
    assert liveness.deadline is None
    assert liveness.handle_deadline(1e6) is None
    liveness.hold(False, 1e6)
    assert liveness.deadline == 1e6 + 10.0
    assert isinstance(liveness.handle_deadline(1e6 + 10.0), ConnectionLost)


def test_reading_on_does_not_begin_a_watch():
    liveness = Liveness()
    liveness.hold(True, 1.0)
    liveness.hold(False, 2.0)
    assert liveness.deadline is None


def test_play_while_nothing_is_read_is_watched_when_it_is():
    liveness = watched()
    liveness.hold(True, 100.5)
    liveness.start(200.0, first_packet=1.5, silence=10.0)
    assert liveness.deadline is None
    liveness.hold(False, 300.0)
    assert liveness.deadline == 301.5


def test_silence_is_told_from_a_connection_that_was_closed():
    watch = Liveness()
    watch.start(0.0, first_packet=1.5, silence=10.0)
    watch.media(1.0)
    error = watch.handle_deadline(11.0)
    assert isinstance(error, ConnectionLost)
    assert cause_of(error) == "silent"

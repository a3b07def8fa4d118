"""Each camera does what its kind is said to do."""

from dataclasses import replace
from random import Random

import pytest

from bench.retry_fleet import FLEET, Camera, Nature, draw_camera, draw_nature
from bench.retry_weather import DAY, Cut, Span, Weather

NATURE = Nature(
    rtt=0.01,
    holds=60.0,
    drops=False,
    keeps=8.0,
    stands=5,
    locks=40.0,
    grudging=False,
    closing=False,
    costs=6.0,
)


def camera(kind="stable", *spans, cuts=(), chance=None, **nature):
    weather = Weather([*spans], [*cuts]).close(10_000)
    return Camera(replace(NATURE, **nature), weather, [(10_000, kind)], chance or Random(1))


def asked(one, now, racing="none", timeout=None):
    attempt = one.attempt(now, racing, timeout)
    return attempt.cause, attempt.connects


def test_a_camera_that_is_up_serves_within_five_round_trips():
    attempt = camera().attempt(100, "first-wins", None)
    assert (attempt.cause, attempt.connects) == (None, 1)
    assert attempt.end == pytest.approx(100.05)
    assert camera().attempt(100, "last-wins", None).end == pytest.approx(100.06)


def test_one_that_refuses_says_so_at_once_and_is_not_raced_for():
    one = camera("stable", Span(100, 200, "refusing"))
    attempt = one.attempt(150, "first-wins", None)
    assert (attempt.cause, attempt.connects) == ("refused", 1)
    assert attempt.end == pytest.approx(150.01)


@pytest.mark.parametrize(("racing", "connects"), [("none", 1), ("first-wins", 3)])
def test_one_that_is_away_costs_the_whole_time(racing, connects):
    one = camera("stable", Span(100, 200, "silent"))
    attempt = one.attempt(150, racing, None)
    assert (attempt.cause, attempt.connects, attempt.end) == ("timeout", connects, 155)
    assert one.attempt(150, racing, 0.7).end == 150.7


def test_racing_notices_sooner_that_it_is_back():
    one = camera("stable", Span(100, 200, "silent"))
    assert one.attempt(199.6, "none", None).end == pytest.approx(200.65)
    assert one.attempt(199.6, "first-wins", None).end == pytest.approx(200.15)


def test_loss_delays_and_sometimes_prevents():
    spell = Span(0, 10_000, "up", 0.3)
    one = camera("lossy", spell, chance=Random(3))
    attempts = [one.attempt(number, "first-wins", None) for number in range(300)]
    took = [attempt.end - number for number, attempt in enumerate(attempts)]
    assert sum(took) / 300 > 0.5
    assert any(attempt.cause == "timeout" for attempt in attempts)
    assert sum(attempt.cause is None for attempt in attempts) > 250


def test_one_that_has_just_started_answers_503():
    assert asked(camera("stable", Span(100, 110, "starting")), 105) == ("busy", 1)


def test_a_single_viewer_is_held_after_a_loss_and_nothing_makes_that_longer():
    one = camera("single-viewer")
    one.lost(1000)
    for now in range(1000, 1060, 5):
        assert asked(one, now) == ("busy", 1)
    assert asked(one, 1060.1) == (None, 1)


def test_a_restart_forgets_who_was_held():
    one = camera("single-viewer", Span(1000, 1003, "refusing"))
    one.lost(1000)
    assert asked(one, 1004) == (None, 1)


def test_one_of_three_lets_newcomers_in_and_drops_them():
    one = camera("single-viewer", drops=True)
    one.lost(1000)
    assert asked(one, 1001) == (None, 1)
    assert one.session(1001.5) == (1009.5, 1009.5)
    one.lost(1009.5)  # it ended that itself: the old one is held as before
    assert one.session(1061) == (float("inf"), float("inf"))


def test_one_that_has_too_much_to_do_needs_longer_for_each_connection_up_to_five_minutes():
    one = camera("overloaded", Span(100, 130, "hot"))
    assert asked(one, 101) == ("busy", 1)
    assert asked(one, 135) == ("busy", 1)  # would have been over
    assert asked(one, 143) == (None, 1)
    one = camera("overloaded", Span(100, 130, "hot"))
    now = 100
    while asked(one, now)[0] == "busy":
        now += 5
    assert 425 <= now <= 440


def test_one_that_is_left_alone_needs_no_longer():
    assert asked(camera("overloaded", Span(100, 130, "hot")), 130.1) == (None, 1)


@pytest.mark.parametrize(("closing", "cause"), [(False, "busy"), (True, "reset")])
def test_one_that_is_knocked_at_too_often_lets_nobody_in(closing, cause):
    one = camera("overloaded", closing=closing)
    for now in range(5):
        assert asked(one, now) == (None, 1)
    assert asked(one, 5)[0] == cause
    assert asked(one, 30)[0] == cause
    assert asked(one, 46) == (None, 1)


def test_a_grudging_one_begins_anew_each_time():
    one = camera("overloaded", grudging=True)
    for now in range(6):
        asked(one, now)
    assert asked(one, 44)[0] == "busy"
    assert asked(one, 80)[0] == "busy"
    assert asked(one, 121)[0] is None


def test_the_weather_ends_sessions():
    one = camera("stable", Span(500, 600, "silent"), cuts=[Cut(300, 0.0)])
    assert one.session(100) == (300, 300)
    assert one.session(301) == (500, 510)


def test_a_mixed_one_changes_its_kind():
    one = draw_camera("mixed", 1, 7 * DAY, "auto")
    kinds = [one.kind(hour * 3600.0) for hour in range(7 * 24)]
    assert len(set(kinds)) >= 3
    assert set(kinds) <= set(FLEET) - {"mixed"}


@pytest.mark.parametrize("kind", FLEET)
def test_every_strategy_meets_the_same_camera_and_week(kind):
    one, other = (draw_camera(kind, 3, DAY, name) for name in ("auto", "linear"))
    assert one.nature == other.nature
    assert one.weather == other.weather


def test_cameras_that_mind_nothing_are_the_same_otherwise():
    minding, indifferent = (draw_nature(Random(1), minding=each) for each in (True, False))
    assert (indifferent.costs, indifferent.stands) == (0.0, float("inf"))
    assert indifferent.rtt == minding.rtt
    assert indifferent.holds == minding.holds

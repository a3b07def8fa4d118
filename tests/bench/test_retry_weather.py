"""The weather is drawn in advance, in order, and the same for the same seed."""

from itertools import pairwise
from random import Random

import pytest

from bench.retry_weather import CALM, DAY, KINDS, Cut, Span, Weather, draw_weather


def drawn(kind, seed=1, days=7):
    weather = Weather()
    draw_weather(kind, 0.0, days * DAY, Random(seed), weather)
    return weather.close(days * DAY)


@pytest.mark.parametrize("kind", KINDS)
def test_spans_are_in_order_and_apart(kind):
    weather = drawn(kind)
    for before, after in pairwise(weather.spans):
        assert before.start < before.end <= after.start
    assert weather.cuts == sorted(weather.cuts, key=lambda cut: cut.at)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_has_the_same_week(kind):
    assert drawn(kind) == drawn(kind)
    assert drawn(kind) != drawn(kind, seed=2)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("stable", "refusing"),
        ("lossy", "up"),
        ("single-viewer", "refusing"),
        ("rebooting", "silent"),
        ("rebooting", "starting"),
        ("overloaded", "hot"),
        ("refusing", "refusing"),
    ],
)
def test_each_kind_has_its_trouble(kind, state):
    assert any(span.state == state for span in drawn(kind).spans)


def small():
    weather = Weather()
    weather.spans += [Span(300, 310, "refusing"), Span(100, 160, "silent"), Span(150, 400, "hot")]
    weather.spans += [Span(500, 600, "up", 0.2)]
    weather.cuts += [Cut(350, 10), Cut(50, 0)]
    return weather.close(1000)


def test_what_overlaps_an_earlier_span_is_left_out():
    assert [span.start for span in small().spans] == [100, 300, 500]


@pytest.mark.parametrize(
    ("now", "state"), [(0, "up"), (100, "silent"), (159, "silent"), (160, "up"), (305, "refusing")]
)
def test_what_it_is_like_at_a_moment(now, state):
    assert small().at(now).state == state


def test_between_spans_it_is_calm():
    assert small().at(200) is CALM
    assert small().at(550).loss == 0.2


@pytest.mark.parametrize(
    ("now", "stop", "noticed"),
    [
        (0, 50, 50),  # reset
        (60, 100, 110),  # silence takes ten seconds
        (170, 300, 300),  # a service that stops closes its connections
        (310, 350, 360),
        (400, float("inf"), float("inf")),  # loss alone ends nothing
    ],
)
def test_when_a_session_is_lost_and_when_that_is_noticed(now, stop, noticed):
    assert small().end_of_service(now) == (stop, noticed)


def test_since_when_it_could_serve():
    weather = small()
    assert weather.serving_since(50) == 0
    assert weather.serving_since(200) == 160
    assert weather.serving_since(900) == 310
    assert weather.serving_since(305) == 305  # it cannot


def test_the_last_span_of_a_state():
    assert small().last("silent", 900).start == 100
    assert small().last("silent", 99) is CALM


def test_time_in_which_it_could_serve():
    assert small().served() == 1000 - 60 - 10

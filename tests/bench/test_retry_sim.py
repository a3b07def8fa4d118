"""The simulator: strategies on their own merits, the same each time, and never too often."""

from random import Random

import pytest

from bench.result import read_result
from bench.retry_fleet import FLEET, Camera, Nature
from bench.retry_sim import SUBJECTS, main, play, simulate
from bench.retry_weather import DAY, Cut, Span, Weather
from rtspkit.engine.strategist import make_strategist
from rtspkit.options import Retry

NATURE = Nature(0.01, 60.0, False, 8.0, 5, 40.0, False, False, 6.0)


def lived(strategy, *spans, cuts=(), length=10_000.0):
    weather = Weather([*spans], [*cuts]).close(length)
    camera = Camera(NATURE, weather, [(length, "stable")], Random(1))
    strategist = make_strategist(Retry(strategy=strategy), random=Random(1).random)
    return play(camera, strategist, length)


def test_a_quiet_week_is_one_connection():
    week = lived("auto")
    assert week.connects == 1
    assert week.played == pytest.approx(10_000 - 0.05)
    assert week.downtime < 1


def test_without_retry_the_first_loss_is_the_last():
    week = lived("none", cuts=[Cut(2500, 0.0)])
    assert week.played == pytest.approx(2500, abs=0.1)
    assert week.connects == 1


def test_a_reset_is_over_at_once():
    week = lived("linear", cuts=[Cut(2500, 0.0)])
    assert week.recoveries[1] == pytest.approx(0.05)


def test_the_time_until_silence_is_noticed_counts_as_downtime_but_not_as_recovery():
    week = lived("linear", cuts=[Cut(2500, 10.0)])
    assert week.played == pytest.approx(10_000 - 10.1)
    assert week.recoveries[1] == pytest.approx(0.05)


def test_time_in_which_nobody_could_be_served_is_no_downtime():
    week = lived("auto", Span(1000, 5000, "refusing"))
    assert week.served == 6000
    assert week.recoveries[1] < 31
    assert week.downtime < 31 / 6000 * DAY


@pytest.mark.parametrize("strategy", ["auto", "adaptive", "exponential-jitter"])
@pytest.mark.parametrize("seconds", [0.3, 1, 2.5, 4, 5])
@pytest.mark.parametrize("state", ["refusing", "silent"])
def test_an_outage_of_up_to_five_seconds_is_over_within_one(strategy, seconds, state):
    noticed = 10.0 if state == "silent" else 0.0  # silence is noticed when it has begun again
    week = lived(strategy, Span(1000, 1000 + noticed + seconds, state))
    assert week.recoveries[1] < 1


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name != "none"])
@pytest.mark.parametrize("kind", FLEET)
def test_no_port_that_refuses_sees_more_than_twelve_attempts_a_minute(name, kind):
    assert max(simulate(name, kind, seed, DAY).refused for seed in range(2)) <= 12


@pytest.mark.parametrize("kind", FLEET)
def test_the_same_arguments_give_the_same_week(kind):
    assert simulate("adaptive", kind, 1, DAY) == simulate("adaptive", kind, 1, DAY)


def test_politeness_pays_with_the_overloaded():
    weeks = {
        name: [simulate(name, "overloaded", seed, 2 * DAY) for seed in range(4)]
        for name in ("immediate", "exponential-jitter", "auto")
    }
    down = {name: sum(week.downtime for week in found) for name, found in weeks.items()}
    assert down["auto"] < 0.8 * down["exponential-jitter"] < 0.5 * down["immediate"]


def test_it_writes_a_result_with_a_verdict_on_every_promise(tmp_path, capsys):
    arguments = ["--rounds", "2", "--seconds", str(DAY / 4), "--output", str(tmp_path)]
    assert main(arguments) == 0
    result = read_result(tmp_path / "retry_sim.json")
    (all_of_auto,) = result.find("downtime", "auto", camera="all")
    assert len(all_of_auto.values) == 2
    assert {target.figure for target in result.targets} == {"R2", "R3", "M12"}
    assert all(target.value is not None for target in result.targets)
    assert "adaptive" in capsys.readouterr().out

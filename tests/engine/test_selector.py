"""What ``auto`` makes of the last ten attempts, with its evidence."""

import pytest

from rtspkit.engine.selector import Selector
from rtspkit.engine.tactic import (
    BEGINNING,
    CROWDED,
    LIMITED,
    LOSSY,
    NEWEST,
    STABLE,
    Outcome,
)

GOOD = Outcome("good", "reset")
CLOSED = Outcome("dropped", "reset")
FADED = Outcome("dropped", "silent")
TIMEOUT = Outcome("failed", "timeout")
REFUSED = Outcome("failed", "refused")
BUSY = Outcome("failed", "busy")


def after(*outcomes):
    selector = Selector()
    for number, outcome in enumerate(outcomes):
        selector.learn(outcome, float(number))
    return selector.choose(100.0)


def test_it_begins_with_jittered_delays_and_first_wins():
    choice = after()
    assert choice.tactic == BEGINNING
    assert (choice.tactic.strategy, choice.tactic.racing) == ("exponential-jitter", "first-wins")


@pytest.mark.parametrize("outcome", [GOOD, CLOSED, TIMEOUT, REFUSED, BUSY])
def test_nothing_is_judged_before_three_attempts(outcome):
    assert after(outcome, outcome).tactic == BEGINNING


@pytest.mark.parametrize(
    ("outcomes", "tactic", "evidence"),
    [
        ([CLOSED] * 3, LIMITED, "limited: 3 of 3 sessions were closed within 30 s"),
        ([GOOD, CLOSED, CLOSED], LIMITED, "limited: 2 of 3"),
        ([GOOD] * 2 + [CLOSED] * 3, BEGINNING, ""),  # not over 60 %
        ([TIMEOUT] * 3, LOSSY, "lossy: 3 of 3 attempts were lost on the way"),
        ([GOOD, TIMEOUT, FADED], LOSSY, "lossy: 2 of 3"),
        ([BUSY, BUSY, GOOD], CROWDED, "crowded: 2 of 3 attempts found no room"),
        ([GOOD] * 3, STABLE, "stable: 3 of 3 sessions played on"),
        ([GOOD] * 8 + [REFUSED, REFUSED], STABLE, "stable: 3 of 3"),  # 80 % keeps what there is
        ([REFUSED, REFUSED, GOOD], BEGINNING, ""),
        ([REFUSED] * 3, NEWEST, "the last 3 attempts have all failed"),
    ],
)
def test_what_kind_of_server_it_is(outcomes, tactic, evidence):
    choice = after(*outcomes)
    assert choice.tactic == tactic
    assert evidence in choice.evidence


def test_the_tactics_are_the_ones_promised():
    assert (LIMITED.strategy, LIMITED.racing) == ("linear", "last-wins")
    assert (LOSSY.strategy, LOSSY.racing) == ("immediate", "first-wins")
    assert STABLE.racing == "none"


def test_sessions_that_fade_are_no_limit_on_connections():
    assert after(FADED, FADED, FADED, GOOD).tactic == LOSSY


def test_who_answers_nothing_ten_times_is_not_lossy_but_away():
    selector = Selector()
    seen = []
    for number in range(24):
        selector.learn(TIMEOUT, float(number))
        seen.append(selector.choose(0.0).tactic)
    assert seen[2:9] == [LOSSY] * 7
    assert LOSSY not in seen[9:]


def test_when_nothing_works_each_way_has_its_turn_for_three_attempts():
    selector = Selector()
    seen = []
    for number in range(15):
        selector.learn(REFUSED, float(number))
        seen.append(selector.choose(0.0).tactic)
    assert seen[2::3] == [NEWEST, LIMITED, STABLE, BEGINNING, NEWEST]
    assert seen[2] == seen[3] == seen[4]


def test_only_the_last_ten_count():
    assert after(*[CLOSED] * 30, *[GOOD] * 9).tactic == STABLE


def test_first_media_alone_is_no_evidence():
    selector = Selector()
    for number in range(10):
        selector.played(float(number))
        selector.settled(float(number))
    assert selector.choose(0.0).tactic == BEGINNING

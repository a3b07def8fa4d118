"""The values that strategies judge by."""

import pytest

from rtspkit.engine.tactic import Fixed, Outcome, outcome_of


@pytest.mark.parametrize(("lifetime", "kind"), [(0, "dropped"), (29.9, "dropped"), (30, "good")])
def test_a_session_that_plays_for_less_than_half_a_minute_was_dropped(lifetime, kind):
    assert outcome_of(lifetime, "reset") == Outcome(kind, "reset")


@pytest.mark.parametrize("strategy", ["immediate", "linear", "exponential", "exponential-jitter"])
def test_what_the_user_has_named_stays_whatever_happens(strategy):
    chooser = Fixed(strategy)
    before = chooser.choose(0.0)
    for _ in range(20):
        chooser.learn(Outcome("failed", "timeout"), 1.0)
        chooser.played(2.0)
        chooser.settled(3.0)
    assert chooser.choose(4.0) == before
    assert before.tactic.strategy == strategy
    assert before.tactic.quick == (strategy == "exponential-jitter")

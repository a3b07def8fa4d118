"""When a session comes back: at once, quickly, or by its strategy; and never too often."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.engine.cause import CAUSES
from rtspkit.engine.knowledge import Knowledge
from rtspkit.engine.strategist import Plan, cause_of, make_strategist
from rtspkit.errors import LocalProtocolError
from rtspkit.options import Retry

FIXED = ("immediate", "linear", "exponential", "exponential-jitter")
ALL = (*FIXED, "auto", "adaptive")
QUICK = ("exponential-jitter", "auto", "adaptive")


class Life:
    """A session's strategist, and the clock."""

    def __init__(self, strategy="auto", *, seed=1, knowledge=None, **options):
        self.retry = Retry(strategy=strategy, **options)
        self.strategist = make_strategist(
            self.retry, random=Random(seed).random, knowledge=knowledge
        )
        self.now = 1000.0
        self.again = False

    def attempt(self, cause=None, takes=0.0):
        """The next attempt; it fails for this reason, or plays. Gives when it began."""
        plan = self.strategist.plan(self.now, again=self.again)
        assert plan.delay >= 0
        begun = self.now + plan.delay
        self.now = begun + takes
        if cause is None:
            self.strategist.played(self.now, 0.1)
        else:
            self.strategist.failed(self.now, cause)
        self.plan = plan
        return begun

    def live(self, seconds, cause="reset"):
        """The session that plays is lost after so many seconds."""
        if seconds >= self.retry.reset_after:
            self.strategist.settled(self.now + self.retry.reset_after)
        self.now += seconds
        self.strategist.ended(self.now, seconds, cause)
        self.again = True

    def outage(self, cause, attempts=20, takes=0.0):
        """Seconds from the loss to each attempt."""
        start = self.now
        return [self.attempt(cause, takes) - start for _ in range(attempts)]


def settled(strategy="auto", **options):
    """A life that has played for an hour and was just lost."""
    life = Life(strategy, **options)
    life.attempt()
    life.live(3600)
    return life


# -- the first connect


@pytest.mark.parametrize("strategy", ALL)
def test_the_first_attempt_is_at_once(strategy):
    life = Life(strategy)
    life.attempt("refused")
    assert life.plan.delay == 0
    assert life.plan.timeout is None
    assert life.plan.racing == "first-wins"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("linear", [0, 1, 4, 9, 16]),
        ("exponential", [0, 1, 3, 7, 15]),
    ],
)
def test_the_first_connect_follows_the_formula(strategy, expected):
    assert Life(strategy).outage("busy", 5) == expected


@pytest.mark.parametrize("strategy", ["exponential-jitter", "auto", "adaptive"])
def test_the_first_connect_of_auto_is_that_of_exponential_jitter(strategy):
    life = Life(strategy)
    gaps = [b - a for a, b in pairwise(life.outage("timeout", 3, takes=0.0))]
    for gap, base in zip(gaps, (1, 2), strict=True):
        assert 0.75 * base <= gap <= 1.25 * base
    assert life.plan.strategy == "exponential-jitter"


def test_none_has_one_attempt():
    life = Life("none")
    life.attempt("refused")
    with pytest.raises(LocalProtocolError, match="no further attempt"):
        life.strategist.plan(life.now)


def test_none_does_not_come_back_either():
    life = settled("none")
    with pytest.raises(LocalProtocolError, match="no further attempt"):
        life.strategist.plan(life.now, again=True)


# -- after a session that had played


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("cause", ["reset", "silent", "busy"])
def test_a_session_that_was_playing_is_tried_for_at_once(strategy, cause):
    life = Life(strategy)
    life.attempt()
    life.live(3600, cause)
    assert life.attempt() == life.now
    assert life.plan.delay == 0


@pytest.mark.parametrize("strategy", QUICK)
@pytest.mark.parametrize("cause", ["refused", "reset", "timeout"])
@pytest.mark.parametrize("seed", range(5))
def test_an_outage_of_up_to_five_seconds_is_over_within_0_7_s(strategy, cause, seed):
    times = settled(strategy, seed=seed).outage(cause)
    for ends in (0.0, 0.01, 0.5, 1.0, 3.3, 4.99, 5.0):
        assert min(time for time in times if time >= ends) - ends <= 0.7


@pytest.mark.parametrize("strategy", QUICK)
@pytest.mark.parametrize("seconds", [0.1, 1, 9])
def test_the_first_loss_of_all_is_as_quick_to_come_back_from(strategy, seconds):
    life = Life(strategy)
    life.attempt()
    life.live(seconds)
    times = life.outage("refused")
    assert times[0] == 0
    for ends in (0.01, 0.5, 1.0, 3.3, 4.99, 5.0):
        assert min(time for time in times if time >= ends) - ends <= 0.7
    assert sum(time <= 60 - seconds for time in times) <= 11  # and connect() before them


@pytest.mark.parametrize("strategy", QUICK)
def test_the_second_loss_within_seconds_is_not(strategy):
    life = Life(strategy)
    life.attempt()
    life.live(1)
    life.attempt("refused")
    life.attempt()
    life.live(1)
    times = life.outage("refused")
    assert max(after - before for before, after in pairwise(times) if after < 5) > 0.7


@pytest.mark.parametrize("strategy", ["auto", "adaptive"])
def test_after_a_connect_of_many_attempts_the_quick_phase_leaves_room_for_others(strategy):
    life = Life(strategy, initial_delay=0.1)
    begun = [life.attempt("refused") for _ in range(5)]
    begun.append(life.attempt())
    life.live(2)
    start = life.now
    begun += [start + time for time in life.outage("refused", 12)]
    assert begun[6] == start
    assert begun[-1] - start < 200
    for at in begun:
        assert sum(at <= other <= at + 60 for other in begun) <= 12
    assert max(after - before for before, after in pairwise(begun)) < 45


def test_attempts_that_take_long_follow_each_other_without_a_pause():
    times = settled().outage("timeout", 8, takes=0.7)
    assert times == pytest.approx([0.7 * number for number in range(8)])


@pytest.mark.parametrize("strategy", QUICK)
def test_the_first_loss_of_all_is_tried_for_quickly_even_before_it_settled(strategy):
    life = Life(strategy)
    life.attempt()
    life.live(2)
    times = life.outage("refused", 8)
    assert times[0] == 0
    assert all(after - before <= 0.7 + 1e-9 for before, after in pairwise(times))
    life.attempt()
    life.live(2)
    assert life.attempt("refused") > life.now - 1e-9
    assert life.plan.timeout is None


@pytest.mark.parametrize("strategy", QUICK)
def test_quick_attempts_give_way_to_the_next(strategy):
    life = settled(strategy)
    life.attempt("timeout")
    assert life.plan.timeout == 0.7
    life.outage("timeout", 12)
    assert life.plan.timeout is None


@pytest.mark.parametrize("strategy", QUICK)
@pytest.mark.parametrize("cause", ["busy", "rejected", "silent", "other"])
def test_who_answers_is_not_asked_quickly(strategy, cause):
    times = settled(strategy).outage(cause, 4)
    assert times[1] >= 0.75
    assert times[2] - times[1] >= 1.5


@pytest.mark.parametrize("strategy", QUICK)
def test_an_answer_ends_the_quick_phase_and_begins_the_delays(strategy):
    life = settled(strategy)
    life.outage("refused", 4)
    life.attempt("busy")
    before = life.now
    gap = life.attempt("busy") - before
    assert 0.75 <= gap <= 5
    assert life.plan.timeout is None


@pytest.mark.parametrize("strategy", ["linear", "exponential"])
def test_strategies_that_were_named_keep_their_formula(strategy):
    expected = {"linear": [0, 1, 4, 9, 16], "exponential": [0, 1, 3, 7, 15]}[strategy]
    assert settled(strategy).outage("refused", 5) == expected


@pytest.mark.parametrize("strategy", ["auto", "adaptive"])
def test_later_an_outage_is_noticed_to_be_over_after_a_tenth_of_it(strategy):
    times = settled(strategy).outage("refused", 60)
    for before, after in pairwise(times):
        if before > 61:
            assert after - before <= min(max(0.125 * before, 61 / 12), 30) + 1e-6
    assert times[-1] > 600


@pytest.mark.parametrize("strategy", ALL)
def test_a_session_that_settled_begins_anew(strategy):
    life = settled(strategy)
    before = life.outage("refused", 6)
    life.attempt()
    life.live(3600)
    after = life.outage("refused", 6)
    assert after == pytest.approx(before, rel=0.4, abs=0.1)


@pytest.mark.parametrize("strategy", FIXED)
def test_sessions_that_play_for_seconds_do_not_make_delays_begin_anew(strategy):
    life = settled(strategy)
    life.outage("busy", 4)
    life.attempt()
    life.live(3, "reset")
    first = life.attempt("busy") - life.now
    assert first <= 61 / 12
    expected = {"immediate": 0, "linear": 7, "exponential": 8, "exponential-jitter": 6}[strategy]
    assert life.attempt("busy") - life.now >= 0
    assert life.plan.delay >= expected


def test_a_server_that_plays_for_a_second_each_time_is_backed_away_from():
    life = Life("auto")
    begun = []
    for _ in range(60):
        begun.append(life.attempt())
        life.live(1)
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= 12


def test_a_lifetime_settles_even_if_nobody_said_so():
    life = Life("linear")
    life.outage("refused", 5)
    life.attempt()
    life.strategist.ended(life.now + 20, 20.0, "reset")
    life.now += 20
    life.again = True
    assert life.outage("refused", 3) == [0, 1, 4]


# -- never too often


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("again", [False, True])
def test_a_port_that_refuses_sees_at_most_twelve_connects_a_minute(strategy, again):
    for seed in range(10):
        life = settled(strategy, seed=seed) if again else Life(strategy, seed=seed)
        times = life.outage("refused", 100)
        for start in times:
            assert sum(start <= at <= start + 60 for at in times) <= 12


@pytest.mark.parametrize("strategy", ALL)
def test_so_it_is_with_delays_of_a_millisecond(strategy):
    life = Life(strategy, initial_delay=0.001, maximum_delay=0.001, reset_after=1e9)
    times = life.outage("refused", 50)
    for start in times:
        assert sum(start <= at <= start + 60 for at in times) <= 12


@pytest.mark.parametrize("strategy", ["linear", "exponential", "exponential-jitter", "auto"])
def test_a_server_that_always_fails_is_asked_at_the_cap_in_the_end(strategy):
    times = settled(strategy).outage("refused", 150)
    gaps = [b - a for a, b in pairwise(times)][-20:]
    assert min(gaps) >= 22.4
    assert max(gaps) <= 30


def test_who_is_refused_everywhere_does_not_race():
    life = settled()
    life.attempt("refused")
    assert life.plan.racing == "first-wins"
    life.attempt("timeout")
    assert life.plan.racing == "none"
    life.attempt("timeout")
    assert life.plan.racing == "first-wins"


PLANS = st.lists(
    st.tuples(st.sampled_from([*CAUSES, None]), st.floats(0, 20), st.floats(0, 100)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), PLANS, st.integers(0, 5))
def test_whatever_happens_plans_are_sound(strategy, events, seed):
    life = Life(strategy, seed=seed, reset_after=1e9)
    begun = []
    for cause, takes, lives in events:
        begun.append(life.attempt(cause, takes))
        assert life.plan.delay <= 61
        assert life.plan.racing in ("none", "first-wins", "last-wins")
        assert life.plan.strategy in FIXED
        if cause is None:
            life.live(lives)
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= 12


# -- what it tells


def test_each_change_is_told_with_its_evidence_and_the_plan_it_is_for():
    life = Life("auto")
    life.outage("timeout", 3)
    assert life.strategist.next_event() is None
    life.attempt("timeout")
    event = life.strategist.next_event()
    assert (event.before, event.strategy) == ("exponential-jitter", "immediate")
    assert event.racing == life.plan.racing == "first-wins"
    assert event.evidence == "lossy: 3 of 3 attempts were lost on the way"
    assert life.strategist.next_event() is None


def test_events_that_nobody_takes_are_bounded():
    life = Life("auto")
    for number in range(600):
        life.attempt("refused" if number % 7 else "busy")
    count = 0
    while life.strategist.next_event() is not None:
        count += 1
    assert 0 < count <= 32


@pytest.mark.parametrize("strategy", FIXED)
def test_strategies_that_were_named_never_change(strategy):
    life = settled(strategy)
    life.outage("timeout", 30)
    assert life.strategist.next_event() is None
    assert life.plan.strategy == strategy


def test_attempts_are_counted_by_outage():
    life = Life()
    life.outage("refused", 3)
    assert life.strategist.attempts == 3
    life.attempt()
    life.live(60)
    assert life.strategist.attempts == 0
    life.attempt("refused")
    assert life.strategist.attempts == 1


# -- auto and adaptive


def test_auto_waits_long_for_a_server_that_says_it_has_no_room():
    life = settled("auto")
    life.outage("busy", 6)
    life.attempt()
    life.live(3600)
    times = life.outage("busy", 3)
    assert times[0] == 0
    assert times[1] >= 22.5


def late(life, holds):
    """Seconds that an attempt comes after a server lets us in, which says no for ``holds``."""
    opens = life.now + holds
    while True:
        plan = life.strategist.plan(life.now, again=True)
        life.now += plan.delay
        if life.now >= opens:
            life.strategist.played(life.now, holds)
            life.live(3600)
            return life.now - 3600 - opens
        life.strategist.failed(life.now, "busy")


def test_adaptive_learns_when_a_server_lets_it_in_again():
    by = {}
    for strategy in ("auto", "adaptive"):
        lives = [settled(strategy, seed=seed) for seed in range(5)]
        by[strategy] = [late(life, 100) for life in lives for _ in range(40)]
    assert sum(by["adaptive"]) < 0.7 * sum(by["auto"])


def test_adaptive_keeps_what_it_learns():
    knowledge = Knowledge()
    life = settled("adaptive", knowledge=knowledge)
    for _ in range(20):
        late(life, 100)
    assert len(knowledge.recoveries) == 20
    again = settled("adaptive", knowledge=Knowledge.from_json(knowledge.to_json()), seed=2)
    assert sum(late(again, 100) for _ in range(10)) < 100


def test_a_plan_is_a_value():
    assert Plan(1.0, "none", "linear") == Plan(1.0, "none", "linear", None)
    assert cause_of(ConnectionRefusedError()) == "refused"


@pytest.mark.parametrize("strategy", ["immediate", "exponential-jitter", "auto", "adaptive"])
def test_a_server_that_takes_every_connection_and_stays_silent_sees_twelve_in_a_minute(strategy):
    life = settled(strategy)
    strategist, now, begun = life.strategist, life.now, []
    end = now + 300
    while now < end:
        plan = strategist.plan(now, again=True)
        raced = min(3, plan.connections)
        begun += [now + plan.delay] * raced
        now += plan.delay + 0.7
        strategist.failed(now, "timeout", stood=raced)
    for start in begun:
        assert sum(start <= at < start + 60 for at in begun) <= 12
    assert sum(at >= end - 60 for at in begun) >= 1

"""What ``adaptive`` learns of a server that answers with a no."""

from random import Random

import pytest

from rtspkit.engine.knowledge import Knowledge
from rtspkit.engine.learner import ARMS, TIMED, Learner
from rtspkit.engine.tactic import BEGINNING, LOSSY, STABLE, Outcome

NO = Outcome("failed", "busy")
CLOSED = Outcome("dropped", "reset")
GOOD = Outcome("good", "reset")


class Server:
    """Plays outages to a learner: each begins with a no and ends after some seconds."""

    def __init__(self, knowledge=None, seed=1, arms=ARMS):
        self.now = 0.0
        self.learner = Learner(knowledge or Knowledge(), Random(seed).random, arms)

    @property
    def knowledge(self):
        return self.learner.knowledge

    def begin(self):
        """A loss, and one attempt that is answered with a no; gives the choice that follows."""
        self.learner.learn(GOOD, self.now)
        self.learner.choose(self.now)
        self.learner.learn(NO, self.now)
        return self.learner.choose(self.now)

    def end(self, seconds):
        """Media come so many seconds after the no, and stay."""
        self.now += seconds
        self.learner.played(self.now)
        self.learner.settled(self.now + 10)
        self.now += 1000

    def outage(self, seconds):
        """``seconds`` for every arm, or one number by the arm's name."""
        self.begin()
        name = self.learner._name
        self.end(seconds[name] if isinstance(seconds, dict) else seconds)
        return name


def test_as_long_as_nobody_answers_the_rules_of_auto_hold():
    server = Server()
    assert server.learner.choose(0.0).tactic == BEGINNING
    for number in range(3):
        server.learner.learn(Outcome("failed", "timeout"), float(number))
    assert server.learner.choose(3.0).tactic == LOSSY
    server.learner.played(60.0)
    server.learner.settled(70.0)
    assert server.knowledge == Knowledge()  # and nothing is learnt


def test_arms_take_turns_at_first():
    server = Server()
    assert [server.outage(10) for _ in range(3)] == [TIMED, "auto", TIMED]
    assert server.knowledge.tried == 30.0
    assert "score" in server.begin().evidence


def test_the_arm_that_is_quicker_wins_nearly_always():
    for quick, slow in ((TIMED, "auto"), ("auto", TIMED)):
        server = Server(seed=5)
        for _ in range(30):
            server.outage({quick: 40, slow: 80})
        later = [server.outage({quick: 40, slow: 80}) for _ in range(40)]
        assert later.count(quick) >= 32


def test_what_was_learnt_goes_on_in_the_next_session():
    server = Server(seed=5)
    for _ in range(40):
        server.outage({TIMED: 40, "auto": 80})
    stored = Knowledge.from_json(server.knowledge.to_json())
    again = Server(stored, seed=6)
    assert [again.outage({TIMED: 40, "auto": 80}) for _ in range(20)].count(TIMED) >= 16


def test_one_arm_is_used_for_a_whole_outage():
    server = Server()
    server.begin()
    name = server.learner._name
    for _ in range(20):
        server.now += 1
        server.learner.learn(NO, server.now)
        server.learner.choose(server.now)
        assert server.learner._name == name


def test_an_arm_that_takes_far_longer_than_usual_gives_way_and_has_failed():
    server = Server()
    for _ in range(6):
        server.outage(40)
    server.begin()
    name = server.learner._name
    before = server.knowledge.arm(name).failures
    choice = server.learner.choose(server.now + 81)
    assert "longer than usual" in choice.evidence
    assert server.knowledge.arm(name).failures == before + 1
    server.end(500)
    assert server.knowledge.arm(name).failures == before + 1  # once


def test_the_first_outage_has_three_minutes():
    server = Server()
    server.begin()
    assert "longer" not in server.learner.choose(server.now + 179).evidence
    assert "longer" in server.learner.choose(server.now + 181).evidence


def timed(recoveries):
    """A learner in an outage, by the arm ``timed``, that knows these recoveries."""
    server = Server(arms={TIMED: None})
    server.knowledge.recoveries.extend(recoveries)
    server.knowledge.tried = 1000.0
    server.now = 5000.0
    return server, server.begin()


def test_when_recoveries_agree_attempts_are_made_around_that_time():
    server, choice = timed([100, 103, 101])
    assert choice.at == pytest.approx(5000 + 80)
    moments = []
    now = choice.at
    while (choice := server.learner.choose(now)).at is not None:
        moments.append(now - 5000)
        now = choice.at
    assert 4 <= len(moments) <= 8
    assert moments[0] == pytest.approx(80)
    assert moments[-1] < 105 <= now - 5000 + 1e-6


@pytest.mark.parametrize("recoveries", [[], [100, 100], [10, 50, 100], [100, 100, 30]])
def test_when_they_do_not_or_are_too_few_the_delays_are_those_of_auto(recoveries):
    _, choice = timed(recoveries)
    assert choice.at is None


def test_only_the_newest_recoveries_have_to_agree():
    _, choice = timed([5, 300, *[60] * 8])
    assert choice.at == pytest.approx(5000 + 48)


def test_success_is_to_be_about_as_quick_as_the_quickest_quarter():
    server = Server(arms={TIMED: None})
    for seconds in (40, 40, 47, 49, 40):
        server.outage(seconds)
    assert list(server.knowledge.last) == [1, 1, 1, 0, 1]
    arm = server.knowledge.arm(TIMED)
    assert (arm.successes, arm.failures) == (4, 1)


def test_a_session_that_is_dropped_after_all_was_no_success():
    server = Server(arms={TIMED: None})
    server.begin()
    server.end(40)
    arm = server.knowledge.arm(TIMED)
    assert (arm.successes, arm.failures) == (1, 0)
    server.learner.learn(CLOSED, server.now)
    assert (arm.successes, arm.failures) == (0, 1)
    assert list(arm.recent) == list(server.knowledge.last) == [0]


def test_a_session_that_the_server_closes_is_a_no_and_one_that_fades_is_none():
    for cause, credited in (("reset", 1), ("silent", 0)):
        server = Server(arms={TIMED: None})
        server.learner.choose(0.0)
        server.learner.learn(Outcome("dropped", cause), 5.0)
        server.learner.choose(5.0)
        server.end(10)
        assert len(server.knowledge.last) == credited


def test_when_the_server_changes_confidence_is_halved_and_discovery_begins_again():
    server = Server(arms={TIMED: None})
    for _ in range(25):
        server.outage(40)
    assert not server.knowledge.changed
    before = server.knowledge.arm(TIMED).successes
    outages = 0
    while not server.knowledge.changed:
        server.outage(400)
        outages += 1
    assert outages < 10
    known = server.knowledge
    assert known.arm(TIMED).successes == pytest.approx(before / 2)
    assert known.discovery == pytest.approx(known.tried + 10)
    assert not known.last
    for _ in range(80):
        server.outage(400)
    assert not server.knowledge.changed


@pytest.mark.parametrize(("changed", "share"), [(False, 0.1), (True, 0.3)])
def test_exploration_is_as_often_as_promised(changed, share):
    explored = 0
    for seed in range(600):
        knowledge = Knowledge(tried=100.0, changed=changed)
        knowledge.arm(TIMED).successes = 5.0
        explored += "exploration" in Server(knowledge, seed).begin().evidence
    assert explored / 600 == pytest.approx(share, abs=0.05)


def test_its_evidence_has_the_scores_and_what_auto_says():
    server = Server(Knowledge(tried=100.0), seed=3)
    for _ in range(4):
        server.outage(40)
    evidence = server.begin().evidence
    assert "score of 0." in evidence or "draw 0." in evidence
    assert server.learner.choose(server.now).tactic in (BEGINNING, STABLE)


def test_what_is_kept_is_bounded():
    server = Server()
    for number in range(500):
        server.outage(20 + number % 50)
    known = server.knowledge
    assert set(known.arms) == set(ARMS)
    assert len(known.recoveries) == 20
    assert len(known.last) <= 10
    assert all(len(arm.seconds) == len(arm.recent) == 20 for arm in known.arms.values())

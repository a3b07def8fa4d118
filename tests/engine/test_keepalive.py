"""When a keep-alive is sent, by which method, and that no session expires for want of one."""

import pytest

from rtspkit.engine.keepalive import DEFAULT_SESSION_TIMEOUT, LADDER, KeepAlive, keepalive_interval
from rtspkit.errors import DeadlineExceeded, response_error

EVERY = frozenset(LADDER)
TRIP = 0.001  # seconds from us to the server, and back


def started(timeout=60, *, advertised=EVERY, now=0.0):
    keepalive = KeepAlive()
    keepalive.advertise(advertised)
    keepalive.start(now, timeout)
    return keepalive


class TestTimes:
    @pytest.mark.parametrize(
        ("timeout", "seconds"),
        [(60, 30), (20, 10), (12, 6), (10, 5), (8, 3), (6, 1), (5, 1), (2, 1), (1, 0.5)],
    )
    def test_the_interval_is_half_the_timeout_and_five_seconds_early(self, timeout, seconds):
        assert keepalive_interval(timeout) == seconds

    @pytest.mark.parametrize("timeout", [0, -1])
    def test_a_useless_timeout_is_the_default(self, timeout):
        assert keepalive_interval(timeout) == keepalive_interval(DEFAULT_SESSION_TIMEOUT) == 30

    def test_nothing_is_due_before_there_is_a_session(self):
        keepalive = KeepAlive()
        assert keepalive.deadline is None
        assert keepalive.due(1e9) is None
        keepalive.activity(5.0)
        assert keepalive.deadline is None

    @pytest.mark.parametrize("timeout", [None, 0])
    def test_a_timeout_that_is_missing_or_zero_leaves_the_default(self, timeout):
        keepalive = started(timeout)
        assert (keepalive.timeout, keepalive.deadline) == (60, 30)

    def test_a_second_setup_without_a_timeout_keeps_the_first(self):
        keepalive = started(20)
        keepalive.start(3.0, None)
        assert (keepalive.timeout, keepalive.deadline) == (20, 13)

    def test_a_later_response_may_tell_the_timeout(self):
        keepalive = started(60)
        keepalive.learn(20)
        assert keepalive.deadline == 10
        keepalive.learn(None)
        keepalive.learn(0)
        assert keepalive.deadline == 10

    def test_nothing_is_sent_before_its_time_and_then_once(self):
        keepalive = started()
        assert keepalive.due(29.999) is None
        assert keepalive.due(30.0) == "GET_PARAMETER"
        assert keepalive.due(30.0) is None
        assert keepalive.sent == 1

    def test_what_the_server_took_counts_from_when_it_was_sent(self):
        keepalive = started()
        keepalive.activity(20.0)
        keepalive.activity(10.0)
        assert keepalive.deadline == 50.0

    def test_a_late_timer_sends_one(self):
        keepalive = started()
        assert keepalive.due(500.0) == "GET_PARAMETER"
        keepalive.answer("GET_PARAMETER")
        assert keepalive.deadline == 530.0

    def test_it_stops_with_the_session_and_starts_with_the_next(self):
        keepalive = started()
        keepalive.stop()
        assert keepalive.deadline is None
        keepalive.start(100.0, 20)
        assert keepalive.deadline == 110.0


class TestMethods:
    @pytest.mark.parametrize(
        ("advertised", "method"),
        [
            (EVERY, "GET_PARAMETER"),
            (frozenset({"GET_PARAMETER"}), "GET_PARAMETER"),
            (frozenset({"OPTIONS", "SET_PARAMETER"}), "OPTIONS"),
            (frozenset(), "OPTIONS"),
        ],
    )
    def test_get_parameter_if_advertised_else_options(self, advertised, method):
        assert started(advertised=advertised).method == method

    def test_without_a_public_header_it_is_options(self):
        assert KeepAlive().method == "OPTIONS"

    def test_a_refusal_brings_the_next_at_once_down_to_reports(self):
        keepalive = started()
        sent = []
        for _ in LADDER:
            sent.append(keepalive.due(30.0))
            keepalive.refuse(sent[-1], 30.0, "501")
        assert sent == list(LADDER)
        assert (keepalive.method, keepalive.deadline) == (None, None)
        assert keepalive.due(1e9) is None
        assert keepalive.refused == 3

    def test_each_change_is_told_once_with_its_reason(self):
        keepalive = started()
        keepalive.due(30.0)
        keepalive.fail("GET_PARAMETER", response_error("GET_PARAMETER", 501), 30.1)
        keepalive.due(30.1)
        keepalive.fail("OPTIONS", DeadlineExceeded("options", 10.0), 40.1)
        (refused, first), (unanswered, second) = keepalive.take_changes()
        assert (refused, unanswered) == ("keepalive-refused", "keepalive-unanswered")
        assert (first.at, first.before, first.method) == (30.1, "GET_PARAMETER", "OPTIONS")
        assert first.reason == "GET_PARAMETER answered 501"
        assert (second.before, second.method) == ("OPTIONS", "SET_PARAMETER")
        assert second.reason == "not answered"
        assert keepalive.take_changes() == []

    def test_the_last_refusal_says_that_reports_are_left(self):
        keepalive = started(advertised=())
        keepalive.refuse("OPTIONS", 1.0, "405")
        keepalive.refuse("SET_PARAMETER", 2.0, "451")
        assert [c.method for _, c in keepalive.take_changes()] == ["SET_PARAMETER", "reports"]

    def test_a_new_method_that_is_not_answered_gives_way_within_the_timeout(self):
        keepalive = started(60)
        times = []
        while len(times) < 3:
            times.append((keepalive.deadline, keepalive.due(keepalive.deadline)))
        assert times == [(30, "GET_PARAMETER"), (40, "OPTIONS"), (50, "SET_PARAMETER")]

    def test_when_none_is_answered_they_take_turns_and_never_stop(self):
        keepalive = started(60)
        sent = []
        while len(sent) < 8:
            now = keepalive.deadline
            sent.append(keepalive.due(now))
            if len(sent) > 4:
                keepalive.unanswered(sent[-1], now + 10)
        assert sent[:4] == [*LADDER, "GET_PARAMETER"]
        assert sorted(sent[4:7]) == sorted(LADDER)
        assert keepalive.deadline - now == 30

    def test_a_method_that_works_is_given_time(self):
        """One that was answered before and is not now: it goes on at its interval."""
        keepalive = started(60)
        keepalive.due(30.0)
        keepalive.answer("GET_PARAMETER")
        assert keepalive.due(60.0) == "GET_PARAMETER"
        assert keepalive.deadline == 90.0
        keepalive.unanswered("GET_PARAMETER", 70.0)
        assert keepalive.due(70.0) == "OPTIONS"

    def test_a_late_answer_brings_a_method_back(self):
        keepalive = started(60)
        keepalive.due(30.0)
        assert keepalive.due(40.0) == "OPTIONS"
        keepalive.answer("GET_PARAMETER")
        assert keepalive.method == "GET_PARAMETER"

    def test_an_answer_to_the_users_own_request_proves_a_method(self):
        keepalive = started(60)
        keepalive.answer("GET_PARAMETER")
        keepalive.answer("PLAY")
        assert keepalive.worked("GET_PARAMETER")
        assert not keepalive.worked("PLAY")
        keepalive.due(30.0)
        assert keepalive.deadline == 60.0

    def test_a_refusal_after_the_session_has_gone_sends_nothing(self):
        keepalive = started()
        keepalive.due(30.0)
        keepalive.stop()
        keepalive.refuse("GET_PARAMETER", 31.0, "454")
        assert keepalive.deadline is None
        keepalive.start(40.0, 60)
        assert (keepalive.deadline, keepalive.method) == (70.0, "OPTIONS")

    def test_a_method_advertised_late_is_taken(self):
        keepalive = started(advertised=())
        keepalive.advertise({"OPTIONS", "GET_PARAMETER"})
        assert keepalive.method == "GET_PARAMETER"


class Server:
    """Numbers only: which methods it takes, which it refuses, when its session expires."""

    def __init__(self, timeout, takes, silent, delay):
        self.timeout = timeout
        self.takes, self.silent, self.delay = takes, silent, delay
        self.expires = timeout
        self.expiries = 0

    def receive(self, method, now):
        """The answer: True, False for a refusal, None for none; and when it is there."""
        now += TRIP
        if now > self.expires:
            self.expiries += 1
        if method in self.takes:
            self.expires = now + self.timeout
            return True, now + self.delay + TRIP
        return (None if method in self.silent else False), now + self.delay + TRIP


def an_hour(keepalive, server, response=10.0):
    """A session for an hour: expiries, and requests sent."""
    answers = []
    while True:
        times = [at for at, _, _ in answers]
        if keepalive.deadline is not None:
            times.append(keepalive.deadline)
        now = min(times, default=3600.0)
        if now >= 3600.0:
            break
        for answer in [a for a in answers if a[0] <= now]:
            answers.remove(answer)
            at, method, taken = answer
            if taken:
                keepalive.answer(method)
                keepalive.activity(at - server.delay - 2 * TRIP)
            elif taken is None:
                keepalive.unanswered(method, now)
            else:
                keepalive.refuse(method, now, "refused")
        if method := keepalive.due(now):
            taken, at = server.receive(method, now)
            answers.append((at if taken is not None else now + response, method, taken))
    server.expiries += server.expires < 3600.0
    return server.expiries


BEHAVIOUR = {
    "takes all": (EVERY, ()),
    "refuses GET_PARAMETER": (EVERY - {"GET_PARAMETER"}, ()),
    "never answers GET_PARAMETER": (EVERY - {"GET_PARAMETER"}, {"GET_PARAMETER"}),
    "takes SET_PARAMETER alone": ({"SET_PARAMETER"}, ()),
    "answers SET_PARAMETER alone": ({"SET_PARAMETER"}, EVERY),
    "takes OPTIONS alone": ({"OPTIONS"}, {"GET_PARAMETER"}),
}


@pytest.mark.parametrize("delay", [0.0, 0.1])
@pytest.mark.parametrize("behaviour", BEHAVIOUR)
@pytest.mark.parametrize("timeout", [1, 5, 20, 60, 0, None])
def test_no_session_expires_in_an_hour(timeout, behaviour, delay):
    """The strictest server: only what it takes restarts its clock."""
    takes, silent = BEHAVIOUR[behaviour]
    server = Server(timeout or DEFAULT_SESSION_TIMEOUT, takes, silent, delay)
    keepalive = started(timeout)
    assert an_hour(keepalive, server) == 0
    assert keepalive.sent <= 3600 / keepalive.interval + len(LADDER)


@pytest.mark.parametrize("timeout", [1, 5, 20, 60])
def test_no_session_expires_on_a_server_that_listens_and_never_answers(timeout):
    keepalive = started(timeout)
    server = Server(timeout, EVERY, EVERY, 0.0)
    now = 0.0
    while (now := keepalive.deadline) < 3600.0:
        server.receive(keepalive.due(now), now)
    assert server.expiries == 0
    assert keepalive.sent <= 3600 / keepalive.interval + len(LADDER)


def test_no_session_expires_without_a_public_header():
    server = Server(60, {"OPTIONS"}, (), 0.0)
    assert an_hour(started(60, advertised=()), server) == 0

"""How a response finds its request, whatever its CSeq says."""

import pytest

from rtspkit.engine.exchange import (
    CSEQ_TOLERANCE,
    PROVISIONAL_RESPONSES,
    ControlCounters,
    Exchange,
    Exchanges,
    Outbox,
)
from rtspkit.errors import LimitExceeded, NotFound, RemoteProtocolError
from rtspkit.wire.message import Headers, Response


def sent(exchanges, cseq, method="PLAY", deadline=10.0):
    exchange = Exchange(method, "rtsp://camera/", (), b"", 10.0, cseq=cseq, deadline=deadline)
    exchanges.add(exchange)
    return exchange


def reply(cseq, status=200, *headers, body=b""):
    first = [] if cseq is None else [("CSeq", str(cseq))]
    return Response(status, "OK", Headers([*first, *headers]), body)


class TestMatch:
    def test_each_response_finds_its_request_in_any_order(self):
        exchanges = Exchanges()
        first, second = sent(exchanges, 1), sent(exchanges, 2)
        assert exchanges.match(reply(2)) == (second, None)
        assert exchanges.match(reply(1)) == (first, None)
        assert exchanges.open == {}

    @pytest.mark.parametrize("behind", range(1, CSEQ_TOLERANCE + 1))
    def test_a_device_that_counts_behind_is_understood_while_one_is_open(self, behind):
        exchanges = Exchanges()
        exchange = sent(exchanges, 20)
        assert exchanges.match(reply(20 - behind)) == (exchange, "cseq-off")

    def test_a_missing_cseq_is_understood_while_one_is_open(self):
        exchanges = Exchanges()
        exchange = sent(exchanges, 1)
        assert exchanges.match(reply(None)) == (exchange, "cseq-missing")

    @pytest.mark.parametrize("cseq", [13, 0, 21, 26, 4_000_000_000])
    def test_far_behind_and_ahead_of_us_belong_to_nothing(self, cseq):
        exchanges = Exchanges()
        exchange = sent(exchanges, 20)
        assert exchanges.match(reply(cseq)) == (None, "response-unmatched")
        assert exchanges.open == {20: exchange}

    @pytest.mark.parametrize("cseq", [None, 0, 3])
    def test_with_two_open_only_the_right_number_counts(self, cseq):
        exchanges = Exchanges()
        sent(exchanges, 1)
        sent(exchanges, 2)
        assert exchanges.match(reply(cseq)) == (None, "response-unmatched")
        assert len(exchanges.open) == 2

    @pytest.mark.parametrize("cseq", [None, 1])
    def test_with_none_open_nothing_is_matched(self, cseq):
        assert Exchanges().match(reply(cseq)) == (None, "response-unmatched")

    def test_a_response_that_comes_twice_is_not_the_answer_to_the_next_request(self):
        exchanges = Exchanges()
        first = sent(exchanges, 1)
        answer = reply(1, 200, ("Content-Base", "x"))
        assert exchanges.match(answer) == (first, None)
        second = sent(exchanges, 2)
        assert exchanges.match(answer) == (None, "response-unmatched")
        assert exchanges.match(reply(2)) == (second, None)

    def test_a_number_used_twice_in_other_words_is_counting_behind(self):
        """A device that does not count the request it answered 401."""
        exchanges = Exchanges()
        first = sent(exchanges, 1)
        assert exchanges.match(reply(1, 401)) == (first, None)
        second = sent(exchanges, 2)
        assert exchanges.match(reply(1, 200)) == (second, "cseq-off")

    def test_a_device_behind_from_the_start_stays_understood(self):
        exchanges = Exchanges()
        for cseq in range(1, 50):
            exchange = sent(exchanges, cseq)
            assert exchanges.match(reply(cseq - 1)) == (exchange, "cseq-off")


class TestGivenUp:
    def test_the_late_response_is_dropped(self):
        exchanges = Exchanges()
        first = sent(exchanges, 1)
        exchanges.give_up(first)
        second = sent(exchanges, 2)
        assert exchanges.match(reply(1)) == (None, "response-unmatched")
        assert exchanges.open == {2: second}

    def test_only_once_and_only_its_own(self):
        exchanges = Exchanges()
        first = sent(exchanges, 1)
        exchanges.give_up(first)
        exchanges.give_up(first)
        stranger = Exchange("PLAY", "", (), b"", 1.0, cseq=2)
        second = sent(exchanges, 2)
        exchanges.give_up(stranger)
        assert exchanges.open == {2: second}

    def test_expire_gives_those_past_their_deadline(self):
        exchanges = Exchanges()
        first, second = sent(exchanges, 1, deadline=5.0), sent(exchanges, 2, deadline=6.0)
        assert exchanges.deadline == 5.0
        assert exchanges.expire(4.9) == []
        assert exchanges.expire(5.0) == [first]
        assert (exchanges.deadline, exchanges.open) == (6.0, {2: second})
        assert exchanges.match(reply(1)) == (None, "response-unmatched")

    def test_take_all_leaves_none(self):
        exchanges = Exchanges()
        first, second = sent(exchanges, 1), sent(exchanges, 2)
        assert exchanges.take_all() == [first, second]
        assert (exchanges.open, exchanges.deadline) == ({}, None)


def test_the_phase_is_that_of_the_oldest_request_that_waits():
    exchanges = Exchanges()
    assert exchanges.phase == "streaming"
    sent(exchanges, 1, "SETUP")
    sent(exchanges, 2, "OPTIONS")
    assert exchanges.phase == "setup"


def test_provisional_responses_have_an_end_and_a_final_one_forgives_them():
    exchanges = Exchanges()
    for _ in range(3):
        for _ in range(PROVISIONAL_RESPONSES):
            exchanges.provisional()
        exchanges.match(reply(1))
    for _ in range(PROVISIONAL_RESPONSES):
        exchanges.provisional()
    with pytest.raises(RemoteProtocolError, match="65 provisional responses"):
        exchanges.provisional()


def test_a_refusal_is_the_error_of_its_status_with_the_evidence():
    exchange = Exchange("DESCRIBE", "rtsp://camera/", (), b"", 10.0, cseq=7)
    error = exchange.refusal(Response(404, "Gone fishing"))
    assert isinstance(error, NotFound)
    assert (error.method, error.cseq, error.phase) == ("DESCRIBE", 7, "describe")


def test_what_the_caller_wants_in_a_request_goes_over_what_every_request_has():
    exchange = Exchange("PLAY", "rtsp://camera/", (("user-agent", "mine"), ("A", "b")), b"x", 1.0)
    request = exchange.request(Headers([("CSeq", "1"), ("User-Agent", "ours")]))
    assert list(request.headers) == [("CSeq", "1"), ("user-agent", "mine"), ("A", "b")]
    assert (request.method, request.uri, request.body) == ("PLAY", "rtsp://camera/", b"x")


def test_the_outbox_has_a_bound_and_is_empty_after_it_was_taken():
    outbox = Outbox(10)
    outbox.put(b"12345")
    outbox.put(b"67890")
    with pytest.raises(LimitExceeded, match=r"limits.output is 10, met 11"):
        outbox.put(b"1")
    assert outbox.take() == b"1234567890"
    assert outbox.take() == b""
    outbox.put(b"1")
    assert outbox.take() == b"1"


def test_counters_begin_at_zero():
    assert ControlCounters() == ControlCounters(0, 0, 0, 0, 0)


def test_an_exchange_shows_no_secret():
    headers = (("Authorization", "Basic c2VjcmV0"),)
    exchange = Exchange(
        "PLAY", "rtsp://camera/", headers, b"body-secret", 1.0, nonce="nonce-secret"
    )
    shown = repr(exchange)
    assert "PLAY" in shown
    assert "secret" not in shown
    assert "c2VjcmV0" not in shown


def test_settled_means_that_no_response_may_still_come():
    exchanges = Exchanges()
    assert exchanges.settled
    sent(exchanges, 1)
    assert not exchanges.settled
    exchanges.match(reply(1))
    assert exchanges.settled
    exchanges.give_up(sent(exchanges, 2))
    assert not exchanges.settled  # its response may come late

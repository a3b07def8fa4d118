"""The control connection: every request has one fate, within its deadline, whatever comes."""

import control_traffic
import pytest
from control_traffic import CHANNELS, pieces_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rtspkit_bench import START, TRACK, TRANSPORT, URL, Bench, accept

from rtspkit.engine.events import ServerRequested
from rtspkit.engine.exchange import Answered, Failed, Noted, SessionGone
from rtspkit.engine.state import State
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    LimitExceeded,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    RtspError,
    SessionNotFound,
    Unauthorized,
)
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.credentials import Challenge, Credentials, format_challenge, verify_authorization
from rtspkit.wire.message import InterleavedFrame, MessageReader, serialize_frame

USER = Credentials("user", "secret")
RTP = b"\x80\x60" + bytes(30)
GONE = 454


def digest(nonce="n1", *, stale=False):
    return Challenge("digest", "camera", nonce, qop=("auth",), stale=stale)


def www(*challenges):
    return [("WWW-Authenticate", format_challenge(one)) for one in challenges]


def authorized(request, challenge):
    value = request.headers.get("Authorization")
    return value is not None and verify_authorization(
        value, challenge, USER, request.method, uri=request.uri
    )


class TestRequests:
    def test_a_request_has_a_number_a_name_and_what_was_asked(self):
        bench = Bench(headers=(("X-All", "1"),))
        bench.ask("DESCRIBE", URL, headers=(("Accept", "application/sdp"),))
        (request,) = bench.requests
        assert (request.method, request.uri, request.cseq) == ("DESCRIBE", URL, 1)
        assert request.headers.get("User-Agent") == "bench"
        assert request.headers.get("X-All") == "1"
        assert request.headers.get("Accept") == "application/sdp"
        assert "Session" not in request.headers
        assert "Authorization" not in request.headers

    def test_each_has_the_next_number(self):
        bench = Bench()
        for _ in range(3):
            bench.ask("OPTIONS")
        assert [request.cseq for request in bench.requests] == [1, 2, 3]
        assert bench.machine.counters.requests == 3

    def test_the_response_is_told_with_its_request(self):
        bench = Bench()
        exchange = bench.ask("GET_PARAMETER", body=b"a\r\n")
        bench.reply(200, body=b"a: 1\r\n")
        (event,) = [event for event in bench.told if isinstance(event, Answered)]
        assert event.exchange is exchange
        assert event.response.body == b"a: 1\r\n"
        assert bench.requests[0].body == b"a\r\n"

    def test_a_refusal_is_the_error_of_its_status(self):
        bench = Bench()
        exchange = bench.ask("DESCRIBE", URL)
        bench.reply(404)
        error = bench.failed[exchange]
        assert isinstance(error, NotFound)
        assert (error.cseq, error.phase) == (1, "describe")

    def test_the_session_goes_with_every_request_but_describe(self):
        bench = Bench()
        bench.set_up(session="abc")
        for method in ("DESCRIBE", "OPTIONS", "GET_PARAMETER", "PAUSE", "TEARDOWN"):
            bench.ask(method)
            expected = None if method == "DESCRIBE" else "abc"
            assert bench.requests[-1].headers.get("Session") == expected

    def test_what_the_state_does_not_have_is_refused_before_it_is_sent(self):
        bench = Bench()
        with pytest.raises(LocalProtocolError, match="PLAY is not possible in state init"):
            bench.ask("PLAY")
        assert bench.collect() == []

    def test_a_field_that_cannot_be_sent_is_refused_and_nothing_waits_for_it(self):
        bench = Bench()
        with pytest.raises(LocalProtocolError):
            bench.ask("OPTIONS", headers=(("A", "b\r\nC: d"),))
        assert bench.machine.deadline is None
        bench.ask("OPTIONS")
        assert len(bench.requests) == 1

    def test_the_server_names_itself(self):
        bench = Bench()
        bench.ask("OPTIONS")
        bench.reply(200, ("Server", "Camera/1.0"))
        bench.ask("OPTIONS")
        bench.reply(200)
        assert bench.machine.server == "Camera/1.0"

    def test_public_is_learnt_from_any_response(self):
        bench = Bench()
        bench.ask("DESCRIBE", URL)
        bench.reply(200, ("Public", "OPTIONS, GET_PARAMETER"), ("Public", "PLAY"))
        assert bench.machine.methods == {"OPTIONS", "GET_PARAMETER", "PLAY"}
        assert bench.machine.keepalive.method == "GET_PARAMETER"

    def test_given_up_its_response_is_dropped(self):
        bench = Bench()
        exchange = bench.ask("OPTIONS")
        bench.machine.give_up(exchange)
        bench.reply(200)
        assert (bench.answered, bench.machine.counters.unmatched) == ([], 1)
        assert bench.machine.deadline is None


class TestSession:
    def test_the_states_follow_the_responses(self):
        bench = Bench()
        states = [bench.machine.state]
        for method in ("SETUP", "PLAY", "PAUSE", "PLAY", "TEARDOWN"):
            bench.ask(method)
            bench.reply(200, ("Session", "1"))
            states.append(bench.machine.state)
        init, ready, playing = State.INIT, State.READY, State.PLAYING
        assert states == [init, ready, playing, ready, playing, init]

    def test_a_refusal_moves_nothing(self):
        bench = Bench()
        bench.set_up(play=False)
        bench.ask("PLAY")
        bench.reply(457)
        assert (bench.machine.state, bench.machine.session_id) == (State.READY, "1")

    def test_the_timeout_and_the_identifier_are_learnt(self):
        bench = Bench()
        bench.set_up(20, session="abc")
        assert (bench.machine.session_id, bench.machine.keepalive.timeout) == ("abc", 20)

    def test_the_timeout_may_come_with_play(self):
        bench = Bench()
        bench.set_up(play=False)
        bench.ask("PLAY")
        bench.reply(200, ("Session", "1;timeout=12"))
        assert bench.machine.keepalive.timeout == 12

    def test_after_teardown_nothing_brings_the_session_back(self):
        bench = Bench()
        bench.set_up()
        slow = bench.ask("GET_PARAMETER")
        late = bench.requests[-1]
        bench.ask("TEARDOWN", URL)
        bench.reply(200, ("Session", "1"))
        bench.reply(200, ("Session", "1"), to=late)
        assert slow in bench.answered
        assert bench.machine.session_id is None
        assert bench.machine.state is State.INIT
        assert bench.machine.deadline is None
        bench.wait(3600)
        assert bench.methods[-1] == "TEARDOWN"

    def test_a_new_session_on_the_same_connection(self):
        bench = Bench()
        bench.set_up(session="1")
        bench.ask("TEARDOWN")
        bench.reply(200)
        bench.set_up(session="2")
        assert (bench.machine.session_id, bench.machine.state) == ("2", State.PLAYING)
        assert "session-id-changed" not in bench.quirks


class TestSessionGone:
    def test_454_ends_the_session_and_setup_may_follow_on_the_same_connection(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("PAUSE")
        bench.reply(GONE)
        assert isinstance(bench.failed[exchange], SessionNotFound)
        assert sum(isinstance(event, SessionGone) for event in bench.told) == 1
        assert (bench.machine.session_id, bench.machine.state) == (None, State.INIT)
        bench.ask("SETUP")
        assert "Session" not in bench.requests[-1].headers
        bench.reply(200, ("Session", "2"), TRANSPORT)
        assert bench.machine.session_id == "2"

    def test_454_to_a_keepalive_is_told_without_an_exchange(self):
        bench = Bench()
        bench.set_up(20)
        bench.wait(10, lambda bench, request: bench.reply(GONE))
        assert bench.told[-1] == SessionGone()
        assert bench.errors == []
        assert bench.machine.deadline is None

    def test_454_to_two_requests_is_told_once_and_does_not_hurt_the_next_session(self):
        bench = Bench()
        bench.set_up(session="1")
        bench.ask("GET_PARAMETER")
        bench.ask("PAUSE")
        first, second = bench.requests[-2:]
        bench.reply(GONE, to=first)
        bench.set_up(session="2")
        bench.reply(GONE, to=second)
        assert sum(isinstance(event, SessionGone) for event in bench.told) == 1
        assert bench.machine.session_id == "2"

    def test_454_to_teardown_is_what_we_wanted(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("TEARDOWN")
        bench.reply(GONE)
        assert SessionGone() not in bench.told
        assert isinstance(bench.failed[exchange], SessionNotFound)
        assert bench.machine.session_id is None

    def test_454_without_a_session_is_a_refusal_like_any_other(self):
        bench = Bench()
        bench.ask("DESCRIBE")
        bench.reply(GONE)
        assert SessionGone() not in bench.told
        assert isinstance(bench.errors[0], SessionNotFound)


class TestDeadlines:
    def test_a_request_without_an_answer_fails_at_its_deadline(self):
        bench = Bench(timeouts=Timeouts(response=3.0))
        exchange = bench.ask("DESCRIBE")
        assert bench.machine.deadline == START + 3.0
        bench.wait(2.9)
        assert bench.failed == {}
        bench.wait(0.1)
        error = bench.failed[exchange]
        assert isinstance(error, DeadlineExceeded)
        assert (error.phase, error.seconds) == ("describe", 3.0)

    def test_a_request_may_have_a_deadline_of_its_own(self):
        bench = Bench()
        bench.ask("TEARDOWN", timeout=0.5)
        assert bench.machine.deadline == START + 0.5

    def test_authentication_does_not_begin_the_deadline_anew(self):
        bench = Bench(user="user")
        exchange = bench.ask("DESCRIBE")
        bench.wait(6.0)
        bench.reply(401, *www(digest()))
        bench.wait(4.0)
        assert isinstance(bench.failed[exchange], DeadlineExceeded)

    def test_the_response_after_the_deadline_is_dropped_and_completes_nothing(self):
        bench = Bench(timeouts=Timeouts(response=3.0))
        bench.ask("DESCRIBE")
        late = bench.requests[-1]
        bench.wait(3.0)
        following = bench.ask("OPTIONS")
        bench.reply(200, to=late)
        assert bench.answered == []
        bench.reply(200)
        assert bench.answered == [following]

    def test_out_of_step_for_too_long_ends_the_connection(self):
        bench = Bench(limits=Limits(garbage_time=2.0))
        bench.set_up()
        bench.feed(serialize_frame(0, RTP) + b"\x00" * 100)
        assert bench.machine.deadline == START + 2.0
        bench.wait(2.0)
        assert isinstance(bench.machine.lost, LimitExceeded)
        assert bench.machine.lost.limit == "garbage_time"
        assert bench.machine.deadline is None

    def test_back_in_step_it_goes_on(self):
        bench = Bench()
        bench.set_up()
        bench.feed(serialize_frame(0, RTP) + b"\x00" * 100)
        bench.wait(1.0)
        bench.feed(serialize_frame(0, RTP) * 2)
        bench.wait(5.0)
        assert bench.machine.lost is None
        assert len(bench.frames) == 3
        assert bench.machine.counters.skipped == 100
        assert "garbage" in bench.quirks

    def test_dripping_garbage_does_not_begin_the_time_anew(self):
        bench = Bench()
        bench.set_up()
        for _ in range(25):
            bench.feed(b"\x00" * 10)
            bench.wait(0.1)
        assert isinstance(bench.machine.lost, LimitExceeded)


class TestKeepAlive:
    def test_it_is_sent_in_the_session_to_its_uri(self):
        bench = Bench()
        bench.machine.session_uri = URL + "/all"
        bench.set_up(20)
        bench.wait(10, accept)
        request = bench.requests[-1]
        assert (request.method, request.uri) == ("OPTIONS", URL + "/all")
        assert request.headers.get("Session") == "1"
        assert bench.machine.keepalive.sent == 1

    def test_its_answers_are_not_told(self):
        bench = Bench()
        bench.set_up(20)
        before = len(bench.answered)
        bench.wait(600, accept)
        assert len(bench.answered) == before
        assert bench.machine.keepalive.sent == 60

    def test_what_the_user_sends_counts(self):
        bench = Bench()
        bench.set_up(20)
        for _ in range(10):
            bench.wait(9)
            bench.ask("GET_PARAMETER")
            bench.reply(200)
        assert bench.machine.keepalive.sent == 0

    def test_it_counts_from_when_it_was_sent(self):
        bench = Bench()
        bench.set_up(20)
        bench.wait(1)
        bench.ask("GET_PARAMETER")
        bench.wait(8)
        bench.reply(200)
        assert bench.machine.keepalive.deadline == START + 1 + 10

    def test_what_the_server_refuses_the_user_does_not_count(self):
        bench = Bench()
        bench.set_up(20)
        bench.wait(9)
        bench.ask("SET_PARAMETER", body=b"x")
        bench.reply(451)
        bench.wait(1, accept)
        assert bench.methods[-1] == "OPTIONS"

    def test_a_refusal_is_followed_by_the_next_method_at_once(self):
        bench = Bench()
        bench.set_up(20)
        bench.wait(10, lambda bench, r: bench.reply(501 if r.method == "OPTIONS" else 200, to=r))
        assert bench.methods[-2:] == ["OPTIONS", "SET_PARAMETER"]
        assert bench.changes == [("OPTIONS", "SET_PARAMETER")]
        assert "keepalive-refused" in bench.quirks

    def test_when_all_are_refused_it_stops_and_the_session_lives(self):
        bench = Bench()
        bench.set_up(20)
        bench.wait(600, lambda bench, r: bench.reply(405, to=r))
        assert bench.methods[2:] == ["OPTIONS", "SET_PARAMETER"]
        assert bench.changes[-1] == ("SET_PARAMETER", "reports")
        assert bench.machine.lost is None
        assert bench.machine.state is State.PLAYING

    def test_it_is_authenticated_and_a_stale_nonce_renewed(self):
        bench = Bench(user="user")
        bench.set_up(20)
        nonces = iter(f"n{number}" for number in range(100))
        current = [digest(next(nonces))]

        def server(bench, request):
            if authorized(request, current[0]):
                bench.reply(200, to=request)
                current[0] = digest(next(nonces))  # good for one request
            else:
                bench.reply(401, *www(current[0]), to=request)

        bench.wait(600, server)
        assert bench.machine.keepalive.sent == 60
        assert bench.machine.keepalive.refused == 0
        assert bench.changes == []

    def test_paused_sessions_are_kept_alive_too(self):
        bench = Bench()
        bench.set_up(20)
        bench.ask("PAUSE")
        bench.reply(200)
        bench.wait(100, accept)
        assert bench.machine.keepalive.sent == 10

    def test_one_that_cannot_be_queued_ends_the_connection(self):
        bench = Bench(limits=Limits(output=1000))
        bench.set_up(20)
        bench.machine.send_frame(bytes(999))
        bench.now += 10
        bench.machine.handle_deadline(bench.now)
        assert isinstance(bench.machine.lost, LimitExceeded)

    def test_a_changed_password_costs_a_bounded_number_of_attempts(self):
        bench = Bench(user="user")
        bench.ask("SETUP")
        bench.reply(401, *www(digest("n0")))
        bench.reply(200, ("Session", "1;timeout=20"), TRANSPORT)
        before = len(bench.requests)
        numbers = iter(range(1, 1000))
        bench.wait(3600, lambda bench, r: bench.reply(401, *www(digest(f"n{next(numbers)}")), to=r))
        assert len(bench.requests) - before <= 3
        assert bench.machine.lost is None


class TestAuthentication:
    def test_a_challenge_is_answered_and_the_user_hears_of_one_exchange(self):
        bench = Bench(user="user")
        exchange = bench.ask("DESCRIBE", URL, headers=(("Accept", "application/sdp"),))
        bench.reply(401, *www(digest()))
        first, second = bench.requests
        assert second.cseq == first.cseq + 1
        assert second.headers.get("Accept") == "application/sdp"
        assert authorized(second, digest())
        bench.reply(200)
        assert bench.answered == [exchange]
        assert exchange.cseq == second.cseq

    def test_wrong_credentials_are_tried_once(self):
        bench = Bench(user="user", password="wrong")
        exchange = bench.ask("DESCRIBE")
        for number in range(3):
            if exchange not in bench.failed:
                bench.reply(401, *www(digest(f"n{number}")))
        assert len(bench.requests) == 2
        assert isinstance(bench.failed[exchange], Unauthorized)
        assert not bench.failed[exchange].retryable

    def test_without_credentials_it_is_unauthorized_at_once(self):
        bench = Bench()
        exchange = bench.ask("DESCRIBE")
        bench.reply(401, *www(digest()))
        assert isinstance(bench.failed[exchange], Unauthorized)
        assert len(bench.requests) == 1

    @pytest.mark.parametrize("value", [None, "", "Digest", "Basic"])
    def test_a_poor_challenge_is_no_error_of_another_kind(self, value):
        bench = Bench(user="user")
        exchange = bench.ask("DESCRIBE")
        headers = [] if value is None else [("WWW-Authenticate", value)]
        for _ in range(3):
            if exchange not in bench.failed:
                bench.reply(401, *headers)
        assert isinstance(bench.failed[exchange], Unauthorized)

    def test_credentials_that_cannot_be_sent_are_our_own_error(self):
        bench = Bench(user="us:er")
        exchange = bench.ask("DESCRIBE")
        bench.reply(401, *www(Challenge("basic", "camera")))
        assert isinstance(bench.failed[exchange], LocalProtocolError)
        assert bench.machine.deadline is None

    def test_two_requests_with_an_old_nonce_are_both_sent_again(self):
        bench = Bench(user="user")
        bench.ask("OPTIONS")
        bench.reply(401, *www(digest("n1")))
        bench.reply(200)
        exchanges = [bench.ask("OPTIONS"), bench.ask("DESCRIBE")]
        first, second = bench.requests[-2:]
        bench.reply(401, *www(digest("n2")), to=first)
        bench.reply(401, *www(digest("n2")), to=second)
        for request in bench.requests[-2:]:
            assert authorized(request, digest("n2"))
            bench.reply(200, to=request)
        assert bench.answered[-2:] == exchanges


class TestServerRequests:
    @pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("ANNOUNCE", 501)])
    def test_they_are_answered_and_told(self, method, status):
        bench = Bench()
        bench.set_up()
        bench.feed(f"{method} * RTSP/1.0\r\nCSeq: 77\r\n\r\n".encode())
        (response,) = bench.responses
        assert (response.status_code, response.cseq) == (status, 77)
        assert bench.noted[-1] == ServerRequested(START, method, status)
        assert bench.machine.counters.server_requests == 1

    def test_a_request_beside_an_open_one_of_ours_is_not_its_answer(self):
        bench = Bench()
        exchange = bench.ask("OPTIONS")
        bench.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert bench.answered == []
        bench.reply(200)
        assert bench.answered == [exchange]

    def test_teardown_is_answered_and_ends_the_connection(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("PAUSE")
        bench.feed(b"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 2 + serialize_frame(0, RTP))
        assert [response.status_code for response in bench.responses] == [200]
        assert isinstance(bench.failed[exchange], ConnectionLost)
        assert str(bench.machine.lost) == "the server tore the session down"
        assert len(bench.frames) == 1


class TestTheEnd:
    def test_the_end_of_the_connection_fails_what_is_open_with_its_phase(self):
        bench = Bench()
        exchange = bench.ask("DESCRIBE")
        bench.machine.receive_eof(bench.now, OSError("reset by peer"))
        bench.collect()
        error = bench.failed[exchange]
        assert isinstance(error, ConnectionLost)
        assert str(error) == "the server closed the connection (reset by peer)"
        assert (error.phase, error.retryable) == ("describe", True)
        assert isinstance(error.__cause__, OSError)

    def test_with_nothing_open_the_phase_is_streaming(self):
        bench = Bench()
        bench.set_up()
        bench.machine.receive_eof(bench.now)
        assert bench.machine.lost.phase == "streaming"

    @pytest.mark.parametrize("half", [b"RTSP/1.0 200 O", b"$\x00\x00\x20half a frame"])
    def test_an_end_in_the_middle_is_a_connection_lost_too(self, half):
        """A camera that reboots: the same call may succeed later."""
        bench = Bench()
        bench.set_up()
        bench.feed(half)
        bench.machine.receive_eof(bench.now)
        lost = bench.machine.lost
        assert isinstance(lost, ConnectionLost)
        assert "in the middle of" in str(lost)
        assert lost.retryable

    def test_an_answer_inside_the_last_frame_is_found_at_the_end(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("PAUSE")
        bench.feed(b"$\x00\x01\x00" + RTP + bench.response(200))
        bench.machine.receive_eof(bench.now)
        bench.collect()
        assert exchange in bench.answered

    def test_so_it_is_when_that_frame_was_asked_for_again(self):
        """It says more than that the connection has ended: the session is unknown."""
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("PAUSE")
        half = b"$\x00\x01\x00" + RTP + bench.response(GONE)
        assert bench.machine.receive_data(memoryview(half), bench.now, again=True) == []
        assert bench.machine.inbox.unread == len(half)
        bench.machine.receive_eof(bench.now)
        bench.collect()
        assert isinstance(bench.failed[exchange], SessionNotFound)
        assert isinstance(bench.machine.lost, ConnectionLost)

    def test_what_is_no_rtsp_ends_the_connection_with_its_first_bytes(self):
        bench = Bench()
        exchange = bench.ask("DESCRIBE")
        bench.feed(b"SSH-2.0-OpenSSH_9.2\r\n")
        error = bench.failed[exchange]
        assert type(error) is RemoteProtocolError
        assert "SSH-2.0" in str(error)
        assert error.phase == "describe"

    def test_after_the_end_nothing_is_sent_taken_or_due(self):
        bench = Bench()
        bench.set_up(20)
        bench.machine.receive_eof(bench.now)
        bench.machine.receive_eof(bench.now, OSError("again"))
        lost = bench.machine.lost
        with pytest.raises(ConnectionLost):
            bench.ask("OPTIONS")
        bench.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        bench.wait(3600)
        assert bench.responses == []
        assert bench.machine.lost is lost
        assert bench.machine.deadline is None

    def test_each_exchange_has_one_fate(self):
        bench = Bench()
        exchange = bench.ask("OPTIONS")
        bench.reply(200)
        bench.reply(200)
        bench.machine.receive_eof(bench.now)
        bench.collect()
        assert bench.answered == [exchange]
        assert bench.failed == {}


class TestFrames:
    def test_they_come_out_in_order_between_messages(self):
        bench = Bench()
        bench.set_up()
        bench.ask("OPTIONS")
        frames = [serialize_frame(channel, RTP) for channel in (0, 1, 0)]
        bench.feed(frames[0] + bench.response(200) + frames[1] + frames[2])
        assert [frame.channel for frame in bench.frames] == [0, 1, 0]
        assert len(bench.answered) == 3

    def test_those_before_the_bad_byte_are_given(self):
        bench = Bench()
        bench.feed(serialize_frame(0, RTP) + b"\x00garbage before any channel is known")
        assert len(bench.frames) == 1
        assert bench.machine.lost is not None

    def test_frames_of_one_channel_come_together_and_lie_in_the_data(self):
        bench = Bench()
        bench.set_up()
        data = memoryview(serialize_frame(0, RTP) * 3 + serialize_frame(1, RTP))
        runs = bench.machine.receive_data(data, 2000.0)
        assert [(run.channel, len(run.datagrams)) for run in runs] == [(0, 3), (1, 1)]
        assert all(view.obj is data.obj for run in runs for view in run.datagrams)
        assert [run.datagrams.latest for run in runs] == [2000.0, 2000.0]

    def test_whole_frames_are_nothing_that_the_owner_has_to_look_into(self):
        bench = Bench()
        bench.set_up()
        bench.machine.inbox.stirred = False
        bench.machine.receive_data(memoryview(serialize_frame(0, RTP) * 3), 1.0)
        assert not bench.machine.inbox.stirred
        bench.machine.receive_data(memoryview(bench.response(200)), 1.0)
        assert bench.machine.inbox.stirred

    def test_half_a_frame_is_kept_or_asked_for_again(self):
        data = serialize_frame(0, RTP) + serialize_frame(0, RTP)[:9]
        bench = Bench()
        bench.set_up()
        bench.feed(data)
        assert bench.machine.inbox.unread == 0
        assert len(bench.machine.receive_data(memoryview(data), 1.0, again=True)) == 1
        bench = Bench()
        bench.set_up()
        assert len(bench.machine.receive_data(memoryview(data), 1.0, again=True)) == 1
        assert bench.machine.inbox.unread == 9
        bench.machine.receive_data(memoryview(serialize_frame(0, RTP)), 1.0, again=True)
        assert bench.machine.inbox.unread == 0

    def test_half_a_message_is_never_asked_for_again(self):
        bench = Bench()
        bench.set_up()
        bench.ask("OPTIONS")
        response = bench.response(200)
        for size in range(1, len(response)):
            bench.machine.receive_data(memoryview(response[size - 1 : size]), 1.0, again=True)
            assert bench.machine.inbox.unread == 0

    def test_ours_wait_their_turn_in_the_outbox(self):
        bench = Bench()
        bench.machine.send_frame(serialize_frame(1, b"report"))
        assert bench.machine.data_to_send() == b"$\x01\x00\x06report"


class Circuit:
    """Gives the rest of what was read again, right before what comes next; as ``net.tcp`` does."""

    def __init__(self, bench, *, again):
        bench.machine.inbox.reader.channels.update(CHANNELS)
        self.bench = bench
        self.again = again
        self.rest = b""

    def feed(self, piece):
        bench, data = self.bench, self.rest + piece
        for run in bench.machine.receive_data(memoryview(data), bench.now, again=self.again):
            bench.frames += [InterleavedFrame(run.channel, view) for view in run.datagrams]
        self.rest = data[len(data) - bench.machine.inbox.unread :]
        assert len(self.rest) < 65_540
        assert self.again or not self.rest
        bench.collect()

    def outcome(self):
        """The frames, the messages, the garbage, the error: all that the connection gave."""
        machine = self.bench.machine
        return (
            [(frame.channel, bytes(frame.payload)) for frame in self.bench.frames],
            [response.cseq for response in self.bench.responses],
            self.bench.noted,
            vars_of(machine.counters),
            repr(machine.lost),
        )


def vars_of(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def carried(data, sizes, *, again):
    circuit = Circuit(Bench(), again=again)
    for piece in pieces_of(data, sizes):
        circuit.feed(piece)
    return circuit


def by_the_reader(data, sizes):
    """The frames and the error of ``MessageReader`` alone."""
    reader, frames, error = MessageReader(channels=CHANNELS), [], None
    try:
        for piece in pieces_of(data, sizes):
            reader.receive_data(piece)
            while (event := reader.next_event()) is not None:
                if isinstance(event, InterleavedFrame):
                    frames.append((event.channel, bytes(event.payload)))
    except RemoteProtocolError as failure:
        error = failure
    return frames, repr(error)


@given(control_traffic.ANY, control_traffic.SIZES)
def test_the_machine_gives_the_frames_and_the_errors_of_the_reader(data, sizes):
    frames, *_, error = carried(data, sizes, again=False).outcome()
    assert (frames, error) == by_the_reader(data, sizes)


@given(control_traffic.SOUND, control_traffic.SIZES)
def test_a_rest_that_is_given_again_changes_nothing(data, sizes):
    again = carried(data, sizes, again=True)
    assert again.outcome() == carried(data, sizes, again=False).outcome()
    assert again.outcome() == carried(data, [], again=True).outcome()


@given(control_traffic.ANY, control_traffic.SIZES)
def test_garbage_with_a_rest_that_is_given_again_raises_nothing_and_ends(data, sizes):
    """What is damaged is read in another way when it is cut in another way; never without end."""
    circuit = carried(data, sizes, again=True)
    frames, *_, error = circuit.outcome()
    assert sum(4 + len(payload) for _, payload in frames) <= len(data)
    assert error == "None" or "RemoteProtocolError" in error or "LimitExceeded" in error
    circuit.feed(serialize_frame(0, bytes(65_535)) * 2 + b"RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n")
    assert circuit.rest == b"" or circuit.bench.machine.lost is None


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 9;timeout=1\r\n\r\n",
                b"RTSP/1.0 200 OK\r\nPublic: GET_PARAMETER\r\n\r\n",
                b"RTSP/1.0 401 No\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm=a,nonce=b\r\n\r\n",
                b"RTSP/1.0 454 Gone\r\nCSeq: 3\r\n\r\n",
                b"RTSP/1.0 100 Wait\r\nCSeq: 3\r\n\r\n",
                b"OPTIONS * RTSP/1.0\r\nCSeq: 5\r\n\r\n",
                b"TEARDOWN * RTSP/1.0\r\n\r\n",
                serialize_frame(0, RTP),
                b"$\x00",
            ]
        ),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(PIECES, st.lists(st.floats(0, 40), max_size=6))
def test_whatever_comes_nothing_is_raised_and_every_request_has_one_fate(pieces, waits):
    """Only ``lost`` tells of it; the input is unchanged; after an hour nothing is open."""
    bench = Bench(user="user")
    bench.machine.inbox.reader.channels.update((0, 1))
    exchanges = [bench.ask(method) for method in ("OPTIONS", "DESCRIBE", "SETUP")]
    for number, piece in enumerate(pieces):
        copy = bytes(piece)
        bench.feed(piece)
        assert piece == copy
        bench.wait(waits[number] if number < len(waits) else 0.5)
    bench.wait(3600)
    fates = [event for event in bench.told if isinstance(event, Answered | Failed)]
    assert sorted(map(id, (fate.exchange for fate in fates))) == sorted(map(id, exchanges))
    assert all(isinstance(fate.error, RtspError) for fate in fates if isinstance(fate, Failed))
    for event in bench.told:
        assert isinstance(event, Answered | Failed | Noted | SessionGone)
        assert "secret" not in repr(event)


def test_the_password_is_in_no_repr_of_the_machine():
    bench = Bench(url="rtsp://user:hunter2@camera.example/live", user="user", password="hunter2")
    bench.ask("DESCRIBE", TRACK)
    bench.reply(401, *www(digest("nonce-secret")))
    bench.reply(401, *www(digest("nonce-secret")))
    shown = repr(vars(bench.machine)) + repr(bench.told) + repr(bench.requests)
    assert "hunter2" not in shown
    assert "nonce-secret" not in shown


class TestAnotherSessionOnTheSameConnection:
    def torn_down(self, **more):
        bench = Bench(**more)
        bench.set_up()
        bench.ask("OPTIONS")
        bench.reply(200, ("Public", "OPTIONS, GET_PARAMETER"), ("Server", "camera"))
        bench.ask("TEARDOWN")
        bench.reply(200)
        return bench

    def test_goes_on_counting_and_knows_the_server(self):
        before, after = self.torn_down(), Bench()
        assert before.machine.settled
        after.machine.inherit(before.machine)
        after.ask("DESCRIBE", URL)
        assert after.requests[0].cseq == before.requests[-1].cseq + 1
        assert after.machine.server == "camera"
        assert after.machine.methods == {"OPTIONS", "GET_PARAMETER"}
        assert after.machine.keepalive.method == "GET_PARAMETER"
        assert after.machine.session_id is None

    def test_goes_on_with_the_nonce(self):
        before, after = Bench(user="user"), Bench(user="user")
        before.ask("DESCRIBE", URL)
        before.reply(401, *www(digest()))
        before.reply(200)
        after.machine.inherit(before.machine)
        after.ask("DESCRIBE", URL)
        assert authorized(after.requests[0], digest())

    def test_is_not_possible_while_there_is_one(self):
        bench = Bench()
        assert bench.machine.settled
        bench.set_up()
        assert not bench.machine.settled

    def test_is_not_possible_while_an_answer_may_come(self):
        bench = self.torn_down()
        exchange = bench.ask("OPTIONS")
        assert not bench.machine.settled
        bench.machine.give_up(exchange)
        assert not bench.machine.settled

    @pytest.mark.parametrize("begun", [b"RTSP/1.0 20", b"$\x00\x00\x10abc", b"$", b"R"])
    def test_is_not_possible_in_the_middle_of_something(self, begun):
        bench = self.torn_down()
        bench.feed(begun)
        assert not bench.machine.settled

    def test_is_not_possible_with_something_left_to_be_given_again(self):
        bench = self.torn_down()
        bench.machine.receive_data(memoryview(b"$\x00\x00\x10abc"), bench.now, again=True)
        assert not bench.machine.settled

    def test_is_not_possible_when_the_connection_has_ended(self):
        bench = self.torn_down()
        bench.machine.receive_eof(bench.now)
        assert not bench.machine.settled

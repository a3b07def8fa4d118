"""SECURITY.md, as far as the engine of the control connection goes: C4, C6, C7, C9, S2, S4 to S6,
S8. Each test names its rule."""

import base64
import pickle

import pytest
from rtspkit_bench import TRACK, TRANSPORT, URL, Bench
from rtspkit_dialogue import DESCRIBED, SDP, Served, echo, response, transport

from rtspkit.engine.exchange import PROVISIONAL_RESPONSES
from rtspkit.engine.handshake import describe, set_up
from rtspkit.engine.playback import Playback
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    LimitExceeded,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    ResponseError,
    Unauthorized,
)
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.credentials import Challenge, format_challenge
from rtspkit.wire.datagrams import lone_datagrams
from rtspkit.wire.frame_run import FrameRun
from rtspkit.wire.message import serialize_frame

RTP = b"\x80\x60" + bytes(30)
FRAME = serialize_frame(0, RTP)
OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
BASIC = ("WWW-Authenticate", 'Basic realm="camera"')
SECRET = "hunter2-x"


def digest(nonce="n1", *, algorithm="MD5", stale=False):
    challenge = Challenge("digest", "camera", nonce, algorithm, qop=("auth",), stale=stale)
    return "WWW-Authenticate", format_challenge(challenge)


# -- C4: frames and replies


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_c4_a_reply_finds_its_request_whatever_frames_surround_it(step):
    bench = Bench()
    bench.set_up()
    before = len(bench.answered)
    exchanges = [bench.ask("GET_PARAMETER") for _ in range(5)]
    data = b"".join(FRAME * 3 + bench.response(to=r) + FRAME for r in bench.requests[-5:])
    for start in range(0, len(data), step):
        bench.feed(data[start : start + step])
    assert bench.answered[before:] == exchanges
    assert len(bench.frames) == 20


def test_c4_frames_on_unknown_channels_are_dropped_and_counted():
    playback = Playback(
        limits=Limits(),
        timeouts=Timeouts(),
        reorder=0.1,
        cname=b"x",
        new_ssrc=lambda: 1,
        random=lambda: 0.5,
    )
    frames = [FrameRun(channel, lone_datagrams([memoryview(RTP)], 1.0)) for channel in range(256)]
    assert playback.receive_frames(frames * 100) == []
    assert playback.unknown_channel == 25_600
    assert len(playback._events) == 1


# -- C6: what we can be made to do and to hold


def test_c6_requests_of_the_server_are_answered_twenty_times_a_second_at_most():
    bench = Bench()
    for _ in range(10):
        bench.feed(OPTIONS * 1000)
        bench.wait(0.1)
    assert len(bench.responses) == 20
    assert bench.machine.counters.server_requests == 10_000
    assert bench.quirks.count("server-request-flood") == 1
    assert bench.machine.lost is None
    bench.feed(OPTIONS)
    assert len(bench.responses) == 21


def test_c6_our_output_is_bounded_when_the_peer_takes_nothing():
    bench = Bench(limits=Limits(output=4000, server_requests=1_000_000))
    bench.machine.receive_data(memoryview(OPTIONS * 10_000), bench.now)
    assert isinstance(bench.machine.lost, LimitExceeded)
    assert bench.machine.lost.limit == "output"
    assert len(bench.machine.data_to_send()) <= 4000


def test_c6_reports_and_requests_have_the_same_bound():
    bench = Bench(limits=Limits(output=1000))
    for _ in range(31):
        bench.machine.send_frame(serialize_frame(1, bytes(28)))
    with pytest.raises(LimitExceeded):
        bench.machine.send_frame(serialize_frame(1, bytes(28)))
    with pytest.raises(LimitExceeded):
        bench.machine.request("OPTIONS", "*", body=bytes(1000), now=bench.now)
    assert bench.machine.deadline is None
    assert len(bench.machine.data_to_send()) <= 1000


def test_c6_invented_deviations_are_given_no_memory():
    bench = Bench()
    for number in range(10_000):
        bench.machine.note(f"kind-{number}", bench.now)
    assert len(bench.machine.quirks.counts) <= 256


# -- C7: CSeq


@pytest.mark.parametrize("cseq", [2, 3, 99, 4_294_967_295, 0, "x", None])
def test_c7_with_nothing_open_every_reply_is_counted_and_dropped(cseq):
    bench = Bench()
    bench.feed(_reply(cseq))
    assert bench.answered == []
    assert bench.machine.counters.unmatched == 1


def _reply(cseq, status=200):
    line = b"" if cseq is None else f"CSeq: {cseq}\r\n".encode()
    return f"RTSP/1.0 {status} OK\r\n".encode() + line + b"\r\n"


def test_c7_a_reply_to_a_request_that_is_not_sent_yet_answers_nothing():
    bench = Bench()
    first = bench.ask("OPTIONS")
    bench.feed(_reply(2))
    assert bench.answered == []
    bench.feed(_reply(1))
    second = bench.ask("DESCRIBE")
    assert bench.answered == [first]
    bench.feed(_reply(2, 404))
    assert isinstance(bench.failed[second], NotFound)


def test_c7_a_duplicate_reply_answers_nothing_and_completes_nothing_twice():
    bench = Bench()
    first = bench.ask("SETUP")
    answer = bench.response(200, ("Session", "1"), TRANSPORT)
    bench.feed(answer * 3)
    second = bench.ask("PLAY")
    bench.feed(answer * 3)
    assert bench.answered == [first]
    bench.reply(200)
    assert bench.answered == [first, second]
    assert bench.machine.counters.unmatched == 5


def test_c7_a_reply_after_its_deadline_is_counted_and_dropped():
    bench = Bench(timeouts=Timeouts(response=1.0))
    exchange = bench.ask("DESCRIBE")
    bench.wait(1.0)
    bench.reply(200)
    assert bench.answered == []
    assert isinstance(bench.failed[exchange], DeadlineExceeded)
    assert bench.machine.counters.unmatched == 1


def test_c7_with_several_open_a_reply_without_a_number_is_nobodys():
    bench = Bench()
    bench.ask("OPTIONS")
    bench.ask("DESCRIBE")
    bench.feed(_reply(None) + _reply(77))
    assert bench.answered == []
    assert bench.machine.counters.unmatched == 2


# -- C9: without end


@pytest.mark.parametrize("stale", [True, False])
@pytest.mark.parametrize("renewed", [True, False])
def test_c9_endless_401_ends_by_count(stale, renewed):
    bench = Bench(user="user", password=SECRET)
    exchange = bench.ask("DESCRIBE")
    for number in range(50):
        if exchange not in bench.failed:
            bench.reply(401, digest(f"n{number * renewed}", stale=stale))
    assert isinstance(bench.failed[exchange], Unauthorized)
    sent = [r for r in bench.requests if "Authorization" in r.headers]
    assert len(sent) == (2 if stale else 1)


def test_c9_endless_401_ends_by_its_deadline():
    bench = Bench(
        user="user",
        timeouts=Timeouts(response=5.0),
        limits=Limits(authentication_attempts=1_000_000),
    )
    exchange = bench.ask("DESCRIBE")
    bench.wait(3600, lambda bench, r: None)
    assert isinstance(bench.failed[exchange], DeadlineExceeded)
    start = bench.now
    exchange = bench.ask("DESCRIBE")
    while exchange not in bench.failed:
        bench.reply(401, digest(stale=True))
        bench.wait(0.5)
    assert bench.now - start <= 5.5


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305])
def test_c9_a_redirect_is_an_error_at_once(status):
    bench = Bench()
    exchange = bench.ask("DESCRIBE")
    bench.reply(status, ("Location", "rtsp://169.254.169.254/latest"))
    assert type(bench.failed[exchange]) is ResponseError
    assert len(bench.requests) == 1


def test_c9_endless_1xx_ends_by_its_deadline():
    bench = Bench(timeouts=Timeouts(response=5.0))
    exchange = bench.ask("DESCRIBE")
    for _ in range(12):
        bench.reply(100)
        bench.wait(0.5)
    assert isinstance(bench.failed[exchange], DeadlineExceeded)


@pytest.mark.parametrize("cseq", [1, None, 9])
def test_c9_endless_1xx_ends_by_count(cseq):
    bench = Bench()
    exchange = bench.ask("DESCRIBE")
    bench.feed(_reply(cseq, 100) * PROVISIONAL_RESPONSES)
    assert bench.machine.lost is None
    bench.feed(_reply(cseq, 100))
    assert type(bench.failed[exchange]) is RemoteProtocolError


def test_c9_a_provisional_reply_is_no_answer():
    bench = Bench()
    exchange = bench.ask("DESCRIBE")
    bench.reply(100)
    assert bench.told == []
    bench.reply(200)
    assert bench.answered == [exchange]


# -- S2: what belongs to this connection


def test_s2_nonce_and_session_belong_to_their_connection():
    first = Bench(user="user", password=SECRET)
    first.ask("SETUP")
    first.reply(401, digest("nonce-of-the-first"))
    first.reply(200, ("Session", "session-of-the-first"), TRANSPORT)
    second = Bench(user="user", password=SECRET)
    second.ask("SETUP")
    assert "Authorization" not in second.requests[0].headers
    assert "Session" not in second.requests[0].headers


def test_s2_a_session_that_is_over_is_not_sent_again():
    bench = Bench()
    bench.set_up(session="old")
    bench.ask("TEARDOWN")
    bench.reply(200)
    bench.ask("SETUP")
    assert "Session" not in bench.requests[-1].headers


# -- S4: URLs of the server are text


EVIL = f"rtsp://evil:{SECRET}@169.254.169.254:1/x/"


def test_s4_urls_of_the_server_are_request_text_without_user_info():
    sdp = SDP.replace(b"a=control:track1", f"a=control:{EVIL}track1".encode())
    described = response(DESCRIBED[0], ("Content-Base", EVIL), body=sdp)
    served = Served(lambda note: set_up(URL, ("tcp",), None, note, Limits()), describe=[described])
    assert served.asked == [
        ("DESCRIBE", URL),
        ("SETUP", "rtsp://169.254.169.254:1/x/track1"),
        ("SETUP", "rtsp://169.254.169.254:1/x/track2"),
    ]
    assert SECRET not in repr(served.steps)
    assert SECRET not in repr(served.result)


def test_s4_every_control_url_can_be_sent_or_is_our_error():
    """Whatever the SDP says: no second line, no blank in the request line."""
    for control in (b"a b", b"a\tb", b"\xff\xfe", b"*/*", b"rtsp://", b"x" * 5000, b"?", b"//x"):
        sdp = SDP.replace(b"a=control:track1", b"a=control:" + control)
        served = Served(
            lambda note: describe(URL, note, Limits()),
            describe=[response(*DESCRIBED, body=sdp)],
        )
        bench = Bench()
        try:
            bench.ask("SETUP", served.result.streams[0].control_url)
        except LocalProtocolError:
            continue
        assert bench.methods == ["SETUP"]


# -- S5: source and destination


@pytest.mark.parametrize("name", ["source", "destination"])
def test_s5_an_address_in_the_transport_is_not_where_anything_is_sent(name):
    answer = transport(f"RTP/AVP;unicast;{name}=203.0.113.9;server_port=6000-6001")
    served = Served(lambda note: set_up(URL, ("udp",), 0, note, Limits()), setup=[answer])
    assert served.error is None
    agreed = served.steps[-1]
    assert "203.0.113.9" not in repr((agreed.kind, agreed.channels, agreed.server_port))


# -- S6: the strongest first


@pytest.mark.parametrize("order", [1, -1])
def test_s6_the_strongest_authentication_goes_first(order):
    bench = Bench(user="user", password=SECRET)
    bench.ask("DESCRIBE")
    bench.reply(401, *[BASIC, digest("a"), digest("b", algorithm="SHA-256")][::order])
    assert "algorithm=SHA-256" in bench.requests[-1].headers.get("Authorization")


def test_s6_basic_is_sent_when_nothing_else_is_offered():
    bench = Bench(user="user", password=SECRET)
    bench.ask("DESCRIBE")
    bench.reply(401, BASIC)
    assert bench.requests[-1].headers.get("Authorization").startswith("Basic ")


@pytest.mark.parametrize("worked", [True, False])
def test_s6_basic_is_never_sent_after_digest(worked):
    bench = Bench(user="user", password=SECRET)
    bench.ask("DESCRIBE")
    bench.reply(401, digest())
    if worked:
        bench.reply(200)
    else:
        bench.reply(401, BASIC)
    for _ in range(3):
        bench.ask("OPTIONS")
        bench.reply(401, BASIC)
    assert not any(
        (request.headers.get("Authorization") or "").startswith("Basic")
        for request in bench.requests
    )
    assert "challenge-weaker" in bench.quirks or worked


# -- S8: secrets are nowhere


def test_s8_no_secret_in_events_errors_exchanges_and_their_pickles():
    url = f"rtsp://user:{SECRET}@camera.example/live"
    bench = Bench(url=url, user="user", password=SECRET)
    bench.ask("SETUP", TRACK)
    bench.reply(401, BASIC)
    bench.reply(200, ("Session", "1;timeout=20"), TRANSPORT)
    bench.machine.note("content-base-user-info", bench.now, url)
    bench.ask("PLAY")
    bench.reply(500)
    bench.feed(OPTIONS)
    bench.wait(3600)
    bench.machine.receive_eof(bench.now, OSError("reset"))
    bench.collect()
    token = base64.b64encode(f"user:{SECRET}".encode()).decode()
    shown = repr(bench.told) + repr(bench.requests) + "".join(map(str, bench.errors))
    shown += repr([pickle.dumps(error) for error in bench.errors])
    shown += repr(bench.machine.url) + str(bench.machine.url) + repr(vars(bench.machine))
    assert isinstance(bench.machine.lost, ConnectionLost)
    for secret in (SECRET, token):
        assert secret not in shown


def test_s8_an_answer_shows_no_body():
    """A description may hold keys: ``a=crypto``."""
    bench = Bench()
    bench.ask("DESCRIBE")
    bench.reply(200, body=b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + SECRET.encode())
    assert SECRET not in repr(bench.told)


def test_the_bench_serves_what_it_says():
    """The dialogue's default server has no fault: the tests above differ from it in one point."""
    served = Served(lambda note: set_up(URL, ("udp",), None, note, Limits()), setup=[echo])
    assert (served.error, served.notes) == (None, [])

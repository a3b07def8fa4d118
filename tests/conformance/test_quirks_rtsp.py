"""QUIRKS.md, "RTSP text": what devices do to a session and its handshake, each line by name.

The reader's part of the section (spelling, folding, line ends, garbage, the grammar of single
headers) is in ``test_rtsp.py``, ``test_headers.py`` and the tests of ``wire``.
"""

import pytest
from rtspkit_bench import TRACK, TRANSPORT, URL, Bench, accept
from rtspkit_dialogue import DESCRIBED, SDP, Served, response, transport

from rtspkit.engine.events import ServerRequested
from rtspkit.engine.exchange import SessionGone
from rtspkit.engine.handshake import Agreed, Presentation, describe, play, set_up
from rtspkit.engine.state import State
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    OptionNotSupported,
    ServiceUnavailable,
    TooManySessions,
    UnsupportedTransport,
)
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.credentials import Challenge, Credentials, format_challenge, verify_authorization
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.stream import Stream

RTP = b"\x80\x60" + bytes(30)
USER = Credentials("user", "secret")
EVERY = ("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN")


def digest(nonce, *, stale=False, algorithm="MD5"):
    return Challenge("digest", "camera", nonce, algorithm, qop=("auth",), stale=stale)


def setting_up(*kinds, wish=0, **answers):
    return Served(lambda note: set_up(URL, kinds, wish, note, Limits()), **answers)


def agreed(served):
    return next(step for step in served.steps if isinstance(step, Agreed))


def playing(timeout=60, *public):
    """A session whose server has advertised these methods."""
    bench = Bench()
    bench.set_up(timeout, play=False)
    bench.ask("PLAY", URL)
    bench.reply(200, *public)
    return bench


class TestSession:
    @pytest.mark.parametrize(
        ("value", "identifier", "seconds"),
        [
            ("12345678;timeout=20", "12345678", 20),
            (" 12345678 ; timeout = 20 ", "12345678", 20),
            ("12345678;TimeOut=20;other=1", "12345678", 20),
            ("12345678;other=1;timeout=20", "12345678", 20),
            ("12345678;timeout=1", "12345678", 1),
            ("12345678;timeout=0", "12345678", 60),
            ("12345678", "12345678", 60),
            ("12345678;", "12345678", 60),
            ("12345678;timeout=", "12345678", 60),
            ("12345678;timeout=soon", "12345678", 60),
            ("{1234-56}/$.x;timeout=20", "{1234-56}/$.x", 20),
        ],
    )
    def test_odd_spaces_other_parameters_and_any_timeout(self, value, identifier, seconds):
        bench = Bench()
        bench.ask("SETUP")
        bench.feed(
            f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession:{value}\r\n\r\n".encode(),
        )
        assert bench.machine.session_id == identifier
        assert bench.machine.keepalive.timeout == seconds

    def test_the_id_changes_between_setups(self):
        bench = Bench()
        for number in range(2):
            bench.ask("SETUP")
            bench.reply(200, ("Session", f"id{number}"), TRANSPORT)
        bench.ask("PLAY", URL)
        assert bench.requests[-1].headers.get("Session") == "id1"
        assert bench.quirks == ["session-id-changed"]

    def test_the_id_changes_in_every_response(self):
        bench = Bench()
        bench.set_up(20, session="0")
        numbers = iter(range(1, 10_000))
        bench.wait(
            3600, lambda bench, r: bench.reply(200, ("Session", f"{next(numbers)};timeout=20"))
        )
        ids = [request.headers.get("Session") for request in bench.requests[2:]]
        assert ids == [str(number) for number in range(len(ids))]
        assert len(ids) == 360
        assert bench.quirks.count("session-id-changed") == 1

    def test_setup_without_a_session_header(self):
        bench = Bench()
        bench.ask("SETUP")
        bench.reply(200, TRANSPORT)
        bench.ask("PLAY", URL)
        bench.reply(200)
        assert bench.machine.state is State.PLAYING
        assert "session-missing" in bench.quirks


class TestCSeq:
    @pytest.mark.parametrize("behind", range(7))
    def test_behind_by_up_to_six(self, behind):
        bench = Bench()
        answered = []
        for number in range(1, 20):
            answered.append(bench.ask("GET_PARAMETER"))
            bench.reply(200, cseq=max(number - behind, 0), body=b"%d" % number)
        assert bench.answered == answered
        assert ("cseq-off" in bench.quirks) is (behind > 0)

    def test_missing(self):
        bench = Bench()
        for method in ("DESCRIBE", "SETUP", "PLAY"):
            bench.ask(method)
            bench.reply(200, ("Session", "1"), cseq=None)
        assert len(bench.answered) == 3
        assert bench.machine.state is State.PLAYING
        assert "cseq-missing" in bench.quirks

    @pytest.mark.parametrize("line", [b"Cseq: 1", b"cseq:1", b"CSEQ :  1  "])
    def test_spelled_otherwise_and_with_spaces(self, line):
        bench = Bench()
        exchange = bench.ask("OPTIONS")
        bench.feed(b"RTSP/1.0 200 OK\r\n" + line + b"\r\nPublic: PLAY\r\n\r\n")
        assert bench.answered == [exchange]
        assert "cseq-off" not in bench.quirks

    def test_a_request_answered_401_is_not_counted(self):
        bench = Bench(user="user")
        exchange = bench.ask("DESCRIBE")
        bench.reply(401, ("WWW-Authenticate", format_challenge(digest("n"))))
        bench.reply(200, cseq=1)
        assert bench.answered == [exchange]


class TestStatusLine:
    @pytest.mark.parametrize("line", [b"RTSP/1.0 200\r\n", b"RTSP/1.0 200 \r\n"])
    def test_empty_or_missing_reason_phrase(self, line):
        bench = Bench()
        exchange = bench.ask("OPTIONS")
        bench.feed(line + b"CSeq: 1\r\nPublic: PLAY\r\n\r\n")
        assert bench.answered == [exchange]


class TestAuthentication:
    def challenged(self, *lines):
        bench = Bench(user="user")
        bench.ask("DESCRIBE", URL)
        headers = b"".join(b"WWW-Authenticate: " + line.encode() + b"\r\n" for line in lines)
        bench.feed(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n" + headers + b"\r\n")
        return bench

    @pytest.mark.parametrize(
        "lines",
        [
            ('Basic realm="camera"', 'Digest realm="camera", nonce="n"'),
            ('Digest realm="camera", nonce="n"', 'Basic realm="camera"'),
            ('Basic realm="camera", Digest realm="camera", nonce="n"',),
            ('Digest nonce="n" , realm="camera", Basic realm="camera"  ',),
            ("Digest realm=camera, nonce=n",),
            ('Digest stale=FALSE,nonce="n",realm="camera",',),
            ('Digest realm="camera",nonce="n",algorithm="MD5"',),
            ('Digest realm="camera", nonce="x", algorithm=NEW', 'Digest realm="camera", nonce="n"'),
        ],
    )
    def test_digest_is_found_beside_basic_in_any_order_and_shape(self, lines):
        bench = self.challenged(*lines)
        value = bench.requests[-1].headers.get("Authorization")
        challenge = Challenge("digest", "camera", "n")
        assert verify_authorization(value, challenge, USER, "DESCRIBE", uri=URL)

    def test_sha_256_only(self):
        bench = self.challenged('Digest realm="camera", nonce="n", algorithm=SHA-256')
        value = bench.requests[-1].headers.get("Authorization")
        challenge = Challenge("digest", "camera", "n", "SHA-256")
        assert verify_authorization(value, challenge, USER, "DESCRIBE", uri=URL)

    @pytest.mark.parametrize("announced", [True, False])
    @pytest.mark.parametrize("good_for", [1, 2, 5])
    def test_the_nonce_is_renewed_every_few_requests(self, good_for, announced):
        bench = Bench(user="user")
        count = 0

        def server(bench, request):
            nonlocal count
            current = digest(f"n{count // good_for}", stale=announced and count > 0)
            value = request.headers.get("Authorization")
            if value and verify_authorization(value, current, USER, request.method):
                count += 1
                bench.reply(200, ("Session", "1;timeout=20"), TRANSPORT, to=request)
            else:
                bench.reply(401, ("WWW-Authenticate", format_challenge(current)), to=request)

        bench.ask("SETUP")
        server(bench, bench.requests[-1])
        server(bench, bench.requests[-1])
        bench.wait(3600, server)
        assert bench.machine.keepalive.sent == count - 1 == 360
        assert bench.errors == []
        assert bench.changes == []

    def test_the_nonce_is_renewed_after_150_seconds(self):
        bench = Bench(user="user")
        start = bench.now

        def server(bench, request):
            current = digest(f"n{int(bench.now - start) // 150}")
            value = request.headers.get("Authorization")
            if value and verify_authorization(value, current, USER, request.method):
                bench.reply(200, ("Session", "1"), TRANSPORT, to=request)
            else:
                bench.reply(401, ("WWW-Authenticate", format_challenge(current)), to=request)

        bench.ask("SETUP")
        server(bench, bench.requests[-1])
        server(bench, bench.requests[-1])
        bench.wait(3600, server)
        assert bench.machine.keepalive.refused == 0
        exchange = bench.ask("TEARDOWN")
        for _ in range(2):
            if exchange not in bench.answered:
                server(bench, bench.requests[-1])
        assert exchange in bench.answered

    def test_the_keepalive_has_its_authorization(self):
        """Media stops on devices that get one without."""
        bench = Bench(user="user")
        bench.ask("SETUP")
        bench.reply(401, ("WWW-Authenticate", format_challenge(digest("n"))))
        bench.reply(200, ("Session", "1"), TRANSPORT)
        bench.wait(60, accept)
        assert all("Authorization" in request.headers for request in bench.requests[1:])


class TestDescribe:
    def described(self, *headers, body=SDP):
        return Served(
            lambda note: describe(URL, note, Limits()), describe=[response(*headers, body=body)]
        )

    @pytest.mark.parametrize("value", [None, "application/sdp;charset=utf-8", "text/html", ""])
    def test_content_type_missing_or_with_a_charset_or_another(self, value):
        headers = () if value is None else (("Content-Type", value),)
        assert len(self.described(*headers).result.streams) == 2

    @pytest.mark.parametrize(
        ("base", "setup"),
        [
            ("rtsp://camera.example/live/", "rtsp://camera.example/live/track1"),
            ("rtsp://camera.example/live", "rtsp://camera.example/live/track1"),
            ("rtsp://10.0.0.1:8554/live/", "rtsp://10.0.0.1:8554/live/track1"),
            ("camera.example/live/", "rtsp://camera.example/live/track1"),
            ("/live/", "rtsp://camera.example/live/track1"),
            ("", "rtsp://camera.example/live/track1"),
        ],
    )
    def test_content_base_of_any_kind(self, base, setup):
        served = self.described(DESCRIBED[0], ("Content-Base", base))
        assert served.result.streams[0].control_url == setup

    def test_content_location_when_there_is_no_base(self):
        served = self.described(DESCRIBED[0], ("Content-Location", "rtsp://camera.example/other"))
        assert served.result.streams[0].control_url == "rtsp://camera.example/other/track1"

    @pytest.mark.parametrize(
        ("control", "setup"),
        [
            ("track1", URL + "/track1"),
            ("*", URL + "/"),
            ("", URL + "/"),
            ("rtsp://10.0.0.1/x", "rtsp://10.0.0.1/x"),
            ("rtsp://user:pw@10.0.0.1/x", "rtsp://10.0.0.1/x"),
        ],
    )
    def test_control_absolute_relative_star_empty_or_on_a_private_address(self, control, setup):
        body = SDP.replace(b"a=control:track1", b"a=control:" + control.encode())
        assert self.described(*DESCRIBED, body=body).result.streams[0].control_url == setup


class TestTransport:
    def test_no_interleaved(self):
        served = setting_up("tcp", setup=[transport("RTP/AVP/TCP;unicast")])
        assert agreed(served).channels == (0, 1)
        assert "interleaved-missing" in served.quirks

    def test_other_channel_numbers(self):
        served = setting_up("tcp", setup=[transport("RTP/AVP/TCP;unicast;interleaved=6-7")])
        assert agreed(served).channels == (6, 7)
        assert "interleaved-changed" in served.quirks

    def test_one_channel_for_two_streams_is_an_error(self):
        answer = transport("RTP/AVP/TCP;unicast;interleaved=0-1")
        served = setting_up("tcp", wish=None, setup=[answer])
        assert str(served.error) == "the server gave one channel to two streams"

    def test_no_channels_for_two_streams_are_those_asked_for(self):
        served = setting_up("tcp", wish=None, setup=[transport("RTP/AVP/TCP")])
        channels = [step.channels for step in served.steps if isinstance(step, Agreed)]
        assert channels == [(0, 1), (2, 3)]

    @pytest.mark.parametrize(
        ("ssrc", "hint"),
        [("2A", 42), (" 0000002A ", 42), ("00000000", None), ("words", None)],
    )
    def test_ssrc_short_with_spaces_or_zero(self, ssrc, hint):
        answer = transport(f"RTP/AVP/TCP;ssrc={ssrc};unicast;interleaved=0-1")
        served = setting_up("tcp", setup=[answer])
        assert served.result.chosen[0].ssrc == hint
        assert agreed(served).channels == (0, 1)

    def test_host_name_in_source(self):
        answer = transport("RTP/AVP;unicast;source=camera.local;server_port=6000-6001")
        assert agreed(setting_up("udp", setup=[answer])).server_port == (6000, 6001)

    def test_port_for_client_port(self):
        answer = transport("RTP/AVP/UDP;unicast;port=50000-50001;server_port=6000-6001")
        served = setting_up("udp", setup=[answer])
        assert agreed(served).server_port == (6000, 6001)

    @pytest.mark.parametrize("ports", ["", ";server_port=0", ";server_port=0-0"])
    def test_server_port_absent_or_zero(self, ports):
        served = setting_up("udp", setup=[transport("RTP/AVP;unicast" + ports)])
        assert agreed(served).server_port is None
        assert "server-port-missing" in served.quirks

    @pytest.mark.parametrize(("kind", "channels"), [("tcp", (0, 1)), ("udp", None)])
    def test_no_transport_header_at_all(self, kind, channels):
        served = setting_up(kind, setup=[transport(None)])
        assert (agreed(served).kind, agreed(served).channels) == (kind, channels)
        assert "transport-missing" in served.quirks

    def test_a_udp_answer_to_a_tcp_request_is_refused(self):
        served = setting_up("tcp", setup=[transport("RTP/AVP;unicast;server_port=6000-6001")])
        assert isinstance(served.error, UnsupportedTransport)

    def test_a_tcp_answer_to_a_udp_request_is_taken_when_tcp_may_follow(self):
        answer = transport("RTP/AVP/TCP;unicast;interleaved=0-1")
        served = setting_up("udp", "tcp", setup=[answer])
        assert agreed(served).channels == (0, 1)
        assert served.result.kind == "tcp"
        assert "transport-switched" in served.quirks

    def test_a_fresh_describe_goes_before_the_next_transport(self):
        """Device: Hikvision - SETUP over TCP after 461 fails without one."""
        ok = transport("RTP/AVP/TCP;unicast;interleaved=0-1")
        served = setting_up("udp", "tcp", setup=[461, ok])
        methods = [method for method, _ in served.asked]
        assert methods == ["DESCRIBE", "SETUP", "DESCRIBE", "SETUP"]

    @pytest.mark.parametrize(
        ("status", "error"),
        [(453, TooManySessions), (551, OptionNotSupported), (503, ServiceUnavailable)],
    )
    def test_453_551_503_are_told_apart(self, status, error):
        assert type(setting_up("udp", "tcp", setup=[status]).error) is error


class TestPlay:
    def play(self, *headers):
        streams = (
            Stream(0, "video", "H264", 96, 90_000, control_url=URL + "/track1"),
            Stream(1, "audio", "PCMU", 0, 8000, control_url=URL + "/track2"),
        )
        presentation = Presentation(None, streams, URL, URL, chosen=streams)
        return Served(lambda note: play(presentation, note), play=[response(*headers)])

    def test_rtp_info_missing(self):
        served = self.play()
        assert (served.error, served.result.rtp_info) == (None, {})
        assert "rtp-info-missing" in served.quirks

    @pytest.mark.parametrize(
        "value",
        [
            "url=track1;seq=5;rtptime=7,url=track2;seq=6;rtptime=8",
            "url=rtsp://10.0.0.1/else/track1;seq=5;rtptime=7,url=/track2;seq=6;rtptime=8;",
            f"url={URL}/track2;seq=6;rtptime=8, url={URL}/track1;seq=5;rtptime=7",
        ],
    )
    def test_rtp_info_relative_with_other_urls_or_a_trailing_semicolon(self, value):
        found = self.play(("RTP-Info", value)).result.rtp_info
        assert {i: (e.sequence_number, e.rtptime) for i, e in found.items()} == {
            0: (5, 7),
            1: (6, 8),
        }

    @pytest.mark.parametrize("rtptime", ["-1", "99999999999", "now"])
    def test_rtptime_absurd(self, rtptime):
        served = self.play(("RTP-Info", f"url=track1;seq=0;rtptime={rtptime}"))
        assert (served.result.rtp_info[0].rtptime, served.error) == (None, None)

    @pytest.mark.parametrize("value", ["npt=now-", "npt=0-", "npt=0.000-", None, "words"])
    def test_range_now_zero_missing_or_nonsense(self, value):
        served = self.play(*(() if value is None else (("Range", value),)))
        assert served.error is None
        assert served.result.range is None or served.result.range.end is None

    def test_ours_begins_at_zero(self):
        """Some devices require it."""
        assert dict(self.play().steps[0].headers)["Range"] == "npt=0.000-"

    def test_the_reply_after_the_first_media(self):
        bench = Bench()
        bench.set_up(play=False)
        exchange = bench.ask("PLAY", URL)
        frames = b"".join(serialize_frame(0, RTP) for _ in range(10))
        bench.feed(frames + bench.response(200) + frames)
        assert bench.answered[-1] is exchange
        assert len(bench.frames) == 20
        assert bench.machine.state is State.PLAYING


class TestOptionsAndParameters:
    def test_options_without_public(self):
        bench = Bench()
        bench.ask("OPTIONS", URL)
        bench.reply(200)
        assert len(bench.answered) == 1
        assert "public-missing" in bench.quirks
        assert bench.machine.keepalive.method == "OPTIONS"

    def test_options_answered_404(self):
        bench = playing(20)
        bench.wait(600, lambda b, r: b.reply(404 if r.method == "OPTIONS" else 200, to=r))
        assert bench.methods[2:4] == ["OPTIONS", "SET_PARAMETER"]
        assert set(bench.methods[3:]) == {"SET_PARAMETER"}
        assert bench.machine.state is State.PLAYING

    @pytest.mark.parametrize("status", [400, 405, 501])
    def test_get_parameter_advertised_and_refused(self, status):
        bench = playing(20, EVERY)
        bench.wait(3600, lambda b, r: b.reply(status if r.method == "GET_PARAMETER" else 200, to=r))
        assert bench.methods.count("GET_PARAMETER") == 1
        assert bench.methods[2:4] == ["GET_PARAMETER", "OPTIONS"]
        assert bench.changes == [("GET_PARAMETER", "OPTIONS")]
        assert bench.errors == []
        assert SessionGone() not in bench.told

    def test_get_parameter_advertised_and_never_answered(self):
        bench = playing(60, EVERY)
        bench.wait(3600, lambda b, r: b.reply(to=r) if r.method != "GET_PARAMETER" else None)
        assert bench.methods.count("GET_PARAMETER") == 1
        assert bench.changes == [("GET_PARAMETER", "OPTIONS")]
        assert bench.quirks.count("keepalive-unanswered") == 1
        assert bench.errors == []
        assert bench.machine.state is State.PLAYING

    def test_get_parameter_answered_454_once_is_not_asked_again(self):
        """The session is set up again, as 454 says, and kept by another method from then on."""
        bench = playing(20, EVERY)
        bench.wait(10, lambda b, r: b.reply(454, to=r))
        assert bench.told[-1] == SessionGone()
        bench.set_up(20, session="2")
        bench.wait(3600, accept)
        assert bench.methods.count("GET_PARAMETER") == 1
        assert bench.told.count(SessionGone()) == 1

    def test_454_of_a_method_that_has_worked_says_that_the_session_is_gone(self):
        bench = playing(20, EVERY)
        bench.wait(100, accept)
        bench.wait(10, lambda b, r: b.reply(454, to=r))
        assert bench.told[-1] == SessionGone()
        assert bench.machine.keepalive.method == "GET_PARAMETER"

    def test_the_connection_is_closed_on_set_parameter(self):
        """It is the last resort, and not used while OPTIONS works."""
        bench = playing(20, EVERY)
        bench.wait(3600, lambda b, r: b.reply(501 if r.method == "GET_PARAMETER" else 200, to=r))
        assert "SET_PARAMETER" not in bench.methods


class TestKeepAliveTable:
    @pytest.mark.parametrize("public", [(), (EVERY,)])
    @pytest.mark.parametrize("timeout", [1, 5, 20, 60, 0, None])
    def test_no_session_expires_in_an_hour(self, timeout, public):
        """Dahua closes after 60 s without a keep-alive; others want one every 20 s."""
        seconds = timeout or 60
        bench = playing(timeout, *public)
        last, longest = bench.now, 0.0

        def server(bench, request):
            nonlocal last, longest
            longest = max(longest, bench.now - last)
            last = bench.now
            bench.reply(to=request)

        bench.wait(3600, server)
        assert longest < seconds
        assert 3600 - (last - 1000.0) < seconds
        assert bench.machine.keepalive.refused == 0


class TestServersOwnRequests:
    @pytest.mark.parametrize(
        ("request_line", "status"),
        [
            ("OPTIONS rtsp://camera.example/live", 200),
            ("OPTIONS *", 200),
            ("SET_PARAMETER rtsp://camera.example/live", 501),
            ("ANNOUNCE rtsp://camera.example/live", 501),
            ("REDIRECT rtsp://camera.example/live", 501),
        ],
    )
    def test_they_are_answered_and_the_session_goes_on(self, request_line, status):
        bench = Bench()
        bench.set_up()
        message = (
            f"{request_line} RTSP/1.0\r\nCSeq: 9\r\nSession: 1\r\n"
            "Location: rtsp://169.254.169.254/\r\nContent-Length: 4\r\n\r\nbody"
        )
        bench.feed(serialize_frame(0, RTP) + message.encode() + serialize_frame(0, RTP))
        assert [(r.status_code, r.cseq) for r in bench.responses] == [(status, 9)]
        assert len(bench.frames) == 2
        method = request_line.split()[0]
        assert bench.noted[-1] == ServerRequested(bench.now, method, status)
        assert bench.machine.state is State.PLAYING

    def test_teardown_ends_the_session_with_an_error_that_says_so(self):
        bench = Bench()
        bench.set_up()
        bench.feed(b"TEARDOWN rtsp://camera.example/live RTSP/1.0\r\nCSeq: 9\r\nSession: 1\r\n\r\n")
        assert [r.status_code for r in bench.responses] == [200]
        assert isinstance(bench.machine.lost, ConnectionLost)
        assert bench.machine.lost.retryable


class TestTeardown:
    def test_the_reply_after_more_data(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("TEARDOWN", URL)
        bench.feed(serialize_frame(0, RTP) * 20 + bench.response(200))
        assert bench.answered[-1] is exchange
        assert bench.machine.session_id is None

    def test_the_reply_never(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("TEARDOWN", URL, timeout=2.0)
        bench.wait(2.0)
        assert isinstance(bench.failed[exchange], DeadlineExceeded)

    def test_the_connection_closes_instead(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("TEARDOWN", URL)
        bench.machine.receive_eof(bench.now)
        bench.collect()
        assert isinstance(bench.failed[exchange], ConnectionLost)


class TestFramesAndReplies:
    def test_reply_bytes_between_interleaved_frames(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("OPTIONS")
        answer = bench.response(200)
        frame = serialize_frame(0, RTP)
        bench.feed(frame + answer[:10])
        bench.feed(answer[10:] + frame)
        assert bench.answered[-1] is exchange
        assert len(bench.frames) == 2

    def test_an_error_reply_injected_inside_an_interleaved_frame(self):
        bench = Bench()
        bench.set_up()
        exchange = bench.ask("GET_PARAMETER")
        frame = serialize_frame(0, RTP + bytes(200))
        bench.feed(frame[:100] + bench.response(400) + frame[100:] + serialize_frame(0, RTP) * 3)
        assert exchange in bench.failed
        assert bench.machine.lost is None
        assert len(bench.frames) == 3

    def test_junk_before_a_dollar(self):
        bench = Bench()
        bench.set_up()
        bench.feed(serialize_frame(0, RTP) + b"\x00\x00\x00" + serialize_frame(0, RTP) * 2)
        assert len(bench.frames) == 3
        assert bench.machine.counters.skipped == 3
        assert "garbage" in bench.quirks


def test_a_user_agent_is_sent_with_every_request():
    bench = Bench(timeouts=Timeouts(response=3))
    bench.set_up(20)
    bench.wait(60, accept)
    bench.ask("TEARDOWN", TRACK)
    assert {request.headers.get("User-Agent") for request in bench.requests} == {"bench"}

"""DESCRIBE, SETUP, PLAY: what is asked, what is agreed, and what a refusal leads to."""

import pytest
from rtspkit_dialogue import DESCRIBED, PORTS, SDP, URL, Served, echo, response, transport

from rtspkit.engine.handshake import (
    Agreed,
    OpenPorts,
    Presentation,
    Refused,
    describe,
    play,
    set_up,
    set_up_streams,
)
from rtspkit.errors import (
    ConnectionLost,
    NotFound,
    RemoteProtocolError,
    ResponseError,
    RtspError,
    ServiceUnavailable,
    StreamNotFound,
    TooManySessions,
    UnsupportedTransport,
)
from rtspkit.options import Limits
from rtspkit.wire.header import Range, RtpInfo
from rtspkit.wire.stream import Stream

TRACKS = [URL + "/track1", URL + "/track2"]


def described(**answers):
    return Served(lambda note: describe(URL, note, Limits()), **answers)


def setting_up(*kinds, wish=None, **answers):
    return Served(lambda note: set_up(URL, kinds, wish, note, Limits()), **answers)


def agreed(served):
    return [step for step in served.steps if isinstance(step, Agreed)]


class TestDescribe:
    def test_the_description_becomes_streams(self):
        served = described()
        (step,) = served.steps
        assert (step.method, step.uri) == ("DESCRIBE", URL)
        assert dict(step.headers) == {"Accept": "application/sdp"}
        presentation = served.result
        assert [stream.control_url for stream in presentation.streams] == TRACKS
        assert presentation.uri == presentation.base == URL + "/"
        assert served.notes == []

    def test_without_content_base_the_request_url_is_the_base(self):
        served = described(describe=[response(DESCRIBED[0], body=SDP)])
        assert served.result.uri == URL
        assert [stream.control_url for stream in served.result.streams] == TRACKS

    @pytest.mark.parametrize("headers", [(), (("Content-Type", "text/plain"),)])
    def test_another_content_type_is_put_up_with(self, headers):
        served = described(describe=[response(*headers, body=SDP)])
        assert len(served.result.streams) == 2
        assert "content-type" in served.quirks

    @pytest.mark.parametrize("value", ["application/sdp; charset=utf-8", "Application/SDP"])
    def test_a_charset_or_another_case_is_no_deviation(self, value):
        served = described(describe=[response(("Content-Type", value), body=SDP)])
        assert served.quirks == []

    @pytest.mark.parametrize("body", [b"", b"\r\n\r\n"])
    def test_an_empty_description_is_an_error_with_its_phase(self, body):
        error = described(describe=[response(*DESCRIBED, body=body)]).error
        assert type(error) is RemoteProtocolError
        assert str(error) == "DESCRIBE was answered without a description"
        assert error.phase == "describe"

    def test_an_unreadable_description_is_an_error_with_its_phase(self):
        limits = b"v=0\r\n" + b"m=video 0 RTP/AVP 96\r\n" * 65
        error = described(describe=[response(*DESCRIBED, body=limits)]).error
        assert isinstance(error, RemoteProtocolError)
        assert error.phase == "describe"

    def test_deviations_of_the_description_are_noted(self):
        served = described(describe=[response(*DESCRIBED, body=SDP.replace(b"v=0\r\n", b""))])
        assert served.quirks != []
        assert len(served.result.streams) == 2

    def test_a_refusal_passes_through(self):
        assert isinstance(described(describe=[404]).error, NotFound)


class TestSetUp:
    def test_udp_asks_for_ports_and_tells_the_servers(self):
        served = setting_up("udp")
        assert served.asked == [
            ("DESCRIBE", URL),
            ("SETUP", TRACKS[0]),
            ("SETUP", TRACKS[1]),
        ]
        assert served.transports == [f"RTP/AVP;unicast;client_port={PORTS[0]}-{PORTS[1]}"] * 2
        assert sum(isinstance(step, OpenPorts) for step in served.steps) == 2
        assert [(a.kind, a.channels, a.server_port) for a in agreed(served)] == [
            ("udp", None, (6000, 6001))
        ] * 2
        assert served.result.kind == "udp"
        assert served.result.chosen == served.result.streams
        assert served.notes == []

    def test_tcp_asks_for_channels_of_its_own_for_each_stream(self):
        served = setting_up("tcp")
        assert served.transports == [
            "RTP/AVP/TCP;unicast;interleaved=0-1",
            "RTP/AVP/TCP;unicast;interleaved=2-3",
        ]
        assert [a.channels for a in agreed(served)] == [(0, 1), (2, 3)]
        assert not any(isinstance(step, OpenPorts) for step in served.steps)
        assert served.result.kind == "tcp"

    def test_the_stream_knows_its_transport_and_the_hint_of_its_source(self):
        answer = transport("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000002A")
        served = setting_up("tcp", wish=0, setup=[answer])
        (stream,) = served.result.chosen
        assert stream.ssrc == 42
        assert stream.transport.interleaved == (0, 1)

    def test_only_what_was_asked_for_is_set_up(self):
        served = setting_up("tcp", wish="audio")
        assert served.asked[1:] == [("SETUP", TRACKS[1])]
        assert [stream.media for stream in served.result.chosen] == ["audio"]
        assert len(served.result.streams) == 2

    def test_what_is_not_there_is_not_found(self):
        assert isinstance(setting_up("tcp", wish="AV1").error, StreamNotFound)


def first_time():
    """The streams of a first connection."""
    return setting_up("tcp").result.chosen


def coming_back(known, *kinds, wish=None, required=None, **answers):
    def dialogue(note):
        return set_up(URL, kinds or ("tcp",), wish, note, Limits(), required=required, known=known)

    return Served(dialogue, **answers)


ANOTHER_FORMAT = SDP.replace(b"96 H264", b"96 H265")
NO_SOUND = SDP[: SDP.index(b"m=audio")]


def described_as(sdp):
    return [response(*DESCRIBED, body=sdp)]


class TestComingBack:
    def test_the_streams_of_before_are_found_again(self):
        known = first_time()
        transports = [stream.transport for stream in known]
        served = coming_back(known)
        assert served.result.chosen == served.result.streams == known
        assert served.result.changes == ()
        assert [stream.transport for stream in known] == transports
        assert all(one.transport is not old for one, old in zip(known, transports, strict=True))

    def test_another_format_takes_the_place_of_the_one_before(self):
        known = first_time()
        served = coming_back(known, describe=described_as(ANOTHER_FORMAT))
        video, audio = served.result.chosen
        assert audio is known[1]
        assert video.encoding_name == "H265"
        assert [(c.before, c.stream) for c in served.result.changes] == [(known[0], video)]

    def test_a_stream_that_is_not_described_any_more_is_an_error(self):
        error = coming_back(first_time(), describe=described_as(NO_SOUND)).error
        assert type(error) is RemoteProtocolError
        assert str(error) == "the server came back without its audio PCMU"
        assert error.retryable

    @pytest.mark.parametrize("status", [400, 453, 500, 503])
    @pytest.mark.parametrize("refused", [0, 1])
    def test_a_stream_that_is_refused_now_is_an_error_with_its_reason(self, refused, status):
        setup = [echo, status] if refused else [status, echo]
        served = coming_back(first_time(), setup=setup)
        assert isinstance(served.error, ResponseError)
        assert served.error.status_code == status
        assert not any(isinstance(step, Refused) for step in served.steps)

    def test_so_is_an_heir_that_is_refused(self):
        served = coming_back(first_time(), describe=described_as(ANOTHER_FORMAT), setup=[503, echo])
        assert isinstance(served.error, ServiceUnavailable)

    def test_a_stream_that_was_refused_before_may_be_refused_again(self):
        (video,) = setting_up("tcp", setup=[echo, 400]).result.chosen
        served = coming_back((video,), setup=[echo, 400])
        assert served.result.chosen == (video,)
        assert sum(isinstance(step, Refused) for step in served.steps) == 1

    def test_and_may_be_there_now(self):
        (video,) = setting_up("tcp", setup=[echo, 400]).result.chosen
        assert len(coming_back((video,)).result.chosen) == 2

    @pytest.mark.parametrize(
        "answers",
        [{"describe": described_as(NO_SOUND)}, {"setup": [echo, 503]}],
        ids=["not-described", "refused"],
    )
    def test_where_not_all_are_required_a_stream_may_be_let_go(self, answers):
        known = first_time()
        served = coming_back(known, required=False, **answers)
        assert served.result.chosen == (known[0],)

    def test_what_was_wished_for_is_chosen_again(self):
        (audio,) = setting_up("tcp", wish="audio").result.chosen
        served = coming_back((audio,), wish="audio")
        assert served.result.chosen == (audio,)
        assert len(served.asked) == 2

    def test_what_was_wished_for_and_is_not_there_is_an_error(self):
        (audio,) = setting_up("tcp", wish="PCMU").result.chosen
        served = coming_back((audio,), wish="PCMU", describe=described_as(NO_SOUND))
        assert isinstance(served.error, StreamNotFound)

    def test_a_fresh_describe_of_another_transport_finds_them_too(self):
        known = first_time()
        served = coming_back(known, "udp", "tcp", setup=[461, echo])
        assert served.result.chosen == known
        assert served.result.kind == "tcp"


class TestFallback:
    def test_461_leads_to_the_next_transport_after_a_fresh_describe(self):
        refusals = []
        served = Served(
            lambda note: set_up(URL, ("udp", "tcp"), None, note, Limits(), refusals=refusals),
            setup=[461, *[echo] * 2],
        )
        assert [method for method, _ in served.asked] == [
            "DESCRIBE",
            "SETUP",
            "DESCRIBE",
            "SETUP",
            "SETUP",
        ]
        assert served.result.kind == "tcp"
        ((kind, reason),) = refusals
        assert kind == "udp"
        assert "SETUP answered 461" in reason

    def test_461_to_the_last_transport_is_the_error(self):
        for kinds in (("udp",), ("udp", "tcp")):
            error = setting_up(*kinds, setup=[461]).error
            assert isinstance(error, UnsupportedTransport)
            assert error.status_code == 461

    def test_461_for_a_later_stream_takes_another_connection(self):
        served = setting_up("udp", "tcp", setup=[echo, 461])
        assert isinstance(served.error, UnsupportedTransport)
        assert len(served.asked) == 3

    def test_tcp_in_answer_to_udp_is_taken_when_it_was_next(self):
        answers = [
            transport("RTP/AVP/TCP;unicast;interleaved=0-1"),
            transport("RTP/AVP/TCP;unicast;interleaved=2-3"),
        ]
        served = setting_up("udp", "tcp", setup=answers)
        assert served.result.kind == "tcp"
        assert [a.channels for a in agreed(served)] == [(0, 1), (2, 3)]
        assert served.quirks.count("transport-switched") == 2

    def test_tcp_in_answer_to_udp_alone_is_refused(self):
        served = setting_up("udp", setup=[transport("RTP/AVP/TCP;interleaved=0-1")])
        assert isinstance(served.error, UnsupportedTransport)
        assert "asked for udp, was answered tcp" in str(served.error)
        assert agreed(served) == []

    @pytest.mark.parametrize("kinds", [("tcp",), ("tcp", "udp")])
    def test_udp_in_answer_to_tcp_takes_another_connection(self, kinds):
        """The server has set something up that we have no ports for."""
        served = setting_up(*kinds, setup=[transport("RTP/AVP;unicast;server_port=6000-6001")])
        assert isinstance(served.error, UnsupportedTransport)
        assert "asked for tcp, was answered udp" in str(served.error)
        assert len(served.asked) == 2

    def test_the_predicate_is_asked_of_the_fresh_description(self):
        served = setting_up("udp", "tcp", wish=lambda s: s.index == 1, setup=[461, echo])
        assert [stream.index for stream in served.result.chosen] == [1]
        assert served.result.chosen[0] is served.result.streams[1]


class TestPartialSuccess:
    @pytest.mark.parametrize("status", [404, 415, 500, 551])
    def test_a_stream_that_nobody_named_may_be_refused(self, status):
        served = setting_up("tcp", setup=[echo, status])
        assert [stream.index for stream in served.result.chosen] == [0]
        (refused,) = [step for step in served.steps if isinstance(step, Refused)]
        assert refused.stream.index == 1
        assert refused.error.status_code == status

    def test_the_first_one_too(self):
        served = setting_up("tcp", setup=[404, echo])
        assert [stream.index for stream in served.result.chosen] == [1]
        assert agreed(served)[0].channels == (2, 3)

    def test_one_that_was_named_may_not(self):
        served = setting_up("tcp", wish=["video", "audio"], setup=[echo, 404])
        assert isinstance(served.error, NotFound)

    @pytest.mark.parametrize("status", [401, 403, 453, 454])
    def test_a_refusal_of_the_session_is_one_of_all_its_streams(self, status):
        served = setting_up("tcp", setup=[echo, status])
        assert served.error.status_code == status

    def test_when_all_are_refused_the_last_error_is_raised(self):
        served = setting_up("tcp", setup=[404, 503])
        assert isinstance(served.error, ServiceUnavailable)

    def test_453_says_so(self):
        assert isinstance(setting_up("udp", "tcp", setup=[453]).error, TooManySessions)

    def test_a_lost_connection_ends_it(self):
        assert isinstance(
            setting_up("tcp", setup=[echo, ConnectionLost("x")]).error, ConnectionLost
        )


class TestSetUpAgain:
    """After 454: the streams that were chosen, over the transport that was agreed."""

    def streams(self):
        return described().result.streams

    def test_every_stream_is_set_up_again(self):
        streams = self.streams()
        served = Served(lambda note: set_up_streams(streams, "tcp", note, required=True))
        assert served.result == streams

    def test_another_answer_is_an_error_with_words(self):
        served = Served(
            lambda note: set_up_streams(self.streams(), "tcp", note, required=True),
            setup=[transport("RTP/AVP;unicast")],
        )
        assert isinstance(served.error, RtspError)
        assert "was answered udp" in str(served.error)


class TestPlay:
    def presentation(self, *urls, base=URL + "/"):
        streams = tuple(
            Stream(index, "video", "H264", 96, 90_000, control_url=url)
            for index, url in enumerate(urls or TRACKS)
        )
        description = described().result.description
        return Presentation(description, streams, URL + "/", base, chosen=streams)

    def play(self, *headers, urls=(), **more):
        presentation = self.presentation(*urls)
        return Served(lambda note: play(presentation, note, **more), play=[response(*headers)])

    def infos(self, value, *urls):
        return self.play(("RTP-Info", value), urls=urls).result.rtp_info

    def test_it_asks_for_the_whole_and_reads_where_it_begins(self):
        value = ",".join(f"url={url};seq={n};rtptime={n}00" for n, url in enumerate(TRACKS))
        served = self.play(("Range", "npt=1.5-10"), ("RTP-Info", value))
        (step,) = served.steps
        assert (step.method, step.uri) == ("PLAY", URL + "/")
        assert dict(step.headers) == {"Range": "npt=0.000-"}
        assert served.result.range == Range("npt", 1.5, 10.0)
        assert served.result.rtp_info == {
            0: RtpInfo(TRACKS[0], 0, 0),
            1: RtpInfo(TRACKS[1], 1, 100),
        }
        assert served.notes == []

    def test_a_range_and_headers_can_be_given_or_left_out(self):
        served = self.play(range_header=None, headers=(("Scale", "2"),))
        assert dict(served.steps[0].headers) == {"Scale": "2"}
        served = self.play(range_header="npt=now-")
        assert dict(served.steps[0].headers) == {"Range": "npt=now-"}

    def test_without_rtp_info_it_goes_on(self):
        served = self.play()
        assert (served.result.range, served.result.rtp_info) == (None, {})
        assert served.quirks == ["rtp-info-missing"]

    def test_an_unreadable_range_is_noted(self):
        served = self.play(("Range", "parsec=12-"))
        assert served.result.range is None
        assert ("range-unreadable", "parsec=12-") in served.notes

    @pytest.mark.parametrize(
        "value",
        [
            f"url={TRACKS[1]};seq=7",
            "url=track2;seq=7",
            "url=/track2;seq=7",
            "url=rtsp://10.0.0.1:8554/other/track2;seq=7",
            "url=rtsp://user:secret@camera.example/live/track2;seq=7",
        ],
    )
    def test_an_entry_finds_its_stream_however_it_is_based(self, value):
        found = self.infos(value)
        assert {index: info.sequence_number for index, info in found.items()} == {1: 7}

    def test_a_lone_entry_belongs_to_a_lone_stream(self):
        assert self.infos("url=elsewhere;seq=7", TRACKS[0])[0].sequence_number == 7

    def test_an_entry_of_nobody_is_left_out(self):
        assert self.infos("url=elsewhere;seq=7") == {}

    def test_the_same_url_goes_before_the_same_end(self):
        urls = (URL + "/a/video", URL + "/b/video")
        value = f"url={urls[1]};seq=2,url={urls[0]};seq=1"
        found = self.infos(value, *urls)
        assert {index: info.sequence_number for index, info in found.items()} == {0: 1, 1: 2}

    def test_an_entry_serves_one_stream_and_doubt_serves_none(self):
        urls = (URL + "/a/video", URL + "/b/video")
        assert list(self.infos(f"url={urls[0]};seq=1,url=x;seq=9", *urls)) == [0]
        assert self.infos("url=video;seq=1,url=x;seq=2", *urls) == {}

    def test_absurd_numbers_are_noted_and_left_out(self):
        served = self.play(("RTP-Info", f"url={TRACKS[0]};seq=1;rtptime=-1"))
        assert served.result.rtp_info[0].rtptime is None
        assert "rtp-info-rtptime-unusable" in served.quirks

    def test_a_refusal_passes_through(self):
        presentation = self.presentation()
        served = Served(lambda note: play(presentation, note), play=[457])
        assert isinstance(served.error, ResponseError)

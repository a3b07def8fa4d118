"""What numbers mean, in words."""

from __future__ import annotations

import pytest

from rtspkit.client.heard import Heard, KeptAlive, StreamHeard
from rtspkit.client.ports import NO_PORTS
from rtspkit.client.verdicts import (
    judge_clock,
    judge_keep_alive,
    judge_keyframes,
    judge_loss,
    judge_nat,
    judge_quirks,
    judge_streams,
    judge_transport,
    milliseconds,
)
from rtspkit.engine.statistics import SessionStats, StreamStats
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    RtspError,
    response_error,
)
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)
AUDIO = Stream(1, "audio", "PCMU", 0, 8000)
SILENCE = DeadlineExceeded("first packet", 3.0)


def heard(kind: str = "udp", *, stats: StreamStats | None = None, **changes: object) -> Heard:
    """A transport that works, but for the changes."""
    counted = stats or StreamStats(packets=500, expected=500, bitrate=1e6, jitter=0.002)
    values = {
        "set_up": 0.01,
        "first_packet": 0.02,
        "played": True,
        "seconds": 5.0,
        "session_timeout": 60.0,
        "streams": (StreamHeard(VIDEO, pictures=True, first=1.0),),
        "stats": SessionStats(streams=(counted,)),
        "kept_alive": KeptAlive("GET_PARAMETER", 0.001),
    }
    return Heard(kind, **values | changes)


def silent(kind: str = "udp", error: RtspError = SILENCE, **changes: object) -> Heard:
    options = {"error": error, "first_packet": None, "seconds": 0.0}
    return heard(kind, stats=StreamStats(), **options | changes)


# -- streams


def test_streams():
    found = judge_streams([VIDEO, AUDIO], frozenset({"H264", "PCMU"}))
    assert (found.outcome, found.seen) == ("ok", "video H264, audio PCMU")


def test_a_stream_without_a_depacketizer_is_told():
    found = judge_streams([VIDEO, Stream(1, "audio", "X-ODD", 97, 8000)], frozenset({"H264"}))
    assert (found.outcome, "X-ODD" in found.advice) == ("warning", True)
    assert found.numbers == {"streams": 2, "unsupported": 1}


def test_no_stream_is_a_failure():
    assert judge_streams([], frozenset()).outcome == "failed"


# -- transports


def test_a_transport_that_works():
    found = judge_transport(heard())
    assert (found.step, found.outcome, found.advice) == ("udp", "ok", "")
    assert found.seen == "first packet 20 ms after PLAY; 500 packets in 5.0 s, 1,000 kbit/s"
    assert found.numbers["packets"] == 500


def test_a_stream_of_which_nothing_came_is_told():
    streams = (StreamHeard(VIDEO, first=1.0), StreamHeard(AUDIO))
    found = judge_transport(heard(streams=streams))
    assert found.outcome == "warning"
    assert "nothing came of audio PCMU" in found.seen
    assert "streams=" in found.advice


def test_a_session_that_was_lost_is_told():
    found = judge_transport(heard(error=ConnectionLost("the server closed the connection")))
    assert found.outcome == "warning"
    assert "then: the server closed" in found.seen
    assert "retry" in found.advice


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        (silent(), "SETUP and PLAY were accepted, and no packet came within 3.0 s"),
        (
            silent(error=response_error("SETUP", 461), played=False),
            "refused by the server (461)",
        ),
        (
            silent(error=LocalProtocolError("none left", phase=NO_PORTS), played=False),
            "this machine has no UDP ports to give (none left)",
        ),
        (silent(error=ConnectionLost("reset"), played=False), "reset"),
    ],
)
def test_a_transport_that_does_not_work(one, seen):
    found = judge_transport(one, heard("tcp"))
    assert (found.outcome, found.seen) == ("failed", seen)
    assert 'transport="tcp"' in found.advice


def test_no_transport_is_advised_that_does_not_work_either():
    found = judge_transport(silent(), silent("tcp"))
    assert "transport=" not in found.advice
    assert "check that the camera is sending" in found.advice
    assert judge_transport(silent(played=False, error=response_error("SETUP", 461))).advice == ""


def test_too_many_viewers_is_not_the_transports_fault():
    found = judge_transport(silent(error=response_error("SETUP", 453), played=False), heard("tcp"))
    assert "close other viewers" in found.advice


# -- NAT


def test_udp_that_comes_by_itself():
    assert judge_nat(heard(), heard("tcp")).outcome == "ok"


def test_udp_that_needs_a_punch():
    found = judge_nat(heard(punched=True), heard("tcp"))
    assert found.outcome == "warning"
    assert "NAT" in found.seen
    assert found.numbers["punched"] is True


def test_a_firewall():
    found = judge_nat(silent(), heard("tcp"))
    assert found.outcome == "failed"
    assert "firewall" in found.seen
    assert 'transport="tcp"' in found.advice


def test_a_camera_that_sends_nothing_is_no_firewall():
    assert judge_nat(silent(), silent("tcp")).outcome == "skipped"


def test_a_server_that_sends_from_elsewhere():
    one = silent()
    one.stats = SessionStats(streams=(StreamStats(),), foreign_datagrams=7)
    found = judge_nat(one, heard("tcp"))
    assert found.outcome == "failed"
    assert "another address" in found.seen


@pytest.mark.parametrize("udp", [None, silent(played=False)])
def test_udp_that_was_not_played_says_nothing(udp):
    assert judge_nat(udp, heard("tcp")).outcome == "skipped"


# -- keep-alive


def test_a_method_that_works():
    found = judge_keep_alive(heard())
    assert found.outcome == "ok"
    assert found.seen == "GET_PARAMETER answered in 1 ms; session timeout 60 s, one every 30 s"


def test_one_that_works_after_others_did_not():
    found = judge_keep_alive(
        heard(kept_alive=KeptAlive("OPTIONS", 0.001, {"GET_PARAMETER": "405"}))
    )
    assert found.outcome == "ok"
    assert found.seen.endswith("; GET_PARAMETER did not work")


def test_none_that_works():
    found = judge_keep_alive(heard(kept_alive=KeptAlive(None, 0.0, {"OPTIONS": "not answered"})))
    assert found.outcome == "warning"
    assert "OPTIONS: not answered" in found.seen
    assert found.numbers["method"] is None


def test_a_session_that_was_lost_says_nothing_of_it():
    assert judge_keep_alive(heard(kept_alive=None)).outcome == "skipped"


# -- clocks


def with_clock(rate: float, wall_offset: float | None, reports: int = 1) -> Heard:
    stream = StreamHeard(VIDEO, pictures=True, first=1.0, wall_offset=wall_offset)
    for number in range(100):
        stream.drift.add(number * 0.04, number * 0.04 * rate)
    return heard(
        streams=(stream,), stats=StreamStats(expected=500, packets=500, sender_reports=reports)
    )


def test_a_clock_that_is_right():
    found = judge_clock(with_clock(1.0, -0.02))
    assert found.outcome == "ok"
    assert found.seen == (
        "video runs at 1.0000 of our time; the server's time of day agrees with ours"
    )
    assert found.numbers["rate_video"] == pytest.approx(1)


@pytest.mark.parametrize("rate", [0.5, 0.98, 1.02, 2.0])
def test_timestamps_that_run_wrong_are_told(rate):
    found = judge_clock(with_clock(rate, 0.0))
    assert found.outcome == "warning"
    assert "timestamps of video are wrong" in found.advice


@pytest.mark.parametrize(
    ("offset", "words"),
    [(3600.0, "3,600.0 s ahead of ours"), (-90_000.5, "90,000.5 s behind ours")],
)
def test_a_time_of_day_that_is_wrong_is_told(offset, words):
    found = judge_clock(with_clock(1.0, offset))
    assert found.outcome == "warning"
    assert words in found.seen
    assert "NTP" in found.advice


def test_half_a_second_is_told_and_no_more():
    found = judge_clock(with_clock(1.0, 0.5))
    assert (found.outcome, "500 ms ahead" in found.seen) == ("ok", True)


def test_no_sender_report_is_told():
    found = judge_clock(with_clock(1.0, None, reports=0))
    assert found.outcome == "warning"
    assert "0 sender reports" in found.seen
    assert "wall_time" in found.advice


def test_too_few_packets_have_no_rate():
    found = judge_clock(heard())
    assert found.numbers["rate_video"] is None


def test_without_media_there_is_no_clock():
    assert judge_clock(silent()).outcome == "skipped"


# -- loss


def lossy(lost: int, kernel: int = 0, kind: str = "udp") -> Heard:
    counted = StreamStats(packets=1000 - lost, expected=1000, lost=lost, jitter=0.002)
    one = heard(kind)
    one.stats = SessionStats(streams=(counted,), kernel_dropped=kernel, receive_buffer=4096)
    return one


def test_nothing_lost():
    found = judge_loss(lossy(0))
    assert (found.outcome, found.seen) == ("ok", "none of 1,000 packets over UDP; jitter 2 ms")


def test_duplicates_are_no_loss():
    assert judge_loss(lossy(-3)).outcome == "ok"


def test_loss_in_the_network():
    found = judge_loss(lossy(25))
    assert found.outcome == "warning"
    assert "25 of 1,000 packets over UDP (2.5 %): 25 in the network, 0 in" in found.seen
    assert 'transport="tcp"' in found.advice
    assert "rmem_max" not in found.advice


def test_loss_in_the_kernels_queue_says_what_to_set():
    found = judge_loss(lossy(25, kernel=25))
    assert "0 in the network, 25 in this machine's queue" in found.seen
    assert "sysctl -w net.core.rmem_max=8388608" in found.advice
    assert "transport" not in found.advice


def test_both_at_once():
    found = judge_loss(lossy(25, kernel=5))
    assert "20 in the network, 5 in" in found.seen
    assert found.numbers["network"] == 20


def test_loss_over_tcp_is_the_servers():
    assert "lower its bit rate" in judge_loss(lossy(3, kind="tcp")).advice


def test_without_media_nothing_can_be_lost():
    assert judge_loss(silent()).outcome == "skipped"


# -- keyframes


def pictures(keyframes: int, gap: float | None, seconds: float = 10.0) -> Heard:
    stream = StreamHeard(VIDEO, True, keyframes=keyframes, longest_gap=gap, units=100, first=1.0)
    return heard(streams=(stream,), seconds=seconds)


@pytest.mark.parametrize(
    ("one", "outcome", "seen"),
    [
        (pictures(5, 0.96), "ok", "one every 0.96 s, or more often"),
        (pictures(2, 5.0), "warning", "one every 5.00 s, or more often"),
        (pictures(1, None, 2.0), "ok", "one in 2.0 s"),
        (pictures(1, None, 10.0), "warning", "one in 10.0 s"),
        (pictures(0, None), "warning", "none in 10.0 s: no picture can begin"),
    ],
)
def test_keyframes(one, outcome, seen):
    found = judge_keyframes(one)
    assert (found.outcome, found.seen) == (outcome, seen)
    assert ("GOP" in found.advice) == (outcome == "warning")


def test_without_video_there_are_none():
    assert judge_keyframes(heard(streams=(StreamHeard(AUDIO, first=1.0),))).outcome == "skipped"


# -- quirks


def test_quirks_are_told_with_their_meaning():
    assert judge_quirks({}).seen == "none"
    found = judge_quirks({"garbage": 2, "odd-one": 1})
    assert found.seen == (
        "put up with: garbage (bytes between frames and messages were skipped); odd-one (odd-one)"
    )
    assert found.outcome == "ok"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (0.000123, "0.123 ms"), (0.0125, "12.5 ms"), (0.9999, "1.00 s"), (12, "12.00 s")],
)
def test_short_times(seconds, words):
    assert milliseconds(seconds) == words

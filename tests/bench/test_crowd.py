"""Receivers in processes of their own, asked about themselves."""

import resource
import socket

import pytest

from bench.crowd import Crowd, CrowdError, Wish
from bench.measure import raise_file_limit
from bench.source import Source
from bench.traffic import Traffic

ANSWERS = 20_000  # asked for in vain before a test gives up


@pytest.fixture(scope="module")
def source():
    with Source(Traffic(rate=500)) as running:
        yield running


def until(crowd, name):
    """The first snapshot in which something was counted."""
    return next(found for _ in range(ANSWERS) if (found := crowd.snapshot())[name] > 0)


@pytest.mark.parametrize("door", ["packets", "batches", "drain"])
def test_packets_are_counted_with_the_time_they_cost(source, door):
    with Crowd(Wish(url=source.url(), sessions=2, door=door)) as crowd:
        assert crowd.receiver == "recvmmsg" or door != "drain"
        found = until(crowd, "packets")
        assert found["cpu"] > 0
        assert found["rss"] > 0


def test_a_drain_knows_when_the_kernel_had_a_packet(source):
    with Crowd(Wish(url=source.url(), door="drain")) as crowd:
        until(crowd, "packets")
        crowd.begin("latency")
        before = crowd.snapshot()["packets"]
        next(None for _ in range(ANSWERS) if crowd.snapshot()["packets"] > before + 50)
        found = crowd.latencies()
        assert found["packets"] >= 50
        assert 0 < found["arrival_p50"] < 1e6
        assert found["arrival_p50"] < found["send_p50"] + 1


def test_a_receiver_that_cannot_play_says_why():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for door in ("packets", "drain"):
        with pytest.raises(CrowdError, match=r"refused|Refused|ConnectError"):
            Crowd(Wish(url=f"rtsp://127.0.0.1:{port}/live", door=door))


def test_the_limit_of_files_is_never_lowered():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_file_limit(1) == before[0]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before

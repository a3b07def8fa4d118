from __future__ import annotations

import pytest

from rtspkit.client.machines import new_playback, new_session_machine, new_strategist
from rtspkit.client.options import build_options
from rtspkit.engine.knowledge import Knowledge
from rtspkit.errors import LocalProtocolError
from rtspkit.options import Retry
from rtspkit.wire.rtcp import SourceDescription, parse_rtcp
from rtspkit.wire.stream import Stream


def options(**more: object):
    return build_options(
        "rtsp://camera/x", "user", "secret", "udp", {"X-A": "1"}, user_agent="me", **more
    )


def test_requests_have_what_the_user_asked_for():
    machine = new_session_machine(options())
    machine.request("OPTIONS", "rtsp://camera/x", now=0.0)
    sent = machine.data_to_send()
    assert b"User-Agent: me\r\n" in sent
    assert b"X-A: 1\r\n" in sent
    assert b"secret" not in sent


def names_of_reports() -> tuple[int, bytes]:
    """Our source and our name, in the reports of a new connection."""
    playback = new_playback(options())
    stream = Stream(0, "audio", "PCMU", 0, 8000)
    playback.add(stream)
    stream.ssrc = 1
    playback.start(0.0, first_packet=10, keepalive_interval=30)
    playback.leave(1.0)
    ((_, data),) = playback.data_to_send()
    (description,) = [p for p in parse_rtcp(data) if isinstance(p, SourceDescription)]
    chunk = description.chunks[0]
    return chunk.ssrc, bytes(chunk.items[0][1])


def test_every_connection_has_a_source_and_a_name_of_its_own():
    (ssrc, name), (other_ssrc, other_name) = names_of_reports(), names_of_reports()
    assert ssrc != other_ssrc
    assert name != other_name
    assert name.endswith(b"@rtspkit.invalid")


@pytest.mark.parametrize("strategy", ["immediate", "linear", "exponential"])
def test_attempts_are_planned_as_the_user_says(strategy):
    strategist = new_strategist(options(retry=Retry(strategy=strategy)))
    plan = strategist.plan(100.0)
    assert (plan.delay, plan.strategy) == (0.0, strategy)


@pytest.mark.parametrize("retry", [None, Retry(strategy="none")])
def test_without_retry_there_is_one_attempt(retry):
    strategist = new_strategist(options(retry=retry))
    assert strategist.plan(100.0).delay == 0.0
    strategist.failed(100.5, "refused")
    with pytest.raises(LocalProtocolError, match="no further attempt"):
        strategist.plan(101.0)


def test_every_session_is_spread_by_a_chance_of_its_own():
    """A thousand clients of a server that restarts do not come back as one."""
    seconds = set()
    for _ in range(5):
        strategist = new_strategist(options(retry=Retry(strategy="exponential-jitter")))
        for now in (100.0, 101.0):
            plan = strategist.plan(now)
            strategist.failed(now, "busy")
        seconds.add(plan.delay)
    assert len(seconds) == 5


def test_what_is_known_of_the_server_is_what_it_learns_in():
    knowledge = Knowledge()
    before = knowledge.to_json()
    strategist = new_strategist(options(retry=Retry(strategy="adaptive")), knowledge)
    strategist.plan(100.0)
    strategist.failed(100.5, "busy")
    strategist.plan(100.5)
    strategist.played(102.0, 2.0)
    strategist.settled(112.0)
    assert knowledge.to_json() != before

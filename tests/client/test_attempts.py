"""How often, and how long, a session is asked for; and what is said when it cannot be had."""

from __future__ import annotations

import asyncio
import socket

import pytest
from addresses import silent_port
from faulty import wait
from lost_sessions import Begun, asked

import rtspkit
from rtspkit import (
    ConnectError,
    DeadlineExceeded,
    NotFound,
    Racing,
    RemoteProtocolError,
    Retry,
    Timeouts,
    Unauthorized,
)
from rtspkit.client.attempts import Attempts
from rtspkit.client.options import build_options
from rtspkit.engine.events import AttemptFailed, Reconnecting
from rtspkit.engine.strategist import Plan
from rtspkit.errors import ServiceUnavailable
from rtspkit.testing.actions import Close, Drop, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera

pytestmark = pytest.mark.virtual_clock

LONG = Timeouts(connect=60.0, response=60.0)
OTHERS = ["immediate", "linear", "exponential", "exponential-jitter", "auto", "adaptive"]


def attempts_at(url: str, sink: Begun, **options: object) -> Attempts:
    options.setdefault("timeouts", LONG)
    options.setdefault("retry", Retry(strategy="linear"))
    return Attempts(build_options(url, None, None, "tcp", None, **options), sink, sink.begin)


# -- the first connect -----------------------------------------------------------------------------


async def test_the_first_attempt_is_the_only_one_when_it_succeeds():
    sink = Begun()
    async with Camera() as camera:
        attempts = attempts_at(camera.url, sink)
        await attempts.first()
        assert attempts.counts == {"linear": 1}
        assert (attempts.strategy, attempts.last_error) == ("linear", None)
        ((_, presentation),) = sink.begun
        assert len(presentation.chosen) == 2
        assert sink.told(AttemptFailed) == sink.told(Reconnecting) == []
        await sink.leave()


async def test_what_may_pass_is_tried_again_after_the_delays_of_the_strategy():
    loop, sink = asyncio.get_running_loop(), Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503), nth=range(1, 4))
        attempts, began = attempts_at(camera.url, sink), loop.time()
        await attempts.first()
        assert loop.time() - began == pytest.approx(1 + 3 + 5, abs=0.1)
        assert attempts.counts == {"linear": 4}
        failures, plans = sink.told(AttemptFailed), sink.told(Reconnecting)
        assert [event.attempt for event in failures] == [1, 2, 3]
        assert [event.attempt for event in plans] == [2, 3, 4]
        assert [event.delay for event in plans] == [1.0, 3.0, 5.0]
        assert [event.cause for event in plans] == [event.error for event in failures]
        assert {type(event.error) for event in failures} == {ServiceUnavailable}
        assert attempts.last_error is failures[-1].error
        await sink.leave()
        assert len(sink.begun) == 1


@pytest.mark.parametrize("strategy", OTHERS)
async def test_after_five_attempts_the_last_error_is_raised(strategy):
    sink = Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503))
        attempts = attempts_at(camera.url, sink, retry=Retry(strategy=strategy))
        with pytest.raises(ServiceUnavailable) as caught:
            await attempts.first()
        assert asked(camera, "DESCRIBE") == attempts.counts.total() == 5
        failures = sink.told(AttemptFailed)
        assert len(failures) == 5
        assert caught.value is failures[-1].error
        assert len(sink.told(Reconnecting)) == 4


@pytest.mark.parametrize("most", [1, 2])
async def test_so_many_attempts_as_the_user_says(most):
    sink = Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503))
        attempts = attempts_at(camera.url, sink, retry=Retry(max_attempts=most))
        with pytest.raises(ServiceUnavailable):
            await attempts.first()
        assert asked(camera, "DESCRIBE") == most


@pytest.mark.parametrize("retry", [None, Retry(strategy="none")])
async def test_without_retry_the_first_error_is_raised(retry):
    sink = Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503))
        with pytest.raises(ServiceUnavailable):
            await attempts_at(camera.url, sink, retry=retry).first()
        assert asked(camera, "DESCRIBE") == 1
    assert sink.told(Reconnecting) == []


async def test_no_attempt_is_begun_that_has_no_time_left():
    """The error is the real one, and not that time is up; and it is raised at once."""
    loop, sink = asyncio.get_running_loop(), Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503))
        attempts, began = attempts_at(camera.url, sink, timeouts=Timeouts(connect=3.0)), loop.time()
        with pytest.raises(ServiceUnavailable):
            await attempts.first()
        assert loop.time() - began == pytest.approx(1.0, abs=0.1)  # the next would be at 4 s
        assert asked(camera, "DESCRIBE") == 2


async def test_an_attempt_that_is_cut_off_by_the_budget_has_the_error_before_as_its_cause():
    loop, sink = asyncio.get_running_loop(), Begun()
    timeouts = Timeouts(connect=3.0, response=60.0)
    async with Camera() as camera:
        camera.script("DESCRIBE", Reply(503), nth=1)
        camera.script("DESCRIBE", Drop(), nth=2)
        attempts, began = attempts_at(camera.url, sink, timeouts=timeouts), loop.time()
        with pytest.raises(DeadlineExceeded, match="was not done within 3 s") as caught:
            await attempts.first()
        assert loop.time() - began == pytest.approx(3.0, abs=0.1)
        assert caught.value.phase == "describe"
        assert isinstance(caught.value.__cause__, ServiceUnavailable)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (("DESCRIBE", Reply(404)), NotFound),
        (("SETUP", Reply(404)), NotFound),
        (("DESCRIBE", Reply(200)), RemoteProtocolError),
    ],
    ids=["describe-404", "setup-404", "no-description"],
)
async def test_what_is_for_good_is_not_tried_again(script, kind):
    sink = Begun()
    async with Camera() as camera:
        method, answer = script
        camera.script(method, answer)
        with pytest.raises(kind):
            await attempts_at(camera.url, sink).first()
        assert asked(camera, "DESCRIBE") == 1
        assert sink.told(Reconnecting) == []


async def test_a_wrong_password_is_said_twice_at_most():
    sink = Begun()
    async with Camera(authentication=Authentication()) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:wrong@")
        with pytest.raises(Unauthorized):
            await attempts_at(url, sink).first()
        assert asked(camera, "DESCRIBE") == 2


async def test_a_name_that_nobody_knows_is_not_asked_for_again(monkeypatch):
    asked_for = []

    def nobody(host, *arguments, **options):
        asked_for.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    sink = Begun()
    with pytest.raises(ConnectError) as caught:
        await attempts_at("rtsp://camera.invalid/", sink).first()
    assert caught.value.phase == "resolve"
    assert asked_for.count("camera.invalid") == len(asked_for) <= 2
    assert len(sink.told(AttemptFailed)) == 1


async def test_a_server_that_starts_meanwhile_is_found():
    sink = Begun()
    async with Camera() as camera:
        await camera.aclose()
        connecting = asyncio.ensure_future(attempts_at(camera.url, sink).first())
        await wait(2.0)
        await camera.start()
        await connecting
        assert {type(event.error) for event in sink.told(AttemptFailed)} == {ConnectError}
        await sink.leave()


# -- an attempt after a loss -----------------------------------------------------------------------


async def test_one_attempt_is_one_and_raises():
    sink = Begun()
    async with Camera() as camera:
        camera.script("DESCRIBE", Close(), nth=1)
        attempts = attempts_at(camera.url, sink)
        with pytest.raises(rtspkit.ConnectionLost):
            await attempts.once(attempts.plan(again=True))
        await attempts.once(attempts.plan(again=True))
        assert asked(camera, "DESCRIBE") == attempts.counts["linear"] == 2
        await sink.leave()
    assert sink.events == []  # whoever asked tells of it


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
async def test_one_attempt_ends_at_its_budget(method):
    loop, sink = asyncio.get_running_loop(), Begun()
    timeouts = Timeouts(connect=4.0, response=60.0, teardown=1.0)
    async with Camera() as camera:
        camera.script(method, Drop())
        attempts, began = attempts_at(camera.url, sink, timeouts=timeouts), loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            await attempts.once(attempts.plan())
        assert loop.time() - began == pytest.approx(4.0, abs=0.1)
        assert caught.value.phase == method.lower()
        assert str(caught.value) == f"{method.lower()}: connect() was not done within 4 s"
        await camera.wait_until(lambda: not camera.sessions and not camera.connections)


async def test_the_quick_attempts_of_a_plan_give_way_to_the_next_one():
    loop, sink = asyncio.get_running_loop(), Begun()
    with silent_port("127.0.0.1") as port:
        url = f"rtsp://127.0.0.1:{port}/"
        attempts = attempts_at(url, sink, retry=Retry(strategy="exponential-jitter"))
        attempts.plan()
        attempts.strategist.played(loop.time(), 0.1)
        attempts.strategist.ended(loop.time() + 100, 100.0, "reset")
        plan = attempts.plan(again=True)
        assert plan.timeout is not None
        began = loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            await attempts.once(plan)
        assert loop.time() - began == pytest.approx(plan.timeout, abs=0.1)
        assert caught.value.phase == "connect"


# -- how connections are made ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["none", "first-wins", "last-wins", "hybrid"])
async def test_the_user_says_how_connections_are_raced(mode):
    sink = Begun()
    async with Camera() as camera:
        attempts = attempts_at(camera.url, sink, racing=Racing(mode))
        assert attempts._new(attempts.plan())._way.racing == mode
        await attempts.first()
        await sink.leave()


async def test_or_the_strategy_does():
    sink = Begun()
    async with Camera() as camera:
        attempts = attempts_at(camera.url, sink)
        plan = attempts.plan()
        assert attempts._new(plan)._way.racing == plan.racing


async def test_what_the_strategist_decides_is_told():
    loop, sink = asyncio.get_running_loop(), Begun()
    async with Camera() as camera:
        attempts = attempts_at(camera.url, sink, retry=Retry(strategy="auto"))
        for _ in range(30):  # sessions that are dropped within a second
            attempts.plan(again=True)
            attempts.strategist.played(loop.time(), 0.1)
            attempts.strategist.ended(loop.time(), 1.0, "reset")
        changes = [event for event in sink.events if type(event).__name__ == "StrategyChanged"]
        assert changes != []
        assert attempts.strategist.next_event() is None


@pytest.mark.parametrize(("opened", "patience"), [(0.0, 0.7), (0.1, 0.7), (0.8, 2.4)])
async def test_a_connection_that_needs_long_has_three_times_as_long_in_the_quick_phase(
    opened, patience
):
    attempts = attempts_at("rtsp://127.0.0.1:9/x", Begun())
    attempts._opened = opened
    plan = Plan(0.0, "none", "auto", timeout=0.7, connections=2)
    way = attempts._new(plan)._way
    assert way.timeout == pytest.approx(patience)
    assert way.connections == 2
    assert attempts._new(Plan(0.0, "none", "auto"))._way.timeout is None


async def test_what_a_connection_needed_and_how_many_stood_is_known():
    async with Camera() as camera:
        sink = Begun()
        attempts = attempts_at(camera.url, sink)
        await attempts.first()
        assert attempts._attempt.opened is not None
        assert attempts._attempt.stood == 1
        await sink.leave()
